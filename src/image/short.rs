//! Digests that are cut off, as tables show them: `ecr:team/app@1a2b3c4d5e6f…`. They name an image only together with a
//! listing of its repository.

use super::{
    digest::Digest,
    reference::{Reference, StoreRef},
};

/// Fewer digits fit several images too often.
const FEWEST: usize = 7;

/// The digits of a whole SHA-256 digest.
const ALL: usize = 64;

/// An image by the beginning of its digest.
#[derive(Clone, Debug, PartialEq)]
pub struct Short {
    pub store: StoreRef,
    /// What stands before the digest: the repository, and perhaps a tag.
    before: String,
    pub digits: String,
}

impl Short {
    /// Reads `REPOSITORY[:TAG]@[sha256:]DIGITS[…]`; anything else is not short.
    pub fn read(text: &str) -> Option<Self> {
        let (before, digest) = text.rsplit_once('@')?;
        let digits = digest.strip_prefix("sha256:").unwrap_or(digest);
        let digits = digits.strip_suffix('…').or_else(|| digits.strip_suffix("...")).unwrap_or(digits);
        let is_hex = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_hex || !(FEWEST..ALL).contains(&digits.len()) {
            return None;
        }
        let store = match before.parse().ok()? {
            Reference::Store(store) => store,
            Reference::Image(image) => (*image.store).clone(),
        };
        let named = store.provider.has_containers() && !store.is_pattern();
        named.then(|| Self { store, before: before.to_owned(), digits: digits.to_owned() })
    }

    pub fn fits(&self, digest: &Digest) -> bool {
        digest.begins(&self.digits)
    }

    /// The reference with the whole digest.
    pub fn complete(&self, digest: &Digest) -> String {
        format!("{}@{digest}", self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_short_with_seven_digits_and_up_to_all_of_them() {
        for (text, digits) in [
            ("ecr:team/app@1a2b3c4", "1a2b3c4"),
            ("ecr:team/app@sha256:1a2b3c4d5e6f…", "1a2b3c4d5e6f"),
            ("ecr:team/app:v1@1a2b3c4d5e6f...", "1a2b3c4d5e6f"),
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app@1a2b3c4d", "1a2b3c4d"),
        ] {
            assert_eq!(Short::read(text).unwrap().digits, digits, "{text}");
        }
        let whole = format!("ecr:team/app@sha256:{}", "a".repeat(64));
        for text in
            ["ecr:team/app@1a2b3c", "ecr:team/app@latest1", "ecr:team/*@1a2b3c4", "ecr:app", "cvm:@1a2b3c4", &whole]
        {
            assert_eq!(Short::read(text), None, "{text}");
        }
    }
}
