//! What people see: tables that fit the terminal, sizes, ages, one line that sums up. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table,
    presets::NOTHING,
};

use super::{Look, safe};
use crate::{
    error::Error,
    report::{Item, Outcome, Summary},
    store::LeftBehind,
};

/// Digits of a digest that are shown where the whole does not fit.
const SHORT_DIGEST: usize = 12;

type Column = (&'static str, fn(&Item, &View) -> String);

/// What the cells depend on besides their item.
struct View<'v> {
    now: DateTime<Utc>,
    /// Too narrow for everything: what all references begin with is said once, digests are cut, and notes are told in
    /// full below the table.
    narrow: Option<&'v str>,
}

const COLUMNS: [Column; 9] = [
    ("OUTCOME", |item, _| {
        item.outcome.map(words).unwrap_or_default()
    }),
    ("STATE", |item, _| {
        item.image.state.clone().unwrap_or_default()
    }),
    ("IMAGE", |item, view| match view.narrow {
        Some(common) => shorten(
            item.reference
                .strip_prefix(common)
                .unwrap_or(&item.reference),
        ),
        None => item.reference.clone(),
    }),
    ("NAME", |item, _| {
        item.image.name.clone().unwrap_or_default()
    }),
    ("TAGS", |item, _| tags(&item.image.tags)),
    ("PLATFORMS", |item, _| item.platforms.join(", ")),
    ("SIZE", |item, _| {
        item.image.bytes.map(size).unwrap_or_default()
    }),
    ("AGE", |item, view| {
        let born = item.image.pushed_at.or(item.image.created_at);
        born.map(|born| age(view.now - born)).unwrap_or_default()
    }),
    // Where there is little room, notes stand below the table.
    ("NOTE", |item, view| {
        view.narrow.map_or_else(|| note(item), |_| String::new())
    }),
];

/// Renders items as a table; columns that no item fills are left out.
pub fn table(items: &[Item], look: &Look, now: DateTime<Utc>, head: bool) -> String {
    let whole = render(items, look, &View { now, narrow: None }, head);
    let fits = |width: u16| {
        whole
            .lines()
            .all(|line| line.chars().count() <= usize::from(width))
    };
    if look.width.is_none_or(fits) {
        return whole;
    }
    let chunks = items.chunk_by(|one, next| place(&one.reference) == place(&next.reference));
    let tables = chunks.enumerate().map(|(number, items)| {
        // A table that goes on needs no second head, unless it goes on elsewhere.
        narrow_table(items, look, now, head || number > 0)
    });
    tables.collect()
}

/// Items of one place, where there is little room: the place is said once, and notes stand below.
fn narrow_table(items: &[Item], look: &Look, now: DateTime<Utc>, head: bool) -> String {
    let place = items.first().map_or("", |item| place(&item.reference));
    let narrow = Some(place);
    let mut text = render(items, look, &View { now, narrow }, head);
    if head && !place.is_empty() {
        text = format!("in {}\n{text}", safe(place));
    }
    let notes = items.iter().map(|item| (item, note(item)));
    for (item, note) in notes.filter(|(_, note)| !note.is_empty()) {
        let name = item.reference.strip_prefix(place);
        let name = shorten(name.unwrap_or(&item.reference));
        text.push_str(&format!("{}: {}\n", safe(&name), safe(&note)));
    }
    text
}

/// The host, or the scheme with owner and region, that a reference begins with.
fn place(reference: &str) -> &str {
    let start = reference.find("://").map_or(0, |scheme| scheme + 3);
    let end = reference[start..].find('/');
    &reference[..end.map_or(0, |slash| start + slash + 1)]
}

