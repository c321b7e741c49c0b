//! `imgctl schema`: the JSON Schema of the output of `-o json` and `-o ndjson`, and of policy files.

use clap::ValueEnum;

use crate::{
    error::Result,
    exit::Exit,
    help::{Example, examples},
    output,
    prune::policy,
    report::Document,
};

/// Examples at the end of the help.
const EXAMPLES: [Example; 2] = [
    ("Save the schema for a program that reads the output.", "imgctl schema > imgctl.schema.json"),
    ("List the fields of an item.", "imgctl schema | jq -r '.\"$defs\".item.properties | keys[]'"),
];

/// Print the JSON Schema of the output or of policy files
///
/// The schema describes the document of `-o json`; a line of `-o ndjson` is its `#/$defs/item`.
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    /// Which schema to print
    #[arg(value_name = "WHAT", value_enum, default_value = "output")]
    what: What,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    Output,
    Policy,
}

pub fn run(args: &Args) -> Result<Exit> {
    let (mut schema, id) = match args.what {
        What::Output => (schemars::schema_for!(Document), "urn:imgctl:v1"),
        What::Policy => (schemars::schema_for!(policy::File), "urn:imgctl:policy:v1"),
    };
    schema.insert("$id".into(), id.into());
    let text = serde_json::to_string_pretty(&schema).expect("a schema has only text keys");
    output::plain(&(text + "\n"));
    Ok(Exit::Done)
}
