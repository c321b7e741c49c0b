//! The table of runs. Pure.

use chrono::{DateTime, Utc};
use comfy_table::{Cell, Color};

use super::{
    Look,
    grid::Grid,
    human::{size, wrapped},
    safe,
};
use crate::{
    prune::ago,
    record::{Brief, State},
};

/// The least room for what is below a row.
const LEAST: usize = 40;

/// Renders runs; in a terminal the stores of each are below its row.
pub fn table(runs: &[Brief], look: &Look, now: DateTime<Utc>) -> String {
    let mut titles = vec!["RUN", "BEGAN", "WHAT", "IMAGES", "SIZE"];
    if look.width.is_none() {
        titles.push("STORES");
    }
    let rows = runs.iter().map(|run| {
        let images = Cell::new(images(run));
        let images = if troubled(run) { images.fg(Color::DarkYellow) } else { images };
        let bytes = if run.sums.bytes > 0 { size(run.sums.bytes) } else { String::new() };
        let began = Cell::new(ago(run.began_at, now));
        let mut row = vec![Cell::new(&run.run), began, Cell::new(safe(&what(run))), images, Cell::new(bytes)];
        if look.width.is_none() {
            row.push(Cell::new(safe(&run.stores.join(", "))));
        }
        row
    });
    let mut widths = vec![0; titles.len()];
    let lines = Grid { titles: &titles, head: true, color: look.color, widths: &mut widths }.lines(rows);
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        text.push_str(line);
        text.push('\n');
        if let (Some(width), Some(run)) = (look.width, number.checked_sub(1).and_then(|number| runs.get(number))) {
            let room = usize::from(width).saturating_sub(3).max(LEAST);
            for line in wrapped(&safe(&run.stores.join(", ")), room) {
                text.push_str(&format!("  {line}\n"));
            }
        }
    }
    text
}

/// The command, and the file by which it chose.
fn what(run: &Brief) -> String {
    match (&run.plan, &run.policy) {
        (Some(plan), _) => format!("{} --from {}", run.command, plan.file),
        (None, Some(policy)) => format!("{} --policy {}", run.command, policy.file),
        (None, None) => run.command.clone(),
    }
}

/// How many images had each outcome, and how the run ended if not by itself.
fn images(run: &Brief) -> String {
    let counts = run.sums.counts.iter().map(|(word, count)| format!("{count} {}", word.replace('_', " ")));
    let mut parts: Vec<String> = counts.collect();
    let seen: usize = ["unknown", "accepted"].iter().filter_map(|word| run.sums.counts.get(*word)).sum();
    let unseen = run.sums.uncertain.saturating_sub(seen);
    if unseen > 0 {
        parts.push(format!("{unseen} uncertain"));
    }
    let state = match run.state {
        State::Running => "running: ",
        State::Killed => "killed: ",
        State::Stopped => "stopped: ",
        State::Ended => "",
    };
    if parts.is_empty() {
        parts.push("none".into());
    }
    format!("{state}{}", parts.join(", "))
}

/// Whether somebody should look at it.
fn troubled(run: &Brief) -> bool {
    run.sums.uncertain > 0 || run.state == State::Killed
}

/// One run for people, above its images.
pub fn paragraph(run: &Brief, now: DateTime<Utc>) -> String {
    let mut text = format!("{}: {}\n", run.run, images(run));
    let mut line = |label: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("  {:<9} {}\n", label, safe(value)));
        }
    };
    let took = run.ended_at.map(|ended| format!(", took {} s", (ended - run.began_at).num_seconds().max(0)));
    let began = run.began_at.format("%Y-%m-%d %H:%M:%S UTC");
    line("began", &format!("{began} ({}){}", ago(run.began_at, now), took.unwrap_or_default()));
    line("command", &run.command_line.join(" "));
    for (kind, source) in [("plan", &run.plan), ("policy", &run.policy)] {
        if let Some(source) = source {
            line(kind, &format!("{} ({})", source.file, source.digest));
        }
    }
    run.stores.iter().for_each(|store| line("store", store));
    line("keys", &run.callers.join(", "));
    if let Some(stopped) = &run.stopped {
        line("stopped", &stopped.to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::Outcome,
        error::{Error, Kind},
        output::Format,
        record::tests::brief,
    };

    fn look(width: Option<u16>) -> Look {
        Look { width, ..Look::of_terminal(Format::Table, false, Some(false), false) }
    }

    #[test]
    fn a_run_says_what_became_of_its_images_and_that_it_was_killed() {
        let mut killed = brief();
        killed.state = State::Killed;
        killed.sums.add(Some(Outcome::Deleted), || Some((0, None, 1 << 20)));
        killed.sums.add(None, || None);
        let mut stopped = brief();
        stopped.state = State::Stopped;
        stopped.stopped = Some(Error::new(Kind::Stopped, "not tried"));
        let now = brief().began_at + chrono::TimeDelta::hours(5);
        let text = table(&[killed, stopped], &look(Some(80)), now);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(lines[1].contains("killed: 1 deleted, 1 uncertain") && lines[1].ends_with("1.0 MiB"), "{text}");
        assert_eq!(lines[2], "  cvm://ap-guangzhou/");
        assert!(lines[3].contains("stopped: none"), "{text}");
        let piped = table(&[brief()], &look(None), now);
        assert_eq!(piped.lines().count(), 2);
        assert!(piped.contains("5 hours ago") && piped.contains("cvm://ap-guangzhou/"), "{piped}");
    }
}
