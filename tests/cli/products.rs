//! Registries that can do more than the protocol: Azure's, Google's, Harbor and zot. What they list of images, what rules
//! choose by that, how one tag of several goes, and what happens where their own API fails.

use chrono::{TimeDelta, Utc};
use imgctl::sandbox::{
    World as Clouds,
    ecr::{
        build::{Built, Kind},
        made::Recipe,
        repository::Repository,
    },
    oci::Habits,
};
use serde_json::Value;

use crate::world::{Run, World};

const SIGNATURE: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";

/// One repository: an old image with two tags, a new one, an old one without a tag, and an old one that was pulled.
struct Shop {
    world: World,
    old: String,
    new: String,
    untagged: String,
    pulled: String,
}

fn image(name: &str, platform: &str) -> Built {
    let today = Utc::now().date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
    Built::image(Kind::Oci, platform, today - TimeDelta::days(200), vec![Recipe::Text(name.into())])
}

/// Pushes an image so many days ago.
fn push(repository: &mut Repository, name: &str, tags: &[&str], days: i64) -> String {
    let built = image(name, "linux/amd64");
    built.push(repository, tags, Utc::now() - TimeDelta::days(days));
    built.manifest.digest.to_string()
}

/// Pushes an index with two platforms; all three digests, the index first.
fn push_index(repository: &mut Repository, name: &str, tags: &[&str], days: i64) -> [String; 3] {
    let at = Utc::now() - TimeDelta::days(days);
    let parts = ["linux/amd64", "linux/arm64"].map(|platform| image(&format!("{name} {platform}"), platform));
    parts.iter().for_each(|part| part.push(repository, &[], at));
    let index = Built::index(&[(&parts[0], "linux/amd64"), (&parts[1], "linux/arm64")]);
    index.push(repository, tags, at);
    [&index, &parts[0], &parts[1]].map(|built| built.manifest.digest.to_string())
}

impl Shop {
    fn of(registry: &str) -> Self {
        Self::with(registry, |_| ())
    }

    fn with(registry: &str, change: impl FnOnce(&mut Habits)) -> Self {
        let mut habits = Habits::of(registry).unwrap();
        change(&mut habits);
        let mut clouds = Clouds::default();
        clouds.oci.habits = habits;
        let repository = clouds.oci.repository("team/app", Utc::now());
        let old = push(repository, "old", &["v1", "v1b"], 90);
        let new = push(repository, "new", &["v2"], 3);
        let untagged = push(repository, "untagged", &[], 90);
        let pulled = push(repository, "pulled", &["v0"], 90);
        for (digest, days) in [(&old, 80), (&pulled, 2)] {
            *repository.times(&digest.parse().unwrap()).unwrap().1 = Some(Utc::now() - TimeDelta::days(days));
        }
        let world = World::new(clouds);
        let login = world.sandbox.logins().to_string();
        let world = world.set("DOCKER_AUTH_CONFIG", &login);
        Self { world, old, new, untagged, pulled }
    }

    fn at(&self, rest: &str) -> String {
        format!("{}/team/app{rest}", self.world.sandbox.registry())
    }

    fn change<T>(&self, change: impl FnOnce(&mut Repository) -> T) -> T {
        change(self.world.sandbox.world().oci.repository("team/app", Utc::now()))
    }

    fn has(&self, name: &str) -> bool {
        self.change(|repository| repository.has(name))
    }

    fn fault(&self, script: &str) {
        self.world.sandbox.add_fault(script.parse().unwrap());
    }

    fn list(&self, flags: &[&str]) -> Run {
        self.world.run(&[&["list", &self.at(""), "-o", "json", "--attempts", "2"], flags].concat())
    }

    fn prune(&self, flags: &[&str]) -> Run {
        let store = self.at("");
        let rules = ["prune", &store, "--max-percent", "100", "--allow-empty", "--attempts", "2", "-o", "json"];
        self.world.run(&[&rules[..], flags].concat())
    }

