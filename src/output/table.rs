//! Tables that fit the terminal. With enough room, every cell is complete. With less room, the common start of all
//! references is shown once, digests are shortened, and notes move below their row. Pure.

use chrono::{DateTime, Utc};
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table, presets::NOTHING};

use super::{
    Look,
    human::{size, wrapped},
    safe,
};
use crate::{
    engine::Outcome,
    image::{Digest, ImageId, Provider, Reference},
    prune::ago,
    report::{Item, State},
    store::LeftBehind,
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
}

pub const COLUMNS: [Column; 9] = [
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
    ("TAGS", |item, view| view.cut(tags(&item.image.tags))),
    ("PLATFORMS", |item, _| item.platforms.join(", ")),
    ("SIZE", |item, _| item.image.bytes.map(size).unwrap_or_default()),
    ("AGE", |item, view| {
        let born = item.image.pushed_at.or(item.image.created_at);
        // A build may be far older than its push.
        let built = || item.image.built_at.map(|built| format!("built {}", ago(built, view.now)));
        born.map(|born| ago(born, view.now)).or_else(built).unwrap_or_default()
    }),
    ("NOTE", |item, view| match view.cut {
        Some(_) => String::new(),
        None => note(item),
    }),
];

impl View<'_> {
    /// Complete cells.
    pub fn whole(now: DateTime<Utc>) -> Self {
        Self { now, common: None, cut: None }
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

/// Renders items as a table, without empty columns.
pub fn table(items: &[Item], look: &Look, now: DateTime<Utc>, head: bool) -> String {
    let view = View::whole(now);
    let whole = Rendered::of(items, look, view, head);
    let Some(width) = look.width.map(usize::from).filter(|width| whole.width() > *width) else {
        return whole.text(items, look);
    };
    let places = items.chunk_by(|one, next| place(one) == place(next));
    let tables = places.enumerate().map(|(number, items)| {
        // A table that continues needs no second head, unless another place begins.
        narrow(items, look, width, view, head || number > 0)
    });
    tables.collect()
}

/// Items of one place, in a narrow terminal.
fn narrow(items: &[Item], look: &Look, width: usize, view: View<'_>, head: bool) -> String {
    let common = common(items);
    let short = View { common: Some(&common), ..view };
    let mut rendered = Rendered::of(items, look, short, head);
    if rendered.width() > width {
        let cut = |most| View { cut: Some(most), ..short };
        rendered = Rendered::of(items, look, cut(usize::MAX), head);
        let too_much = rendered.width().saturating_sub(width);
        if too_much > 0 {
            // Shorten names and tags by this much.
            let count = |text: &str| text.chars().count();
            let longest = items.iter().map(|item| {
                let name = item.image.name.as_deref().map_or(0, count);
                name.max(count(&tags(&item.image.tags)))
            });
            let most = longest.max().unwrap_or(0).saturating_sub(too_much);
            rendered = Rendered::of(items, look, cut(most.max(LEAST)), head);
        }
    }
    let text = rendered.text(items, look);
    // A plan already names its store above each table.
    let plan = items.iter().any(|item| item.choice.is_some());
    match head && !plan && !common.is_empty() {
        true => format!("in {}\n{text}", safe(common.trim_end_matches('@'))),
        false => text,
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
    fn of(items: &[Item], look: &Look, view: View<'v>, head: bool) -> Self {
        let cells: Vec<Vec<String>> = items
            .iter()
            .map(|item| COLUMNS.iter().map(|(_, cell)| safe(&cell(item, &view)).into_owned()).collect())
            .collect();
        let used: Vec<usize> =
            (0..COLUMNS.len()).filter(|column| cells.iter().any(|row| !row[*column].is_empty())).collect();
        let mut table = Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        if look.color {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        if head {
            table.set_header(used.iter().map(|column| Cell::new(COLUMNS[*column].0).add_attribute(Attribute::Bold)));
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
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        Self { lines: table.lines().map(|line| line.trim_end().to_owned()).collect(), head, view }
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

/// The width of a line, without its colors.
fn seen(line: &str) -> usize {
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

fn outcome(item: &Item) -> String {
    match item.outcome {
        Some(outcome) => words(outcome),
        None if item.is_kept() => "keep".into(),
        None => String::new(),
    }
}

/// Green: good or unchanged; yellow: look at it; red: failed. Dark colors are readable on light and dark terminals.
fn colour(item: &Item) -> Color {
    use Outcome::*;
    match (item.outcome, &item.state) {
        (Some(Deleted | Untagged | Gone | Archived | AlreadyArchived | Restored | Retagged | AlreadyThere), _)
        | (None, Some(State::Available)) => Color::DarkGreen,
        (Some(WouldDelete | WouldUntag | WouldArchive | WouldRestore | WouldRetag), _)
        | (Some(Accepted | Missing | Refused | Skipped | TagTaken), _) => Color::DarkYellow,
        (Some(Failed | Unknown | WouldRefuse | LayersGone), _) | (None, Some(State::Unavailable(_))) => Color::DarkRed,
        (None, _) if item.is_kept() => Color::DarkGreen,
        (None, Some(State::Missing)) => Color::DarkYellow,
        (None, _) if item.error.is_some() => Color::DarkRed,
        (None, _) => Color::Reset,
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
        Some(digest) => {
            let hex = digest.split(':').next_back().unwrap_or(&digest);
            rest.replace(&digest, &format!("{}…", &hex[..SHORT_DIGEST]))
        }
        None => rest.to_owned(),
    }
}

fn tags(tags: &[String]) -> String {
    match tags {
        [first, second, third, rest @ ..] if !rest.is_empty() => {
            format!("{first}, {second}, {third} and {} more", rest.len())
        }
        tags => tags.join(", "),
    }
}

/// Why an image was chosen or kept, its error, what is deleted with it and what remains.
pub fn note(item: &Item) -> String {
    let reason = item.choice.iter().map(|choice| choice.reason.words.clone());
    let error = item.error.iter().map(ToString::to_string);
    let around = |verb: &str, thing: &LeftBehind| {
        let bytes = thing.bytes.map(|bytes| format!(" ({})", size(bytes))).unwrap_or_default();
        format!("{verb} {} {}{bytes}", thing.kind.replace('_', " "), thing.id)
    };
    let taken = item.takes_along.iter().map(|thing| around("also deletes", thing));
    let left = item.left_behind.iter().map(|thing| around("leaves", thing));
    let job = item.job.iter().map(|job| format!("job {job}"));
    reason.chain(error).chain(taken).chain(left).chain(job).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{image::ImageRef, output::Format, store::Image};

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
        let text = table(&items, &look, Utc::now(), true);
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
