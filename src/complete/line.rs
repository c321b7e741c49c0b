//! Finds out which argument is at the cursor, from clap's description of the command line. The value name of an argument
//! tells what it is, so that new commands need no entry here.

use clap::{Arg, Command};

/// The kind of argument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wanted {
    Image,
    Store,
    Either,
    /// A command or topic of `imgctl help`.
    Help,
    /// A run on record.
    Run,
    /// A run on record, or an image.
    RunOrImage,
    /// The value of `--region`.
    Region,
    /// The value of `--profile`.
    Profile,
    /// A policy of a file.
    Policy,
}

/// The kind of argument at the cursor, and the flags before it that decide where to look.
#[derive(Debug, PartialEq)]
pub struct Asked {
    pub wanted: Wanted,
    pub region: Option<String>,
    pub profile: Option<String>,
    /// The file with policies.
    pub policy: Option<String>,
    /// The arguments so far.
    pub arguments: Vec<String>,
}

/// Reads the words before the cursor, the program's name first. `None`: no reference or topic belongs there.
pub fn asked(program: &Command, words: &[String]) -> Option<Asked> {
    let mut command = program;
    let mut arguments: Vec<String> = Vec::new();
    let (mut region, mut profile, mut policy) = (None, None, None);
    let mut at = None;
    let mut flags_ended = false;
    let mut words = words.iter().skip(1);
    while let Some(word) = words.next() {
        if word == "--" && !flags_ended {
            flags_ended = true;
        } else if let Some((flag, joined)) = flag(command, word).filter(|_| !flags_ended) {
            let Some(value) = joined.map(str::to_owned).or_else(|| words.next().cloned()) else {
                // The cursor is at the value.
                at = Some(flag);
                break;
            };
            match flag.get_id().as_str() {
                "region" => region = Some(value),
                "profile" => profile = Some(value),
                "policy" => policy = Some(value),
                _ => {}
            }
        } else if word.starts_with('-') && word != "-" && !flags_ended {
            // A flag without a value.
        } else if let Some(named) = command.find_subcommand(word).filter(|_| arguments.is_empty()) {
            command = named;
        } else {
            arguments.push(word.clone());
        }
    }
    let wanted = match at {
        Some(flag) => match flag.get_id().as_str() {
            "region" => Wanted::Region,
            "profile" => Wanted::Profile,
            _ => return None,
        },
        None if policy.is_some() => Wanted::Policy,
        None => wanted(positional(command, arguments.len())?)?,
    };
    Some(Asked { wanted, region, profile, policy, arguments })
}

/// The flag that takes a value, and the value if it is in the same word.
fn flag<'c, 'w>(command: &'c Command, word: &'w str) -> Option<(&'c Arg, Option<&'w str>)> {
    let with_value = |is: &dyn Fn(&Arg) -> bool| {
        let mut flags = command.get_arguments();
        flags.find(|flag| is(flag) && flag.get_action().takes_values())
    };
    if let Some(long) = word.strip_prefix("--") {
        let (name, joined) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        return Some((with_value(&|flag| flag.get_long() == Some(name))?, joined));
    }
    // In `-yo json`, the first letter that takes a value takes the rest of the word.
    word.strip_prefix('-')?.char_indices().find_map(|(at, letter)| {
        let found = with_value(&|flag| flag.get_short() == Some(letter))?;
        let rest = &word[1 + at + letter.len_utf8()..];
        Some((found, (!rest.is_empty()).then_some(rest)))
    })
}

/// The positional argument after `before` others.
fn positional(command: &Command, before: usize) -> Option<&Arg> {
    let last = command.get_positionals().last();
    let many = last.filter(|last| last.get_num_args().is_some_and(|n| n.max_values() > 1));
    command.get_positionals().nth(before).or(many)
}

fn wanted(argument: &Arg) -> Option<Wanted> {
    let name = argument.get_value_names()?.join(" ");
    match (name.contains("IMAGE"), name.contains("STORE")) {
        (true, true) => Some(Wanted::Either),
        (true, false) if name.contains("RUN") => Some(Wanted::RunOrImage),
        (true, false) => Some(Wanted::Image),
        (false, true) => Some(Wanted::Store),
        (false, false) if name.contains("RUN") => Some(Wanted::Run),
        (false, false) => name.contains("TOPIC").then_some(Wanted::Help),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: &str) -> Option<Asked> {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        let mut program = crate::cli::program();
        program.build();
        asked(&program, &words)
    }

    #[test]
    fn references_are_wanted_where_arguments_are_called_so() {
        use Wanted::*;
        for (line, wanted) in [
            ("imgctl delete", Some(Image)),
            ("imgctl rm ecr:app:v1 ecr:app:v2", Some(Image)),
            ("imgctl delete -n --max-delete 3", Some(Image)),
            ("imgctl delete -yo json", Some(Image)),
            ("imgctl --region eu-west-1 list", Some(Store)),
            ("imgctl list --keep=3", Some(Store)),
            ("imgctl check-layers ecr:app", Some(Either)),
            ("imgctl delete -- -odd", Some(Image)),
            ("imgctl help", Some(Help)),
            ("imgctl history", Some(Run)),
            ("imgctl history --since 7d", Some(Run)),
            ("imgctl restore -n", Some(RunOrImage)),
            // A command, a flag's value, or a word that is not a reference.
            ("imgctl", None),
            ("imgctl delete --max-delete", None),
            ("imgctl delete -yo", None),
            ("imgctl delete --from", None),
            ("imgctl list --region", Some(Region)),
            ("imgctl --profile", Some(Profile)),
            ("imgctl prune --policy clean.toml", Some(Policy)),
            ("imgctl prune --policy=clean.toml web", Some(Policy)),
            ("imgctl prune --policy", None),
            ("imgctl help policy", Some(Help)),
            ("imgctl man", None),
            ("imgctl sandbox --", None),
        ] {
            assert_eq!(at(line).map(|asked| asked.wanted), wanted, "{line}");
        }
    }

    #[test]
    fn flags_before_the_cursor_say_where_to_look() {
        let asked = at("imgctl --region=eu-west-1 delete --profile test").unwrap();
        assert_eq!(asked.region.as_deref(), Some("eu-west-1"));
        assert_eq!(asked.profile.as_deref(), Some("test"));
    }
}
