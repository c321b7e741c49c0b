//! Saved plans: the header of a plan's JSON, and reading a plan back for `delete --from`. `prune::recheck` compares it with
//! the stores before anything is deleted.

use std::{
    collections::{HashMap, HashSet},
    io::Read,
};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{
    error::{Error, Kind, Result},
    image::{ImageId, ImageRef, StoreRef},
    prune::{
        Action, Choice, GuardArgs, Guards, Reason, Saved, Stop, Totals, inventory::may_be_referrer, plan::Explained,
    },
    settings::DeletionFlags,
    store::{Ask, CacheRule, Condition, Image, Replica},
};

/// The header of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "plan")]
pub struct Head {
    pub made_at: DateTime<Utc>,
    pub stores: Vec<OfStore>,
    /// Stores that could not be read, and why. Nothing in them is deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Failed>,
    /// Guards that stopped the run. Such a plan cannot be carried out.
    pub stops: Vec<Stop>,
    /// What the --in-use lists named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_use: Vec<String>,
    /// Whether the providers were asked what is in use.
    pub usage_checked: bool,
    /// The services that were asked what is in use. Running the plan asks them again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Ask>,
    #[serde(flatten)]
    pub deletion: DeletionFlags,
}

/// A store that could not be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failed {
    pub store: String,
    pub error: Error,
}

/// The sum of one store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OfStore {
    pub store: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    #[serde(flatten)]
    pub totals: Totals,
    /// Bytes that the deletions free. Without `freed_exactly` it is an upper bound.
    pub freed_bytes: u64,
    pub freed_exactly: bool,
    /// Names that were protected.
    pub protect: Vec<String>,
    /// Registries in which deletions are repeated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replicated_to: Vec<Replica>,
    /// Why it is unknown whether deletions are repeated in other registries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication_unknown: Option<String>,
    /// The rule that fills the store from another registry when somebody pulls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_through_cache: Option<CacheRule>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A plan that was read from a file.
pub struct SavedPlan {
    pub head: Head,
    /// Images to delete, in the plan's order.
    pub images: Vec<Planned>,
}

/// One image of a saved plan.
pub struct Planned {
    pub reference: ImageRef,
    pub choice: Choice,
    pub saved: Saved,
}

impl SavedPlan {
    /// The protected names of each store.
    pub fn guards(&self) -> Result<HashMap<StoreRef, Guards>> {
        let of_store = |of: &OfStore| {
            let guards = GuardArgs {
                protect: of.protect.clone(),
                no_default_protect: true,
                // A plan that empties a repository was made with --allow-empty, or a guard would have stopped it.
                allow_empty: of.totals.tagged_kept == 0,
                ..GuardArgs::default()
            };
            Ok((of.store.parse()?, guards.compile()?.of_archive(self.head.deletion.archive)))
        };
        self.head.stores.iter().map(of_store).collect()
    }
}

