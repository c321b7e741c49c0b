//! JSON output, as `imgctl schema` describes it. Pure.

use serde_json::json;

use crate::{
    error::Error,
    prune::saved::Head,
    report::{Item, Summary},
};

/// The version of the output's schema. A breaking change makes it `v2`.
pub const SCHEMA: &str = "imgctl/v1";

/// The beginning of a document, up to its first item.
pub fn head(command: &str, dry_run: bool, run: Option<&str>, plan: Option<&Head>) -> String {
    let run = run.map(|run| format!("\"run\":{},", json!(run)));
    let plan = plan.map(|plan| format!("\"plan\":{},", json!(plan)));
    format!(
        "{{\"schema\":{},\"command\":{},\"dry_run\":{dry_run},{}{}\"items\":[\n",
        json!(SCHEMA),
        json!(command),
        run.unwrap_or_default(),
        plan.unwrap_or_default()
    )
}

pub fn line(item: &Item) -> String {
    serde_json::to_string(item).expect("an item has only text keys")
}

/// The end of a document, after its last item.
pub fn tail(summary: &Summary) -> String {
    let summary = serde_json::to_string(summary).expect("a summary has only text keys");
    format!("\n],\"summary\":{summary}}}\n")
}

pub fn error(error: &Error) -> String {
    json!({ "error": error }).to_string()
}
