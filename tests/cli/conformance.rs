//! What every provider must do alike: one set of tests for all. What differs (how many ids a call takes, whether
//! layers exist) comes from the cloud, never from the test.

use chrono::{TimeDelta, Utc};
use imgctl::sandbox::{World as Clouds, ecr};

use crate::world::World;

/// One provider's emulator, as far as these tests need it.
pub struct Cloud {
    pub name: &'static str,
    /// The operation that deletes.
    pub delete: &'static str,
    /// Ids that one deletion takes.
    pub batch: usize,
    /// Puts an image with this number into the world.
    pub add: fn(&mut Clouds, usize),
    /// How that image is referred to.
    pub image: fn(usize) -> String,
    /// The store that holds them all.
    pub store: &'static str,
    /// Whether the image is there and not on its way out.
    pub has: fn(&mut Clouds, usize) -> bool,
    /// A variable without which there are no credentials.
    pub key: &'static str,
}

const REPOSITORY: &str = "team/app";

pub const CLOUDS: [Cloud; 3] = [
    Cloud {
        name: "ecr",
        delete: "BatchDeleteImage",
        batch: 100,
        add: |clouds, number| {
            let at = Utc::now() - TimeDelta::days(30);
            let image = ecr::manifest::Manifest::image(&format!("i{number}"), 1);
            clouds.ecr.repository(ecr::REGION, REPOSITORY, at).push(&image, &[&format!("v{number}")], at);
        },
        image: |number| format!("ecr:{REPOSITORY}:v{number}"),
        store: "ecr:team/app",
        has: |clouds, number| clouds.ecr.repository(ecr::REGION, REPOSITORY, Utc::now()).has(&format!("v{number}")),
        key: "AWS_ACCESS_KEY_ID",
    },
    Cloud {
        name: "cvm",
        delete: "DeleteImages",
        batch: 10,
        add: |clouds, number| {
            let at = Utc::now() - TimeDelta::days(30);
            clouds.cvm.region("ap-guangzhou").add(&format!("img-{number:08}"), at);
        },
        image: |number| format!("cvm:img-{number:08}"),
        store: "cvm:",
        has: |clouds, number| {
            let image = clouds.cvm.region("ap-guangzhou").images.get(&format!("img-{number:08}"));
            image.is_some_and(|image| image.state != "DELETING")
        },
        key: "TENCENTCLOUD_SECRET_ID",
    },
    Cloud {
        name: "workspace",
        delete: "BatchDeleteImageServer",
        batch: 20,
        add: |clouds, number| {
            let at = Utc::now() - TimeDelta::days(30);
            clouds.workspace.job_time = std::time::Duration::ZERO;
            clouds.workspace.region("cn-north-4").add(&format!("server{number}"), at);
        },
        image: |number| format!("workspace:server{number}"),
        store: "workspace:",
        has: |clouds, number| {
            let server = clouds.workspace.region("cn-north-4").server(&format!("server{number}"));
            server.is_some_and(|server| server.status != "DELETING")
        },
        key: "HW_USER_NAME",
    },
];

impl Cloud {
    /// A world with the images 0 to `count`.
    pub fn world(&self, count: usize) -> World {
        let mut clouds = Clouds::default();
        (0..count).for_each(|number| (self.add)(&mut clouds, number));
        World::new(clouds)
    }

    pub fn list(&self, numbers: impl IntoIterator<Item = usize>) -> String {
        numbers.into_iter().map(|number| (self.image)(number) + "\n").collect()
    }

    pub fn left(&self, world: &World, count: usize) -> Vec<usize> {
        let mut clouds = world.sandbox.world();
        (0..count).filter(|number| (self.has)(&mut clouds, *number)).collect()
    }
}

/// Whether an outcome is true of an image that is there, or not, after the run.
pub fn is_true(outcome: &str, there: bool) -> bool {
    match outcome {
        "deleted" | "gone" | "missing" => !there,
        "failed" | "refused" | "skipped" => there,
        "unknown" => true,
        _ => false,
    }
}

#[test]
fn many_images_are_deleted_in_full_batches_and_reported_in_order() {
    for cloud in &CLOUDS {
        let count = cloud.batch * 2 + 1;
        let world = cloud.world(count);
        let run = world.run_with(&["delete", "-", "--yes", "-o", "json"], &cloud.list(0..count));
        run.exits(0);
        assert!(run.words().iter().all(|word| word == "deleted"), "{}", run.transcript());
        assert_eq!(run.count(cloud.delete), 3, "{}", run.transcript());
        assert!(cloud.left(&world, count).is_empty());
        let items = run.json()["items"].clone();
        assert_eq!(items.as_array().unwrap().len(), count);
    }
}

#[test]
fn an_image_named_twice_is_one_item_at_its_first_place() {
    for cloud in &CLOUDS {
        let world = cloud.world(3);
        let run = world.run_with(&["delete", "-", "--yes", "-o", "json"], &cloud.list([2, 0, 2, 1, 0]));
        run.ends(0, ["deleted"; 3]);
    }
}

#[test]
fn an_absent_image_is_missing_and_counts_as_done_only_on_request() {
    for cloud in &CLOUDS {
        let world = cloud.world(1);
        let list = cloud.list([0, 7]);
        let run = world.run_with(&["delete", "-", "--yes", "-o", "json"], &list);
        run.ends(1, ["deleted", "missing"]);
        let again = world.run_with(&["delete", "-", "--yes", "--ignore-missing", "-o", "json"], &list);
        again.ends(0, ["missing", "missing"]);
    }
}

