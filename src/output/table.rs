//! Tables that fit the terminal. With enough room, every cell is complete. With less room, the common start of all
//! references is shown once, digests are shortened, and notes move below their row. Pure.

use chrono::{DateTime, Utc};
use comfy_table::Cell;

use super::{
    Look, colors,
    grid::Grid,
    human::{seen, size, wrapped},
    safe,
};
use crate::{
    engine::Outcome,
    image::{Digest, ImageId, Provider, Reference},
    prune::ago,
    report::{Item, State},
    store::LeftBehind,
    words,
};

/// Digits of a shortened digest.
const SHORT_DIGEST: usize = 12;

/// Minimum length of shortened names and tags.
const LEAST: usize = 12;

pub type Column = (&'static str, fn(&Item, &View) -> String);

/// What cells depend on besides their item.
#[derive(Clone, Copy)]
pub struct View<'v> {
    now: DateTime<Utc>,
    /// In a narrow terminal: the common start of all references, shown once; digests are shortened.
    common: Option<&'v str>,
    /// In a very narrow terminal: notes move below their row, and names and tags are shortened to this length.
    cut: Option<usize>,
    /// Shows when images were last pulled.
    pulled: bool,
}

pub const COLUMNS: [Column; 10] = [
    ("OUTCOME", |item, _| outcome(item)),
    ("STATE", |item, _| match item.choice {
        // In a plan, the reason names the state if it matters.
        Some(_) => String::new(),
        None => item.state.as_ref().map_or("", State::word).to_owned(),
    }),
    ("IMAGE", |item, view| match view.common {
        Some(common) => shorten(&item.reference, common),
        None => item.reference.to_string(),
    }),
    ("NAME", |item, view| view.cut(item.image.name.clone().unwrap_or_default())),
    ("TAGS", |item, view| view.cut(words::some(&item.image.tags))),
    ("PLATFORMS", |item, _| item.platforms.join(", ")),
    ("SIZE", |item, _| item.image.bytes.map(size).unwrap_or_default()),
    ("AGE", |item, view| {
        let born = item.image.pushed_at.or(item.image.created_at);
        // A build may be far older than its push.
        let built = || item.image.built_at.map(|built| format!("built {}", ago(built, view.now)));
        born.map(|born| ago(born, view.now)).or_else(built).unwrap_or_default()
    }),
    ("PULLED", |item, view| match (view.pulled, item.image.pulled_at) {
        (true, Some(pulled)) => ago(pulled, view.now),
        _ => String::new(),
    }),
    ("NOTE", |item, view| match view.cut {
        Some(_) => String::new(),
        None => note(item),
    }),
];

impl View<'_> {
    /// Complete cells.
    pub fn whole(now: DateTime<Utc>) -> Self {
        Self { now, common: None, cut: None, pulled: false }
    }

    fn cut(&self, text: String) -> String {
        match self.cut {
            Some(most) if text.chars().count() > most => {
                let kept: String = text.chars().take(most.saturating_sub(1)).collect();
                format!("{}…", kept.trim_end_matches([',', ' ']))
            }
            _ => text,
        }
    }
}

/// How a table is laid out, page after page: once rows are printed, columns keep their place.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// Never shortens anything, however wide the table becomes.
    pub wide: bool,
    /// Shows when images were last pulled.
    pub pulled: bool,
    used: [bool; COLUMNS.len()],
    widths: [u16; COLUMNS.len()],
    fit: Fit,
    begun: bool,
}

/// What is left out so that a table fits its terminal, from little to much.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
enum Fit {
    #[default]
    Whole,
    /// The common start of all references.
    Short,
    /// Also ends of names and tags, and notes are below their row.
    Cut,
}

impl Columns {
    /// Begins another table.
    pub fn end(&mut self) {
        *self = Self { wide: self.wide, pulled: self.pulled, ..Self::default() };
    }

    /// Renders the next items of a table, without columns that were empty so far.
    pub fn table(&mut self, items: &[Item], look: &Look, now: DateTime<Utc>) -> String {
        let view = View { pulled: self.pulled, ..View::whole(now) };
        let width = look.width.map(usize::from).filter(|_| !self.wide);
        if self.fit == Fit::Whole {
            let mut next = self.clone();
            let whole = Rendered::of(items, look, view, &mut next);
            if width.is_none_or(|width| whole.width() <= width) {
                *self = next;
                return whole.text(items, look);
            }
        }
        let width = width.unwrap_or(usize::MAX);
        let places = items.chunk_by(|one, next| place(one) == place(next));
        let mut text = String::new();
        for (number, items) in places.enumerate() {
            // Another place gets a head of its own.
            if number > 0 {
                self.end();
            }
            text.push_str(&self.narrow(items, look, width, view));
        }
        text
    }

