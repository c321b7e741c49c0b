//! A plan for people: a line for each group of images, at most one screen of them, the deletions last. What does not fit
//! is counted. Pure.

mod fit;

use self::fit::{Fit, Shown};
use super::{
    human::{count, size},
    safe,
};
use crate::prune::{Action, Attachment, Group, Held};

/// The least width of a shortened column.
const LEAST: usize = 13;

/// The room for a plan.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    pub width: usize,
    /// Lines for the plan itself.
    pub height: usize,
    pub color: bool,
}

/// Images of one store with one action.
pub struct Section<'s> {
    pub action: Action,
    /// A person should look at these: they will not end as asked.
    pub look: bool,
    /// What stands above the lines.
    pub head: Vec<String>,
    /// The same in one line, for a plan of many stores.
    pub short: String,
    pub images: usize,
    pub lines: usize,
    /// Makes a line. A plan may have a hundred thousand, and shows a few.
    pub line: Box<dyn Fn(usize) -> Line + 's>,
}

impl Section<'_> {
    /// It gives way to what goes and to what needs a look.
    fn is_kept(&self) -> bool {
        self.action == Action::Keep && !self.look
    }
}

/// One group of images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    pub name: String,
    pub what: String,
    pub bytes: Option<u64>,
    pub reason: String,
    pub images: usize,
}

/// What a group consists of: `index of 2 platforms, 1 signature`. Nothing for a plain image.
pub fn what(group: &Group) -> String {
    let Held { is_index, images, nameless, shared, otherwise } = group.held;
    let mut parts = Vec::new();
    if is_index {
        let held = match (images, images - nameless) {
            // Its manifest was not needed, or the store has nothing of what it names.
            (0, _) => String::new(),
            (images, 0) => format!(" of {}", count(images, "image")),
            (_, platforms) => format!(" of {}", count(platforms, "platform")),
        };
        let apart = [(shared, "shared"), (otherwise, "apart")].into_iter().filter(|(images, _)| *images > 0);
        let apart: Vec<_> = apart.map(|(images, word)| format!("{images} {word}")).collect();
        let apart = if apart.is_empty() { String::new() } else { format!(" ({})", apart.join(", ")) };
        parts.push(format!("index{held}{apart}"));
    }
    let mut attached = group.attached.clone();
    if nameless > 0 && nameless < images {
        // Builds put what they say about a platform into the index, without a platform.
        *attached.entry(Attachment::Attestation).or_default() += nameless;
    }
    parts.extend(attached.into_iter().map(|(kind, number)| count(number, kind.word())));
    parts.join(", ")
}

/// The text of a plan, and whether every image has a line in it. The sections stand in their order.
pub fn text(sections: &[Section], screen: Screen) -> (String, bool) {
    let fit = Fit::of(sections, screen);
    let is_whole = |(section, shown): (&Section, &Shown)| section.images <= shown.lines.min(section.lines);
    let whole = sections.iter().zip(&fit.shown).all(is_whole) && !fit.short;
    let mut shown: Vec<Vec<Line>> = Vec::new();
    for (section, shown_of) in sections.iter().zip(&fit.shown) {
        shown.push(picked(section.lines, shown_of.lines).map(|number| (section.line)(number)).collect());
    }
    let columns = Columns::of(shown.iter().flatten(), screen.width);
    let mut text = String::new();
    for ((section, lines), of) in sections.iter().zip(&shown).zip(&fit.shown).filter(|(_, of)| of.head) {
        for line in fit.head(section, screen.width) {
            text.push_str(&format!("{}\n", screen.bold(&safe(&line))));
        }
        let hidden = section.lines - lines.len();
        let before_gap = match hidden {
            0 => lines.len(),
            _ => lines.len().div_ceil(2),
        };
        for (number, line) in lines.iter().enumerate() {
            if number == before_gap {
                text.push_str(&gap(section, lines, hidden, screen));
            }
            text.push_str(&columns.row(line, screen.tone(section)));
        }
        if hidden > 0 && before_gap == lines.len() && of.lines > 0 {
            text.push_str(&gap(section, lines, hidden, screen));
        }
    }
    if let Some(line) = fit.left_out(sections) {
        text.push_str(&line);
        text.push('\n');
    }
    (text, whole)
}

/// The numbers of the lines that are shown: the first and the last ones, with one line of room for the count between them.
fn picked(lines: usize, room: usize) -> impl Iterator<Item = usize> {
    let (first, last) = match room {
        _ if room >= lines => (lines, 0),
        _ => (room.saturating_sub(1).div_ceil(2), room.saturating_sub(1) / 2),
    };
    (0..first).chain(lines - last..lines)
}

/// Counts what is left out between the first and the last lines.
fn gap(section: &Section, shown: &[Line], hidden: usize, screen: Screen) -> String {
    let images = section.images - shown.iter().map(|line| line.images).sum::<usize>();
    let text = match images == hidden {
        true => format!("  … and {}", count(images, "more image")),
        false => format!("  … and {} of {}", count(hidden, "more line"), count(images, "image")),
    };
    format!("{}\n", screen.faint(&text))
}

