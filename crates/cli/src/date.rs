//! Dates for people: printing in UTC, and reading `90d` or `2027-01-31`. No time zones, no leap seconds.

use protocol::time::{Lifetime, Timestamp};

use crate::failure::Failure;

const SECONDS_A_DAY: i64 = 86_400;
const LAST_YEAR: i64 = 9999;

/// `2026-11-23 05:30:17 UTC`; outside the years 1970 to 9999 the bare number of seconds.
pub fn utc(at: Timestamp) -> String {
    let seconds = at.seconds();
    let Some((year, month, day)) = civil(seconds.div_euclid(SECONDS_A_DAY)) else {
        return format!("{seconds} s");
    };
    let time = seconds.rem_euclid(SECONDS_A_DAY);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// The same of unix milliseconds, as they are in JSON.
pub fn moment(millis: i64) -> String {
    utc(Timestamp::from_millis(millis))
}

/// `9:32`, or `1:09:32`: what is left.
pub fn countdown(left: Lifetime) -> String {
    let seconds = left.seconds();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// `90d`, `12h`, `30m`, `45s` from now, or the start of a day in UTC.
fn parse_end(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Some((year, rest)) = text.split_once('-') {
        let (month, day) = rest.split_once('-')?;
        let days = days_until(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)?;
        return Some(Timestamp::from_seconds(days.saturating_mul(SECONDS_A_DAY)));
    }
    Some(now + parse_length(text)?)
}

fn parse_length(text: &str) -> Option<Lifetime> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => SECONDS_A_DAY,
        _ => return None,
    };
    let count: u32 = text.get(..text.len() - 1)?.parse().ok()?;
    Some(Lifetime::from_seconds(i64::from(count).saturating_mul(unit)))
}

/// The same as it was typed.
pub fn end(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    parse_end(text, now).ok_or_else(|| {
        Failure::usage(format!("{text:?} is no end")).hint("write 90d, 12h, or a day such as 2027-01-31")
    })
}

/// A length of time as it was typed.
pub fn length(text: &str) -> Result<Lifetime, Failure> {
    parse_length(text)
        .ok_or_else(|| Failure::usage(format!("{text:?} is no length of time")).hint("write 90d, 12h or 30m"))
}

fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

fn months_of(year: i64) -> [i64; 12] {
    let february = if is_leap(year) { 29 } else { 28 };
    [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}

/// Year, month and day of a count of days since 1970-01-01.
fn civil(mut days: i64) -> Option<(i64, i64, i64)> {
    if days < 0 {
        return None;
    }
    for year in 1970..=LAST_YEAR {
        let length = if is_leap(year) { 366 } else { 365 };
        if days >= length {
            days -= length;
            continue;
        }
        for (month, length) in (1..).zip(months_of(year)) {
            if days < length {
                return Some((year, month, days + 1));
            }
            days -= length;
        }
    }
    None
}

fn days_until(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1970..=LAST_YEAR).contains(&year) {
        return None;
    }
    let years: i64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let months = months_of(year);
    let index = usize::try_from(month.checked_sub(1)?).ok()?;
    let length = *months.get(index)?;
    let before: i64 = months.iter().take(index).sum();
    (1..=length).contains(&day).then_some(years + before + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_print_as_other_programs_print_them() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_795_411_817, "2026-11-23 05:30:17 UTC"),
            (4_107_542_399, "2100-02-28 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (i64::MAX / 1000, "9223372036854775 s"),
            (-1, "-1 s"),
        ] {
            assert_eq!(utc(Timestamp::from_seconds(seconds)), text);
        }
    }

    #[test]
    fn an_end_is_a_length_of_time_or_a_day() {
        let now = Timestamp::from_seconds(1000);
        assert_eq!(parse_end("90d", now), Some(Timestamp::from_seconds(1000 + 90 * 86_400)));
        assert_eq!(parse_end("30m", now), Some(Timestamp::from_seconds(2800)));
        assert_eq!(parse_end("2000-02-29", now), Some(Timestamp::from_seconds(951_782_400)));
        for text in [
            "",
            "d",
            "-1d",
            "1y",
            "2001-02-29",
            "2001-13-01",
            "2001-00-01",
            "x-y-z",
            "1é",
            "99999999999d",
        ] {
            assert_eq!(parse_end(text, now), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_left_reads_like_a_clock() {
        assert_eq!(countdown(Lifetime::from_seconds(572)), "9:32");
        assert_eq!(countdown(Lifetime::from_seconds(4172)), "1:09:32");
        assert_eq!(countdown(Lifetime::from_seconds(-5)), "0:00");
    }
}
