//! The exit codes, and how a finished run chooses one.

use std::process::ExitCode;

use crate::{
    engine::Outcome,
    error::{Error, Kind},
    report::{Item, State},
};

/// How the process ends. The numbers are part of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything that was asked for is done.
    Done = 0,
    /// At least one item is not done.
    NotAll = 1,
    /// The command line is wrong, or asks for something the provider cannot do.
    Usage = 2,
    /// Nothing could be tried.
    Nothing = 3,
    /// Refused before anything was sent.
    Refused = 4,
    /// Interrupted, after a report of what was done.
    Interrupted = 130,
}

impl Exit {
    /// The exit code for an error that ended the whole run.
    pub fn of_error(kind: Kind) -> Self {
        match kind {
            Kind::Usage | Kind::Unsupported => Self::Usage,
            Kind::Guard => Self::Refused,
            _ => Self::Nothing,
        }
    }

    /// The exit code for the items of a finished run.
    pub fn of_items<'i>(items: impl IntoIterator<Item = &'i Item>, ignore_missing: bool) -> Self {
        Tally::of(items, ignore_missing).exit()
    }
}

/// Sums up the items that ended so far.
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    ignore_missing: bool,
    any: bool,
    all_done: bool,
    none_tried: bool,
}

impl Tally {
    pub fn new(ignore_missing: bool) -> Self {
        Self { ignore_missing, any: false, all_done: true, none_tried: true }
    }

    pub fn of<'i>(items: impl IntoIterator<Item = &'i Item>, ignore_missing: bool) -> Self {
        let mut tally = Self::new(ignore_missing);
        items.into_iter().for_each(|item| tally.add(item));
        tally
    }

    pub fn add(&mut self, item: &Item) {
        self.any = true;
        self.all_done &= item.is_done() || self.ignore_missing && item.is_missing();
        self.none_tried &= item.was_not_tried();
    }

    pub fn exit(self) -> Exit {
        match (self.all_done, self.any && self.none_tried) {
            (true, _) => Exit::Done,
            (false, true) => Exit::Nothing,
            (false, false) => Exit::NotAll,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Item {
    fn is_done(&self) -> bool {
        use Outcome::*;
        match self.outcome {
            // With an error, it may never have existed.
            Some(Gone) => self.error.is_none(),
            Some(outcome) => matches!(
                outcome,
                Deleted
                    | Untagged
                    | Archived
                    | AlreadyArchived
                    | Restored
                    | Retagged
                    | AlreadyThere
                    | Accepted
                    | WouldDelete
                    | WouldUntag
                    | WouldArchive
                    | WouldRestore
                    | WouldRetag
            ),
            None => self.error.is_none() && !matches!(self.state, Some(State::Unavailable(_))),
        }
    }

    fn is_missing(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Missing | Outcome::Gone)) || self.state == Some(State::Missing)
    }

    /// Whether it ended because its store was stopped, with nothing sent for it.
    pub fn was_not_tried(&self) -> bool {
        let sent = matches!(self.outcome, Some(Outcome::Unknown | Outcome::Gone));
        let by_store = |error: &Error| error.kind == Kind::StoreStopped || error.kind.stops_store();
        !sent && self.error.as_ref().is_some_and(by_store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Provider::Ecr;

    fn item(outcome: Outcome, kind: Option<Kind>) -> Item {
        let error = kind.map(|kind| Error::new(kind, "why"));
        Item { outcome: Some(outcome), error, ..Item::new(Ecr.whole()) }
    }

    #[test]
    fn the_exit_code_is_that_of_the_worst_item_unless_nothing_was_tried() {
        use Outcome::*;
        let good = || item(Deleted, None);
        let table: [(Vec<Item>, bool, Exit); 12] = [
            (vec![], false, Exit::Done),
            (vec![good(), item(Gone, None), item(Untagged, None), item(Accepted, None)], false, Exit::Done),
            (vec![item(WouldDelete, None), item(WouldUntag, None)], false, Exit::Done),
            (vec![good(), item(Missing, Some(Kind::NotFound))], false, Exit::NotAll),
            (vec![good(), item(Missing, Some(Kind::NotFound))], true, Exit::Done),
            (vec![item(WouldRefuse, Some(Kind::InUse))], true, Exit::NotAll),
            (vec![item(Unknown, Some(Kind::Unreadable))], false, Exit::NotAll),
            (vec![item(Failed, Some(Kind::Auth)), item(Skipped, Some(Kind::StoreStopped))], false, Exit::Nothing),
            (vec![item(Failed, Some(Kind::Auth)), item(Skipped, Some(Kind::Stopped))], false, Exit::NotAll),
            (vec![item(Failed, Some(Kind::Denied)), good()], false, Exit::NotAll),
            (vec![item(Failed, Some(Kind::NoStore))], true, Exit::Nothing),
            (vec![item(Failed, Some(Kind::Throttled))], false, Exit::NotAll),
        ];
        for (items, ignore_missing, exit) in table {
            assert_eq!(Exit::of_items(&items, ignore_missing), exit, "{items:?}");
        }
    }
}
