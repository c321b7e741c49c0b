//! The secrets of this run. imgctl remembers each secret before it uses it, and masks it in everything that it prints:
//! a service may send it back.

use std::{
    borrow::Cow,
    sync::{LazyLock, PoisonError, RwLock},
};

use indexmap::IndexSet;
use memchr::memmem::Finder;

/// Masking shorter ones would hide ordinary words.
const SHORTEST: usize = 6;

const MASK: &str = "***";

static SECRETS: RwLock<Vec<Finder<'static>>> = RwLock::new(Vec::new());

/// The signatures of the last calls: a call a thousand calls ago has no answer to come.
const SIGNATURES: usize = 1000;

/// How many hexadecimal digits a signature has, in all three schemes.
const DIGITS: usize = 64;

/// Whether a byte is a hexadecimal digit. Everything that is printed or recorded is looked through for them.
static IS_DIGIT: [bool; 256] = {
    let (mut is, mut byte) = ([false; 256], 0);
    while byte < is.len() {
        is[byte] = (byte as u8).is_ascii_hexdigit();
        byte += 1;
    }
    is
};

static SIGNED: LazyLock<RwLock<IndexSet<String>>> = LazyLock::new(RwLock::default);

pub fn remember(secret: &str) {
    let quoted = serde_json::json!(secret).to_string();
    // The same in a JSON text, where some characters are escaped.
    let escaped = &quoted[1..quoted.len() - 1];
    for form in [secret, escaped] {
        let is_known = || {
            SECRETS.read().unwrap_or_else(PoisonError::into_inner).iter().any(|known| known.needle() == form.as_bytes())
        };
        if form.len() >= SHORTEST && !is_known() {
            let mut secrets = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
            secrets.push(Finder::new(form).into_owned());
            // A secret may contain another one.
            secrets.sort_by_key(|secret| std::cmp::Reverse(secret.needle().len()));
        }
    }
}

/// Remembers the signature in an `Authorization` header: all schemes end with `Signature=` and its digits.
pub fn remember_signature(authorization: &str) {
    let Some((_, signature)) = authorization.rsplit_once("Signature=") else { return };
    let mut signed = SIGNED.write().unwrap_or_else(PoisonError::into_inner);
    if signed.len() == SIGNATURES {
        signed.shift_remove_index(0);
    }
    signed.insert(signature.trim().to_owned());
}

/// Remembers the password of a URL, if it has one.
pub fn remember_password_of(url: &str) {
    let user = url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@'));
    if let Some((_, password)) = user.and_then(|(user, _)| user.split_once(':')) {
        remember(password);
    }
}

pub fn masked(text: &str) -> Cow<'_, str> {
    let secrets = SECRETS.read().unwrap_or_else(PoisonError::into_inner);
    let mut masked = Cow::Borrowed(text);
    for secret in secrets.iter().filter(|secret| secret.find(text.as_bytes()).is_some()) {
        let secret = std::str::from_utf8(secret.needle()).expect("a secret is text");
        masked = Cow::Owned(masked.replace(secret, MASK));
    }
    let found = signatures(&masked);
    for signature in found {
        masked = Cow::Owned(masked.replace(&signature, MASK));
    }
    masked
}

/// The signatures of this run in a text. Digests have as many digits, so only those that may be one are compared.
fn signatures(text: &str) -> Vec<String> {
    let signed = SIGNED.read().unwrap_or_else(PoisonError::into_inner);
    runs(text).filter(|run| signed.contains(*run)).map(Into::into).collect()
}

/// The runs of exactly as many hexadecimal digits as a signature has. Each covers one place whose number is a multiple of
/// that, so only these places are looked at: a record of 100,000 images has 300 MB.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    let bytes = text.as_bytes();
    let other = |byte: &u8| !IS_DIGIT[usize::from(*byte)];
    (0..bytes.len()).step_by(DIGITS).filter(move |place| !other(&bytes[*place])).filter_map(move |place| {
        // One digit more than a run may have tells a longer one apart.
        let (from, to) = (place.saturating_sub(DIGITS), bytes.len().min(place + DIGITS + 1));
        let begins = bytes[from..place].iter().rposition(other).map_or(from, |before| from + before + 1);
        let ends = bytes[place..to].iter().position(other).map_or(to, |after| place + after);
        (ends - begins == DIGITS).then(|| &text[begins..ends])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_as_it_is_and_in_json() {
        remember("p\"ss-of-a-test");
        remember_password_of("http://user:word-of-a-test@proxy:80");
        let json = serde_json::json!("p\"ss-of-a-test").to_string();
        assert_eq!(masked("x p\"ss-of-a-test y"), "x *** y");
        assert_eq!(masked(&json), "\"***\"");
        assert_eq!(masked("word-of-a-test"), "***");
        assert_eq!(masked("nothing"), "nothing");
        let (signature, digest) = ("ab".repeat(32), "cd".repeat(32));
        remember_signature(&format!("TC3-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature={signature}"));
        assert_eq!(masked(&format!("got {signature}, sha256:{digest}")), format!("got ***, sha256:{digest}"));
    }

    #[test]
    fn runs_of_64_digits_are_found_wherever_they_stand() {
        for before in 0..130 {
            for digits in [1, 63, 64, 65, 128, 129] {
                let run = "0f".repeat(65)[..digits].to_owned();
                let text = format!("{}{run}é{run}", "-".repeat(before));
                let expected = if digits == DIGITS { vec![&*run; 2] } else { Vec::new() };
                assert_eq!(runs(&text).collect::<Vec<_>>(), expected, "{digits} after {before}");
            }
        }
    }
}
