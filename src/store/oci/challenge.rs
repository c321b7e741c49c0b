//! Reads `WWW-Authenticate`: what a registry wants before it answers. Values may hold commas inside quotes, and a header
//! may hold several challenges.
//! <https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1>

/// What a registry wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    Basic,
    /// A token for this scope, from this realm.
    Bearer {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

/// The best challenge of these headers: a token, else a password.
pub fn best<'h>(headers: impl Iterator<Item = &'h str>) -> Option<Challenge> {
    let all: Vec<Challenge> = headers.flat_map(read).collect();
    let bearer = all.iter().find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
    bearer.or(all.first()).cloned()
}

/// All challenges of one header that imgctl can answer.
fn read(header: &str) -> Vec<Challenge> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = header.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c == ',' || c.is_whitespace()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let value = after.trim_start().strip_prefix('=');
        match (value, found.last_mut()) {
            (Some(value), Some((_, parameters))) => {
                let (value, after) = parameter(value.trim_start());
                parameters.push((word.to_ascii_lowercase(), value));
                rest = after;
            }
            (Some(value), None) => rest = parameter(value.trim_start()).1,
            (None, _) => {
                found.push((word.to_ascii_lowercase(), Vec::new()));
                rest = after;
            }
        }
        rest = rest.trim_start_matches([' ', '\t', ',']);
    }
    found.into_iter().filter_map(|(scheme, parameters)| challenge(&scheme, parameters)).collect()
}

fn challenge(scheme: &str, parameters: Vec<(String, String)>) -> Option<Challenge> {
    let mut parameters: std::collections::HashMap<_, _> = parameters.into_iter().collect();
    let mut take = |name: &str| parameters.remove(name).filter(|value| !value.is_empty());
    match scheme {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer { realm: take("realm")?, service: take("service"), scope: take("scope") }),
        _ => None,
    }
}

/// A value, quoted or not, and what follows it.
fn parameter(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c: char| c == ',' || c.is_whitespace()).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: &str, scope: &str) -> Challenge {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Challenge::Bearer { realm: realm.into(), service: some(service), scope: some(scope) }
    }

    #[test]
    fn challenges_are_read_in_every_form_that_registries_send() {
        let realm = "https://auth.example.com/token";
        for (headers, expected) in [
            (
                vec![
                    r#"Bearer realm="https://auth.example.com/token",service="reg",scope="repository:a/b:pull,push",error="insufficient_scope""#,
                ],
                Some(bearer(realm, "reg", "repository:a/b:pull,push")),
            ),
            (vec![r#"bearer Realm=https://auth.example.com/token , SERVICE = reg"#], Some(bearer(realm, "reg", ""))),
            (vec![r#"Basic realm="basic-realm""#], Some(Challenge::Basic)),
            (vec!["Basic"], Some(Challenge::Basic)),
            (
                vec![r#"Basic realm="a, b", Bearer realm="https://auth.example.com/token",scope="x""#],
                Some(bearer(realm, "", "x")),
            ),
            (vec!["Basic realm=x", r#"Bearer realm="https://auth.example.com/token""#], Some(bearer(realm, "", ""))),
            (vec![r#"Bearer realm="a\"b""#], Some(bearer("a\"b", "", ""))),
            (vec!["Negotiate"], None),
            (vec!["Bearer service=\"x\""], None),
            (vec![""], None),
            (vec!["=,=\"", "Bearer realm=\"unended"], Some(bearer("unended", "", ""))),
            (vec![], None),
        ] {
            assert_eq!(best(headers.iter().copied()), expected, "{headers:?}");
        }
    }

    #[test]
    fn no_header_is_too_strange() {
        for header in ["\u{e9}=\u{e9}", ",,,", "Bearer ,realm", "a=\"\\", "Bearer realm", "= = =", "\"\"\""] {
            let _ = read(header);
        }
    }
}
