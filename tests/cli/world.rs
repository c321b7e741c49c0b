//! A world of its own for one test: a sandbox, a home folder, a cleared environment, and runs of the real binary in it.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::Write as _,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use imgctl::sandbox::{Call, Options, Sandbox, World as Clouds};
use serde_json::Value;
use tempfile::TempDir;

use crate::schema;

pub struct World {
    pub sandbox: Sandbox,
    home: TempDir,
    variables: BTreeMap<String, String>,
}

/// One run of the binary.
pub struct Run {
    command: String,
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
    pub calls: Vec<Call>,
}

impl World {
    pub fn new(clouds: Clouds) -> Self {
        Self::with(clouds, Options::default())
    }

    pub fn with(clouds: Clouds, options: Options) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let sandbox = runtime.block_on(Sandbox::start(clouds, options)).unwrap();
        let home = tempfile::tempdir().unwrap();
        let mut variables: BTreeMap<String, String> =
            sandbox.environment().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        variables.insert("HOME".into(), home.path().display().to_string());
        Self { sandbox, home, variables }
    }

    /// Sets a variable of the binary's environment.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Takes a variable out of it.
    pub fn unset(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    pub fn fault(self, script: &str) -> Self {
        self.sandbox.add_fault(script.parse().unwrap());
        self
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_imgctl"));
        command.args(arguments);
        command
    }

    /// A program that sees this world alone.
    pub fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.home.path()).env_clear().envs(&self.variables);
        // Windows finds its own libraries and sockets by this one.
        if let Some(root) = std::env::var_os("SystemRoot") {
            command.env("SystemRoot", root);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs another program, with nothing on its standard input, which finds the binary as `imgctl`.
    #[cfg(unix)]
    pub fn shell(&self, words: &[&str]) -> Output {
        let own = Path::new(env!("CARGO_BIN_EXE_imgctl")).parent().unwrap();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(own.to_owned()).chain(std::env::split_paths(&path));
        self.program(words[0])
            .args(&words[1..])
            .env("PATH", std::env::join_paths(path).unwrap())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs the binary with nothing on its standard input.
    pub fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, "")
    }

    /// Runs the binary with this on its standard input.
    pub fn run_with(&self, arguments: &[&str], stdin: &str) -> Run {
        let before = self.sandbox.calls().len();
        let mut child = self.spawn(arguments);
        // The binary may exit before it has read everything.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        self.wait(child, arguments, before)
    }

    /// Starts the binary, for tests that do something to it meanwhile.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    /// Waits for a binary that was started, and keeps its standard input open.
    pub fn wait_open(&self, mut child: Child, arguments: &[&str]) -> Run {
        let _stdin = child.stdin.take();
        self.wait(child, arguments, 0)
    }

    /// Waits for a binary that was started.
    pub fn wait(&self, child: Child, arguments: &[&str], calls_before: usize) -> Run {
        let output = child.wait_with_output().unwrap();
        let command = format!("imgctl {}", arguments.join(" "));
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        for (flag, format) in arguments.iter().zip(arguments.iter().skip(1)) {
            if *flag == "-o" {
                schema::check(format, &stdout);
            }
        }
        let mut calls = self.sandbox.calls().split_off(calls_before);
        calls.iter_mut().for_each(|call| call.after = call.after.saturating_sub(calls_before));
        Run { command, stdout, stderr, code: output.status.code().unwrap_or(-1), calls }
    }
}

