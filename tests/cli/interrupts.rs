//! Signals at random moments of a long deletion. The report matches the emulator's state, every image has one outcome,
//! and a run that was killed can be started again.
#![cfg(unix)]

use std::{
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    conformance::{CLOUDS, Cloud, is_true},
    dice::Dice,
};

/// How often a run is interrupted, for each provider.
const ROUNDS: u64 = 14;

const SIGNALS: [&[&str]; 5] = [&["-INT"], &["-TERM"], &["-HUP"], &["-INT", "-INT"], &["-KILL"]];

/// The time for answers that are under way, and for the report, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(8);

#[test]
fn an_interrupt_at_any_moment_leaves_a_true_report() {
    std::thread::scope(|threads| {
        for cloud in &CLOUDS {
            for part in 0..2 {
                threads.spawn(move || (part..ROUNDS).step_by(2).for_each(|seed| one_run(cloud, seed)));
            }
        }
    });
}

fn one_run(cloud: &Cloud, seed: u64) {
    let mut dice = Dice(seed * 7907 + 3);
    let count = cloud.batch * 6;
    let world = cloud.world(count).fault(&format!("{}:{}:slow=100ms", cloud.name, cloud.delete));
    let file = world.home().join("list");
    std::fs::write(&file, cloud.list(0..count)).unwrap();
    let list = file.to_str().unwrap();
    let arguments = ["delete", "--from", list, "--yes", "--concurrency", "1", "-o", "json"];
    let signals = SIGNALS[seed as usize % SIGNALS.len()];
    // The first is as soon as anything is sent, so that the run listens for signals by then.
    let child = world.spawn(&arguments);
    let begun = Instant::now();
    while world.sandbox.calls().is_empty() && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(dice.below(700) as u64));
    for signal in signals {
        let _ = Command::new("kill").args([*signal, child.id().to_string().as_str()]).output();
        std::thread::sleep(Duration::from_millis(dice.below(60) as u64));
    }
    let sent = Instant::now();
    let output = child.wait_with_output().unwrap();
    let took = sent.elapsed();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let case = || format!("{} seed {seed} {signals:?} {:?}\n{stdout}", cloud.name, output.status);
    assert!(took < PATIENCE, "{took:?}: {}", case());

    let left = cloud.left(&world, count);
    if signals != ["-KILL"] {
        let code = output.status.code();
        // It may have ended before.
        assert!(matches!(code, Some(0 | 130)), "{}", case());
        if !stdout.is_empty() || signals.len() == 1 {
            let document: serde_json::Value = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{}", case()));
            let items = document["items"].as_array().unwrap();
            assert_eq!(items.len(), count, "{}", case());
            for (number, item) in items.iter().enumerate() {
                let there = left.contains(&number);
                let holds = is_true(item["outcome"].as_str().unwrap(), there);
                assert!(holds, "{item} and there: {there}: {}", case());
            }
        }
    }
    // Started again, it finishes the work.
    let again = world.run(&["delete", "--from", list, "--yes", "--ignore-missing", "-o", "json"]);
    again.exits(0).lists(count);
    assert!(cloud.left(&world, count).is_empty(), "{}", again.transcript());
}
