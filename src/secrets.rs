//! The secrets of this run. imgctl remembers each secret before it uses it, and masks it in everything that it prints:
//! a service may send it back.

use std::{
    borrow::Cow,
    sync::{PoisonError, RwLock},
};

/// Masking shorter ones would hide ordinary words.
const SHORTEST: usize = 6;

const MASK: &str = "***";

static SECRETS: RwLock<Vec<String>> = RwLock::new(Vec::new());

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
    masked
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
    }
}
