//! A table of faults: every command against every provider with every fault, through the real binary. Whatever a
//! service answers, the report must match the emulator's state, and the run must end soon, with the right exit code
//! and few calls.
//!
//! `cargo test` runs a sample. `IMGCTL_FAULTS=all cargo test --test cli faults` runs the whole table, and
//! `IMGCTL_FAULTS='ecr delete'` the rows whose names contain that.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    panic,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use imgctl::sandbox::ecr::{self, manifest::Manifest};
use serde_json::Value;

use crate::{
    conformance::{CLOUDS, Cloud, is_true},
    dice::Dice,
    schema,
    world::World,
};

/// Each command, for one provider or all, with the operations in which its faults strike.
const COMMANDS: [(&str, &str, &str); 21] = [
    ("ecr", "delete", "BatchDeleteImage DescribeImages"),
    ("ecr", "get", "DescribeImages"),
    ("ecr", "list", "DescribeImages"),
    ("ecr", "check-layers", "BatchGetImage BatchCheckLayerAvailability"),
    ("ecr", "prune", "DescribeImages BatchGetImage BatchDeleteImage"),
    ("ecr", "plan", "DescribeImages BatchDeleteImage"),
    ("ecr", "archive", "UpdateImageStorageClass DescribeImages BatchGetImage"),
    ("ecr", "restore", "PutImage DescribeImages BatchCheckLayerAvailability"),
    ("ecr", "doctor", "GetCallerIdentity *"),
    ("cvm", "delete", "DeleteImages DescribeImages"),
    ("cvm", "get", "DescribeImages"),
    ("cvm", "list", "DescribeImages"),
    ("cvm", "prune", "DescribeImages DescribeInstances DescribeLaunchTemplates DeleteImages"),
    ("cvm", "plan", "DescribeImages DeleteImages"),
    ("cvm", "doctor", "DescribeImages *"),
    (
        "workspace",
        "delete",
        "BatchDeleteImageServer ShowImageJob ListImageServers ShowImageServer KeystoneCreateUserTokenByPassword",
    ),
    ("workspace", "get", "ListImageServers ShowImageServer"),
    ("workspace", "list", "ListImageServers KeystoneCreateUserTokenByPassword"),
    ("workspace", "prune", "ListImageServers BatchDeleteImageServer ShowImageJob"),
    ("workspace", "plan", "ListImageServers BatchDeleteImageServer ShowImageJob"),
    ("workspace", "doctor", "ListImageServers KeystoneCreateUserTokenByPassword *"),
];

const STATUSES: [u16; 8] = [400, 401, 403, 404, 413, 429, 500, 503];
const BODIES: [&str; 4] = ["", ",blank", ",html", ",json"];

const OTHERS: &str = "throttle throttle=0 throttle=-1 throttle=soon throttle=99999999999999999999 throttle=2 redirect \
     drop hang lose-answer truncate trickle huge bomb slow=300ms garble empty null retype twice stranger deep other \
     repeat endless";

/// The first call, the second, and every call.
const TIMES: [&str; 3] = [":1", "@1:1", ""];

/// The images there are; one more is asked for.
const IMAGES: usize = 12;

/// How long a sample takes at most, and how many rows it has.
const SAMPLE: (Duration, usize) = (Duration::from_secs(15), 90);

const DEADLINE: Duration = Duration::from_secs(4);
/// The second that a run may take past its deadline, and some more on a busy machine.
const LATE: Duration = Duration::from_secs(5);
const MOST_CALLS: usize = 80;
const MOST_MEMORY_KIB: u64 = 256 << 10;

struct Row {
    cloud: &'static Cloud,
    command: &'static str,
    fault: String,
}

impl Row {
    fn name(&self) -> String {
        format!("{} {} {}", self.cloud.name, self.command, self.fault)
    }

    fn has(&self, part: &str) -> bool {
        self.name().contains(part)
    }
}

fn table() -> Vec<Row> {
    let statuses = STATUSES.iter().flat_map(|status| BODIES.map(|body| format!("status={status}{body}")));
    let kinds: Vec<String> = statuses.chain(OTHERS.split(' ').map(Into::into)).collect();
    let mut rows = Vec::new();
    for (name, command, operations) in COMMANDS {
        let cloud = CLOUDS.iter().find(|cloud| cloud.name == name).unwrap();
        for operation in operations.split(' ') {
            for kind in &kinds {
                let faults = TIMES.map(|times| format!("{name}:{operation}:{kind}{times}"));
                rows.extend(faults.map(|fault| Row { cloud, command, fault }));
            }
        }
    }
    rows
}

