//! Globs for the names of repositories and tags. `*` and `?` do not match a slash, `**` matches any number of whole
//! parts, `[a-z]` and `[!a-z]` match one character, `{one,two}` matches either. Case matters, and the whole name must
//! match.

use std::{fmt, str::FromStr};

use globset::{GlobBuilder, GlobSet};

/// globset compiles nested braces by recursion.
const MOST_BRACES: usize = 100;

/// A glob, ready to match names.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    matcher: GlobSet,
}

impl Pattern {
    /// Tells whether the whole of `name` fits.
    pub fn matches(&self, name: &str) -> bool {
        self.matcher.is_match(name)
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Tells whether a text has a character with a special meaning in a glob.
    pub fn is_in(text: &str) -> bool {
        text.contains(['*', '?', '[', ']', '{', '}'])
    }
}

impl FromStr for Pattern {
    type Err = String;

    /// Reads a glob; the error says what is wrong with it.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("the pattern is empty".into());
        }
        if text.contains('\\') {
            return Err("a pattern cannot contain a backslash; [*] matches a star".into());
        }
        // globset reads `app**` as `app*`, which is not what the user meant.
        if text.split('/').any(|part| part.contains("**") && part != "**") {
            return Err("`**` stands alone between slashes, as in team/** or **/app".into());
        }
        if text.matches('{').count() > MOST_BRACES {
            return Err(format!("it has more than {MOST_BRACES} braces"));
        }
        let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(false).build();
        // A set of one glob, because globset panics if a single glob is too large to compile.
        let matcher = glob.and_then(|glob| GlobSet::new([glob])).map_err(|error| error.kind().to_string())?;
        Ok(Self { text: text.into(), matcher })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_within_a_part_and_two_stars_do_not() {
        for (pattern, fits, does_not) in [
            ("team/*", vec!["team/app"], vec!["team", "team/a/b", "xteam/app"]),
            ("team/**", vec!["team/app", "team/a/b"], vec!["team", "teams/a"]),
            ("**", vec!["app", "team/app", "a/b/c"], vec![]),
            ("*", vec!["app"], vec!["team/app"]),
            ("**/app", vec!["app", "team/app", "a/b/app"], vec!["team/app2"]),
            ("app-?", vec!["app-1"], vec!["app-", "app-12", "app-/"]),
            ("app-[0-9]", vec!["app-1"], vec!["app-x"]),
            ("app-[!0-9]", vec!["app-x"], vec!["app-1"]),
            ("{web,api}-*", vec!["web-1", "api-2"], vec!["db-1"]),
            ("v1.2", vec!["v1.2"], vec!["v1x2", "v1.2.3", "V1.2"]),
        ] {
            let glob: Pattern = pattern.parse().unwrap();
            for name in fits {
                assert!(glob.matches(name), "{pattern} {name}");
            }
            for name in does_not {
                assert!(!glob.matches(name), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn a_pattern_that_is_too_much_is_refused() {
        for depth in [300, 3_000, 40_000] {
            let nested = "{a,".repeat(depth) + "b" + &"}".repeat(depth);
            assert!(nested.parse::<Pattern>().is_err(), "{depth}");
        }
        assert!("?".repeat(1_000_000).parse::<Pattern>().is_err());
    }

    #[test]
    fn a_pattern_that_would_not_mean_what_it_says_is_refused() {
        for bad in ["", "app**", "**app/x", "a\\*", "[a", "{a,b", "a}", "[]"] {
            assert!(bad.parse::<Pattern>().is_err(), "{bad}");
        }
    }
}
