//! The lines of a record. A record is a text file: one JSON object a line, in the order in which things happened. Lines
//! are only ever added.

use std::path::Path;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sums::Sums;
use crate::{
    engine::Outcome,
    error::{Error, Result},
    image::{Digest, ImageId, ImageRef},
    store::{Image, LeftBehind},
};

/// What the first line of every record says about its form. A breaking change makes `imgctl/record/v2`.
pub const FORM: &str = "imgctl/record/v1";

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// The first line.
    Run(Head),
    /// A store of the run.
    Store(OfStore),
    /// An image that the run is about to send a call for. It is on the disk before the call is sent.
    Image(Box<Saved>),
    /// Manifests that the run asks for, so that a later run does not take that for a pull by others.
    Read {
        /// Their store.
        #[serde(rename = "ref")]
        reference: String,
        at: DateTime<Utc>,
        digests: Vec<Digest>,
    },
    /// A call that the provider answered. What failed has the id in its error.
    Answered {
        /// The provider's id of the call, by which its logs know it.
        request_id: String,
        at: DateTime<Utc>,
        /// The numbers of the images that it was about.
        images: Vec<usize>,
    },
    /// How an image ended.
    Ended(Ended),
    /// The last line, unless the run was killed.
    End(End),
}

/// Who ran what, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// [`FORM`]
    pub form: String,
    /// The id of the run, which names its file.
    pub run: String,
    pub began_at: DateTime<Utc>,
    /// Of imgctl.
    pub version: String,
    /// `delete`, `prune`, `restore`.
    pub command: String,
    pub action: Action,
    /// The command line, without secrets.
    pub command_line: Vec<String>,
    /// The saved plan that it carries out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Source>,
    /// The policy file by which it chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Source>,
}

/// What a run does to its images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Delete,
    Archive,
    Restore,
}

/// A file that told a run what to do, as it was then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "run_source")]
pub struct Source {
    /// Its name on the command line.
    pub file: String,
    /// The digest of its bytes.
    pub digest: Digest,
}

impl Head {
    /// Whether this version can read the record.
    pub fn is_known(&self) -> bool {
        self.form == FORM
    }
}

impl Source {
    /// A file as it is now.
    pub fn of_file(path: &Path) -> Result<Self> {
        let file = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| Error::of_file(&file, &error))?;
        Ok(Self { file, digest: Digest::sha256_of(&bytes) })
    }
}

/// A store of the run. Images name it by its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfStore {
    /// Its place among the stores of the record.
    pub store: usize,
    /// The complete reference, with account and region.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Whose credentials were used, shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
}

/// An image as it was right before the call, and what a restore needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// Its number within the record.
    pub n: usize,
    pub store: usize,
    pub at: DateTime<Utc>,
    /// What is sent, completely: a tag, a digest (the image with all its tags), a tag with its digest, or an id.
    #[serde(rename = "ref")]
    pub reference: String,
    /// What a look showed: digest, all tags, times, size, media type. Empty if the run could not look.
    #[serde(flatten)]
    pub image: Box<Image>,
    /// What is deleted with it, and what is left behind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub takes_along: Vec<LeftBehind>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_behind: Vec<LeftBehind>,
    /// The exact text of its manifest, checked against the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// The media type that the registry gave with the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_type: Option<String>,
    /// Why the record alone cannot bring it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unrestorable: Option<Unrestorable>,
}

/// Why a record cannot bring an image back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Unrestorable {
    pub why: String,
    /// The provider's error, if one is the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

/// How an image ended. The last of several is true: `history --check` adds what it found out later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// The image's number. Without a [`Saved`] of that number, nothing was sent for it.
    pub n: usize,
    pub at: DateTime<Utc>,
    pub outcome: Outcome,
    /// Of an image for which nothing was sent: its complete reference.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
    /// A later look found this out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub checked: bool,
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct End {
    pub at: DateTime<Utc>,
    #[serde(flatten)]
    pub sums: Sums,
    /// The stores to which calls were sent.
    #[serde(default)]
    pub stores: Vec<OfStore>,
    /// What stopped the run before its end: an interrupt, a deadline, a full disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Error>,
}

impl Saved {
    /// What was sent, as a reference.
    pub fn reference(&self) -> Result<ImageRef> {
        self.reference.parse().map_err(Error::from)
    }

    pub fn digest(&self) -> Option<Digest> {
        self.image.digest()
    }

    /// The bytes that its deletion frees. The size of an index is that of its largest image, which counts itself.
    pub fn freed(&self) -> u64 {
        let left: u64 = self.left_behind.iter().filter_map(|left| left.bytes).sum();
        if self.image.is_index() { 0 } else { self.image.bytes.unwrap_or(0).saturating_sub(left) }
    }

    /// The tags that the call removes.
    pub fn tags(&self) -> Vec<String> {
        match self.reference() {
            Ok(ImageRef { id: ImageId::Tag(tag) | ImageId::TagAt(tag, _), .. }) => vec![tag],
            _ => self.image.tags.clone(),
        }
    }

    #[allow(dead_code, reason = "only a restore needs it")]
    /// The manifest with its digest, if the bytes still have it.
    pub fn restorable(&self) -> Option<(Digest, &str)> {
        let (digest, text) = (self.digest()?, self.manifest.as_deref()?);
        (Digest::sha256_of(text.as_bytes()) == digest).then_some((digest, text))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn head() -> Head {
        Head {
            form: FORM.into(),
            run: "20260102-030405-abcd".into(),
            began_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            version: "0.1.0".into(),
            command: "delete".into(),
            action: Action::Delete,
            command_line: vec!["imgctl".into(), "delete".into()],
            plan: None,
            policy: None,
        }
    }

    pub fn saved() -> Saved {
        Saved {
            n: 0,
            store: 0,
            at: head().began_at,
            reference: "cvm://ap-guangzhou/img-6pb6lrmy".into(),
            image: Image::default().into(),
            takes_along: Vec::new(),
            left_behind: Vec::new(),
            manifest: None,
            manifest_type: None,
            unrestorable: None,
        }
    }

    #[test]
    fn a_call_removes_the_tag_it_names_or_all_tags() {
        let image = Image { tags: vec!["a".into(), "b".into()], ..Image::default() };
        let digest = Digest::sha256_of(b"{}");
        for (reference, tags) in [
            ("ecr://eu-west-1/app:a".to_owned(), vec!["a"]),
            (format!("ecr://eu-west-1/app:b@{digest}"), vec!["b"]),
            (format!("ecr://eu-west-1/app@{digest}"), vec!["a", "b"]),
        ] {
            let saved = Saved { reference, image: image.clone().into(), ..saved() };
            assert_eq!(saved.tags(), tags);
        }
    }

    #[test]
    fn only_a_manifest_with_its_digest_is_restorable() {
        let digest = Some(Digest::sha256_of(b"{}").to_string());
        let of = |manifest: &str| Saved {
            image: Image { digest: digest.clone(), ..Image::default() }.into(),
            manifest: Some(manifest.into()),
            ..saved()
        };
        assert!(of("{}").restorable().is_some());
        assert!(of("{} ").restorable().is_none());
        assert!(saved().restorable().is_none());
    }
}
