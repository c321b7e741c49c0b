//! Command lines that clap cannot read, in imgctl's words. clap says what its parser expected; a user wants to know what
//! to write.

use std::{error::Error as _, num::ParseIntError};

use clap::{
    Command,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::{
    error::{Error, Kind},
    words,
};

/// Flags of other programs, and what imgctl has instead: a flag of its own, and what to say about it.
const ELSEWHERE: [(&[&str], &str, &str); 6] = [
    (&["--force", "-f"], "--yes", "--yes skips the confirmation prompt; no flag overrides a safety check"),
    (&["--json"], "--output", "write -o json"),
    (&["--format"], "--output", "write -o table, -o json or -o ndjson"),
    (&["--no-color", "--no-colour"], "--color", "write --color never"),
    (&["--reverse", "-r"], "--sort", "--sort sorts the newest or largest first; use `| tac` for the reverse"),
    (&["--no-trunc", "--no-truncate"], "--wide", "write --wide"),
];

/// The error in our words. `None`: clap's own say it well.
pub(super) fn error(error: &clap::Error, program: &Command, words: &[String]) -> Option<Error> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let argument = text(ContextKind::InvalidArg);
    let wrong = |message: String, hint: String| Some(Error::new(Kind::Usage, message).hint(hint));
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let flag = argument.filter(|argument| argument.starts_with('-'))?;
            // clap takes `-30d` apart, like short flags.
            let whole = words.iter().find(|word| word.starts_with(flag)).map_or(flag, |word| word.as_str());
            Some(unknown(whole.split('=').next()?, text(ContextKind::SuggestedArg), command(program, words)))
        }
        ErrorKind::ValueValidation => {
            let (flag, value) = (name(argument?), text(ContextKind::InvalidValue)?);
            let why = error.source()?;
            let why = match why.downcast_ref::<ParseIntError>() {
                Some(_) => "write a whole number, such as 3".to_owned(),
                None => why.to_string(),
            };
            wrong(format!("not a valid value for {flag}: \"{value}\""), why)
        }
        ErrorKind::InvalidValue => {
            let (flag, value) = (name(argument?), text(ContextKind::InvalidValue).unwrap_or_default());
            let valid = match error.get(ContextKind::ValidValue) {
                Some(ContextValue::Strings(valid)) => valid.as_slice(),
                _ => &[],
            };
            let hint = match words::nearest(value, valid.iter().map(String::as_str)).filter(|_| !value.is_empty()) {
                Some(meant) => format!("did you mean {meant}?"),
                None if valid.is_empty() => format!("write {}", argument?),
                None => format!("write one of: {}", valid.join(", ")),
            };
            match value {
                "" => wrong(format!("{flag} needs a value"), hint),
                value => wrong(format!("not a valid value for {flag}: \"{value}\""), hint),
            }
        }
        _ => None,
    }
}

/// `--older-than` of `--older-than <AGE>`.
fn name(argument: &str) -> &str {
    argument.split([' ', '=']).next().unwrap_or(argument)
}

/// The command that the words are for.
fn command<'p>(program: &'p Command, words: &[String]) -> &'p Command {
    words.iter().skip(1).find_map(|word| program.find_subcommand(word)).unwrap_or(program)
}

fn unknown(flag: &str, near: Option<&str>, command: &Command) -> Error {
    let has = |long: &str| {
        let mut flags = command.get_arguments();
        // The global flags belong to every command.
        let global = ["--output", "--color"].contains(&long);
        global || flags.any(|argument| argument.get_long().is_some_and(|name| long.strip_prefix("--") == Some(name)))
    };
    let full = match command.get_name() {
        "imgctl" => "imgctl".to_owned(),
        name => format!("imgctl {name}"),
    };
    let known = ELSEWHERE.iter().find(|(names, ours, _)| names.contains(&flag) && has(ours));
    let hint = match (known, near) {
        (Some((.., hint)), _) => (*hint).to_owned(),
        _ if flag[1..].starts_with(|first: char| first.is_ascii_digit()) && has("--older-than") => {
            format!("an age has no sign: write --older-than {}", &flag[1..])
        }
        (None, Some(near)) => format!("did you mean {near}?"),
        (None, None) => format!("`{full} --help` lists its flags"),
    };
    Error::new(Kind::Usage, format!("{full} has no flag {flag}")).hint(hint)
}