    fn delete(&self, names: &[&str], flags: &[&str]) -> Run {
        let names: Vec<String> = names.iter().map(|name| self.at(name)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.world.run(&[&["delete", "-o", "json", "--attempts", "2"], &names[..], flags].concat())
    }
}

/// The item about an image.
fn item(run: &Run, digest: &str) -> Value {
    let items = run.json()["items"].as_array().unwrap().clone();
    let of = |item: &&Value| item["digest"] == digest;
    items.iter().find(of).unwrap_or_else(|| panic!("no {digest} in\n{}", run.transcript())).clone()
}

/// The calls of one operation that were answered: the first of its kind may want a login.
fn answered(run: &Run, operation: &str) -> usize {
    run.calls.iter().filter(|call| call.operation == operation && call.status != Some(401)).count()
}

/// The digests of what would be deleted, sorted.
fn chosen(run: &Run) -> Vec<String> {
    let items = run.json()["items"].as_array().unwrap().clone();
    let chosen = items.iter().filter(|item| item["outcome"] == "would_delete");
    let mut digests: Vec<String> = chosen.map(|item| item["digest"].as_str().unwrap().to_owned()).collect();
    digests.sort();
    digests
}

/// The digests of what a run shows, sorted.
fn digests(run: &Run) -> Vec<String> {
    let items = run.json()["items"].as_array().unwrap().clone();
    let mut digests: Vec<String> = items.iter().map(|item| item["digest"].as_str().unwrap().to_owned()).collect();
    digests.sort();
    digests
}

fn sorted(digests: &[&String]) -> Vec<String> {
    let mut digests: Vec<String> = digests.iter().map(ToString::to_string).collect();
    digests.sort();
    digests
}

/// The operation with which each lists images.
const LISTS: [(&str, &str); 3] = [("acr", "GET manifests"), ("harbor", "GET artifacts"), ("zot", "POST search")];

#[test]
fn a_listing_has_dates_sizes_and_all_tags_without_a_look_at_each() {
    for registry in ["acr", "gar", "harbor", "zot"] {
        let shop = Shop::of(registry);
        let run = shop.list(&[]);
        let known: Vec<&String> = match registry {
            "zot" => vec![&shop.old, &shop.new, &shop.pulled],
            _ => vec![&shop.old, &shop.new, &shop.pulled, &shop.untagged],
        };
        run.exits(0);
        assert_eq!(digests(&run), sorted(&known), "{registry}\n{}", run.transcript());
        let old = item(&run, &shop.old);
        assert_eq!(old["tags"], serde_json::json!(["v1", "v1b"]), "{registry}");
        assert!(old["pushed_at"].is_string() && old["bytes"].as_u64() > Some(100), "{registry} {old}");
        let pulls = matches!(registry, "harbor" | "zot");
        assert_eq!(old.get("pulled_at").is_some(), pulls, "{registry} {old}");
        assert!(item(&run, &shop.new).get("pulled_at").is_none(), "{registry}");
        run.sends(0, "HEAD manifest").sends(0, "GET manifest").sends(0, "GET blob");
        assert_eq!(answered(&run, "GET tags"), 1);
        if let Some((_, operation)) = LISTS.iter().find(|(name, _)| *name == registry) {
            assert_eq!(answered(&run, operation), 1);
        }
    }
}

#[test]
fn rules_work_where_the_data_bear_them() {
    for registry in ["acr", "gar", "harbor", "zot"] {
        let shop = Shop::of(registry);
        let old: Vec<&String> = match registry {
            "zot" => vec![&shop.old, &shop.pulled],
            _ => vec![&shop.old, &shop.pulled, &shop.untagged],
        };
        let plan = shop.prune(&["--older-than", "30d", "--dry-run"]);
        plan.exits(0);
        assert_eq!(chosen(&plan), sorted(&old), "{registry}\n{}", plan.transcript());
        let run = shop.list(&["--untagged"]);
        match registry {
            "zot" => drop(run.exits(3).says("does not tell which images have no tag")),
            _ => assert_eq!(digests(run.exits(0)), std::slice::from_ref(&shop.untagged)),
        }
        let run = shop.prune(&["--not-pulled-for", "30d", "--dry-run"]);
        match registry {
            "harbor" | "zot" => {
                assert_eq!(chosen(run.exits(0)), std::slice::from_ref(&shop.old), "{}", run.transcript());
            }
            _ => drop(run.exits(3).says("does not tell when an image was pulled")),
        }
        let run = shop.prune(&["--older-than", "30d", "--yes"]);
        run.exits(0);
        assert!(shop.has("v2") && !shop.has("v1") && !shop.has("v1b") && !shop.has("v0"), "{registry}");
        assert_eq!(shop.has(&shop.untagged), registry == "zot");
    }
}

#[test]
fn a_plain_registry_still_says_what_it_does_not_tell() {
    let shop = Shop::of("distribution3");
    for flags in [&["--older-than", "1d"][..], &["--untagged"], &["--not-pulled-for", "1d"]] {
        shop.list(flags).exits(3).says("does not tell");
    }
    let run = shop.list(&[]);
    run.exits(0).sends(4, "HEAD manifest");
    assert_eq!(digests(&run), sorted(&[&shop.old, &shop.new, &shop.pulled]));
}

#[test]
fn an_image_that_got_a_tag_lately_is_not_old() {
    for registry in ["acr", "harbor", "zot"] {
        let shop = Shop::of(registry);
        shop.change(|repository| {
            repository.set_tag("promoted", shop.old.parse().unwrap());
            repository.tagged.insert("promoted".into(), Utc::now());
        });
        let plan = shop.prune(&["--older-than", "30d", "--dry-run"]);
        let chosen = chosen(&plan);
        assert!(!chosen.contains(&shop.old) && chosen.contains(&shop.pulled), "{}", plan.transcript());
    }
}

#[test]
fn an_api_that_refuses_or_fails_never_looks_like_a_whole_answer() {
    for (registry, operation) in LISTS {
        for fault in ["status=403", "status=404", "status=500", "truncate", "garble", "empty"] {
            let shop = Shop::of(registry);
            shop.fault(&format!("oci:{operation}:{fault}"));
            for flags in [&["--older-than", "30d"][..], &["--not-pulled-for", "30d"], &["--untagged"]] {
                let run = shop.prune(&[flags, &["--yes"]].concat());
                run.sends(0, "DELETE manifest");
                assert_ne!(run.code, 0, "{}", run.transcript());
            }
        }
        // Without a question about dates, the protocol answers, and imgctl says what is left out.
        let shop = Shop::of(registry);
        shop.fault(&format!("oci:{operation}:status=403"));
        let run = shop.world.run(&["list", &shop.at("")]);
        run.exits(0).says("does not tell these credentials when images were pushed");
        assert_eq!(answered(&run, "HEAD manifest"), 4);
        shop.delete(&[":v1", ":v1b"], &["--yes"]).ends(0, ["deleted", "deleted"]);
        let shop = Shop::of(registry);
        shop.fault(&format!("oci:{operation}:status=500"));
        assert_ne!(shop.list(&[]).code, 0);
        let run = shop.delete(&[":v1", ":v1b"], &["--yes"]);
        run.sends(0, "DELETE manifest");
        assert_ne!(run.code, 0);
    }
}

#[test]
fn pages_are_followed_to_their_end() {
    for (registry, operation, most) in
        [("acr", "GET manifests", 1000), ("harbor", "GET artifacts", 100), ("zot", "POST search", 1000)]
    {
        let shop = Shop::of(registry);
        shop.change(|repository| {
            for number in 0..most {
                push(repository, &format!("more {number}"), &[&format!("t{number}")], 10);
            }
        });
        let run = shop.list(&["--older-than", "1d"]);
        let images = most + if registry == "zot" { 3 } else { 4 };
        run.exits(0).lists(images);
        assert_eq!(answered(&run, operation), 2);
    }
}

#[test]
fn one_tag_of_two_goes_by_the_call_that_the_registry_has() {
    for (registry, operation) in
        [("acr", "DELETE tag"), ("harbor", "DELETE tag"), ("zot", "DELETE manifest"), ("gar", "DELETE manifest")]
    {
        let shop = Shop::of(registry);
        shop.delete(&[":v1"], &["--dry-run"]).ends(0, ["would_untag"]);
        let run = shop.delete(&[":v1"], &["--yes"]);
        run.ends(0, ["untagged"]);
        assert_eq!(answered(&run, operation), 1, "{}", run.transcript());
        assert!(!shop.has("v1") && shop.has("v1b") && shop.has(&shop.old), "{registry}");
        shop.delete(&[":v1"], &["--yes"]).ends(1, ["missing"]);
        // With its last tag, the image goes.
        shop.delete(&[":v1b"], &["--yes"]).ends(0, ["deleted"]);
        assert!(!shop.has(&shop.old), "{registry}");
    }
}

#[test]
fn a_dry_run_says_where_one_tag_cannot_go_alone() {
    let shop = Shop::of("distribution");
    let run = shop.delete(&[":v1"], &["--dry-run"]);
    run.ends(0, ["would_untag"]);
    let store = shop.at(":v1");
    let run = shop.world.run(&["delete", &store, "--dry-run"]);
    run.exits(0).says("some registries cannot remove one tag of an image");
    shop.delete(&[":v1"], &["--yes"]).ends(1, ["refused"]);
    // Of these two, documents say it.
    for host in ["ghcr.io", "docker.io"] {
        let shop = Shop::with("ghcr", |_| ());
        let url = format!("http://{}", shop.world.sandbox.registry());
        let world = shop.world.set("IMGCTL_OCI_ENDPOINT", &url);
        let run = world.run(&["delete", &format!("oci:{host}/team/app:v1"), "--dry-run", "-o", "json"]);
        run.ends(1, ["would_refuse"]).sends(0, "DELETE manifest");
        let message = run.json()["items"][0]["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("v1b"), "{message}");
        let run = world.run(&["delete", &format!("oci:{host}/team/app:v1"), "--yes", "-o", "json"]);
        run.ends(1, ["refused"]).sends(0, "DELETE manifest");
    }
}

#[test]
fn what_is_locked_is_shown_and_not_sent() {
    let shop = Shop::of("acr");
    shop.change(|repository| repository.locked.insert(shop.old.parse().unwrap()));
    let run = shop.list(&[]);
    assert_eq!(item(&run, &shop.old)["state"], "locked");
    let digest = format!("@{}", shop.old);
    for names in [&[":v1"][..], &[&digest], &[":v1", ":v1b"]] {
        for flag in ["--yes", "--dry-run"] {
            let run = shop.delete(names, &[flag]);
            run.exits(1);
            assert!(run.stdout.contains("deleteEnabled") || names[0].starts_with('@'), "{}", run.transcript());
            run.sends(0, "DELETE tag");
        }
    }
    let run = shop.prune(&["--older-than", "30d", "--yes"]);
    run.exits(0);
    assert!(shop.has(&shop.old) && !shop.has(&shop.pulled), "{}", run.transcript());
    assert!(!run.calls.iter().any(|call| call.code.as_deref() == Some("REGISTRY_DISALLOWED_OPERATION")));
}

#[test]
fn what_harbor_takes_along_is_named() {
    let shop = Shop::of("harbor");
    let (index, signature) = shop.change(|repository| {
        let index = push_index(repository, "multi", &["multi"], 50);
        let subject = repository.find("multi").unwrap().manifest.clone();
        let signature = Built::attached("signature", SIGNATURE, &subject);
        signature.push(repository, &[], Utc::now());
        (index, signature.manifest.digest.to_string())
    });
    let taken = |run: &Run| {
        let taken = run.json()["items"][0]["takes_along"].as_array().cloned().unwrap_or_default();
        let mut ids: Vec<String> = taken.iter().map(|thing| thing["id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    let expected = sorted(&[&index[1], &index[2], &signature]);
    for flag in ["--dry-run", "--yes"] {
        let run = shop.delete(&[":multi"], &[flag]);
        run.exits(0);
        assert_eq!(taken(&run), expected, "{}", run.transcript());
    }
    assert!(index.iter().chain([&signature]).all(|digest| !shop.has(digest)));
    // Rules choose all of them, so each is a row of the plan.
    let shop = Shop::of("harbor");
    let index = shop.change(|repository| push_index(repository, "multi", &["multi"], 50));
    let run = shop.prune(&["--older-than", "30d", "--tag", "multi", "--yes"]);
    run.exits(0);
    assert_eq!(digests(&run), sorted(&index.iter().collect::<Vec<_>>()), "{}", run.transcript());
    assert!(index.iter().all(|digest| !shop.has(digest)));
    // A part that a kept index holds, too, stays.
    let shop = Shop::of("harbor");
    let index = shop.change(|repository| push_index(repository, "multi", &["multi"], 50));
    let run = shop.delete(&[&format!("@{}", index[1])], &["--yes"]);
    run.ends(1, ["refused"]);
    assert!(shop.has(&index[1]));
}

#[test]
fn a_part_of_an_index_is_not_deleted_where_the_registry_refuses_it() {
    for registry in ["zot", "acr", "gar"] {
        let shop = Shop::of(registry);
        let index = shop.change(|repository| push_index(repository, "multi", &["multi"], 50));
        let part = format!("@{}", index[1]);
        shop.delete(&[&part], &["--yes"]).ends(1, ["refused"]);
        assert!(shop.has(&index[1]), "{registry}");
    }
}

#[test]
fn a_tag_that_the_image_got_meanwhile_keeps_it() {
    for registry in ["acr", "gar", "harbor", "zot"] {
        let shop = Shop::of(registry);
        let plan = shop.prune(&["--older-than", "30d", "--dry-run"]);
        std::fs::write(shop.world.home().join("plan"), &plan.stdout).unwrap();
        shop.change(|repository| repository.set_tag("late", shop.old.parse().unwrap()));
        let run = shop.world.run(&["delete", "--from", "plan", "--yes", "-o", "json"]);
        run.exits(1);
        let refused = item(&run, &shop.old);
        assert_eq!(refused["outcome"], "refused", "{registry}\n{}", run.transcript());
        assert!(shop.has(&shop.old) && shop.has("late") && shop.has("v1"), "{registry}");
    }
}

#[test]
fn a_registry_is_asked_once_what_it_is() {
    let shop = Shop::of("harbor");
    let store = shop.at("");
    {
        let mut clouds = shop.world.sandbox.world();
        push(clouds.oci.repository("team/web", Utc::now()), "web", &["v1"], 9);
    }
    let other = store.replace("/app", "/web");
    let run = shop.world.run(&["list", &store, &other, "--older-than", "1d", "-o", "json"]);
    run.exits(0).lists(5).sends(1, "GET ping").sends(2, "GET artifacts");
}

#[test]
fn doctor_says_what_a_registry_can_do_and_what_stays_unknown() {
    for (registry, says) in [
        ("harbor", "Harbor: lists push dates, pull dates and untagged images; removes single tags by its own API"),
        ("zot", "zot: lists push dates and pull dates; removes single tags"),
        ("acr", "Azure Container Registry: lists push dates and untagged images; removes single tags by its own API"),
        ("distribution", "an OCI registry: lists tags only; whether it removes single tags shows only an attempt"),
    ] {
        let shop = Shop::of(registry);
        let run = shop.world.run(&["doctor", &shop.at(""), "-o", "json"]);
        run.exits(0);
        assert!(run.stdout.contains(says), "{}", run.transcript());
        assert!(!run.stdout.contains("does not tell these credentials"), "{}", run.transcript());
    }
    let shop = Shop::of("harbor");
    shop.fault("oci:GET artifacts:status=403");
    let run = shop.world.run(&["doctor", &shop.at("")]);
    assert!(run.stdout.contains("does not tell these credentials"), "{}", run.transcript());
    let shop = Shop::of("distribution");
    let url = format!("http://{}", shop.world.sandbox.registry());
    let world = shop.world.set("IMGCTL_OCI_ENDPOINT", &url);
    let run = world.run(&["doctor", "ghcr.io/team/app"]);
    assert!(run.stdout.contains("GitHub: lists tags only; removes no single tags"), "{}", run.transcript());
}
