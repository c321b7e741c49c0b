//! What people would use otherwise: boto3 with 16 threads, and the AWS CLI, one call after the other.

use std::{env, fs, io, path::PathBuf, process::Command, time::Duration};

use crate::{
    jobs::{Job, Limit, Task},
    run::{Measured, measured, start},
};

/// More calls of the AWS CLI than this take minutes.
const MOST_CLI_CALLS: usize = 10;

/// Longer than this the AWS CLI need not wait for the pages of a listing, which have a hundred images each.
const MOST_WAITING: Duration = Duration::from_secs(20);

/// A script of one argument, `delete`, `get` or `list`, with digests on standard input.
const SCRIPT: &str = include_str!("peers.py");

/// What boto3 took; nothing for what the script does not do.
pub fn boto3(job: &Job) -> io::Result<Option<Measured>> {
    let Some((verb, folder)) = verb(job).zip(clients()) else {
        return Ok(None);
    };
    let mut command = Command::new(folder.join("aws/bin/python"));
    command.args(["-c", SCRIPT, verb]);
    let sandbox = start(job)?;
    measured(command, &job.digests.join("\n"), &sandbox).map(Some)
}

pub fn aws_cli(job: &Job) -> io::Result<Option<f64>> {
    let Some((verb, folder)) = verb(job).zip(clients()) else {
        return Ok(None);
    };
    let operation = match verb {
        "delete" => "batch-delete-image",
        _ => "describe-images",
    };
    let takes_long = match verb {
        "list" => job.latency * job.count.div_ceil(100) as u32 > MOST_WAITING,
        _ => job.digests.len().div_ceil(100) > MOST_CLI_CALLS,
    };
    if takes_long {
        return Ok(None);
    }
    let sandbox = start(job)?;
    let lines: Vec<_> = job.digests.chunks(100).map(|digests| digests.join(" ")).collect();
    let aws = folder.join("aws/bin/aws");
    let script = tempfile::NamedTempFile::new()?;
    let call = format!("'{}' ecr {operation} --repository-name app/000", aws.display());
    let text = match verb {
        "list" => format!("{call}\n"),
        _ => format!("while read -r ids; do {call} --image-ids $(printf 'imageDigest=%s ' $ids) || exit 1; done\n"),
    };
    fs::write(script.path(), text)?;
    let mut command = Command::new("sh");
    command.arg(script.path()).env("PATH", env::var_os("PATH").unwrap_or_default());
    Ok(Some(measured(command, &(lines.join("\n") + "\n"), &sandbox)?.wall))
}

fn verb(job: &Job) -> Option<&'static str> {
    match job.task {
        Task::Delete if job.limit == Limit::None => Some("delete"),
        Task::Get => Some("get"),
        Task::List => Some("list"),
        _ => None,
    }
}

fn clients() -> Option<PathBuf> {
    env::var_os("IMGCTL_OFFICIAL_CLIENTS").map(PathBuf::from)
}
