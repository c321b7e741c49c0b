//! Text for people: sizes, errors, the summary line. Pure.

use super::safe;
use crate::{
    error::{Error, Position},
    image,
    report::{Sizes, Summary},
};

/// A size in a readable unit, with two or more significant digits.
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

/// Wraps a text at `room` characters, between words. It keeps longer words whole, so that paths can be copied.
pub fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if seen(line) + 1 + seen(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Wraps the lines of a text that do not fit a terminal. What continues a line is indented by two more.
pub fn fitted(text: &str, width: usize) -> String {
    let fit = |line: &str| {
        if seen(line) <= width {
            return line.to_owned();
        }
        let indent = line.len() - line.trim_start().len();
        let room = width.saturating_sub(indent + 2).max(20);
        let gap = format!("\n{:1$}", "", indent + 2);
        format!("{:indent$}{}", "", wrapped(line, room).join(&gap))
    };
    text.lines().map(fit).collect::<Vec<_>>().join("\n")
}

/// The width of a line, without its colors.
pub fn seen(line: &str) -> usize {
    let mut count = 0;
    let mut escape = false;
    for letter in line.chars() {
        match letter {
            '\u{1b}' => escape = true,
            'm' if escape => escape = false,
            _ if escape => {}
            _ => count += 1,
        }
    }
    count
}

/// `1 image`, `2 images`.
pub fn count(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// What deletions free, in the words of the plan and of the prompt.
pub fn freed(sizes: &Sizes) -> String {
    let bytes = size(sizes.bytes);
    // Layers of kept images are not freed.
    let most = if sizes.is_bound { "at most " } else { "" };
    match (sizes.bytes, sizes.unknown) {
        (0, 0) => "which frees nothing".into(),
        (_, 0) => format!("which frees {most}{bytes}"),
        (0, unknown) => format!("of which {unknown} of unknown size"),
        (_, unknown) => format!("which frees {most}{bytes} and {unknown} images of unknown size"),
    }
}

/// The result of a run in one line.
pub fn summary(summary: &Summary, dry_run: bool) -> String {
    let mut parts: Vec<_> =
        summary.counts.iter().map(|(word, count)| format!("{count} {}", word.replace('_', " "))).collect();
    if parts.is_empty() {
        parts.push("no images".into());
    }
    let bytes = if summary.bytes > 0 { format!(" · {}", size(summary.bytes)) } else { String::new() };
    let calls = count(summary.calls, "call");
    let dry = if dry_run { "dry run, nothing changed: " } else { "" };
    safe(&format!("{dry}{}{bytes} · {calls} in {:.1} s", parts.join(", "), summary.seconds)).into_owned()
}

/// An error, with its code, request id and hint.
pub fn error(error: &Error, color: bool) -> String {
    let (red, plain) = if color { ("\u{1b}[31;1m", "\u{1b}[0m") } else { ("", "") };
    let message: Vec<_> = error.message.lines().map(safe).collect();
    let mut text = format!("{red}error:{plain} {}", message.join("\n"));
    if let Some(Position { text: whole, start, end }) = error.position.as_deref() {
        text.push_str(&format!("\n{}", image::pointed(whole, &(*start..*end))));
    }
    let tail = |text: &mut String, label: &str, value: &Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!("\n  {label}: {}", safe(value)));
        }
    };
    tail(&mut text, "code", &error.code);
    tail(&mut text, "request", &error.request_id);
    tail(&mut text, "reason, encoded", &error.encoded_reason);
    tail(&mut text, "hint", &error.hint);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_wrapped_between_words_and_keeps_its_indent() {
        let text = "short   line\n  hint: one two three four five six seven\n\u{1b}[31merror:\u{1b}[0m twelve";
        let wrapped = "short   line\n  hint: one two three\n    four five six seven\n\u{1b}[31merror:\u{1b}[0m twelve";
        assert_eq!(fitted(text, 24), wrapped);
        let path = "see /a/path/that/is/longer/than/the/terminal now";
        assert_eq!(fitted(path, 20), "see\n  /a/path/that/is/longer/than/the/terminal\n  now");
    }

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
}