/// How the names of a section look on a screen.
#[derive(Clone, Copy)]
struct Tone {
    screen: Screen,
    style: &'static str,
}

/// The widths of the columns of all lines.
struct Columns {
    name: usize,
    what: usize,
    bytes: usize,
    reason: usize,
}

impl Columns {
    fn of<'l>(lines: impl Iterator<Item = &'l Line>, width: usize) -> Self {
        let mut columns = Self { name: 0, what: 0, bytes: 0, reason: 0 };
        for line in lines {
            columns.name = columns.name.max(length(&line.name));
            columns.what = columns.what.max(length(&line.what));
            columns.bytes = columns.bytes.max(length(&sized(line.bytes)));
            columns.reason = columns.reason.max(length(&line.reason));
        }
        columns.shrink(width);
        columns
    }

    /// Shortens names first: tags can be long, and the reason decides.
    fn shrink(&mut self, width: usize) {
        let gaps = 2 * (1 + [self.what, self.bytes, self.reason].iter().filter(|width| **width > 0).count());
        let room = width.saturating_sub(gaps + self.bytes);
        let too_much = |columns: &Self| (columns.name + columns.what + columns.reason).saturating_sub(room);
        self.name = self.name.saturating_sub(too_much(self)).max(self.name.min(2 * LEAST));
        self.reason = self.reason.saturating_sub(too_much(self)).max(self.reason.min(2 * LEAST));
        self.name = self.name.saturating_sub(too_much(self)).max(self.name.min(LEAST));
        self.what = self.what.saturating_sub(too_much(self)).max(self.what.min(LEAST));
        self.reason = self.reason.saturating_sub(too_much(self)).max(self.reason.min(LEAST));
    }

    fn row(&self, line: &Line, Tone { screen, style }: Tone) -> String {
        let Self { name, what, bytes, reason } = *self;
        let padded = |text: &str, width: usize| {
            let text = cut(&safe(text), width);
            let space = " ".repeat(width - length(&text));
            text + &space
        };
        let mut row = format!("  {}", screen.styled(style, &padded(&line.name, name)));
        if what > 0 {
            row.push_str(&format!("  {}", padded(&line.what, what)));
        }
        if bytes > 0 {
            row.push_str(&format!("  {:>bytes$}", sized(line.bytes)));
        }
        if reason > 0 && !line.reason.is_empty() {
            row.push_str(&format!("  {}", screen.faint(cut(&safe(&line.reason), reason).trim_end())));
        }
        format!("{}\n", row.trim_end())
    }
}

