//! `imgctl sandbox --tour`: the main jobs on seeded data, each command printed before it runs.

use std::{ffi::OsString, process::Stdio};

use super::inside::inside;
use crate::{
    error::{Error, Kind, Result},
    exit::Exit,
    output,
    sandbox::Sandbox,
};

/// What is shown, why, and the commands: more than one are a pipe.
struct Stop {
    why: &'static str,
    pipe: &'static [&'static [&'static str]],
}

const STOPS: [Stop; 11] = [
    Stop {
        why: "What is there? A pattern means several repositories; the digest names the image, whatever its tags do.",
        pipe: &[&["list", "ecr:base/*"]],
    },
    Stop { why: "Machine images speak the same grammar.", pipe: &[&["list", "cvm:"]] },
    Stop { why: "Details of one image, as JSON for scripts.", pipe: &[&["get", "ecr:base/alpine:3.10", "-o", "json"]] },
    Stop {
        why: "Can it still be pulled? Its configuration and layers, on every platform.",
        pipe: &[&["check-layers", "ecr:base/alpine:3.10"]],
    },
    Stop {
        why: "What would happen? A dry run asks and changes nothing.",
        pipe: &[&["delete", "--dry-run", "ecr:base/alpine:3.10", "ecr:base/alpine:no-such-tag"]],
    },
    Stop {
        why: "Which are stale? Selectors narrow a listing by age, tag, size and state.",
        pipe: &[&["list", "ecr:team/*", "--older-than", "1y", "--larger-than", "200MB"]],
    },
    Stop {
        why: "Prune them: every image with the reason why it goes or stays. What a kept index needs stays.",
        pipe: &[&["prune", "--dry-run", "ecr:base/*", "--older-than", "60d", "--keep", "2"]],
    },
    Stop {
        why: "What a listing prints is what a deletion reads, so any filter fits between them.",
        pipe: &[&["list", "cvm:", "-o", "ndjson", "--quiet"], &["delete", "-", "--dry-run", "--quiet"]],
    },
    Stop {
        why: "Several clouds in one command.",
        pipe: &[&["delete", "--yes", "ecr:base/alpine:3.10", "cvm:img-2z9lgipz", "workspace:697620082246500000"]],
    },
    Stop {
        why: "And a prune of several clouds. What instances, families and groups use stays.",
        pipe: &[&["prune", "--yes", "ecr:tools/*", "cvm:", "--older-than", "9w", "--keep", "1"]],
    },
    Stop {
        why: "The same again: what is gone is told from what was done.",
        pipe: &[&["delete", "--yes", "--ignore-missing", "ecr:base/alpine:3.10"]],
    },
];

/// Runs every stop. A command that ends with 1 has shown something; anything else is a broken tour.
pub async fn run(sandbox: &Sandbox) -> Result<Exit> {
    for stop in &STOPS {
        let words = |command: &&[&str]| {
            format!("imgctl {}", command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "))
        };
        let line = stop.pipe.iter().map(words).collect::<Vec<_>>().join(" | ");
        output::plain(&format!("\n# {}\n$ {line}\n", stop.why));
        let code = pipe(sandbox, stop.pipe).await.map_err(|error| Error::new(Kind::Config, error.to_string()))?;
        if !matches!(code, Some(0 | 1)) {
            return Err(Error::new(Kind::Config, format!("the tour ended at: {line}")));
        }
    }
    output::plain(
        "\nThat was all on this machine: nothing left it. `imgctl sandbox` serves it for your own commands.\n",
    );
    Ok(Exit::Done)
}

/// Runs commands side by side, each reading what the one before prints; the last one's exit code comes back.
async fn pipe(sandbox: &Sandbox, commands: &[&[&str]]) -> std::io::Result<Option<i32>> {
    let program = std::env::current_exe()?;
    let mut children = Vec::new();
    let mut input = Stdio::null();
    for (place, words) in commands.iter().enumerate() {
        let arguments: Vec<OsString> = words.iter().map(Into::into).collect();
        let mut command = inside(sandbox, &program, &arguments);
        command.stdin(std::mem::replace(&mut input, Stdio::null()));
        let last = place + 1 == commands.len();
        if !last {
            command.stdout(Stdio::piped());
        }
        let mut child = command.spawn()?;
        if let Some(output) = child.stdout.take() {
            input = output.try_into()?;
        }
        children.push(child);
    }
    let mut code = None;
    for mut child in children {
        code = child.wait().await?.code();
    }
    Ok(code)
}

/// A word as a shell wants it.
fn quoted(word: &str) -> String {
    if word.contains('*') { format!("'{word}'") } else { word.to_owned() }
}
