//! The findings of `doctor` for people: a paragraph per provider, a line per check, an error and a hint where one
//! failed. Pure.

use super::{Look, human::wrapped, safe};
use crate::{
    checkup::{Check, State, Subject},
    report::{self, Item},
};

/// Where the text of a check begins: after its name and its state.
const NAME: usize = 11;
const STATE: usize = 7;
const INDENT: usize = 2 + NAME + 2 + STATE + 2;

pub fn text(item: &Item, look: &Look) -> String {
    let state = item.state.as_ref().map_or("", report::State::word);
    let store = item.reference.store();
    // Of a registry, the host says more than the name of its provider.
    let registry = store.region.is_some() && store.provider.begins_with_host();
    let name = if registry { Some(store.to_string()) } else { item.image.name.clone() };
    let mut text = format!(
        "{}{}: {}\n",
        store.provider.title(),
        name.map_or(String::new(), |name| format!(" {}", safe(&name))),
        paint(&state.replace('_', " "), colour(state), look)
    );
    for check in &item.checks {
        // For a provider that is skipped because it is not configured, only the hint is worth showing.
        let brief = check.state == State::Missing && item.error.is_none();
        line(check, brief, look, &mut text);
    }
    text
}

fn line(check: &Check, brief: bool, look: &Look, text: &mut String) {
    let state = check.state.word();
    let painted = paint(&format!("{state:STATE$}"), colour(state), look);
    text.push_str(&format!("  {:NAME$}  {painted}  ", check.check.word()));
    let lines = std::iter::once(said(check)).chain(trouble(check, brief));
    let lines: Vec<_> = lines.filter(|line| !line.is_empty()).flat_map(|line| fitted(&line, look.width)).collect();
    text.push_str(lines.join(&format!("\n{:INDENT$}", "")).trim_end());
    text.push('\n');
}

/// What was found.
fn said(check: &Check) -> String {
    let mut said = check.value.clone().unwrap_or_default();
    if let Some(source) = &check.source {
        said.push_str(&format!(" ({source})"));
    }
    let http = matches!(check.check, Subject::Endpoint | Subject::Login) && said.starts_with("http://");
    let parts =
        [http.then(|| "HTTP".to_owned()), check.milliseconds.map(|time| format!("{time} ms")), check.note.clone()];
    let joint = match check.state {
        State::Unused => ": ",
        _ => ", ",
    };
    for part in parts.into_iter().flatten() {
        if !said.is_empty() {
            said.push_str(joint);
        }
        said.push_str(&part);
    }
    said
}

/// The error, its request id and its hint, each on its own lines.
fn trouble(check: &Check, brief: bool) -> Vec<String> {
    let Some(error) = &check.error else {
        return Vec::new();
    };
    let message = (!brief).then(|| error.to_string());
    let request = error.request_id.as_ref().map(|id| format!("request: {id}"));
    let hint = error.hint.as_ref().map(|hint| match brief {
        true => hint.clone(),
        false => format!("hint: {hint}"),
    });
    [message, request, hint].into_iter().flatten().collect()
}

/// A text, wrapped to the width of the terminal.
fn fitted(text: &str, width: Option<u16>) -> Vec<String> {
    match width {
        Some(width) => {
            let room = usize::from(width).saturating_sub(INDENT).max(20);
            wrapped(&safe(text), room)
        }
        None => vec![safe(text).into_owned()],
    }
}

/// The color of the state of a check or a provider.
fn colour(state: &str) -> &'static str {
    match state {
        "ok" => "\u{1b}[32m",
        "warning" => "\u{1b}[33m",
        "failed" => "\u{1b}[31m",
        _ => "\u{1b}[2m",
    }
}

fn paint(text: &str, colour: &str, look: &Look) -> String {
    match look.color {
        true => format!("{colour}{text}\u{1b}[0m"),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checkup::Checkup,
        error::{Error, Kind},
        image::Provider,
        output::Format,
    };

    fn report(width: Option<u16>, color: bool) -> String {
        let mut checkup = Checkup::default();
        checkup.unused("OTHER_KEY", "not used because of KEY");
        checkup.found(Subject::Credentials, "AKIA…0000", "KEY");
        let why =
            "the key was not believed, and this is \u{1b}[2J said at such length that no terminal shows it in one line";
        let error = Error::new(Kind::Auth, why).code("NotBelieved").hint("get another");
        let _ = checkup.of::<()>(Subject::Credentials, Err(error));
        let mut item = Item::new(Provider::Ecr.whole());
        item.state = Some(report::State::Checked(State::Failed));
        item.error = checkup.error().cloned();
        item.checks = checkup.checks;
        let look = Look { width, ..Look::of_terminal(Format::Table, false, Some(color), false) };
        text(&item, &look)
    }

    #[test]
    fn a_report_fits_the_terminal_and_keeps_its_columns() {
        let expected = "\
AWS ECR: failed
  credentials  unused   OTHER_KEY: not used because of KEY
  credentials  failed   AKIA…0000 (KEY)
                        the key was not believed, and this is \\u{1b}[2J said at
                        such length that no terminal shows it in one line
                        [NotBelieved]
                        hint: get another
";
        assert_eq!(report(Some(80), false), expected);
    }

    #[test]
    fn nothing_is_lost_without_colours() {
        let painted = report(Some(80), true);
        assert!(painted.contains("\u{1b}[31mfailed \u{1b}[0m"));
        let codes = ["\u{1b}[31m", "\u{1b}[2m", "\u{1b}[0m"];
        let plain = codes.iter().fold(painted, |text, code| text.replace(code, ""));
        assert_eq!(plain, report(Some(80), false));
    }

    #[test]
    fn where_there_is_no_terminal_each_thing_stands_in_one_line() {
        assert_eq!(report(None, false).lines().count(), 5);
    }
}
