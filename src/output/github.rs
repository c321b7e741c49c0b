//! Output for GitHub Actions: annotations, as workflow commands, and a step summary, in Markdown. Pure.
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>

use chrono::{DateTime, Utc};

use super::{
    human, safe,
    table::{self, COLUMNS, Column, View},
};
use crate::{
    engine::Outcome,
    error::Error,
    exit::Exit,
    report::{Item, State, Summary},
};

/// Annotations of one kind that the runner keeps of a step.
/// <https://github.com/actions/runner/blob/main/src/Runner.Worker/ExecutionContext.cs>
const ANNOTATIONS: usize = 10;

/// Characters of a message that the runner keeps; the report has the rest.
const LONGEST_MESSAGE: usize = 4096;

/// Rows of each table in a summary; the JSON has all.
const ROWS: usize = 200;

/// Bytes of a step summary. The runner discards a file of more than 1 MiB, and other commands of the step write to the
/// same file.
/// <https://github.com/actions/runner/blob/main/src/Runner.Worker/FileCommandManager.cs>
const LARGEST_FILE: usize = 1_000_000;
const LARGEST_SUMMARY: usize = 200_000;

/// What the end of a run prints for GitHub Actions.
pub struct Notes {
    command: &'static str,
    dry_run: bool,
    ignore_missing: bool,
    done: Rows,
    failed: Rows,
    held: Rows,
    errors: Vec<String>,
    /// The run changed or checked something, or would; a run that only reads gets a summary only after an error.
    telling: bool,
}

/// The first items of many, and their number.
#[derive(Default)]
struct Rows {
    first: Vec<Item>,
    count: usize,
}

impl Rows {
    fn add(&mut self, item: &Item) {
        self.count += 1;
        if self.first.len() < ROWS {
            self.first.push(item.clone());
        }
    }
}

/// The level of an annotation.
#[derive(Clone, Copy, PartialEq)]
enum Level {
    Error,
    Warning,
}

impl Notes {
    pub fn new(command: &'static str, dry_run: bool) -> Self {
        Self {
            command,
            dry_run,
            ignore_missing: false,
            done: Rows::default(),
            failed: Rows::default(),
            held: Rows::default(),
            errors: Vec::new(),
            telling: false,
        }
    }

    pub fn ignore_missing(&mut self) {
        self.ignore_missing = true;
    }

    pub fn item(&mut self, item: &Item) {
        self.telling |= item.outcome.is_some() || matches!(item.state, Some(State::Available | State::Unavailable(_)));
        if item.is_kept() {
            // There may be very many of them, and nothing happened to them; the summary counts them.
        } else if Exit::of_items([item], self.ignore_missing) == Exit::Done {
            self.done.add(item);
        } else if item.was_not_tried() {
            // The error that stopped the store is shown once; a row for each image would only repeat it.
        } else if level(item) == Level::Error {
            self.failed.add(item);
        } else {
            self.held.add(item);
        }
    }

    /// An error that ended the run or one store, as an annotation.
    pub fn error(&mut self, error: &Error) -> String {
        let text = human::error(error, false);
        let text = text.trim_start_matches("error: ");
        let hint = error.hint.iter().map(|hint| format!("; {hint}"));
        self.errors.push(error.to_string() + &hint.collect::<String>());
        command(Level::Error, &format!("imgctl {}", self.command), text)
    }

    /// The annotations of items that are not done. If there are more than the runner keeps, the last one says so.
    pub fn annotations(&self) -> Vec<String> {
        let mut lines = self.annotations_of(&self.failed, Level::Error, self.errors.len());
        lines.extend(self.annotations_of(&self.held, Level::Warning, 0));
        lines
    }

    fn annotations_of(&self, rows: &Rows, level: Level, said: usize) -> Vec<String> {
        let title = |word: &str| format!("imgctl {}: {}", self.command, word.replace('_', " "));
        let of_item = |item: &Item| {
            let note = table::note(item);
            let joint = if note.is_empty() { "" } else { ": " };
            let text = format!("{}{joint}{note}", item.reference);
            command(level, &title(item.word()), &safe(&text))
        };
        let room = ANNOTATIONS.saturating_sub(said);
        if rows.count <= room {
            return rows.first.iter().map(of_item).collect();
        }
        let shown = room.saturating_sub(1);
        let more = format!("{} more: see the report", rows.count - shown);
        let lines = rows.first.iter().take(shown).map(of_item);
        lines.chain([command(level, &title("more"), &more)]).collect()
    }

