//! Digests: `algorithm:hex`. Those of images are strict; those of layers follow the looser pattern that ECR documents
//! for its layer check, because there the service says itself what is invalid.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::ParseError;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(String);

impl Digest {
    /// Of exactly these bytes.
    pub fn sha256_of(bytes: &[u8]) -> Self {
        Self(format!("sha256:{}", hex::encode(Sha256::digest(bytes))))
    }

    /// A layer's digest, as far as the service would look at it.
    /// Pattern: <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_Layer.html>
    pub fn layer(text: &str) -> Result<Self, ParseError> {
        let wrong = |why: &str| {
            Err(ParseError::new(text, 0..text.len(), why)
                .right("a layer is named sha256: and 64 hex digits"))
        };
        let Some((algorithm, hex)) = text.split_once(':') else {
            return wrong("this is no digest");
        };
        let word =
            |character: char| character.is_ascii_alphanumeric() || "-_+.".contains(character);
        if algorithm.is_empty() || !algorithm.chars().all(word) {
            return wrong("this is no digest: the part before the colon is no algorithm");
        }
        if hex.is_empty() || !hex.chars().all(|character| character.is_ascii_hexdigit()) {
            return wrong("this is no digest: only hex digits may follow the colon");
        }
        if text.len() > 1000 {
            return wrong("this is longer than any digest");
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks an image's digest that stands at `start` of a longer text, so that an error points at its place there.
    pub(super) fn within(whole: &str, start: usize) -> Result<Self, ParseError> {
        let text = &whole[start..];
        let wrong = |from: usize, why: String| {
            Err(ParseError::new(whole, start + from..whole.len(), why)
                .right("a digest is sha256: and 64 of the digits 0-9 and a-f"))
        };
        let Some((algorithm, hex)) = text.split_once(':') else {
            return wrong(0, "the digest has no colon".into());
        };
        // Lengths of the registered algorithms: <https://github.com/opencontainers/image-spec/blob/main/descriptor.md>
        let length = match algorithm {
            "sha256" => 64,
            "sha384" => 96,
            "sha512" => 128,
            _ => return wrong(0, "this digest is of no known algorithm".into()),
        };
        let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if let Some(place) = hex.bytes().position(|byte| !lower(byte)) {
            return wrong(
                algorithm.len() + 1 + place,
                "a digest has only the digits 0-9 and a-f".into(),
            );
        }
        if hex.len() != length {
            let why = format!(
                "a {algorithm} digest has {length} digits, and this has {}",
                hex.len()
            );
            return wrong(algorithm.len() + 1, why);
        }
        Ok(Self(text.into()))
    }
}

impl FromStr for Digest {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::within(text, 0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}
