//! Parses ages and sizes from a command line or a policy file. A value that could select more than the writer meant
//! (negative, overflowing, in the future, without a unit) is refused.

use std::{fmt, str::FromStr};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};

/// No registry is older, so a longer span is a typing mistake.
const LONGEST: TimeDelta = TimeDelta::days(100 * 365);

/// What an age looks like, for a hint.
const EXAMPLES: &str = "write 30d, 2w, 1d12h or a date such as 2025-01-31";

/// A span before now (`30d`, `2w`, `1d12h`) or a moment (`2025-01-31`, RFC 3339).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Age {
    text: String,
    when: When,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Before(TimeDelta),
    At(DateTime<Utc>),
}

impl Age {
    /// The moment before which something is older than this.
    pub fn moment(&self, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
        let wrong = |why: &str| Error::new(Kind::Usage, format!("not a valid age: {}: {why}", self.text));
        match self.when {
            When::Before(span) => now.checked_sub_signed(span).ok_or_else(|| wrong("the span is too long")),
            When::At(moment) if moment > now => Err(wrong("the date is in the future")),
            When::At(moment) => Ok(moment),
        }
    }
}

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with('-') {
            return Err(format!("an age has no sign: {EXAMPLES}"));
        }
        let when = if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
            When::At(moment.to_utc())
        } else if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            When::At(day.and_time(NaiveTime::MIN).and_utc())
        } else if text.parse::<f64>().is_ok() {
            return Err("the unit is missing: write 30d, 2w or 12h".into());
        } else {
            When::Before(span(text)?)
        };
        Ok(Self { text: text.into(), when })
    }
}

fn span(text: &str) -> Result<TimeDelta, String> {
    // humantime reads m as minutes and M as months, but people write 3m for three months as well.
    let mut units = text.split(|letter: char| letter.is_ascii_digit() || letter.is_whitespace());
    if units.any(|unit| unit == "m" || unit == "M") {
        return Err("m can mean minutes or months: write 90d or 30min".into());
    }
    let span = humantime::parse_duration(text).map_err(|_| EXAMPLES)?;
    TimeDelta::from_std(span)
        .ok()
        .filter(|span| *span <= LONGEST)
        .ok_or_else(|| "must be less than 100 years".to_owned())
        .and_then(|span| match span.is_zero() {
            true => Err("must be greater than 0".into()),
            false => Ok(span),
        })
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Age {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Age> for String {
    fn from(age: Age) -> Self {
        age.text
    }
}

/// How long ago a moment was: `91 days ago`.
pub fn ago(moment: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let span = now - moment;
    match (span.num_days(), span.num_hours(), span.num_minutes()) {
        _ if span < TimeDelta::zero() => "in the future".into(),
        (days @ 2.., ..) => format!("{days} days ago"),
        (_, hours @ 2.., _) => format!("{hours} hours ago"),
        (_, _, minutes @ 2..) => format!("{minutes} minutes ago"),
        _ => "just now".into(),
    }
}

/// A size in bytes: `500MB`, `1.5GiB`, `1048576`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Size {
    text: String,
    pub bytes: u64,
}

/// Decimal units, as Docker and cloud bills use them, and binary units with an `i`.
const UNITS: [(&str, u64); 14] = [
    ("", 1),
    ("b", 1),
    ("k", 1_000),
    ("kb", 1_000),
    ("kib", 1 << 10),
    ("m", 1_000_000),
    ("mb", 1_000_000),
    ("mib", 1 << 20),
    ("g", 1_000_000_000),
    ("gb", 1_000_000_000),
    ("gib", 1 << 30),
    ("t", 1_000_000_000_000),
    ("tb", 1_000_000_000_000),
    ("tib", 1 << 40),
];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let end = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let unit = unit.trim().to_ascii_lowercase();
        let unit = UNITS.iter().find(|(name, _)| *name == unit);
        let wrong = || "write a size such as 500MB, 1.5GiB or 1048576".to_owned();
        let (_, unit) = unit.ok_or_else(wrong)?;
        let bytes = match number.parse::<u64>() {
            Ok(whole) => whole.checked_mul(*unit).ok_or("larger than any image")?,
            Err(_) => {
                let part: f64 = number.parse().map_err(|_| wrong())?;
                let bytes = part * *unit as f64;
                if bytes >= u64::MAX as f64 {
                    return Err("larger than any image".into());
                }
                bytes as u64
            }
        };
        Ok(Self { text: text.into(), bytes })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        size.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2025-06-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn an_age_is_a_span_or_a_date() {
        for (text, moment) in [
            ("30d", "2025-05-02T12:00:00Z"),
            ("2w", "2025-05-18T12:00:00Z"),
            ("1d12h", "2025-05-31T00:00:00Z"),
            ("90min", "2025-06-01T10:30:00Z"),
            ("2025-01-31", "2025-01-31T00:00:00Z"),
            ("2025-01-31T10:00:00+02:00", "2025-01-31T08:00:00Z"),
        ] {
            let age: Age = text.parse().unwrap();
            assert_eq!(age.moment(now()).unwrap(), moment.parse::<DateTime<Utc>>().unwrap(), "{text}");
            assert_eq!(age.to_string(), text);
        }
    }

    /// An ambiguous unit, or an age of 0, could select everything.
    #[test]
    fn an_ambiguous_age_is_refused() {
        for text in ["3m", "1d3m", "3 m", "3M", "0d", "0s"] {
            assert!(text.parse::<Age>().is_err(), "{text}");
        }
        for text in ["3months", "3month", "3min", "1h"] {
            assert!(text.parse::<Age>().is_ok(), "{text}");
        }
    }

    #[test]
    fn ago_uses_the_most_readable_unit() {
        for (moment, said) in [
            ("2025-03-02T12:00:00Z", "91 days ago"),
            ("2025-05-31T00:00:00Z", "36 hours ago"),
            ("2025-06-01T11:00:00Z", "60 minutes ago"),
            ("2025-06-01T11:59:01Z", "just now"),
            ("2025-06-02T12:00:00Z", "in the future"),
        ] {
            assert_eq!(ago(moment.parse().unwrap(), now()), said, "{moment}");
        }
    }

    #[test]
    fn a_size_has_decimal_or_binary_units() {
        for (text, bytes) in [
            ("1048576", 1_048_576),
            ("500MB", 500_000_000),
            ("1.5GiB", 1_610_612_736),
            ("2 g", 2_000_000_000),
            ("1KiB", 1024),
        ] {
            assert_eq!(text.parse::<Size>().unwrap().bytes, bytes, "{text}");
        }
        for text in ["", "MB", "-1GB", "1XB", "1.2.3MB", "99999999999999999999", "99999999TB", "."] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