fn render(items: &[Item], look: &Look, view: &View<'_>, head: bool) -> String {
    let cells: Vec<Vec<String>> = items
        .iter()
        .map(|item| {
            COLUMNS
                .iter()
                .map(|(_, cell)| safe(&cell(item, view)).into_owned())
                .collect()
        })
        .collect();
    let used: Vec<usize> = (0..COLUMNS.len())
        .filter(|column| cells.iter().any(|row| !row[*column].is_empty()))
        .collect();
    let mut table = Table::new();
    table.load_style(NOTHING);
    if let (Some(width), Some(_)) = (look.width, view.narrow) {
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
    }
    if look.color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    if head {
        table.set_header(
            used.iter()
                .map(|column| Cell::new(COLUMNS[*column].0).add_attribute(Attribute::Bold)),
        );
    }
    for (item, row) in items.iter().zip(&cells) {
        table.add_row(used.iter().map(|column| {
            let cell = Cell::new(&row[*column]);
            match COLUMNS[*column].0 {
                "OUTCOME" | "STATE" => cell.fg(colour(item)),
                "SIZE" => cell.set_alignment(CellAlignment::Right),
                _ => cell,
            }
        }));
    }
    let widths = widths(&used, &cells);
    for (column, at) in table.column_iter_mut().zip(&used) {
        column.set_padding((0, 2));
        if whole(*at, &widths, look) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let lines: Vec<_> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    lines.join("\n") + "\n"
}

/// Columns of the terminal that each column of a table would take.
fn widths(used: &[usize], cells: &[Vec<String>]) -> [usize; COLUMNS.len()] {
    let mut widths = [0; COLUMNS.len()];
    for at in used {
        let longest = cells.iter().map(|row| row[*at].chars().count()).max();
        widths[*at] = longest.unwrap_or(0).max(COLUMNS[*at].0.len()) + 2;
    }
    widths
}

/// Whether a column is never broken into lines: short words never, and references as long as there is room beside them.
fn whole(column: usize, widths: &[usize; COLUMNS.len()], look: &Look) -> bool {
    /// What names, tags and platforms are left with at least.
    const LEFT: usize = 14;
    let sum = |columns: [&str; 5]| -> usize {
        let named = COLUMNS.iter().zip(widths);
        let named = named.filter(|((name, _), _)| columns.contains(name));
        named.map(|(_, width)| width).sum()
    };
    match COLUMNS[column].0 {
        "OUTCOME" | "STATE" | "SIZE" | "AGE" => true,
        "IMAGE" => look.width.is_some_and(|width| {
            let beside = widths.iter().sum::<usize>();
            let fixed = sum(["OUTCOME", "STATE", "SIZE", "AGE", "IMAGE"]);
            fixed + LEFT.min(beside - fixed) <= usize::from(width)
        }),
        _ => false,
    }
}

fn colour(item: &Item) -> Color {
    use Outcome::*;
    match (item.outcome, item.available) {
        (Some(Deleted | Untagged | Gone | WouldDelete | WouldUntag), _) | (None, Some(true)) => {
            Color::Green
        }
        (Some(Accepted | Missing | Refused | Skipped | WouldRefuse), _) => Color::Yellow,
        (Some(Failed | Unknown), _) | (None, Some(false)) => Color::Red,
        (None, None) if item.image.state.as_deref() == Some("missing") => Color::Yellow,
        (None, None) => Color::Reset,
    }
}

fn words(outcome: Outcome) -> String {
    outcome.word().replace('_', " ")
}

/// The reference with its digest cut to what a person compares.
fn shorten(reference: &str) -> String {
    match reference.split_once("@sha256:") {
        Some((name, hex)) if hex.len() > SHORT_DIGEST => {
            format!("{name}@{}…", &hex[..SHORT_DIGEST])
        }
        _ => reference.to_owned(),
    }
}

pub fn tags(tags: &[String]) -> String {
    match tags {
        [first, second, third, rest @ ..] if !rest.is_empty() => {
            format!("{first}, {second}, {third} and {} more", rest.len())
        }
        tags => tags.join(", "),
    }
}

pub fn note(item: &Item) -> String {
    let error = item.error.iter().map(ToString::to_string);
    let around = |verb: &str, thing: &LeftBehind| {
        let bytes = thing
            .bytes
            .map(|bytes| format!(" ({})", size(bytes)))
            .unwrap_or_default();
        format!(
            "{verb} {} {}{bytes}",
            thing.kind.replace('_', " "),
            thing.id
        )
    };
    let taken = item.takes_along.iter().map(|thing| around("takes", thing));
    let left = item.left_behind.iter().map(|thing| around("leaves", thing));
    let job = item.job.iter().map(|job| format!("job {job}"));
    error
        .chain(taken)
        .chain(left)
        .chain(job)
        .collect::<Vec<_>>()
        .join("; ")
}

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
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural} ago")
}

/// What a run came to, in one line.
pub fn summary(summary: &Summary, dry_run: bool) -> String {
    let mut parts: Vec<_> = summary
        .counts
        .iter()
        .map(|(word, count)| format!("{count} {}", word.replace('_', " ")))
        .collect();
    if parts.is_empty() {
        parts.push("nothing found".into());
    }
    let bytes = if summary.bytes > 0 {
        format!(" · {}", size(summary.bytes))
    } else {
        String::new()
    };
    let calls = match summary.calls {
        1 => "1 call".into(),
        calls => format!("{calls} calls"),
    };
    let dry = if dry_run {
        "dry run, nothing was changed: "
    } else {
        ""
    };
    safe(&format!(
        "{dry}{}{bytes} · {calls} in {:.1} s",
        parts.join(", "),
        summary.seconds
    ))
    .into_owned()
}

/// An error and what to do about it.
pub fn error(error: &Error, color: bool) -> String {
    let (red, plain) = if color {
        ("\u{1b}[31;1m", "\u{1b}[0m")
    } else {
        ("", "")
    };
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
    tail(
        &mut text,
        "reason, encoded",
        &error.encoded_authorization_message,
    );
    tail(&mut text, "hint", &error.hint);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{image::Provider, output::Format, store::Image};

    #[test]
    fn where_there_is_little_room_each_place_is_said_once_and_references_stay_whole() {
        let item = |reference: &str, tags: &[&str]| Item {
            image: Image {
                state: Some("active".into()),
                tags: tags.iter().map(ToString::to_string).collect(),
                bytes: Some(1 << 30),
                pushed_at: Some(DateTime::UNIX_EPOCH),
                ..Image::default()
            },
            ..Item::new(reference.into(), Provider::Ecr)
        };
        let digest = "e882e2d47b25bfbb2584eb6fe0bcb9637f98aca296b8e19126c2771ce1196f49";
        let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        let items = [
            item(
                &format!("{host}/app@sha256:{digest}"),
                &["one", "two", "three-times-longer"],
            ),
            item(&format!("{host}/app:v1"), &["v1"]),
            item("cvm://ap-guangzhou/img-1", &[]),
        ];
        let look = Look {
            width: Some(66),
            ..Look::of_terminal(Format::Table, false, Some(false), false)
        };
        let text = table(&items, &look, Utc::now(), true);
        assert!(
            text.lines().all(|line| line.chars().count() <= 66),
            "{text}"
        );
        for whole in [
            "in 123456789012.dkr.ecr.eu-west-1.amazonaws.com/\nSTATE ",
            "in cvm://ap-guangzhou/\nSTATE ",
            "  app@e882e2d47b25…  ",
            "\nactive  img-1  1.0 GiB  ",
        ] {
            assert!(text.contains(whole), "{whole:?} in\n{text}");
        }
        assert_eq!(text.matches(" years ago").count(), 3, "{text}");
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
