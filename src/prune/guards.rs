//! Guards against deleting too much: protected names, and limits on one run. A guard that stops the run says by how much
//! the limit was exceeded and which flag raises it.

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Plan, Stock, graph::Graph, names::Names};
use crate::{
    error::{Error, Kind, Result},
    image::StoreRef,
    store::Image,
};

/// Names that are protected by default.
const PROTECTED: [&str; 4] = ["latest", "stable", "prod*", "release*"];

/// The share of images that a plan may delete by default. A cleaning that takes more is rare, and a mistaken rule is not.
const MOST_PERCENT: u8 = 50;

// No doc comment: it would replace the help of the command that these flags are flattened into.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "guard")]
pub struct GuardArgs {
    /// Never delete images with a matching tag or name, in addition to latest, stable, prod* and release*
    #[arg(long, value_name = "GLOB")]
    pub protect: Vec<String>,

    /// Protect only names that match --protect
    #[arg(long)]
    pub no_default_protect: bool,

    /// Stop before anything is sent if the plan deletes more images than this
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub max_delete: usize,

    /// Stop before anything is sent if the plan deletes more than this share of all images
    #[arg(long, value_name = "PERCENT", default_value_t = MOST_PERCENT, value_parser = clap::value_parser!(u8).range(0..=100))]
    #[schemars(range(max = 100))]
    pub max_percent: u8,

    /// Allow the plan to delete the last tagged image of a repository
    #[arg(long)]
    pub allow_empty: bool,

    /// Stop before anything is sent if nothing says which images are in use
    #[arg(long)]
    pub require_in_use: bool,
}

impl Default for GuardArgs {
    fn default() -> Self {
        Self {
            protect: Vec::new(),
            no_default_protect: false,
            max_delete: 1000,
            max_percent: MOST_PERCENT,
            allow_empty: false,
            require_in_use: false,
        }
    }
}

/// Compiled guards.
#[derive(Clone, Debug)]
pub struct Guards {
    protect: Names,
    max_delete: usize,
    max_percent: u8,
    allow_empty: bool,
    /// What the plan does, for messages.
    does: &'static str,
}

/// A guard that stops the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stop {
    /// Its flag without dashes: `max-delete`.
    pub guard: String,
    /// What was exceeded, and by how much.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl GuardArgs {
    /// All patterns of protected names.
    pub fn protects(&self) -> impl Iterator<Item = &str> {
        let defaults = PROTECTED.iter().copied().filter(|_| !self.no_default_protect);
        defaults.chain(self.protect.iter().map(String::as_str))
    }

    pub fn compile(&self) -> Result<Guards> {
        if self.max_percent > 100 {
            return Err(Error::new(Kind::Usage, "--max-percent is at most 100"));
        }
        Ok(Guards {
            protect: Names::new("--protect", self.protects())?,
            max_delete: self.max_delete,
            max_percent: self.max_percent,
            allow_empty: self.allow_empty,
            does: "deletes",
        })
    }
}

impl Guards {
    /// Guards that protect nothing, for images that a user named.
    pub fn none() -> Self {
        Self { protect: Names::default(), max_delete: usize::MAX, max_percent: 100, allow_empty: true, does: "deletes" }
    }

    /// The guards of a run that archives what it chooses.
    pub fn of_archive(self, archive: bool) -> Self {
        Self { does: if archive { "archives" } else { "deletes" }, ..self }
    }

    /// Why an image is protected.
    pub fn protected(&self, store: &StoreRef, image: &Image) -> Option<String> {
        let (label, pattern) = self.protect.find(store, image)?;
        Some(format!("{label} is protected by {pattern}"))
    }

