//! `imgctl sandbox --tour`: the main commands on sample data, each printed before it runs.

use std::{ffi::OsString, process::Stdio};

use super::inside::{Place, inside};
use crate::{
    error::{Error, Kind, Result},
    exit::Exit,
    output,
};

/// What a stop shows, and its commands; several commands are a pipe.
struct Stop {
    why: &'static str,
    pipe: &'static [&'static [&'static str]],
}

const STOPS: [Stop; 14] = [
    Stop {
        why: "List images. A pattern matches several repositories; the digest identifies the image.",
        pipe: &[&["list", "ecr:base/*"]],
    },
    Stop { why: "List machine images with the same command.", pipe: &[&["list", "cvm:"]] },
    Stop {
        why: "Show details of one image, as JSON for scripts.",
        pipe: &[&["get", "ecr:base/alpine:3.10", "-o", "json"]],
    },
    Stop {
        why: "Check that an image can still be pulled, on every platform.",
        pipe: &[&["check-layers", "ecr:base/alpine:3.10"]],
    },
    Stop {
        why: "Show what a deletion would do. A dry run changes nothing.",
        pipe: &[&["delete", "--dry-run", "ecr:base/alpine:3.10", "ecr:base/alpine:no-such-tag"]],
    },
    Stop {
        why: "Find stale images. Selectors filter a listing by age, tag, size and state.",
        pipe: &[&["list", "ecr:team/*", "--older-than", "1y", "--larger-than", "200MB"]],
    },
    Stop {
        why: "Prune images. Every image has a reason; imgctl keeps the images that a kept index needs.",
        pipe: &[&["prune", "--dry-run", "ecr:base/*", "--older-than", "60d", "--keep", "3"]],
    },
    Stop {
        why: "Pipe a listing into a deletion, with any filter between them.",
        pipe: &[&["list", "cvm:", "-o", "ndjson", "--quiet"], &["delete", "-", "--dry-run", "--quiet"]],
    },
    Stop {
        why: "Delete images in several clouds with one command.",
        pipe: &[&["delete", "--yes", "ecr:base/alpine:3.10", "cvm:img-2z9lgipz", "workspace:697620082246500000"]],
    },
    Stop {
        why: "Undo that run. imgctl puts back manifests and tags; CVM and Workspace cannot restore images.",
        pipe: &[&["restore", "--yes", "last"]],
    },
    Stop {
        why: "Archive an image instead of deleting it. It stays, and cannot be pulled.",
        pipe: &[&["delete", "--yes", "--archive", "--all-tags", "ecr:base/alpine:3.10"]],
    },
    Stop {
        why: "Bring it back from the archive. imgctl waits until it can be pulled.",
        pipe: &[&["restore", "--yes", "ecr:base/alpine:3.10"]],
    },
    Stop {
        why: "Prune several clouds. imgctl keeps images that instances, families and groups use.",
        pipe: &[&["prune", "--yes", "ecr:tools/*", "cvm:", "--older-than", "9w", "--keep", "1", "--max-percent", "60"]],
    },
    Stop {
        why: "Delete an image again. imgctl reports it as missing, not as deleted.",
        pipe: &[&["delete", "--yes", "--ignore-missing", "ecr:base/alpine:3.10"]],
    },
];

/// Runs every stop. Some stops show failures, so exit code 1 is fine; any other code ends the tour.
pub async fn run(place: &Place) -> Result<Exit> {
    let pauses = output::at_terminal();
    for (number, stop) in (1..).zip(&STOPS) {
        // Each stop is about a screen.
        if pauses && number > 1 && !goes_on(number).await {
            return Ok(Exit::Done);
        }
        let words = |command: &&[&str]| {
            format!("imgctl {}", command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "))
        };
        let line = stop.pipe.iter().map(words).collect::<Vec<_>>().join(" | ");
        output::plain(&format!("\n# {}\n$ {line}\n", stop.why));
        let code = pipe(place, stop.pipe).await.map_err(|error| Error::new(Kind::Config, error.to_string()))?;
        if !matches!(code, Some(0 | 1)) {
            return Err(Error::new(Kind::Config, format!("the tour failed at: {line}")));
        }
    }
    output::plain("\nAll of this ran on this machine. Run `imgctl sandbox` to try your own commands.\n");
    Ok(Exit::Done)
}

/// Waits for a person. `q`, the end of the input and an interrupt end the tour.
async fn goes_on(number: usize) -> bool {
    let question = format!("\n{number} of {} · Enter goes on, q ends: ", STOPS.len());
    tokio::select! {
        answer = output::answer(&question) => {
            answer.is_ok_and(|line| !line.is_empty() && !line.trim().eq_ignore_ascii_case("q"))
        }
        _ = tokio::signal::ctrl_c() => false,
    }
}

/// Runs commands as a pipe, and returns the exit code of the last one.
async fn pipe(place: &Place, commands: &[&[&str]]) -> std::io::Result<Option<i32>> {
    let program = std::env::current_exe()?;
    let mut children = Vec::new();
    let mut input = Stdio::null();
    for (number, words) in commands.iter().enumerate() {
        let arguments: Vec<OsString> = words.iter().map(Into::into).collect();
        let mut command = inside(place, &program, &arguments);
        command.stdin(std::mem::replace(&mut input, Stdio::null()));
        let last = number + 1 == commands.len();
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

/// A word, quoted for a shell.
fn quoted(word: &str) -> String {
    if word.contains('*') { format!("'{word}'") } else { word.to_owned() }
}
