//! What people read: sizes, ages, errors, one line that sums up. Pure.

use chrono::TimeDelta;

use super::safe;
use crate::{error::Error, report::Summary};

/// Bytes in the unit that a person reads, with three significant digits.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = if value < 9.95 { 1 } else { 0 };
    format!("{value:.digits$} {}", UNITS[unit])
}

/// A text in lines of at most so many characters, broken between words; a longer word is not broken, so that paths can
/// be copied.
pub fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A time span in its largest unit: `3 weeks ago`.
pub fn age(age: TimeDelta) -> String {
    let seconds = age.num_seconds();
    let (count, unit) = match seconds {
        ..60 => return "just now".into(),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        86_400..1_209_600 => (seconds / 86_400, "day"),
        1_209_600..5_184_000 => (seconds / 604_800, "week"),
        5_184_000..63_072_000 => (seconds / 2_592_000, "month"),
        _ => (seconds / 31_536_000, "year"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

/// `1 image`, `2 images`.
pub fn count(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// What a run came to, in one line.
pub fn summary(summary: &Summary, dry_run: bool) -> String {
    let mut parts: Vec<_> =
        summary.counts.iter().map(|(word, count)| format!("{count} {}", word.replace('_', " "))).collect();
    if parts.is_empty() {
        parts.push("no images".into());
    }
    let bytes = if summary.bytes > 0 { format!(" · {}", size(summary.bytes)) } else { String::new() };
    let calls = count(summary.calls, "call");
    let dry = if dry_run { "dry run, nothing was changed: " } else { "" };
    safe(&format!("{dry}{}{bytes} · {calls} in {:.1} s", parts.join(", "), summary.seconds)).into_owned()
}

/// An error and what to do about it.
pub fn error(error: &Error, color: bool) -> String {
    let (red, plain) = if color { ("\u{1b}[31;1m", "\u{1b}[0m") } else { ("", "") };
    // A parse error points at its place over several lines of our own; their contents are made safe there.
    let message: Vec<_> = error.message.lines().map(safe).collect();
    let mut text = format!("{red}error:{plain} {}", message.join("\n"));
    let tail = |text: &mut String, label: &str, value: &Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!("\n  {label}: {}", safe(value)));
        }
    };
    tail(&mut text, "code", &error.code);
    tail(&mut text, "request", &error.request_id);
    tail(&mut text, "reason, encoded", &error.encoded_authorization_message);
    tail(&mut text, "hint", &error.hint);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_unit_that_a_person_reads() {
        let table = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (10 * 1024, "10 KiB"),
            (1_048_575, "1.0 MiB"),
            (50 << 30, "50 GiB"),
            (u64::MAX, "16384 PiB"),
        ];
        for (bytes, text) in table {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn ages_have_the_largest_unit_that_says_enough() {
        let table = [
            (TimeDelta::seconds(-5), "just now"),
            (TimeDelta::minutes(1), "1 minute ago"),
            (TimeDelta::hours(23), "23 hours ago"),
            (TimeDelta::days(13), "13 days ago"),
            (TimeDelta::days(21), "3 weeks ago"),
            (TimeDelta::days(90), "3 months ago"),
            (TimeDelta::days(800), "2 years ago"),
        ];
        for (span, text) in table {
            assert_eq!(age(span), text);
        }
    }
}