    /// The protected names that match no image of some stores, but for the defaults.
    pub fn unmatched<'g>(&'g self, stocks: &[Stock]) -> impl Iterator<Item = &'g str> {
        self.protect.unmatched(stocks).filter(|pattern| !PROTECTED.contains(pattern))
    }

    /// The guards that stop a plan. If there is one, nothing may be sent.
    pub fn check(&self, plan: &Plan) -> Vec<Stop> {
        let totals = plan.totals();
        let (delete, images) = (totals.deleted, totals.images);
        let (mut stops, does) = (Vec::new(), self.does);
        if delete > self.max_delete {
            stops.push(Stop {
                guard: "max-delete".into(),
                message: format!(
                    "the plan {does} {delete} images, {} more than --max-delete {} allows",
                    delete - self.max_delete,
                    self.max_delete
                ),
                hint: format!("narrow the selection, or allow it with --max-delete {delete}"),
            });
        }
        if delete * 100 > images * usize::from(self.max_percent) {
            // Rounded up, so that the percentage in the hint passes.
            let percent = (delete * 100).div_ceil(images.max(1));
            stops.push(Stop {
                guard: "max-percent".into(),
                message: format!(
                    "the plan {does} {delete} of {images} images: {percent}%, and --max-percent allows {}%",
                    self.max_percent
                ),
                hint: format!("narrow the selection, or allow it with --max-percent {percent}"),
            });
        }
        for of in plan.stores.iter().filter(|of| of.store.provider.has_containers()) {
            stops.extend(self.empties(&of.store, of.totals.tagged, of.totals.tagged_kept));
        }
        stops
    }

    /// The guard that stops a plan made earlier, if its store has lost the tagged images that it kept.
    pub(super) fn emptied(&self, stock: &Stock, graph: &Graph, goes: &[bool]) -> Option<Stop> {
        let tagged = |place: &usize| stock.store.provider.has_containers() && graph.is_tagged_image(*place);
        let tagged: Vec<usize> = (0..goes.len()).filter(tagged).collect();
        let kept = tagged.iter().filter(|place| !goes[**place]).count();
        self.empties(&stock.store, tagged.len(), kept)
    }

    fn empties(&self, store: &StoreRef, tagged: usize, kept: usize) -> Option<Stop> {
        (!self.allow_empty && tagged > 0 && kept == 0).then(|| Stop {
            guard: "allow-empty".into(),
            message: format!("the plan {} all {tagged} tagged images of repository {}", self.does, store.name),
            hint: "keep some with --keep N or --exclude, or allow it with --allow-empty".into(),
        })
    }
}

impl From<Stop> for Error {
    fn from(stop: Stop) -> Self {
        Self::new(Kind::Guard, stop.message).hint(format!("nothing was sent; {}", stop.hint))
    }
}

#[cfg(test)]
mod tests {
    use crate::prune::sample::Shelf;

    fn shelf(count: usize) -> Shelf {
        (1..=count).fold(Shelf::new(), |shelf, number| shelf.image(number, &[&format!("t{number}")], 99))
    }

    #[test]
    fn a_guard_says_by_how_much_the_limit_is_exceeded() {
        type Said = (&'static str, &'static str);
        let table: [(&[&str], &[Said]); 6] = [
            (&["--older-than", "30d", "--keep", "5"], &[]),
            (
                &["--older-than", "30d", "--keep", "1", "--max-delete", "7", "--max-percent", "90"],
                &[("max-delete", "the plan deletes 9 images, 2 more than --max-delete 7 allows")],
            ),
            (
                &["--older-than", "30d", "--keep", "1", "--max-percent", "89"],
                &[("max-percent", "the plan deletes 9 of 10 images: 90%, and --max-percent allows 89%")],
            ),
            (
                &["--older-than", "30d"],
                &[
                    ("max-percent", "the plan deletes 10 of 10 images: 100%, and --max-percent allows 50%"),
                    ("allow-empty", "the plan deletes all 10 tagged images of repository app"),
                ],
            ),
            (&["--older-than", "30d", "--max-percent", "100", "--allow-empty"], &[]),
            (&["--older-than", "100d"], &[]),
        ];
        for (flags, expected) in table {
            let plan = shelf(10).prune(flags).plan;
            let stops: Vec<_> = plan.stops.iter().map(|stop| (stop.guard.as_str(), stop.message.as_str())).collect();
            assert_eq!(stops, expected, "{flags:?}");
        }
    }

    #[test]
    fn the_percentage_in_the_hint_passes() {
        let told =
            shelf(1).image(101, &["x"], 1).image(102, &["y"], 1).prune(&["--older-than", "30d", "--max-percent", "33"]);
        assert_eq!(told.plan.stops[0].hint, "narrow the selection, or allow it with --max-percent 34");
    }

    #[test]
    fn no_default_protect_leaves_only_named_patterns() {
        let tags = ["latest", "stable", "prod-1", "release-2", "mine", "other"];
        for (flags, kept) in [
            (&["--tag", "*"][..], "latest stable prod-1 release-2"),
            (&["--tag", "*", "--protect", "mi*"], "latest stable prod-1 release-2 mine"),
            (&["--tag", "*", "--protect", "mi*", "--no-default-protect"], "mine"),
            (&["--tag", "*", "--no-default-protect"], ""),
        ] {
            let shelf =
                tags.iter().enumerate().fold(Shelf::new(), |shelf, (number, tag)| shelf.image(number, &[tag], 99));
            let goes = shelf.prune(flags).deleted();
            let left: Vec<_> =
                (0..tags.len()).filter(|number| !goes.contains(number)).map(|number| tags[number]).collect();
            assert_eq!(left.join(" "), kept, "{flags:?}");
        }
    }
}