#[test]
fn every_report_is_true_under_every_fault() {
    let wanted = std::env::var("IMGCTL_FAULTS").unwrap_or_default();
    let mut rows = table();
    let all = rows.len();
    let mut time = Duration::MAX;
    match wanted.as_str() {
        "" => {
            let mut dice = Dice(2026);
            rows = (0..SAMPLE.1).map(|_| rows.swap_remove(dice.below(rows.len()))).collect();
            time = SAMPLE.0;
        }
        "all" => {}
        parts => rows.retain(|row| parts.split(' ').all(|part| row.has(part))),
    }
    let (next, begun, violations) = (AtomicUsize::new(0), Instant::now(), Mutex::new(Vec::new()));
    std::thread::scope(|threads| {
        // Most of each run is waiting.
        for _ in 0..8 {
            threads.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)).filter(|_| begun.elapsed() < time)
                {
                    let broken = tried(row);
                    violations.lock().unwrap().extend(broken.map(|broken| format!("{}: {broken}", row.name())));
                }
            });
        }
    });
    let violations = violations.into_inner().unwrap();
    let count = violations.len();
    assert!(violations.is_empty(), "{count} of {} rows ({all} in all):\n{}", rows.len(), violations.join("\n"));
}

/// Runs one row, and says how it breaks the law.
fn tried(row: &Row) -> Option<String> {
    let world = row.cloud.world(IMAGES);
    let numbers: Vec<usize> = match row.command {
        "delete" | "archive" | "get" => (0..=IMAGES).collect(),
        _ => (0..IMAGES).collect(),
    };
    let rules = ["--older-than", "10d", "--allow-empty", "--max-percent", "100", "--show", "all"];
    let mut input = row.cloud.list(numbers.iter().copied());
    let layers = (row.cloud.image)(0);
    let mut arguments = match row.command {
        "plan" => {
            input = world.run(&[&["prune", row.cloud.store, "-n", "-o", "json"], &rules[..]].concat()).stdout;
            vec!["delete", "-", "--yes"]
        }
        "delete" => vec!["delete", "-", "--yes"],
        "archive" => vec!["delete", "-", "--yes", "--archive"],
        "restore" => {
            world.run_with(&["delete", "-", "--yes", "-o", "json"], &input).exits(0);
            vec!["restore", "last", "--yes", "--rate", "1000"]
        }
        "get" => vec!["get", "-"],
        "list" => vec!["list", row.cloud.store],
        "prune" => [&["prune", row.cloud.store, "--yes"], &rules[..]].concat(),
        "check-layers" => vec!["check-layers", &layers],
        _ => vec!["doctor", row.cloud.name],
    };
    let deadline = format!("{}s", DEADLINE.as_secs());
    arguments.extend(["-o", "json", "--timeout", "1s", "--attempts", "2", "--deadline", &deadline]);
    let before = world.sandbox.calls().len();
    let world = world.fault(&row.fault);

    let begun = Instant::now();
    let mut child = world.spawn(&arguments);
    let process = format!("/proc/{}/status", child.id());
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = std::thread::spawn(move || child.wait_with_output().unwrap());
    let mut memory = 0;
    while !output.is_finished() {
        memory = peak(&process).unwrap_or(memory);
        std::thread::sleep(Duration::from_millis(10));
    }
    let (output, took) = (output.join().unwrap(), begun.elapsed());
    let run = Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).ok()?,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    let calls = world.sandbox.calls().len() - before;
    let left = row.cloud.left(&world, IMAGES);
    let law = || -> Result<(), String> {
        that(matches!(run.code, Some(0..=4)), || format!("exit {:?}", run.code))?;
        that(took < DEADLINE + LATE, || format!("it took {took:?}"))?;
        // A restore sends a call an image, each with a look right before it.
        let most_calls = if row.command == "restore" { MOST_CALLS + 4 * IMAGES } else { MOST_CALLS };
        that(calls <= most_calls, || format!("{calls} calls"))?;
        that(memory <= MOST_MEMORY_KIB, || format!("{} MiB of memory", memory >> 10))?;
        panic::catch_unwind(|| schema::check("json", &run.stdout)).map_err(|_| "not as the schema says".to_owned())?;
        match row.command {
            "delete" => run.deletion(&numbers, &left),
            "archive" => run.archive(&numbers, &left, &archived(&world)),
            "restore" => run.restore(&row.fault, &left),
            "get" => run.reading(&numbers),
            "list" => run.listing(&row.fault),
            "check-layers" => run.layers(),
            "doctor" => run.checkup(),
            _ => run.pruning(&left),
        }
    };
    let short = |text: &str| text.chars().take(400).collect::<String>();
    let run_shown = || format!("\n    {}\n    {}", short(&run.stdout), short(&run.stderr));
    law().err().map(|broken| format!("{broken}; left {left:?}, exit {:?}{}", run.code, run_shown()))
}

