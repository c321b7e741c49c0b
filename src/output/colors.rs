//! The colors of outcomes and states: green stays, red goes, yellow needs a look. Dark ones are readable on light and dark
//! terminals. Pure.

use comfy_table::Color;

use crate::{
    engine::Outcome,
    report::{Item, State},
};

/// What stays, or is there.
const STAYS: Color = Color::DarkGreen;
/// What goes, or is gone.
const GOES: Color = Color::DarkRed;
/// What needs a look: it failed, was refused, or its end is not known.
const LOOK: Color = Color::DarkYellow;

pub fn of(item: &Item) -> Color {
    use Outcome::*;
    match (item.outcome, &item.state) {
        (Some(Archived | AlreadyArchived | Restored | Retagged | AlreadyThere), _)
        | (Some(WouldArchive | WouldRestore | WouldRetag), _)
        | (None, Some(State::Available)) => STAYS,
        (Some(Deleted | Untagged | Gone | Accepted | WouldDelete | WouldUntag), _) => GOES,
        (Some(Missing | Refused | Skipped | TagTaken | Failed | Unknown | WouldRefuse | LayersGone), _)
        | (None, Some(State::Unavailable(_) | State::Missing)) => LOOK,
        (None, _) if item.is_kept() => STAYS,
        (None, _) if item.error.is_some() => LOOK,
        (None, Some(state)) if ["fail", "error"].iter().any(|word| state.word().contains(word)) => LOOK,
        (None, _) => Color::Reset,
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;
    use crate::{
        error::{Error, Kind},
        image::ImageRef,
        output::{Format, Look, table::Columns},
        prune::{Choice, Reason, Rule},
        store::Image,
    };

    fn item(state: State) -> Item {
        let mut item = Item::found("cvm://ap-guangzhou/img-1".parse::<ImageRef>().unwrap(), Image::default());
        item.state = Some(state);
        item
    }

    fn ended(outcome: Outcome) -> Item {
        Item { outcome: Some(outcome), ..item(State::Unknown) }
    }

    /// The color in which a table shows the first word of an item; none for the terminal's own.
    fn shown(item: Item) -> Option<String> {
        let look = Look { color: true, ..Look::of_terminal(Format::Table, false, Some(true), false) };
        let table = Columns::default().table(&[item], &look, Utc::now());
        let row = table.lines().last().unwrap();
        let colored = row.strip_prefix("\u{1b}[38;5;")?;
        Some(colored.split_once('m').unwrap().0.to_owned())
    }

    const GREEN: Option<&str> = Some("2");
    const RED: Option<&str> = Some("1");
    const YELLOW: Option<&str> = Some("3");

    #[test]
    fn a_listing_is_plain_but_for_what_failed_or_is_not_there() {
        let said = |word: &str| item(State::Said(word.into()));
        for (item, color) in [
            (said("active"), None),
            (said("normal"), None),
            (said("createfailed"), YELLOW),
            (said("error"), YELLOW),
            (item(State::Missing), YELLOW),
            (item(State::Unavailable("archived".into())), YELLOW),
            (item(State::Available), GREEN),
            (Item { error: Some(Error::new(Kind::Denied, "no")), ..item(State::Unknown) }, YELLOW),
        ] {
            let word = item.word().to_owned();
            assert_eq!(shown(item).as_deref(), color, "{word}");
        }
    }

    #[test]
    fn in_a_plan_what_goes_is_red_what_stays_is_green_and_what_cannot_go_is_yellow() {
        use Outcome::*;
        for (outcome, color) in [
            (WouldDelete, RED),
            (WouldUntag, RED),
            (WouldArchive, GREEN),
            (WouldRestore, GREEN),
            (WouldRetag, GREEN),
            (WouldRefuse, YELLOW),
            (Missing, YELLOW),
        ] {
            assert_eq!(shown(ended(outcome)).as_deref(), color, "{outcome:?}");
        }
        let reason = Reason { rule: Rule::Protected, words: "kept".into(), archive: false };
        let choice = Choice { reason, needed_by: Vec::new(), attached: 0 };
        let kept = Item { state: None, choice: Some(choice), ..item(State::Unknown) };
        assert_eq!(shown(kept).as_deref(), GREEN);
    }

    #[test]
    fn an_outcome_is_red_if_it_went_green_if_it_stays_and_yellow_if_someone_must_look() {
        use Outcome::*;
        for (color, outcomes) in [
            (RED, &[Deleted, Untagged, Gone, Accepted][..]),
            (GREEN, &[Archived, AlreadyArchived, Restored, Retagged, AlreadyThere]),
            (YELLOW, &[Missing, Refused, Skipped, TagTaken, Failed, Unknown, LayersGone]),
        ] {
            for outcome in outcomes {
                assert_eq!(shown(ended(*outcome)).as_deref(), color, "{outcome:?}");
            }
        }
    }
}