impl Run {
    /// The whole run as it is recorded. What differs from run to run is blanked.
    pub fn transcript(&self) -> String {
        let mut text = format!("$ {}\n", self.command);
        for (name, part) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !part.is_empty() {
                writeln!(text, "--- {name}\n{}", steady(part.trim_end())).unwrap();
            }
        }
        writeln!(text, "--- exit {}", self.code).unwrap();
        // Calls that run beside the others come last: their place differs from run to run.
        let aside = ["DescribeRegistry", "DescribePullThroughCacheRules"];
        let place = |call: &Call| aside.iter().position(|aside| *aside == call.operation).map(|place| place + 1);
        let mut calls: Vec<&Call> = self.calls.iter().collect();
        calls.sort_by_key(|call| place(call));
        for call in calls {
            let status = call.status.map(|status| status.to_string()).unwrap_or_else(|| "no answer".into());
            let code = call.code.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
            writeln!(text, "> {} {} [{}] {status}{code}", call.service, call.operation, call.items.len()).unwrap();
        }
        text
    }

    /// What it printed, as one JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {}", self.transcript()))
    }

    /// The outcome, or state, of each item, in order.
    pub fn words(&self) -> Vec<String> {
        let word = |item: &Value| {
            let word = item.get("outcome").or(item.get("state")).and_then(Value::as_str);
            word.unwrap_or("-").to_owned()
        };
        self.json()["items"].as_array().unwrap().iter().map(word).collect()
    }

    /// Fails, and shows the whole run, unless this holds.
    #[track_caller]
    fn expect<T: PartialEq + std::fmt::Debug>(&self, what: &str, is: T, expected: T) -> &Self {
        assert_eq!(is, expected, "{what} of\n{}", self.transcript());
        self
    }

    /// The exit code, and the outcome or state of each item, in order.
    #[track_caller]
    pub fn ends<const N: usize>(&self, code: i32, words: [&str; N]) -> &Self {
        self.expect("the end", (self.code, self.words()), (code, words.map(str::to_owned).into()))
    }

    #[track_caller]
    pub fn exits(&self, code: i32) -> &Self {
        self.expect("the exit code", self.code, code)
    }

    /// The number of its items.
    #[track_caller]
    pub fn lists(&self, items: usize) -> &Self {
        self.expect("the items", self.words().len(), items)
    }

    /// The number of all calls.
    #[track_caller]
    pub fn sends_calls(&self, calls: usize) -> &Self {
        self.expect("the calls", self.calls.len(), calls)
    }

    /// How many calls followed one after the other, in the longest chain. It needs a latency that is longer than the
    /// machine may take to send calls side by side.
    #[track_caller]
    pub fn takes_rounds(&self, rounds: usize) -> &Self {
        let mut of_calls: Vec<usize> = Vec::new();
        for call in &self.calls {
            let before = of_calls[..call.after].iter().max();
            of_calls.push(before.unwrap_or(&0) + 1);
        }
        self.expect("the rounds", of_calls.iter().max().copied().unwrap_or(0), rounds)
    }

    /// The number of calls of one operation.
    #[track_caller]
    pub fn sends(&self, calls: usize, operation: &str) -> &Self {
        self.expect(operation, self.count(operation), calls)
    }

    /// What stderr contains.
    #[track_caller]
    pub fn says(&self, words: &str) -> &Self {
        assert!(self.stderr.contains(words), "no {words:?} on stderr of\n{}", self.transcript());
        self
    }

    /// How often an operation was called.
    pub fn count(&self, operation: &str) -> usize {
        self.calls.iter().filter(|call| call.operation == operation).count()
    }
}

/// Blanks times, durations and request ids.
fn steady(text: &str) -> String {
    const BLANKS: [(&str, &str); 7] = [
        ("\"seconds\":", ",}"),
        (" call in ", "s"),
        (" calls in ", "s"),
        ("\"request_id\":\"", "\""),
        ("  request: ", ""),
        ("http://127.0.0.1:", " "),
        ("HTTP, ", " "),
    ];
    let steady = |line: &str| BLANKS.iter().fold(line.to_owned(), |line, (mark, ends)| blank(&line, mark, ends));
    text.lines().map(steady).collect::<Vec<_>>().join("\n")
}

/// Replaces what stands between a mark and the next of some characters.
fn blank(line: &str, mark: &str, ends: &str) -> String {
    let Some((before, after)) = line.split_once(mark) else {
        return line.to_owned();
    };
    let end = after.find(|character| ends.contains(character)).unwrap_or(after.len());
    format!("{before}{mark}…{}", &after[end..])
}