    /// Items of one place, in a narrow terminal.
    fn narrow(&mut self, items: &[Item], look: &Look, width: usize, view: View<'_>) -> String {
        let first = !self.begun;
        let common = common(items);
        let short = View { common: Some(&common), ..view };
        let cut = |most| View { cut: Some(most), ..short };
        let mut next = self.clone();
        let mut rendered = Rendered::of(items, look, short, &mut next);
        next.fit = Fit::Short;
        if self.fit == Fit::Cut || rendered.width() > width {
            next = self.clone();
            rendered = Rendered::of(items, look, cut(usize::MAX), &mut next);
            let too_much = rendered.width().saturating_sub(width);
            if too_much > 0 {
                // Shorten names and tags by this much.
                let count = |text: &str| text.chars().count();
                let longest = items.iter().map(|item| {
                    let name = item.image.name.as_deref().map_or(0, count);
                    name.max(count(&words::some(&item.image.tags)))
                });
                let most = longest.max().unwrap_or(0).saturating_sub(too_much);
                next = self.clone();
                rendered = Rendered::of(items, look, cut(most.max(LEAST)), &mut next);
            }
            next.fit = Fit::Cut;
        }
        *self = next;
        let text = rendered.text(items, look);
        // A plan already names its store above each table.
        let plan = items.iter().any(|item| item.choice.is_some());
        match first && !plan && !common.is_empty() {
            true => format!("in {}\n{text}", safe(common.trim_end_matches('@'))),
            false => text,
        }
    }
}

/// The common start of references in one place: the repository if all are digests in it, otherwise the place.
fn common(items: &[Item]) -> String {
    let Some(store) = items.first().map(|item| item.reference.store()) else {
        return String::new();
    };
    let pinned = |item: &Item| match &item.reference {
        Reference::Image(image) => *image.store == *store && matches!(image.id, ImageId::Digest(_)),
        Reference::Store(_) => false,
    };
    match (items.iter().all(pinned), &store.region) {
        (true, _) => format!("{store}@"),
        (false, Some(_)) => store.clone().with_name("").to_string(),
        (false, None) => String::new(),
    }
}

/// The registry, or the provider with owner and region, that an item is in.
fn place(item: &Item) -> (Provider, [Option<&str>; 3]) {
    let store = item.reference.store();
    (store.provider, [&store.owner, &store.region, &store.host].map(|part| part.as_deref()))
}

/// A table: an optional head, then one line per item.
struct Rendered<'v> {
    lines: Vec<String>,
    head: bool,
    view: View<'v>,
}

impl<'v> Rendered<'v> {
    fn of(items: &[Item], look: &Look, view: View<'v>, columns: &mut Columns) -> Self {
        let cells: Vec<Vec<String>> = items
            .iter()
            .map(|item| COLUMNS.iter().map(|(_, cell)| safe(&cell(item, &view)).into_owned()).collect())
            .collect();
        let before = columns.used;
        for (column, used) in columns.used.iter_mut().enumerate() {
            *used |= cells.iter().any(|row| !row[column].is_empty());
        }
        // A column that was empty so far needs its title.
        let head = !columns.begun || columns.used != before;
        columns.begun = true;
        let used: Vec<usize> = (0..COLUMNS.len()).filter(|column| columns.used[*column]).collect();
        let titles: Vec<&str> = used.iter().map(|column| COLUMNS[*column].0).collect();
        let mut widths: Vec<u16> = used.iter().map(|column| columns.widths[*column]).collect();
        let rows = items.iter().zip(&cells).map(|(item, row)| {
            let cell = |column: &usize| {
                let cell = Cell::new(&row[*column]);
                match COLUMNS[*column].0 {
                    "OUTCOME" | "STATE" => cell.fg(colors::of(item)),
                    _ => cell,
                }
            };
            used.iter().map(cell).collect()
        });
        let lines = Grid { titles: &titles, head, color: look.color, widths: &mut widths }.lines(rows);
        for (column, width) in used.into_iter().zip(widths) {
            columns.widths[column] = width;
        }
        Self { lines, head, view }
    }

    fn width(&self) -> usize {
        self.lines.iter().map(|line| seen(line)).max().unwrap_or(0)
    }

