//! Output that cannot be written, secrets that come back in an answer, and what a report contains where little is known.

use imgctl::sandbox::World as Clouds;

use crate::{
    prune::{push, world},
    world::World,
};

#[test]
fn a_table_counts_skipped_images_in_one_line() {
    let world = World::new(Clouds::default()).fault("cvm:*:hang");
    let list: String = (0..300).map(|number| format!("cvm:img-{number:08}\n")).collect();
    let run = world.run_with(&["delete", "-", "--yes", "--deadline", "1s"], &list);
    assert!(run.stdout.lines().count() < 10, "{}", run.transcript());
    assert!(run.stdout.contains("skipped  300 images: not tried"), "{}", run.transcript());
    let run = world.run_with(&["delete", "-", "--yes", "--deadline", "1s", "-o", "json"], &list);
    run.lists(300);
}

#[test]
fn every_item_of_a_read_has_a_state() {
    let fill = || world(|repository| drop(push(repository, "one", &["v1"], 90)));
    let run = fill().fault("ecr:DescribeImages:status=403").run(&["get", "ecr:team/app:v1", "-o", "json"]);
    run.ends(3, ["unknown"]);
    let run = fill().fault("ecr:BatchGetImage:status=403").run(&["check-layers", "ecr:team/app:v1", "-o", "json"]);
    run.ends(3, ["unknown"]);
}

#[test]
fn a_list_that_is_denied_on_its_second_page_shows_the_first_and_ends_with_1() {
    let world = world(|repository| {
        (0..1100).for_each(|number| drop(push(repository, &format!("i{number}"), &[], 90)));
    });
    let run = world.fault("ecr:DescribeImages:status=403@1").run(&["list", "ecr:team/app", "-o", "json"]);
    run.exits(1);
    assert!(run.words().len() >= 100, "{}", run.words().len());
}
