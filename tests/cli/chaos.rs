//! Random images and random faults against the real binary: its report must match the emulator's state.

use crate::{
    conformance::{CLOUDS, is_true},
    dice::Dice,
};

const FAULTS: [&str; 9] =
    ["throttle", "lose-answer", "drop", "status=500", "status=503", "truncate", "garble", "empty", "slow=100ms"];

/// Runs that are tried of each provider. Each number is its own case, so a failure can be repeated.
const RUNS: u64 = 20;

#[test]
fn the_report_is_true_under_random_faults() {
    std::thread::scope(|threads| {
        for cloud in &CLOUDS {
            // Most of each run is waiting between attempts, so they run side by side.
            for half in 0..4 {
                threads.spawn(move || (half..RUNS).step_by(4).for_each(|seed| one_run(cloud, seed)));
            }
        }
    });
}

fn one_run(cloud: &crate::conformance::Cloud, seed: u64) {
    let mut dice = Dice(seed * 7919 + 17);
    let count = 1 + dice.below(cloud.batch * 2);
    let mut world = cloud.world(count);
    let mut script = Vec::new();
    for _ in 0..1 + dice.below(4) {
        let operation = if dice.below(4) == 0 { "*" } else { cloud.delete };
        let fault = FAULTS[dice.below(FAULTS.len())];
        script.push(format!("{}:{operation}:{fault}@{}:1", cloud.name, dice.below(3)));
        world = world.fault(script.last().unwrap());
    }
    // Some that were never there are asked for as well.
    let asked: Vec<usize> = (0..count + 2).filter(|_| dice.below(5) > 0).collect();
    if asked.is_empty() {
        return;
    }
    let arguments = ["delete", "-", "--yes", "-o", "json"];
    let run = world.run_with(&arguments, &cloud.list(asked.iter().copied()));
    let left = cloud.left(&world, count);
    let case = || format!("{} seed {seed} {script:?}\n{}", cloud.name, run.transcript());
    assert_eq!(run.words().len(), asked.len(), "{}", case());
    for (number, word) in asked.iter().zip(run.words()) {
        let there = left.contains(number);
        let absent = *number >= count && !matches!(word.as_str(), "gone" | "missing");
        assert!(is_true(&word, there || absent), "{number} is {word} and there: {there}: {}", case());
    }
    for number in (0..count).filter(|number| !asked.contains(number)) {
        assert!(left.contains(&number), "{number} was not asked for and is gone: {}", case());
    }
}
