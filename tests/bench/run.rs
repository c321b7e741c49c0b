//! One run of a program in a sandbox of its own, and what it took.

use std::{
    fs, io,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use imgctl::sandbox::{Options, Sandbox};

use crate::jobs::{Job, Limit};

pub struct Measured {
    /// Seconds.
    pub wall: f64,
    /// Seconds, where the system tells.
    pub cpu: Option<f64>,
    /// The most at any time, in megabytes, where the system tells.
    pub memory: Option<f64>,
}

/// A fresh sandbox with the job's world.
pub fn start(job: &Job) -> io::Result<Sandbox> {
    let rate = match job.limit {
        Limit::Bucket(rate) => Some(rate),
        _ => None,
    };
    let options = Options { latency: job.latency, rate, ..Options::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(Sandbox::start((job.world)(), options))
}

pub fn imgctl(job: &Job, sandbox: &Sandbox) -> io::Result<Measured> {
    let program = |arguments: &[String]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imgctl"));
        command.args(arguments).env("IMGCTL_CACHE_DIR", "off");
        command
    };
    let Some(before) = &job.before else { return measured(program(&job.command), &job.stdin, sandbox) };
    let output = program(before).envs(sandbox.environment()).output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    measured(program(&job.command), &String::from_utf8_lossy(&output.stdout), sandbox)
}

/// Runs a program to its end, with an environment that leads nowhere but into the sandbox.
pub fn measured(mut command: Command, stdin: &str, sandbox: &Sandbox) -> io::Result<Measured> {
    let home = tempfile::tempdir()?;
    let input = home.path().join("input");
    fs::write(&input, stdin)?;
    command.stdin(fs::File::open(&input)?).stdout(Stdio::null()).stderr(Stdio::piped());
    let given: Vec<_> = command.get_envs().filter_map(|(name, value)| Some((name.into(), value?.into()))).collect();
    let given: Vec<(std::ffi::OsString, std::ffi::OsString)> = given;
    command.env_clear().env("HOME", home.path()).envs(sandbox.environment()).envs(given);
    let (cpu, started) = (cpu_of_children(), Instant::now());
    let mut child = command.spawn()?;
    let watched = child.id();
    let (memory, wall) = thread::scope(|threads| {
        let waiting = threads.spawn(|| wait(&mut child).map(|()| started.elapsed()));
        let mut most = None;
        while !waiting.is_finished() {
            most = memory(watched).or(most);
            thread::sleep(Duration::from_millis(2));
        }
        waiting.join().expect("it does not panic").map(|wall| (most, wall))
    })?;
    let cpu = cpu_of_children().zip(cpu).map(|(after, before)| after - before);
    Ok(Measured { wall: wall.as_secs_f64(), cpu, memory })
}

fn wait(child: &mut Child) -> io::Result<()> {
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        io::Read::read_to_string(&mut stderr, &mut said)?;
    }
    match child.wait()?.success() {
        true => Ok(()),
        false => Err(io::Error::other(said)),
    }
}

fn memory(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse::<f64>().ok().map(|kilobytes| kilobytes / 1024.0)
}

/// The seconds that all children so far have used.
fn cpu_of_children() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/stat").ok()?;
    // The fields after the name, which may hold spaces: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    let fields: Vec<_> = status.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: f64 = [13, 14].iter().filter_map(|place| fields.get(*place)?.parse::<f64>().ok()).sum();
    // Linux shows programs 100 ticks a second, whatever its clock does.
    Some(ticks / 100.0)
}
