//! `imgctl schema`: the JSON Schema of everything that `-o json` and `-o ndjson` print.

use crate::{error::Result, exit::Exit, output, report::Document};

/// Print the JSON Schema of the output
///
/// The document of `-o json`; a line of `-o ndjson` is its `#/$defs/item`.
#[derive(clap::Args)]
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