    fn text(&self, items: &[Item], look: &Look) -> String {
        let room = look.width.map_or(80, usize::from).saturating_sub(3);
        let below = |item: &Item| match self.view.cut {
            Some(_) => wrapped(&note(item), room.max(LEAST)),
            None => Vec::new(),
        };
        let (head, rows) = self.lines.split_at(usize::from(self.head).min(self.lines.len()));
        let mut text: String = head.iter().map(|line| format!("{line}\n")).collect();
        for (item, row) in items.iter().zip(rows) {
            text.push_str(row);
            text.push('\n');
            for line in below(item) {
                let (faint, plain) = match look.color {
                    true => ("\u{1b}[2m", "\u{1b}[0m"),
                    false => ("", ""),
                };
                text.push_str(&format!("  {faint}{}{plain}\n", safe(&line)));
            }
        }
        text
    }
}

fn outcome(item: &Item) -> String {
    match item.outcome {
        Some(outcome) => words(outcome),
        None if item.is_kept() => "keep".into(),
        None => String::new(),
    }
}

fn words(outcome: Outcome) -> String {
    outcome.word().replace('_', " ")
}

/// The reference without the common start, and with a shortened digest.
fn shorten(reference: &Reference, common: &str) -> String {
    let whole = reference.to_string();
    let rest = whole.strip_prefix(common).unwrap_or(&whole);
    match reference.digest().map(Digest::to_string) {
        Some(digest) => rest.replace(&digest, &short(&digest)),
        None => rest.to_owned(),
    }
}

/// The beginning of a digest.
fn short(digest: &str) -> String {
    let hex = digest.split(':').next_back().unwrap_or(digest);
    format!("{}…", &hex[..SHORT_DIGEST])
}

/// Why an image was chosen or kept, its error, what is deleted with it and what remains.
pub fn note(item: &Item) -> String {
    let reason = item.choice.iter().map(|choice| choice.reason.words.clone());
    let error = item.error.iter().map(ToString::to_string);
    let around = |verb: &str, thing: &LeftBehind| {
        let bytes = thing.bytes.map(|bytes| format!(" ({})", size(bytes))).unwrap_or_default();
        let id = if thing.id.parse::<Digest>().is_ok() { short(&thing.id) } else { thing.id.clone() };
        format!("{verb} {} {id}{bytes}", thing.kind.replace('_', " "))
    };
    let taken = item.takes_along.iter().map(|thing| around("also deletes", thing));
    let left = item.left_behind.iter().map(|thing| around("leaves", thing));
    let job = item.job.iter().map(|job| format!("job {job}"));
    reason.chain(error).chain(taken).chain(left).chain(job).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::{
        image::{ImageRef, StoreRef},
        output::Format,
        store::Image,
    };

    #[test]
    fn what_stays_is_named_in_short_and_snapshots_in_full() {
        let left = |kind: &str, id: String, bytes| LeftBehind { kind: kind.into(), id, bytes };
        let store: StoreRef = "ecr:app".parse().unwrap();
        let mut item = Item::new(store);
        item.left_behind = vec![
            left("referrer", format!("sha256:{}", "1a".repeat(32)), None),
            left("snapshot", "snap-1".into(), Some(2048)),
        ];
        assert_eq!(note(&item), "leaves referrer 1a1a1a1a1a1a…; leaves snapshot snap-1 (2.0 KiB)");
    }

    #[test]
    fn where_there_is_little_room_each_place_is_said_once_and_references_stay_whole() {
        let item = |reference: &str, tags: &[&str]| {
            let image = Image {
                state: Some("active".into()),
                tags: tags.iter().map(ToString::to_string).collect(),
                bytes: Some(1 << 30),
                pushed_at: Some(DateTime::UNIX_EPOCH),
                ..Image::default()
            };
            Item::found(reference.parse::<ImageRef>().unwrap(), image)
        };
        let digest = "e882e2d47b25bfbb2584eb6fe0bcb9637f98aca296b8e19126c2771ce1196f49";
        let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        let items = [
            item(&format!("{host}/app@sha256:{digest}"), &["one", "two", "three-times-longer"]),
            item(&format!("{host}/app:v1"), &["v1"]),
            item("cvm://ap-guangzhou/img-1", &[]),
        ];
        let look = Look { width: Some(66), ..Look::of_terminal(Format::Table, false, Some(false), false) };
        let text = Columns::default().table(&items, &look, Utc::now());
        assert!(text.lines().all(|line| line.chars().count() <= 66), "{text}");
        for whole in [
            "in 123456789012.dkr.ecr.eu-west-1.amazonaws.com/\nSTATE ",
            "in cvm://ap-guangzhou/\nSTATE ",
            "  app@e882e2d47b25…  one,",
            "\nactive  img-1  1.0 GiB  ",
        ] {
            assert!(text.contains(whole), "{whole:?} in\n{text}");
        }
        assert_eq!(text.matches(" days ago").count(), 3, "{text}");
    }
}
