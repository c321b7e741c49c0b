//! Pages and their tokens. A token is valid only for the listing that issued it, and continues after a name,
//! so that what is deleted between two pages shifts nothing.

use serde_json::Value;

use super::{
    Quirks,
    digest::Digest,
    refusal::{Refusal, invalid},
};

/// One candidate of a listing.
pub struct Entry {
    /// Its place in the listing.
    pub key: String,
    /// Its JSON, unless the filter leaves it out.
    pub shown: Option<Value>,
}

/// The name after which a token of this listing continues.
pub fn after(token: Option<String>, listing: &str) -> Result<Option<String>, Refusal> {
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    let key = token
        .get(SEAL..)
        .and_then(|key| hex::decode(key).ok())
        .and_then(|key| String::from_utf8(key).ok())
        .filter(|key| make(key, listing) == token);
    match key {
        Some(key) => Ok(Some(key)),
        None => Err(invalid("Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid next token'")),
    }
}

/// As many entries as fit on a page, and the token of the next one.
pub fn page(
    entries: impl Iterator<Item = Entry>,
    size: usize,
    listing: &str,
    quirks: &Quirks,
) -> (Vec<Value>, Option<String>) {
    let mut entries = entries.filter(|entry| quirks.sparse_pages || entry.shown.is_some()).peekable();
    let mut last = None;
    let mut shown = Vec::new();
    for entry in entries.by_ref().take(size) {
        shown.extend(entry.shown);
        last = Some(entry.key);
    }
    let next = last.filter(|_| entries.peek().is_some()).map(|key| make(&key, listing));
    (shown, next)
}

/// Adds the token to an answer, if there is one.
pub fn answer(mut body: Value, next: Option<String>) -> Value {
    if let Some(next) = next {
        body["nextToken"] = next.into();
    }
    body
}

/// Digits before the key.
const SEAL: usize = 16;

fn make(key: &str, listing: &str) -> String {
    let seal = Digest::of(format!("{listing}\n{key}")).hex();
    format!("{}{}", &seal[..SEAL], hex::encode(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(shown: &[bool]) -> impl Iterator<Item = Entry> {
        shown
            .iter()
            .enumerate()
            .map(|(number, shown)| Entry { key: number.to_string(), shown: shown.then(|| number.into()) })
    }

    #[test]
    fn a_page_is_full_unless_it_is_the_last_or_pages_are_sparse() {
        let mut quirks = Quirks::default();
        let shown = [true, false, false, true, true, false];
        let (first, next) = page(entries(&shown), 2, "x", &quirks);
        assert_eq!(first, [0, 3]);
        assert_eq!(after(next, "x").unwrap().as_deref(), Some("3"));
        assert_eq!(page(entries(&shown), 3, "x", &quirks).1, None);
        quirks.sparse_pages = true;
        let (first, next) = page(entries(&shown), 2, "x", &quirks);
        assert_eq!(first, [0]);
        assert_eq!(after(next, "x").unwrap().as_deref(), Some("1"));
    }

    #[test]
    fn a_token_of_another_listing_is_refused() {
        let (_, next) = page(entries(&[true, true]), 1, "x", &Quirks::default());
        let token = next.unwrap();
        assert!(after(Some(token.clone()), "y").is_err());
        for bad in [&token[1..], "abc", "é€é€é€é€é€", &format!("{token}00")] {
            assert!(after(Some(bad.into()), "x").is_err(), "{bad}");
        }
        assert_eq!(after(Some(String::new()), "x"), Ok(None));
    }
}
