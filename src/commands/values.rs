//! Parsers for values of flags.

use std::time::Duration;

/// Parses a duration (`90s`, `2m`, `1d12h`); a bare number is seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let duration = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => humantime::parse_duration(text).map_err(|error| format!("{error}; examples: 30s, 5m, 1d12h"))?,
    };
    match duration {
        Duration::ZERO => Err("must be greater than 0".into()),
        _ if duration > Duration::from_secs(100 * 365 * 86_400) => Err("must be less than 100 years".into()),
        _ => Ok(duration),
    }
}

pub fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("must be a whole number, at least 1".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_number_is_seconds_and_absurd_spans_are_refused() {
        for (text, seconds) in [("5", 5), ("5s", 5), ("2m", 120), ("1d12h", 129_600), ("2w", 1_209_600)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["0", "0s", "-1", "", "soon", "99999999999999999999d", "18446744073709551615", "200y"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
