//! JSON output, as `imgctl schema` describes it. Pure.

use serde::Serialize;
use serde_json::json;

use crate::{
    error::Error,
    prune::saved::Head,
    record::Brief,
    report::{Item, Summary},
};

/// The version of the output's schema. A breaking change makes it `v2`.
pub const SCHEMA: &str = "imgctl/v1";

/// What a document holds besides its items.
#[derive(Default)]
pub struct Extras {
    /// The id of the run's record.
    pub run: Option<String>,
    pub plan: Option<Head>,
    /// The runs that `history` shows.
    pub runs: Option<Vec<Brief>>,
}

/// The beginning of a document, up to its first item.
pub fn head(command: &str, dry_run: bool, extras: &Extras) -> String {
    let parts = part("run", &extras.run) + &part("plan", &extras.plan) + &part("runs", &extras.runs);
    format!("{{\"schema\":{},\"command\":{},\"dry_run\":{dry_run},{parts}\"items\":[\n", json!(SCHEMA), json!(command))
}

fn part(name: &str, value: &Option<impl Serialize>) -> String {
    let text = |value| serde_json::to_string(value).expect("a document has only text keys");
    value.as_ref().map_or_else(String::new, |value| format!("\"{name}\":{},", text(value)))
}

pub fn line(item: &Item) -> String {
    serde_json::to_string(item).expect("an item has only text keys")
}

pub fn run(run: &Brief) -> String {
    serde_json::to_string(run).expect("a run has only text keys")
}

/// The end of a document, after its last item.
pub fn tail(warnings: &[String], summary: &Summary) -> String {
    let warnings = part("warnings", &(!warnings.is_empty()).then_some(warnings));
    let summary = serde_json::to_string(summary).expect("a summary has only text keys");
    format!("\n],{warnings}\"summary\":{summary}}}\n")
}

pub fn error(error: &Error) -> String {
    json!({ "error": error }).to_string()
}