/// The images in the archive.
fn archived(world: &World) -> Vec<usize> {
    let mut clouds = world.sandbox.world();
    let repository = clouds.ecr.repository(ecr::REGION, "team/app", chrono::Utc::now());
    let is_archived = |number: &usize| {
        repository.find(&format!("v{number}")).is_some_and(|image| image.status() == ecr::repository::Status::Archived)
    };
    (0..IMAGES).filter(is_archived).collect()
}

/// The most memory that a process had, in KiB, where Linux says so.
fn peak(status: &str) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
}

fn that(holds: bool, broken: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(broken()) }
}

/// How one run ended.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn word<'v>(item: &'v Value, name: &str) -> &'v str {
    item[name].as_str().unwrap_or("-")
}

/// The number of an image, by its tag, digest or id.
fn number(item: &Value) -> Option<usize> {
    let (tag, name) = (item["tags"][0].as_str(), word(item, "ref"));
    (0..IMAGES).find(|number| {
        let digest = Manifest::image(&format!("i{number}"), 1).digest.to_string();
        tag == Some(&format!("v{number}"))
            || [digest, format!("img-{number:08}"), format!("/server{number}")].iter().any(|end| name.ends_with(end))
    })
}

impl Ended {
    /// The items, if there is a report. Without one, an error must say why.
    fn items(&self) -> Result<Option<Vec<Value>>, String> {
        if self.stdout.is_empty() {
            that(self.code != Some(0), || "success without a report".into())?;
            that(self.stderr.contains("{\"error\":"), || "neither a report nor an error".into())?;
            return Ok(None);
        }
        let document: Value = serde_json::from_str(&self.stdout).map_err(|error| error.to_string())?;
        Ok(document["items"].as_array().cloned())
    }

    /// The exit code for these outcomes or states, of which some are done.
    fn exits(&self, all_done: bool, none_tried: bool) -> Result<(), String> {
        let right = match self.code {
            Some(0) => all_done,
            Some(1) => !all_done,
            Some(3) => !all_done && none_tried,
            _ => false,
        };
        that(right, || format!("exit {:?} for all done: {all_done}, none tried: {none_tried}", self.code))
    }

    /// What was said of an image is true.
    fn agrees(item: &Value, number: usize, left: &[usize]) -> Result<(), String> {
        let there = left.contains(&number);
        let outcome = word(item, "outcome");
        // What was never there cannot be deleted, and may fail.
        let absent = number >= IMAGES;
        let holds = is_true(outcome, there || absent && !matches!(outcome, "gone" | "missing"));
        that(holds, || format!("{number} is {outcome} and there: {there}: {item}"))
    }