/// Whether a text begins like a report of `prune`. Its keys may be in any order, but must come before the items.
pub fn is_plan(beginning: &[u8]) -> bool {
    let bytes = beginning.iter().filter(|byte| !byte.is_ascii_whitespace());
    let text: Vec<u8> = bytes.copied().collect();
    let find = |word: &[u8]| text.windows(word.len()).position(|part| part == word);
    let command = find(br#""command":"prune""#);
    let items = find(br#""items":["#).unwrap_or(usize::MAX);
    text.first() == Some(&b'{') && command.is_some_and(|command| command < items)
}

#[derive(Deserialize)]
struct Document {
    schema: String,
    dry_run: bool,
    plan: Option<Head>,
    items: Vec<Item>,
}

/// The parts of an item that a deletion needs.
#[derive(Deserialize)]
#[serde(from = "Written")]
struct Item {
    reference: String,
    told: Explained,
    needed_by: Vec<String>,
    attached: usize,
    was: Condition,
    /// Making the plan read its manifest, whatever it frees.
    read: bool,
    /// It was refused when the plan was made.
    refused: bool,
}

/// An item as the file has it.
#[derive(Deserialize)]
struct Written {
    #[serde(rename = "ref")]
    reference: String,
    #[serde(flatten)]
    told: Explained,
    #[serde(default)]
    needed_by: Vec<String>,
    #[serde(default)]
    attached: usize,
    #[serde(flatten)]
    image: Image,
    error: Option<IgnoredAny>,
}

impl From<Written> for Item {
    fn from(written: Written) -> Self {
        let Written { reference, told, needed_by, attached, image, error } = written;
        let (was, read, refused) = ((&image).into(), was_read(&image), error.is_some());
        Self { reference, told, needed_by, attached, was, read, refused }
    }
}

/// When a plan's run read an image's manifest, which services count as a pull: with `--freed exact` it read every image.
pub fn read_at(was_read: bool, exactly: bool, made_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (exactly || was_read).then_some(made_at)
}

/// Whether any plan's run reads the manifest of this image.
pub fn was_read(image: &Image) -> bool {
    image.is_index() || may_be_referrer(image)
}

/// Reads a plan; errors quote its `name`.
pub fn read(name: &str, source: impl Read) -> Result<SavedPlan> {
    let wrong = |why: String| Error::new(Kind::Usage, format!("{name} is not a plan: {why}"));
    let document: Document = serde_json::from_reader(source).map_err(|error| wrong(error.to_string()))?;
    if document.schema != "imgctl/v1" {
        return Err(wrong(format!("its schema is {}, not imgctl/v1", document.schema)));
    }
    let Some(head) = document.plan.filter(|_| document.dry_run) else {
        return Err(wrong("it is the report of a finished run".into())
            .hint("save a plan with `imgctl prune … --dry-run -o json > PLAN`"));
    };
    if let Some(stop) = head.stops.first() {
        return Err(Error::from(stop.clone()));
    }
    let deletes: usize = head.stores.iter().map(|of| of.totals.deleted).sum();
    let (goes, other) = match head.deletion.archive {
        true => (Action::Archive, Action::Delete),
        false => (Action::Delete, Action::Archive),
    };
    if let Some(item) = document.items.iter().find(|item| item.told.action == other) {
        return Err(wrong(format!("{} has another action than the plan", item.reference))
            .hint("it was edited by hand: make a new plan"));
    }
    let any = document.items.iter().any(|item| item.told.action == goes);
    if deletes > 0 && !any {
        return Err(wrong(format!("it lists none of the {deletes} images that it deletes"))
            .hint("save it with --show all or --show deleted"));
    }
    let goes = |item: &Item| item.told.action == goes && !item.refused;
    let exactly = head.stores.iter().any(|of| of.freed_exactly);
    let image = |item: Item| {
        if item.told.rule.action() != Action::Delete {
            // The reason to keep it, such as an in-use list, may not be checked again.
            let message = format!("{} has action delete, but its rule keeps it", item.reference);
            return Err(wrong(message).hint("it was edited by hand: make a new plan"));
        }
        let reference: ImageRef = item.reference.parse().map_err(Error::from)?;
        let id = match &reference.id {
            ImageId::Digest(digest) => digest.to_string(),
            ImageId::Named(id) => id.clone(),
            ImageId::Tag(_) | ImageId::TagAt(..) => {
                return Err(wrong(format!("{} names a tag, not an image", item.reference)));
            }
        };
        let read_at = read_at(item.read, exactly, head.made_at);
        let saved = Saved { id, attached: item.attached, read_at, was: item.was };
        let archive = head.deletion.archive;
        let reason = Reason { rule: item.told.rule, words: item.told.reason, archive };
        let choice = Choice { reason, needed_by: item.needed_by, attached: item.attached };
        Ok(Planned { reference, choice, saved })
    };
    let images = document.items.into_iter().filter(goes).map(image);
    let mut images: Vec<Planned> = images.collect::<Result<_>>()?;
    let mut known = HashSet::new();
    images.retain(|image| known.insert(image.reference.clone()));
    Ok(SavedPlan { images, head })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_recognised_by_its_beginning_in_any_layout() {
        for (text, plan) in [
            (r#"{"schema":"imgctl/v1","command":"prune","dry_run":true,"items":["#, true),
            ("{\n  \"command\": \"prune\",\n  \"items\": [", true),
            (r#"{"schema":"imgctl/v1","command":"list","items":[{"ref":"\"command\":\"prune\""#, false),
            (r#"{"items":[],"command":"prune"}"#, false),
            ("ecr:app:v1", false),
            ("", false),
        ] {
            assert_eq!(is_plan(text.as_bytes()), plan, "{text}");
        }
    }

    fn plan(change: impl Fn(&mut serde_json::Value)) -> Result<SavedPlan> {
        let item = |id: &str, action: &str| {
            serde_json::json!({ "ref": format!("cvm://ap-guangzhou/{id}"), "provider": "cvm", "action": action,
                                "rule": "selected", "reason": "older than 30d" })
        };
        let mut document = serde_json::json!({
            "schema": "imgctl/v1", "command": "prune", "dry_run": true,
            "plan": { "made_at": "2026-01-01T00:00:00Z", "stores": [], "stops": [], "usage_checked": true,
                      "recursive": false, "delete_snapshots": false },
            "items": [item("img-00000001", "delete"), item("img-00000002", "keep")],
        });
        change(&mut document);
        read("p.json", document.to_string().as_bytes())
    }

    #[test]
    fn only_images_to_delete_are_read() {
        let plan = plan(|_| ()).unwrap();
        let ids: Vec<_> = plan.images.iter().map(|image| &image.saved.id).collect();
        assert_eq!(ids, ["img-00000001"]);
    }

    #[test]
    fn an_image_listed_twice_is_one_at_its_first_place() {
        let twice = plan(|plan| {
            let mut again = plan["items"][0].clone();
            again["name"] = "another".into();
            plan["items"].as_array_mut().unwrap().push(again);
        });
        let images = twice.unwrap().images;
        let were: Vec<_> = images.iter().map(|image| &image.saved.was).collect();
        assert_eq!(were, [&Condition::default()]);
    }

    #[test]
    fn other_documents_are_refused() {
        let stop = serde_json::json!({ "guard": "max-delete", "message": "the plan deletes 9 images", "hint": "h" });
        type Change<'c> = &'c dyn Fn(&mut serde_json::Value);
        let table: [(Change, &str); 6] = [
            (&|plan| plan["items"][0]["rule"] = "in_use".into(), "its rule keeps it"),
            (&|plan| plan["schema"] = "imgctl/v2".into(), "its schema is imgctl/v2"),
            (&|plan| plan["dry_run"] = false.into(), "a finished run"),
            (&|plan| plan["plan"]["stops"] = vec![stop.clone()].into(), "the plan deletes 9 images"),
            (&|plan| plan["items"][0]["ref"] = "ecr:app:v1".into(), "names a tag"),
            (&|plan| plan["items"][0]["action"] = "burn".into(), "burn"),
        ];
        for (change, why) in table {
            let error = plan(change).err().expect(why);
            assert!(error.message.contains(why), "{error}");
        }
    }
}
