//! Every JSON that a test sees fits the schema that `imgctl schema` publishes.

use std::{process::Command, sync::LazyLock};

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};

/// A schema that is ready to be compared with.
pub struct Schema(Schemas, SchemaIndex);

impl Schema {
    pub fn of(document: Value) -> Self {
        const PLACE: &str = "https://example.com/schema";
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource(PLACE, document).unwrap();
        let index = compiler.compile(PLACE, &mut schemas).unwrap();
        Self(schemas, index)
    }

    /// What of a value does not fit.
    fn misfit(&self, value: &Value) -> Option<String> {
        self.0.validate(value, self.1).err().map(|error| error.to_string())
    }

    pub fn fits(&self, value: &Value) -> bool {
        self.misfit(value).is_none()
    }
}

/// The schemas of a document, of one line of NDJSON, and of one line of `history`.
static SCHEMA: LazyLock<[Schema; 3]> = LazyLock::new(|| {
    let output = Command::new(env!("CARGO_BIN_EXE_imgctl")).arg("schema").output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let part = |name: &str| json!({ "$defs": document["$defs"], "$ref": format!("#/$defs/{name}") });
    let (item, run) = (part("item"), part("run"));
    [document, item, run].map(Schema::of)
});

/// Checks what was printed in this format.
pub fn check(format: &str, printed: &str) {
    let [document, item, run] = &*SCHEMA;
    let fits = |schema: &Schema, text: &str| {
        let value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"));
        assert_eq!(schema.misfit(&value), None, "in {text}");
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
    assert!(!document.fits(&json!({"items": []})));
    assert!(!item.fits(&json!({"ref": "ecr:app:v1", "provider": "gcr"})));
    assert!(!item.fits(&json!({"ref": "ecr:app:v1", "provider": "ecr", "outcome": "done"})));
    assert!(item.fits(&json!({"ref": "ecr:app:v1", "provider": "ecr", "outcome": "deleted"})));
}