#[test]
fn without_yes_nothing_is_sent() {
    for cloud in &CLOUDS {
        let world = cloud.world(1);
        let run = world.run(&["delete", &(cloud.image)(0)]);
        run.exits(4).sends_calls(0);
        assert_eq!(cloud.left(&world, 1), [0]);
    }
}

#[test]
fn a_guard_on_the_number_stops_before_anything_is_sent() {
    for cloud in &CLOUDS {
        let world = cloud.world(3);
        let arguments = ["delete", "-", "--yes", "--max-delete", "2"];
        let run = world.run_with(&arguments, &cloud.list(0..3));
        run.exits(4).sends_calls(0);
    }
}

#[test]
fn a_dry_run_changes_nothing() {
    for cloud in &CLOUDS {
        let world = cloud.world(3);
        let run = world.run_with(&["delete", "-", "-n", "-o", "json"], &cloud.list(0..3));
        run.ends(0, ["would_delete"; 3]);
        assert_eq!(run.json()["dry_run"], true);
        assert_eq!(cloud.left(&world, 3), [0, 1, 2]);
    }
}

#[test]
fn details_come_in_the_order_asked() {
    for cloud in &CLOUDS {
        let world = cloud.world(3);
        let run = world.run_with(&["get", "-", "-o", "json"], &cloud.list([2, 9, 0]));
        assert_eq!((run.code, run.words()[1].as_str()), (1, "missing"), "{}", run.transcript());
        let again = world.run_with(&["get", "-", "-o", "ndjson"], &cloud.list([2, 0]));
        assert_eq!((again.code, again.stdout.lines().count()), (0, 2), "{}", again.transcript());
    }
}

#[test]
fn a_listing_can_be_piped_into_a_deletion() {
    for cloud in &CLOUDS {
        let world = cloud.world(5);
        let list = world.run(&["list", cloud.store, "-o", "ndjson"]);
        assert_eq!((list.code, list.stdout.lines().count()), (0, 5), "{}", list.transcript());
        let run = world.run_with(&["delete", "-", "--yes", "-o", "json"], &list.stdout);
        run.ends(0, ["deleted"; 5]);
    }
}

#[test]
fn a_throttled_deletion_is_retried_and_a_lost_one_is_checked() {
    for cloud in &CLOUDS {
        for fault in ["throttle", "lose-answer", "drop", "status=503", "truncate"] {
            let world = cloud.world(3).fault(&format!("{}:{}:{fault}:1", cloud.name, cloud.delete));
            let run = world.run_with(&["delete", "-", "--yes", "-o", "json"], &cloud.list(0..3));
            let good = run.words().iter().all(|word| word == "deleted" || word == "gone");
            assert!(good && run.code == 0, "{fault}: {}", run.transcript());
            assert!(cloud.left(&world, 3).is_empty());
        }
    }
}

#[test]
fn a_provider_that_does_not_answer_does_not_hang_a_run() {
    for cloud in &CLOUDS {
        let world = cloud.world(1).fault(&format!("{}:*:hang", cloud.name));
        let run = world.run(&["get", &(cloud.image)(0), "--timeout", "300ms", "--attempts", "2"]);
        assert_ne!(run.code, 0, "{}", run.transcript());
    }
}

#[test]
fn a_deadline_ends_the_run_with_a_report() {
    for cloud in &CLOUDS {
        let count = cloud.batch * 6;
        let world = cloud.world(count).fault(&format!("{}:{}:slow=800ms", cloud.name, cloud.delete));
        let arguments = ["delete", "-", "--yes", "--deadline", "3s", "--concurrency", "1", "-o", "json"];
        let run = world.run_with(&arguments, &cloud.list(0..count));
        run.exits(1).lists(count);
        let left = cloud.left(&world, count);
        for (number, word) in run.words().iter().enumerate() {
            assert_eq!(word == "skipped", left.contains(&number), "{number} {word}: {}", run.stderr);
        }
    }
}

#[test]
fn without_credentials_nothing_is_sent_and_the_exit_code_says_so() {
    for cloud in &CLOUDS {
        let world = cloud
            .world(1)
            .unset(cloud.key)
            .set("AWS_EC2_METADATA_DISABLED", "true")
            .set("IMGCTL_TENCENT_METADATA_ENDPOINT", "off");
        let run = world.run(&["delete", &(cloud.image)(0), "--yes", "-o", "json"]);
        run.exits(3).sends_calls(0);
        let error: serde_json::Value = serde_json::from_str(&run.stderr).expect("stderr is one JSON object");
        // Half of a pair of keys is a matter of configuration.
        let kind = error["error"]["kind"].as_str();
        assert!(matches!(kind, Some("auth" | "config")), "{}", run.stderr);
    }
}

#[test]
fn several_clouds_are_one_run() {
    let mut clouds = Clouds::default();
    CLOUDS.iter().for_each(|cloud| (cloud.add)(&mut clouds, 0));
    let world = World::new(clouds);
    let list: String = CLOUDS.iter().map(|cloud| cloud.list([0])).collect();
    let run = world.run_with(&["delete", "-", "--yes", "-o", "json"], &list);
    run.ends(0, ["deleted"; CLOUDS.len()]);
    let profile = world.run_with(&["delete", "-", "--yes", "--profile", "x"], &list);
    profile.exits(2).sends_calls(0);
}
