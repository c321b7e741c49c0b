//! `imgctl schema`: the JSON Schema of everything that `-o json` and `-o ndjson` print.

use crate::{
    error::Result,
    exit::Exit,
    help::{Example, examples},
    output,
    report::Document,
};

/// The end of the help.
const EXAMPLES: [Example; 2] = [
    (
        "Keep it beside what reads the output.",
        "imgctl schema > imgctl.schema.json",
    ),
    (
        "Which fields can an item have?",
        "imgctl schema | jq -r '.\"$defs\".item.properties | keys[]'",
    ),
];

/// Print the JSON Schema of the output
///
/// The document of `-o json`; a line of `-o ndjson` is its `#/$defs/item`.
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {}

pub fn run() -> Result<Exit> {
    output::plain(&(text() + "\n"));
    Ok(Exit::Done)
}

fn text() -> String {
    let mut schema = schemars::schema_for!(Document);
    schema.insert("$id".into(), "urn:imgctl:v1".into());
    serde_json::to_string_pretty(&schema).expect("a schema has only text keys")
}