    fn outcomes<'i>(&self, items: impl Iterator<Item = &'i Value> + Clone) -> Result<(), String> {
        let done = |item: &Value| {
            word(item, "outcome") == "deleted" || word(item, "outcome") == "gone" && item["error"].is_null()
        };
        let not_tried = |item: &Value| matches!(word(item, "outcome"), "failed" | "skipped");
        self.exits(items.clone().all(done), items.clone().all(not_tried))
    }

    fn deletion(&self, asked: &[usize], left: &[usize]) -> Result<(), String> {
        let Some(items) = self.items()? else {
            return that(left.len() == IMAGES, || "deleted without a report".into());
        };
        that(items.len() == asked.len(), || format!("{} items of {}", items.len(), asked.len()))?;
        asked.iter().zip(&items).try_for_each(|(number, item)| Self::agrees(item, *number, left))?;
        self.outcomes(items.iter())
    }

    fn archive(&self, asked: &[usize], left: &[usize], archived: &[usize]) -> Result<(), String> {
        that(left.len() == IMAGES, || "an image is gone".into())?;
        let Some(items) = self.items()? else {
            return that(archived.is_empty(), || "archived without a report".into());
        };
        that(items.len() == asked.len(), || format!("{} items of {}", items.len(), asked.len()))?;
        for (number, item) in asked.iter().zip(&items) {
            let holds = match word(item, "outcome") {
                "archived" | "already_archived" => archived.contains(number),
                "failed" | "refused" | "skipped" => !archived.contains(number),
                // A service that lies about an image is believed.
                "missing" => !left.contains(number) || self.code == Some(1),
                "unknown" => true,
                _ => false,
            };
            that(holds, || format!("{number} is archived: {}: {item}", archived.contains(number)))?;
        }
        let done = items.iter().all(|item| word(item, "outcome") == "archived");
        // One of them was never there.
        that(!done && self.code != Some(0), || "exit 0".into())
    }

    fn restore(&self, fault: &str, left: &[usize]) -> Result<(), String> {
        let Some(items) = self.items()? else {
            return that(left.is_empty(), || "restored without a report".into());
        };
        let of_image = |item: &&Value| word(item, "ref").contains("@") && !word(item, "ref").contains("app:");
        let items: Vec<&Value> = items.iter().filter(of_image).collect();
        that(items.len() == IMAGES, || format!("{} items", items.len()))?;
        for item in &items {
            let digest = word(item, "digest");
            let is_it = |number: &usize| Manifest::image(&format!("i{number}"), 1).digest.to_string() == digest;
            let number = (0..IMAGES).find(is_it).ok_or("an image that was not asked for")?;
            let there = left.contains(&number);
            let holds = match word(item, "outcome") {
                "restored" | "retagged" => there,
                // The answer from before the deletion: nothing in it is wrong.
                "already_there" => there || fault.contains("repeat"),
                "failed" | "refused" | "skipped" | "layers_gone" => !there,
                "unknown" => true,
                _ => false,
            };
            that(holds, || format!("{number} is there: {there}: {item}"))?;
        }
        let done = items.iter().all(|item| matches!(word(item, "outcome"), "restored" | "already_there"));
        that(done || self.code != Some(0), || "exit 0".into())
    }

    /// Plans and prunes may end before anything is chosen.
    fn pruning(&self, left: &[usize]) -> Result<(), String> {
        let Some(items) = self.items()? else {
            return that(left.len() == IMAGES, || "deleted without a report".into());
        };
        let mut reported = BTreeMap::new();
        let chosen = |item: &&Value| !item["outcome"].is_null();
        for item in items.iter().filter(chosen) {
            if let Some(number) = number(item) {
                that(reported.insert(number, ()).is_none(), || format!("{number} twice"))?;
                Self::agrees(item, number, left)?;
            }
        }
        let gone = (0..IMAGES).filter(|number| !left.contains(number));
        for number in gone {
            that(reported.contains_key(&number), || format!("{number} is gone without a report"))?;
        }
        if self.code == Some(4) || items.iter().filter(chosen).count() == 0 {
            return that(left.len() == IMAGES, || "deleted after a refusal".into());
        }
        let undone = |item: &Value| matches!(word(item, "outcome"), "failed" | "refused" | "skipped" | "unknown");
        that(self.code != Some(0) || !items.iter().any(undone), || "exit 0".into())
    }

    fn reading(&self, asked: &[usize]) -> Result<(), String> {
        let Some(items) = self.items()? else { return Ok(()) };
        that(items.len() == asked.len(), || format!("{} items of {}", items.len(), asked.len()))?;
        for (number, item) in asked.iter().zip(&items) {
            let missing = word(item, "state") == "missing";
            that(!missing || *number >= IMAGES, || format!("{number} is missing and there: {item}"))?;
            that(!item["state"].is_null(), || format!("{number} has no state: {item}"))?;
        }
        // One of them was never there.
        that(self.code == Some(1) || self.code == Some(3), || "not exit 1".into())
    }

    fn listing(&self, fault: &str) -> Result<(), String> {
        let Some(items) = self.items()? else { return Ok(()) };
        if fault.contains("stranger") {
            // Ids of other images are a listing like any other.
            return Ok(());
        }
        let numbers: BTreeSet<_> = items.iter().filter_map(number).collect();
        that(numbers.len() == items.len(), || format!("{} items of {} images", items.len(), numbers.len()))?;
        if self.code != Some(0) {
            return that(!self.stderr.is_empty(), || "no word of what failed".into());
        }
        that(numbers.into_iter().eq(0..IMAGES), || "success for a listing that is not whole".into())
    }

    fn layers(&self) -> Result<(), String> {
        let Some(items) = self.items()? else { return Ok(()) };
        let digests: BTreeSet<_> = items.iter().map(|item| word(item, "ref").to_owned()).collect();
        that(digests.len() == items.len(), || "an item twice".into())?;
        for item in &items {
            that(word(item, "state") != "missing", || format!("{} is missing and there", item["ref"]))?;
        }
        let available = items.iter().all(|item| word(item, "state") == "available");
        self.exits(available && items.len() == 2, true)
    }

    fn checkup(&self) -> Result<(), String> {
        let Some(items) = self.items()? else { return Ok(()) };
        that(items.len() == 1, || format!("{} items", items.len()))
    }
}