    /// The step summary, if there is something to report; its file already contains `written` bytes.
    pub fn summary(&self, sum: &Summary, now: DateTime<Utc>, written: usize) -> Option<String> {
        if !self.telling && self.failed.count + self.held.count + self.errors.len() == 0 {
            return None;
        }
        let room = LARGEST_FILE.saturating_sub(written).min(LARGEST_SUMMARY);
        let mut text = format!("### imgctl {}\n\n{}\n\n", self.command, plain(&human::summary(sum, self.dry_run)));
        for error in &self.errors {
            push(&mut text, &format!("- {}\n", plain(error)), room);
        }
        let view = View::whole(now);
        table(&mut text, ("Failed", false), &self.failed, view, room);
        table(&mut text, ("Not done", false), &self.held, view, room);
        let done = if self.dry_run { "Would be done" } else { "Done" };
        table(&mut text, (done, true), &self.done, view, room);
        text.push('\n');
        (text.len() <= room).then_some(text)
    }
}

fn level(item: &Item) -> Level {
    match (item.outcome, &item.state) {
        (Some(Outcome::Failed | Outcome::Unknown), _) => Level::Error,
        (None, Some(State::Missing)) | (Some(_), _) => Level::Warning,
        (None, _) => Level::Error,
    }
}

/// A workflow command. It escapes every character that would end a property or the line.
fn command(level: Level, title: &str, message: &str) -> String {
    let level = match level {
        Level::Error => "error",
        Level::Warning => "warning",
    };
    let message: String = message.chars().take(LONGEST_MESSAGE).collect();
    let title = data(title).replace(':', "%3A").replace(',', "%2C");
    format!("::{level} title={title}::{}", data(&message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Appends a table, with as many rows as there is room for.
fn table(text: &mut String, (title, folded): (&str, bool), rows: &Rows, view: View, room: usize) {
    if rows.count == 0 {
        return;
    }
    let open = if folded { "" } else { " open" };
    let used = |column: &&Column| rows.first.iter().any(|item| !column.1(item, &view).is_empty());
    let columns: Vec<&Column> = COLUMNS.iter().filter(used).collect();
    let names: String = columns.iter().map(|(name, _)| format!(" {} |", name.to_lowercase())).collect();
    let lines: String = columns.iter().map(|(name, _)| if *name == "SIZE" { "---:|" } else { "---|" }).collect();
    let head = format!("\n<details{open}><summary>{title}: {}</summary>\n\n|{names}\n|{lines}\n", rows.count);
    let tail = |left: usize| match left {
        0 => "\n</details>\n".to_owned(),
        left => format!("\n</details>\n\nand {left} more: see the report.\n"),
    };
    let room = room.saturating_sub(tail(usize::MAX).len() + 1);
    if !push(text, &head, room) {
        return;
    }
    let fits = |item: &&Item| push(text, &row(item, &columns, view), room);
    let shown = rows.first.iter().take_while(fits).count();
    text.push_str(&tail(rows.count - shown));
}

fn row(item: &Item, columns: &[&Column], view: View) -> String {
    let cells = columns.iter().map(|(name, cell)| {
        let text = plain(&cell(item, &view));
        if *name == "IMAGE" { format!(" <code>{text}</code> |") } else { format!(" {text} |") }
    });
    format!("|{}\n", cells.collect::<String>())
}

/// Appends a part if there is room for all of it.
fn push(text: &mut String, part: &str, room: usize) -> bool {
    let fits = text.len() + part.len() <= room;
    if fits {
        text.push_str(part);
    }
    fits
}

/// A text on one line that Markdown shows as it is: it escapes markup, HTML, mentions and ends of cells.
fn plain(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let spelled = |character: char| match character {
        '&' | '<' | '>' | '|' | '\\' | '`' | '*' | '_' | '~' | '[' | ']' | '(' | ')' | '#' | '!' | ':' | '@' | '$' => {
            format!("&#{};", u32::from(character))
        }
        other => other.to_string(),
    };
    safe(&one_line).chars().map(spelled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::Kind, image::ImageRef};

    fn item(reference: &str, outcome: Outcome, message: &str) -> Item {
        let error = (!message.is_empty()).then(|| Error::new(Kind::Failed, message));
        Item { outcome: Some(outcome), error, ..Item::new(reference.parse::<ImageRef>().unwrap()) }
    }

    fn notes(items: &[Item]) -> Notes {
        let mut notes = Notes::new("delete", false);
        items.iter().for_each(|item| notes.item(item));
        notes
    }

    #[test]
    fn what_would_end_a_command_is_escaped() {
        let line = command(Level::Error, "a: b, c%\n", "50%: x,y\r\n::add-mask::z");
        assert_eq!(line, "::error title=a%3A b%2C c%25%0A::50%25: x,y%0D%0A::add-mask::z");
    }

    #[test]
    fn what_failed_is_an_error_and_what_was_not_to_be_had_a_warning() {
        let notes = notes(&[
            item("ecr:app:1", Outcome::Deleted, ""),
            item("ecr:app:2", Outcome::Failed, "no:\u{1b}[2J"),
            item("ecr:app:3", Outcome::Missing, ""),
        ]);
        assert_eq!(
            notes.annotations(),
            [
                "::error title=imgctl delete%3A failed::ecr:app:2: no:\\u{1b}[2J",
                "::warning title=imgctl delete%3A missing::ecr:app:3",
            ]
        );
    }

    #[test]
    fn what_is_missing_is_fine_where_that_was_said() {
        let mut notes = Notes::new("delete", false);
        notes.ignore_missing();
        notes.item(&item("ecr:app:3", Outcome::Missing, ""));
        assert!(notes.annotations().is_empty());
    }

    #[test]
    fn no_more_annotations_than_are_kept() {
        let many: Vec<_> = (0..5000).map(|n| item(&format!("ecr:app:{n}"), Outcome::Failed, "no")).collect();
        let mut notes = notes(&many);
        assert_eq!(notes.annotations().len(), ANNOTATIONS);
        assert!(notes.annotations()[9].ends_with("::4991 more: see the report"));
        for number in 0..20 {
            notes.error(&Error::new(Kind::Auth, format!("no {number}")));
        }
        assert_eq!(notes.annotations().len(), 1);
    }

    #[test]
    fn a_summary_is_bounded_and_stays_out_of_a_full_file() {
        let long = "x|".repeat(3000);
        let many: Vec<_> = (0..5000).map(|n| item(&format!("ecr:app:{n}"), Outcome::Failed, &long)).collect();
        let notes = notes(&many);
        let sum = Summary::default();
        for (written, most) in [(0, LARGEST_SUMMARY), (900_000, 100_000), (999_900, 100)] {
            let text = notes.summary(&sum, Utc::now(), written);
            let length = text.as_ref().map_or(0, String::len);
            assert!(length <= most, "{length} after {written}");
            if let Some(text) = text {
                assert_eq!(text.matches("<details").count(), text.matches("</details>").count());
                let has_table = text.contains("<details");
                assert_eq!(text.contains("more: see the report"), has_table);
            }
        }
        assert_eq!(notes.summary(&sum, Utc::now(), 999_999), None);
    }

    #[test]
    fn nothing_in_a_cell_is_markup() {
        let odd = item("ecr:app:1", Outcome::Failed, "a|b\n<img src=x> `c` @me [l](u) \\| **b** &lt;");
        let row = row(&odd, &COLUMNS.each_ref(), View::whole(Utc::now()));
        assert_eq!(row.matches('|').count(), COLUMNS.len() + 1, "{row}");
        assert_eq!(row.lines().count(), 1);
        for sign in ["<img", "`", "@me", "[l]", "**", "\\", "&lt;"] {
            assert!(!row.contains(sign), "{row}");
        }
    }

    #[test]
    fn mere_reading_is_told_only_when_it_went_wrong() {
        let image = Item::new("ecr:app:1".parse::<ImageRef>().unwrap());
        let mut notes = notes(std::slice::from_ref(&image));
        assert_eq!(notes.summary(&Summary::default(), Utc::now(), 0), None);
        notes.error(&Error::new(Kind::Auth, "no"));
        assert!(notes.summary(&Summary::default(), Utc::now(), 0).is_some());
    }
}