impl Screen {
    fn styled(self, style: &str, text: &str) -> String {
        match self.color && !text.is_empty() {
            true => format!("\u{1b}[{style}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }

    fn bold(self, text: &str) -> String {
        self.styled("1", text)
    }

    fn faint(self, text: &str) -> String {
        self.styled("2", text)
    }

    /// The colors of outcomes in tables.
    fn tone(self, section: &Section) -> Tone {
        let style = match section.action {
            _ if section.look => "33",
            Action::Delete => "31",
            Action::Archive | Action::Keep => "32",
        };
        Tone { screen: self, style }
    }
}

fn sized(bytes: Option<u64>) -> String {
    bytes.map(size).unwrap_or_default()
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// A text in at most so many characters.
fn cut(text: &str, most: usize) -> String {
    if length(text) <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end_matches([',', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(action: Action, name: &'static str, lines: usize) -> Section<'static> {
        let line = move |number: usize| Line {
            name: format!("{name}-{number}, v1.{number}.0"),
            what: "index of 2 platforms, 1 signature".into(),
            bytes: Some(816 << 20),
            reason: format!("pushed {} days ago", 61 + number),
            images: 4,
        };
        let verb = if action == Action::Keep { "keep" } else { "delete" };
        let short = format!("{name}: {verb} {} images", lines * 4);
        let head =
            vec![format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/{short} of 99999"), "older than 60d".into()];
        Section { action, look: false, head, short, images: lines * 4, lines, line: Box::new(line) }
    }

    fn screen(width: usize, height: usize) -> Screen {
        Screen { width, height, color: false }
    }

    /// The images of the lines of a section, and those that it counts instead.
    fn counted(text: &str) -> usize {
        let number = |line: &str| -> Option<usize> {
            let words: Vec<_> = line.split(' ').collect();
            words[..words.iter().position(|word| word.starts_with("image"))?]
                .iter()
                .rev()
                .find_map(|word| word.parse().ok())
        };
        let rows = text.lines().filter(|line| line.starts_with("  "));
        rows.map(|line| if line.contains('…') && line.contains("more") { number(line).unwrap() } else { 4 }).sum()
    }

    #[test]
    fn a_plan_fits_every_screen_and_the_counts_are_exact() {
        use Action::{Delete, Keep};
        for (width, height) in [(80, 12), (80, 20), (100, 41), (160, 46), (60, 5)] {
            for lines in [[0, 1, 2], [3, 5000, 1], [100, 100, 100], [0, 0, 7], [1, 1, 20_000]] {
                let [kept, first, second] = lines;
                let mut sections = vec![section(Delete, "team/app", first), section(Delete, "team/web", second)];
                if kept > 0 {
                    sections.insert(0, section(Keep, "kept", kept));
                }
                let (text, whole) = text(&sections, screen(width, height));
                let count = text.lines().count();
                assert!(count <= height, "{count} lines on {width} by {height}:\n{text}");
                assert!(text.lines().all(|line| length(line) <= width), "{width} by {height}:\n{text}");
                assert!(!whole, "a line stands for four images");
                for (section, alone) in [("team/app", first), ("team/web", second)] {
                    let part = text.split(section).nth(1).filter(|_| height > 12 && lines[0] + lines[1] > 0);
                    assert!(part.is_none_or(|part| part.contains(&format!("{} images", alone * 4))), "{text}");
                }
            }
            let one = [section(Delete, "team/app", 5000)];
            assert_eq!(counted(&text(&one, screen(width, height.max(8))).0), 20_000);
        }
    }

    #[test]
    fn the_first_and_the_last_lines_stay_and_deletions_come_last() {
        let sections = [section(Action::Keep, "kept", 50), section(Action::Delete, "app", 500)];
        let (text, _) = text(&sections, screen(120, 20));
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part:?} in\n{text}"));
        let gap = text.rfind("more lines of").unwrap();
        assert!(at("kept-0,") < at("app-0,") && at("app-0,") < gap && gap < at("app-499,"), "{text}");
        assert!(text.lines().last().unwrap().contains("app-499"), "{text}");
    }

    #[test]
    fn a_plan_that_fits_is_shown_whole() {
        let mut of = section(Action::Delete, "app", 2);
        of.images = 2;
        let (text, whole) = text(&[of], screen(120, 20));
        assert!(whole && !text.contains('…') && text.lines().count() == 4, "{text}");
    }

    #[test]
    fn stores_without_a_place_are_counted() {
        let names: Vec<&'static str> = (0..60).map(|number| &*format!("team/{number}").leak()).collect();
        let sections: Vec<_> = names.iter().enumerate().map(|(n, name)| section(Action::Delete, name, n)).collect();
        let (text, whole) = text(&sections, screen(80, 20));
        let last = text.lines().last().unwrap();
        // Those that lose most have a place.
        let left: usize = (0..60).filter(|n| !text.contains(&format!("team/{n}:"))).map(|n| n * 4).sum();
        assert!(last.ends_with(&format!(" more stores: {left} images")), "{left} in\n{text}");
        assert!(text.contains("team/59:") && !text.contains("team/1:") && !whole);
        assert!(text.lines().count() <= 20, "{text}");
    }

    #[test]
    fn a_group_says_what_it_consists_of() {
        let index = |images, nameless, shared, otherwise| Held { is_index: true, images, nameless, shared, otherwise };
        for (held, attached, said) in [
            (Held::default(), vec![], ""),
            (Held::default(), vec![(Attachment::Signature, 2)], "2 signatures"),
            (index(2, 0, 0, 0), vec![(Attachment::Signature, 1)], "index of 2 platforms, 1 signature"),
            (index(4, 2, 0, 0), vec![(Attachment::Attestation, 1)], "index of 2 platforms, 3 attestations"),
            (index(3, 3, 0, 0), vec![], "index of 3 images"),
            (index(3, 0, 1, 2), vec![], "index of 3 platforms (1 shared, 2 apart)"),
            (index(0, 0, 0, 0), vec![(Attachment::Sbom, 1)], "index, 1 SBOM"),
        ] {
            let attached = attached.into_iter().collect();
            assert_eq!(what(&Group { head: 0, rest: Vec::new(), held, attached }), said);
        }
    }

    #[test]
    fn names_that_move_the_cursor_are_made_harmless() {
        let mut of = section(Action::Delete, "app", 1);
        of.line = Box::new(|_| Line { name: "v\u{1b}[2J".into(), reason: "\u{1b}[2J".into(), ..Line::default() });
        of.head = vec!["\u{1b}[2J".into()];
        assert!(!text(&[of], screen(80, 20)).0.contains('\u{1b}'));
    }

    #[test]
    fn what_goes_is_red_and_what_stays_is_green_and_what_needs_a_look_is_yellow() {
        let screen = Screen { color: true, ..screen(80, 24) };
        for (action, look, style) in [
            (Action::Delete, false, "31"),
            (Action::Keep, false, "32"),
            (Action::Archive, false, "32"),
            (Action::Keep, true, "33"),
        ] {
            let (text, _) = text(&[Section { look, ..section(action, "app", 1) }], screen);
            assert!(text.contains(&format!("\u{1b}[{style}mapp-0, v1.0.0\u{1b}[0m")), "{text:?}");
        }
    }
}
