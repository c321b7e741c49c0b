//! How fast imgctl is beside what is possible: `cargo bench`. Each job runs the real binary against the sandbox, with
//! the latency of a network or with a bucket that throttles, and beside it a bare client that sends the least calls.
//!
//! `--json` prints JSON, `--peers` runs boto3 and the AWS CLI too (from the folder in IMGCTL_OFFICIAL_CLIENTS), and any
//! other word picks the jobs whose names contain it.

mod floor;
mod jobs;
mod peers;
mod run;

use std::io::{self, Write};

use jobs::{Job, Limit};
use run::{Measured, start};
use serde_json::{Value, json};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let mut out = io::stdout().lock();
    if !has("--bench") {
        // `cargo test` and its kin start every target; only `cargo bench` says that it means it.
        return Ok(());
    }
    let (as_json, peers) = (has("--json"), has("--peers"));
    let words: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    if !as_json {
        write!(out, "| job | N | latency | calls least / ours | wall | floor | ratio | cpu | memory |")?;
        writeln!(out, "{}", if peers { " boto3 | its cpu | AWS CLI |" } else { "" })?;
        writeln!(out, "|---|---|---|---|---|---|---|---|---|{}", if peers { "---|---|---|" } else { "" })?;
    }
    let mut rows = Vec::new();
    for job in jobs::all() {
        if !words.is_empty() && !words.iter().any(|word| job.name.contains(*word)) {
            continue;
        }
        let row = row(&job, peers)?;
        if !as_json {
            writeln!(out, "{}", line(&row, peers))?;
            out.flush()?;
        }
        rows.push(row);
    }
    if as_json {
        writeln!(out, "{:#}", json!({ "schema": "imgctl-bench/v1", "jobs": rows }))?;
    }
    Ok(())
}

/// Runs a job in every way; the better of two runs, where one is short.
fn row(job: &Job, peers: bool) -> io::Result<Value> {
    let measure = || -> io::Result<(Measured, usize)> {
        let sandbox = start(job)?;
        let measured = run::imgctl(job, &sandbox)?;
        Ok((measured, sandbox.calls().len()))
    };
    let (mut ours, mut calls) = measure()?;
    if ours.wall < 1.0 {
        let (again, calls_again) = measure()?;
        if again.wall < ours.wall {
            (ours, calls) = (again, calls_again);
        }
    }
    let least = job.floor.calls();
    let floor = match job.limit {
        // A bucket is full at the start, and fills while calls go out.
        Limit::Bucket(rate) => (job.floor.most_of_one() as f64 - f64::from(rate)).max(0.0) / f64::from(rate),
        Limit::Window(rate) => floor::of_window(job, rate),
        Limit::None => floor::measure(job, &start(job)?)?,
    };
    let mut row = json!({
        "job": job.name, "n": job.count, "latency_ms": job.latency.as_millis() as u64,
        "limit": match job.limit {
            Limit::None => Value::Null,
            Limit::Bucket(rate) => json!({ "bucket": rate }),
            Limit::Window(rate) => json!({ "window": rate }),
        },
        "calls_least": least, "calls": calls, "wall_s": ours.wall, "floor_s": floor,
        "ratio": ours.wall / floor.max(1e-3), "cpu_s": ours.cpu, "memory_mb": ours.memory,
    });
    if peers {
        let boto3 = peers::boto3(job)?;
        row["boto3_s"] = json!(boto3.as_ref().map(|boto3| boto3.wall));
        row["boto3_cpu_s"] = json!(boto3.and_then(|boto3| boto3.cpu));
        row["aws_cli_s"] = json!(peers::aws_cli(job)?);
    }
    Ok(row)
}

fn line(row: &Value, peers: bool) -> String {
    let number = |name: &str, digits: usize| row[name].as_f64().map(|number| format!("{number:.digits$}"));
    // A short job is a matter of milliseconds.
    let seconds = |name: &str| match row[name].as_f64() {
        Some(seconds) if seconds < 0.1 => format!("{:.0} ms", seconds * 1e3),
        Some(seconds) => format!("{seconds:.2} s"),
        None => String::new(),
    };
    let limit = match &row["limit"] {
        Value::Null => String::new(),
        limit => format!(", {} a second", limit["bucket"].as_u64().or(limit["window"].as_u64()).unwrap_or_default()),
    };
    let mut line = format!(
        "| {} | {} | {} ms{limit} | {} / {} | {} | {} | {} | {} | {} |",
        row["job"].as_str().unwrap_or_default(),
        row["n"],
        row["latency_ms"],
        row["calls_least"],
        row["calls"],
        seconds("wall_s"),
        seconds("floor_s"),
        number("ratio", 1).unwrap_or_default(),
        seconds("cpu_s"),
        number("memory_mb", 0).map(|text| text + " MB").unwrap_or_default(),
    );
    if peers {
        line += &format!(" {} | {} | {} |", seconds("boto3_s"), seconds("boto3_cpu_s"), seconds("aws_cli_s"));
    }
    line
}
