//! The secrets of this run. imgctl remembers each secret before it uses it, and masks it in everything that it prints:
//! a service may send it back.

use std::{
    borrow::Cow,
    sync::{LazyLock, PoisonError, RwLock},
};

use indexmap::IndexSet;

/// Masking shorter ones would hide ordinary words.
const SHORTEST: usize = 6;

const MASK: &str = "***";

static SECRETS: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// The signatures of the last calls: a call a thousand calls ago has no answer to come.
const SIGNATURES: usize = 1000;

/// How many hexadecimal digits a signature has, in all three schemes.
const DIGITS: usize = 64;

static SIGNED: LazyLock<RwLock<IndexSet<String>>> = LazyLock::new(RwLock::default);

pub fn remember(secret: &str) {
    let quoted = serde_json::json!(secret).to_string();
    // The same in a JSON text, where some characters are escaped.
    let escaped = &quoted[1..quoted.len() - 1];
    for form in [secret, escaped] {
        let is_known = || SECRETS.read().unwrap_or_else(PoisonError::into_inner).iter().any(|known| known == form);
        if form.len() >= SHORTEST && !is_known() {
            let mut secrets = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
            secrets.push(form.to_owned());
            // A secret may contain another one.
            secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
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
    for secret in secrets.iter().filter(|secret| text.contains(secret.as_str())) {
        masked = Cow::Owned(masked.replace(secret.as_str(), MASK));
    }
    let found = signatures(&masked);
    for signature in found {
        masked = Cow::Owned(masked.replace(&signature, MASK));
    }
    masked
}

/// The signatures of this run in a text. Digests have as many digits, so only those that may be one are compared.
fn signatures(text: &str) -> Vec<String> {
    let runs = text.split(|letter: char| !letter.is_ascii_hexdigit()).filter(|run| run.len() == DIGITS);
    let signed = SIGNED.read().unwrap_or_else(PoisonError::into_inner);
    runs.filter(|run| signed.contains(*run)).map(Into::into).collect()
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
}
