//! Help beyond clap's own: the examples at the end of each command's help, and the topics of `imgctl help`. A topic is a
//! text file in this directory.

use clap::builder::{StyledStr, Styles};

/// What a line does, and the line: `imgctl …`, as it runs in `imgctl sandbox`. If the line ends with another exit code
/// than 0, the description says so: "exit code 1".
pub type Example = (&'static str, &'static str);

/// The examples at the end of a command's help: `#[command(after_long_help = examples(&EXAMPLES))]`.
pub fn examples(examples: &[Example]) -> StyledStr {
    let mut text = heading("Examples");
    for (why, line) in examples {
        text += &format!("\n  # {why}\n  $ {line}\n");
    }
    text.trim_end().to_owned().into()
}

/// A heading in the style of clap; clap removes the style if it prints no colors.
fn heading(title: &str) -> String {
    let styles = Styles::styled();
    let header = styles.get_header();
    format!("{header}{title}:{header:#}")
}

/// A help topic that concerns all commands.
pub struct Topic {
    pub name: &'static str,
    /// One sentence on the first line; then sections with headings in capitals.
    pub text: &'static str,
}

pub const TOPICS: [Topic; 12] = [
    Topic { name: "references", text: include_str!("references.txt") },
    Topic { name: "pruning", text: include_str!("pruning.txt") },
    Topic { name: "in-use", text: include_str!("in-use.txt") },
    Topic { name: "policies", text: include_str!("policies.txt") },
    Topic { name: "oci", text: include_str!("oci.txt") },
    Topic { name: "undo", text: include_str!("undo.txt") },
    Topic { name: "json", text: include_str!("json.txt") },
    Topic { name: "exit-codes", text: include_str!("exit-codes.txt") },
    Topic { name: "environment", text: include_str!("environment.txt") },
    Topic { name: "permissions", text: include_str!("permissions.txt") },
    Topic { name: "limits", text: include_str!("limits.txt") },
    Topic { name: "safety", text: include_str!("safety.txt") },
];

impl Topic {
    /// Its description, in one line.
    pub fn about(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default()
    }
}

/// The list of topics at the end of the help of imgctl.
pub fn topics() -> StyledStr {
    let mut text = heading("Help topics (imgctl help TOPIC)");
    for topic in &TOPICS {
        text += &format!("\n  {:<13}{}", topic.name, topic.about());
    }
    text.into()
}

/// Whether a line of a topic is a heading.
pub fn is_heading(line: &str) -> bool {
    line.starts_with(|first: char| first.is_ascii_uppercase())
        && line.chars().all(|c| c.is_ascii_uppercase() || c == ' ')
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    /// Variables that the providers' and the system's libraries read by themselves.
    const OF_LIBRARIES: [&str; 16] = [
        "AWS_SESSION_TOKEN",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "XDG_CACHE_HOME",
        "XDG_STATE_HOME",
    ];

    /// Variables that are not of a provider: of imgctl itself, of its surroundings, of the network.
    const OF_NO_PROVIDER: [&str; 16] = [
        "CI",
        "IMGCTL_OUTPUT",
        "IMGCTL_SANDBOX",
        "IMGCTL_CACHE_DIR",
        "IMGCTL_STATE_DIR",
        "GITHUB_ACTIONS",
        "GITHUB_STEP_SUMMARY",
        "NO_COLOR",
        "CLICOLOR_FORCE",
        "IMGCTL_PAGER",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
        "NO_PROXY",
        "no_proxy",
    ];

    /// Variables of which the topic says that they are not read.
    const NOT_READ: [&str; 2] = ["AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS"];

    /// The Rust sources below a folder, without tests.
    fn sources(folder: &Path) -> String {
        let mut text = String::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // A list of variables reads none.
            let reads = path.file_stem().is_some_and(|stem| stem != "tests" && stem != "variables");
            if path.is_dir() && reads {
                text += &sources(&path);
            } else if path.extension().is_some_and(|end| end == "rs") && reads {
                text += &fs::read_to_string(&path).unwrap();
            }
        }
        text
    }

    fn is_name(word: &str) -> bool {
        let letters = |ok: fn(&u8) -> bool| word.bytes().all(|b| ok(&b) || b == b'_' || b.is_ascii_digit());
        word.contains('_')
            && !word.starts_with('_')
            && !word.ends_with('_')
            && (letters(u8::is_ascii_uppercase) || letters(u8::is_ascii_lowercase) && word.ends_with("_proxy"))
    }

    fn names<'t>(words: impl Iterator<Item = &'t str>) -> BTreeSet<&'t str> {
        words.filter(|word| is_name(word)).collect()
    }

    #[test]
    fn the_topic_names_exactly_the_variables_that_are_read() {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let two = ["flags.rs", "context/mod.rs"].map(|file| fs::read_to_string(src.join(file)).unwrap());
        let settings = sources(&src.join("settings")) + &two.concat();
        let all = sources(&src);
        let mut read = names(settings.split('"'));
        assert!(read.len() > 60, "{read:?}");
        // Names of our own are given to the settings from elsewhere, too.
        let own = names(all.split('"')).into_iter();
        read.extend(own.filter(|name| name.starts_with("IMGCTL_")));

        let environment = TOPICS.iter().find(|topic| topic.name == "environment").unwrap();
        let no_part = |c: char| !c.is_ascii_alphanumeric() && c != '_';
        let named = names(environment.text.split(no_part));
        let known: BTreeSet<_> = read.iter().chain(&OF_LIBRARIES).chain(&NOT_READ).copied().collect();
        let odd: Vec<_> = named.symmetric_difference(&known).collect();
        assert!(odd.is_empty(), "named and not read, or the reverse: {odd:?}");

        let listed: BTreeSet<_> = crate::settings::variables().collect();
        let unlisted: Vec<_> = read.iter().filter(|name| !listed.contains(*name)).collect();
        let stray: Vec<_> = unlisted.iter().filter(|name| !OF_NO_PROVIDER.contains(name)).collect();
        assert!(stray.is_empty(), "read and not in a provider's list: {stray:?}");
        let unread: Vec<_> = listed.iter().filter(|name| !known.contains(*name)).collect();
        assert!(unread.is_empty(), "in a provider's list and not read: {unread:?}");
    }

    #[test]
    fn topics_fit_a_small_terminal_and_begin_with_a_sentence() {
        for topic in &TOPICS {
            let widest = topic.text.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(80), "{}", topic.name);
            let mut lines = topic.text.lines();
            assert!(lines.next().unwrap().ends_with('.'), "{}", topic.name);
            assert_eq!(lines.next(), Some(""));
            assert!(lines.next().is_some_and(is_heading), "{}", topic.name);
        }
    }
}
