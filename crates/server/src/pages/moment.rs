//! Instants and spans in words. The server writes UTC; `countdown.js` rewrites it in the reader's zone.

use protocol::time::{Lifetime, Timestamp};

/// An instant as a page writes it: `<time datetime="{iso}">{text}</time>`.
#[derive(Clone)]
pub struct Moment {
    /// `2026-11-23T05:25:00Z`
    pub iso: String,
    /// `23 November 2026, 05:25 UTC`
    pub text: String,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAY: i64 = 86_400;

impl Moment {
    pub fn at(instant: Timestamp) -> Self {
        let seconds = instant.seconds();
        let (year, month, day) = civil(seconds.div_euclid(DAY));
        let of_day = seconds.rem_euclid(DAY);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        let name = usize::try_from(month - 1)
            .ok()
            .and_then(|index| MONTHS.get(index))
            .copied()
            .unwrap_or_default();
        Self {
            iso: format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"),
            text: format!("{day} {name} {year}, {hour:02}:{minute:02} UTC"),
        }
    }
}

/// Year, month and day of a day number counted from 1970-01-01. Counts in years that begin in March, so
/// that the leap day is the last of its year; 153 days make five such months.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// `8 hours`, `10 minutes`, `1 hour 30 minutes`: the two largest units that are not zero.
pub fn span(lifetime: Lifetime) -> String {
    let seconds = lifetime.seconds();
    let units = [
        (seconds / DAY, "day"),
        (seconds / 3600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ];
    let words: Vec<String> = units
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .take(2)
        .map(|(count, unit)| format!("{count} {unit}{}", if count == 1 { "" } else { "s" }))
        .collect();
    if words.is_empty() {
        "no time".to_owned()
    } else {
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_reads_in_utc() {
        for (seconds, iso, text) in [
            (0, "1970-01-01T00:00:00Z", "1 January 1970, 00:00 UTC"),
            (951_827_696, "2000-02-29T12:34:56Z", "29 February 2000, 12:34 UTC"),
            (1_795_411_500, "2026-11-23T05:25:00Z", "23 November 2026, 05:25 UTC"),
            (4_107_542_399, "2100-02-28T23:59:59Z", "28 February 2100, 23:59 UTC"),
            (4_107_542_400, "2100-03-01T00:00:00Z", "1 March 2100, 00:00 UTC"),
        ] {
            let moment = Moment::at(Timestamp::from_seconds(seconds));
            assert_eq!((moment.iso.as_str(), moment.text.as_str()), (iso, text));
        }
    }

    #[test]
    fn every_instant_has_a_text() {
        for millis in [i64::MIN, -1, i64::MAX] {
            assert!(Moment::at(Timestamp::from_millis(millis)).text.ends_with(" UTC"));
        }
    }

    #[test]
    fn a_span_names_its_two_largest_units() {
        for (seconds, text) in [
            (0, "no time"),
            (1, "1 second"),
            (600, "10 minutes"),
            (5400, "1 hour 30 minutes"),
            (28_800, "8 hours"),
            (90_061, "1 day 1 hour"),
        ] {
            assert_eq!(span(Lifetime::from_seconds(seconds)), text);
        }
    }
}
