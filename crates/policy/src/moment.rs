//! A moment as policies and people read it: the civil date and time in UTC. RFC 3339. No time zones, no leap seconds.

use protocol::time::Timestamp;
use serde::{Deserialize, Deserializer, Serializer, de};

const DAY: i64 = 86_400;
/// Of four hundred years, after which the calendar repeats itself.
const ERA: i64 = 146_097;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub weekday: &'static str,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
}

pub fn civil(at: Timestamp) -> Civil {
    let seconds = at.seconds();
    let (days, time) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    // Years begin in March here, so that the leap day is a year's last.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(ERA), shifted.rem_euclid(ERA));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let month = (month_from_march + 2) % 12 + 1;
    Civil {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
        weekday: weekday(days),
        hour: time / 3600,
        minute: time / 60 % 60,
        second: time % 60,
    }
}

fn weekday(days: i64) -> &'static str {
    match days.rem_euclid(7) {
        0 => "thursday",
        1 => "friday",
        2 => "saturday",
        3 => "sunday",
        4 => "monday",
        5 => "tuesday",
        _ => "wednesday",
    }
}

/// `2026-11-23T22:30:00Z`.
pub fn text(at: Timestamp) -> String {
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
        ..
    } = civil(at);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The same, read; nothing else, and no day that is not in the calendar.
pub fn parse(written: &str) -> Option<Timestamp> {
    let (date, time) = written.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let from_march = (month + 9) % 12;
    let year_from_march = year - i64::from(month <= 2);
    let (era, of_era) = (year_from_march.div_euclid(400), year_from_march.rem_euclid(400));
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    let days = era * ERA + 365 * of_era + of_era / 4 - of_era / 100 + day_of_year - 719_468;
    let at = Timestamp::from_seconds(days * DAY + hour * 3600 + minute * 60 + second);
    (text(at) == written).then_some(at)
}

fn numbers(written: &str, between: char) -> Option<[i64; 3]> {
    let numbers: Option<Vec<i64>> = written
        .split(between)
        .map(|part| part.parse().ok().filter(|number| (0..=9999).contains(number)))
        .collect();
    numbers?.try_into().ok()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(*at))
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let written = String::deserialize(deserializer)?;
    parse(&written).ok_or_else(|| de::Error::custom("now is written like 2026-11-23T22:30:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_other_programs_print_them() {
        for (seconds, written, weekday) in [
            (0, "1970-01-01T00:00:00Z", "thursday"),
            (951_782_400, "2000-02-29T00:00:00Z", "tuesday"),
            (1_795_411_817, "2026-11-23T05:30:17Z", "monday"),
            (4_107_542_399, "2100-02-28T23:59:59Z", "sunday"),
            (4_107_542_400, "2100-03-01T00:00:00Z", "monday"),
        ] {
            let at = Timestamp::from_seconds(seconds);
            assert_eq!((text(at).as_str(), civil(at).weekday), (written, weekday));
            assert_eq!(parse(written), Some(at));
        }
    }

    #[test]
    fn every_day_comes_back_as_it_was_written() {
        for day in -200_000..200_000 {
            let at = Timestamp::from_seconds(day * 86_400 + 3_661);
            let written = text(at);
            assert!(day < -719_468 || parse(&written) == Some(at), "{written}");
        }
    }

    #[test]
    fn what_is_no_moment_is_not_read() {
        for written in [
            "",
            "Z",
            "2026-11-23",
            "2026-11-23T22:30Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T22:30:00+01:00",
            "-026-11-23T22:30:00Z",
            "2026-11-23T22:30:00.5Z",
            "99999-11-23T22:30:00Z",
        ] {
            assert_eq!(parse(written), None, "{written:?}");
        }
    }
}
