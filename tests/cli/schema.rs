//! Every JSON that a test sees fits the schema that `imgctl schema` publishes.

use std::{process::Command, sync::LazyLock};

use jsonschema::Validator;
use serde_json::{Value, json};

/// The validators of a document, of one line of NDJSON, and of one line of `history`.
static SCHEMA: LazyLock<[Validator; 3]> = LazyLock::new(|| {
    let output = Command::new(env!("CARGO_BIN_EXE_imgctl")).arg("schema").output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let part = |name: &str| json!({ "$defs": document["$defs"], "$ref": format!("#/$defs/{name}") });
    let (item, run) = (part("item"), part("run"));
    [document, item, run].map(|schema| jsonschema::validator_for(&schema).unwrap())
});

/// Checks what was printed in this format.
pub fn check(format: &str, printed: &str) {
    let [document, item, run] = &*SCHEMA;
    let fits = |validator: &Validator, text: &str| {
        let value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"));
        let wrong: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:?} in {text}");
    };
    match format {
        "json" if !printed.is_empty() => fits(document, printed),
        "ndjson" => printed.lines().for_each(|line| fits(if line.starts_with("{\"run\":") { run } else { item }, line)),
        _ => {}
    }
}

#[test]
fn the_schema_refuses_what_imgctl_never_prints() {
    let [document, item, _] = &*SCHEMA;
    assert!(!document.is_valid(&json!({"items": []})));
    assert!(!item.is_valid(&json!({"ref": "ecr:app:v1", "provider": "gcr"})));
    assert!(!item.is_valid(&json!({"ref": "ecr:app:v1", "provider": "ecr", "outcome": "done"})));
    assert!(item.is_valid(&json!({"ref": "ecr:app:v1", "provider": "ecr", "outcome": "deleted"})));
}
