//! Reads policies: named rules for stores of any provider, in TOML. An unknown word is an error, because ignoring a rule
//! deletes too much.

use std::{collections::BTreeMap, fs, path::Path};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Kind, Result},
    prune::{GuardArgs, Selectors},
    words,
};

/// The whole file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "imgctl policies")]
pub struct File {
    /// Policies by name.
    policy: BTreeMap<String, Policy>,
}

/// Rules that say which images of some stores are stale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "policy")]
pub struct Policy {
    /// Stores as on the command line: `ecr:team/*`, `cvm://ap-guangzhou/`.
    pub stores: Vec<String>,
    /// The selectors of `imgctl prune`.
    pub select: Selectors,
    /// The guards of this policy.
    #[serde(default)]
    pub guard: GuardArgs,
}

/// Reads the policies of a file.
pub fn read(path: &Path) -> Result<BTreeMap<String, Policy>> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| Error::of_file(&name, &error))?;
    parse(&name, &text)
}

pub fn parse(name: &str, text: &str) -> Result<BTreeMap<String, Policy>> {
    let file: File = toml::from_str(text).map_err(|error| wrong(name, text, &error))?;
    match file.policy.iter().find(|(_, policy)| policy.stores.is_empty()) {
        Some((policy, _)) => {
            let message = format!("{name}: policy {policy} has no stores");
            Err(Error::new(Kind::Usage, message))
        }
        None if file.policy.is_empty() => Err(Error::new(Kind::Usage, format!("{name} has no policies"))),
        None => Ok(file.policy),
    }
}

/// The line and the problem, with a suggestion for an unknown word.
fn wrong(name: &str, text: &str, error: &toml::de::Error) -> Error {
    let line = error.span().map(|span| {
        let before = text.get(..span.start).unwrap_or(text);
        format!(", line {}", 1 + before.matches('\n').count())
    });
    let said = error.message().trim();
    // The unknown word comes first, then the allowed words, all in backquotes.
    let mut quoted = said.split('`').skip(1).step_by(2);
    let unknown = quoted.next().filter(|_| said.starts_with("unknown field"));
    let known: Vec<_> = quoted.collect();
    let message = match unknown {
        Some(word) => format!("unknown field \"{word}\""),
        None => said.to_owned(),
    };
    let message = format!("{name}{}: {message}", line.unwrap_or_default());
    let error = Error::new(Kind::Usage, message);
    match unknown.map(|word| words::nearest(word, known.iter().copied())) {
        Some(Some(meant)) => error.hint(format!("did you mean {meant}?")),
        Some(None) if !known.is_empty() => error.hint(format!("known fields: {}", known.join(", "))),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        [policy.web]
        stores = ["ecr:team/*", "cvm:"]
        select = { older-than = "30d", keep = 10 }
        guard = { protect = ["v*"], max-delete = 50 }

        [policy.pulls]
        stores = ["ecr:ci/**"]
        [policy.pulls.select]
        tag = ["pr-*"]
    "#;

    #[test]
    fn policies_use_the_names_of_the_flags() {
        let policies = parse("p.toml", GOOD).unwrap();
        let web = &policies["web"];
        assert_eq!(web.select.keep, Some(10));
        assert_eq!((web.guard.max_delete, web.guard.max_percent), (50, 90));
        assert_eq!(policies["pulls"].select.tag, ["pr-*"]);
        assert_eq!(policies["pulls"].guard, GuardArgs::default());
    }

    #[test]
    fn an_unknown_word_is_refused_with_its_line_and_a_suggestion() {
        let table = [
            (
                "[policy.web]\nstores = [\"cvm:\"]\nselect = { oder-than = \"30d\" }",
                "p.toml, line 3: unknown field \"oder-than\"",
                Some("did you mean older-than?"),
            ),
            (
                "[policy.web]\nstore = [\"cvm:\"]",
                "p.toml, line 2: unknown field \"store\"",
                Some("did you mean stores?"),
            ),
            ("[polices.web]", "p.toml, line 1: unknown field \"polices\"", Some("did you mean policy?")),
            (
                "[policy.web]\nstores = [\"cvm:\"]\nguard = { max-deletions = 3 }\nselect = {}",
                "p.toml, line 3: unknown field \"max-deletions\"",
                None,
            ),
            ("[policy.web]\nstores = []\nselect = { untagged = true }", "p.toml: policy web has no stores", None),
            ("[policy.web]\nstores = [\"cvm:\"]", "p.toml, line 1: missing field `select`", None),
            ("[policy.web]\nstores = [\"cvm:\"]\nselect = { older-than = \"-30d\" }", "p.toml, line 3:", None),
            ("[policy.web]\nstores = [\"cvm:\"]\nselect = { keep = -1 }", "p.toml, line 3:", None),
            ("[policy]", "p.toml has no policies", None),
            ("", "p.toml", None),
            ("[policy.web]\nstores = [\"cvm:\"]\nstores = [\"ecr:a\"]", "p.toml, line 3", None),
        ];
        for (text, message, hint) in table {
            let error = parse("p.toml", text).unwrap_err();
            assert!(error.message.starts_with(message), "{error}");
            if hint.is_some() {
                assert_eq!(error.hint.as_deref(), hint, "{error}");
            }
        }
    }
}
