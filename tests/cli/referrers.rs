//! What is attached to images of OCI registries: signatures and SBOMs that no tag names. They go and stay with their
//! images, whether the registry lists them or clients keep a tag that does.

use chrono::{TimeDelta, Utc};
use imgctl::sandbox::{
    World as Clouds,
    ecr::{
        build::{Built, Kind},
        made::Recipe,
        repository::Repository,
    },
    oci::{
        Habits,
        habits::{Auth, Referrers},
    },
};
use serde_json::Value;

use crate::world::{Run, World};

const SIGNATURE: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";

/// Three builds: two old ones and a new one. Each has a signature without a tag; the first one's is signed as well.
struct Shop {
    world: World,
    builds: [String; 3],
    signatures: [String; 3],
    /// The signature of the first signature.
    second: String,
}

fn image(name: &str) -> Built {
    let layer = Recipe::Text(name.into());
    // The same image has the same date.
    let today = Utc::now().date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
    Built::image(Kind::Oci, "linux/amd64", today - TimeDelta::days(90), vec![layer])
}

fn attach(repository: &mut Repository, text: &str, subject: &Built) -> Built {
    let referrer = Built::attached(text, SIGNATURE, &subject.manifest);
    referrer.push(repository, &[], Utc::now());
    referrer
}

impl Shop {
    /// In a registry with these habits. One that lists no referrers has the tags of clients.
    fn of(registry: &str, change: impl FnOnce(&mut Habits)) -> Self {
        let mut habits = Habits { auth: Auth::Open, ..Habits::of(registry).unwrap() };
        change(&mut habits);
        let listed = habits.referrers == Referrers::Listed;
        let mut clouds = Clouds::default();
        clouds.oci.habits = habits;
        let repository = clouds.oci.repository("team/app", Utc::now());
        let builds = ["pr-1", "pr-2", "v1"].map(|tag| {
            let build = image(tag);
            build.push(repository, &[tag], Utc::now());
            build
        });
        let signatures = ["pr-1", "pr-2", "v1"].iter().zip(&builds);
        let signatures: Vec<Built> =
            signatures.map(|(tag, build)| attach(repository, &format!("signature of {tag}"), build)).collect();
        let second = attach(repository, "signature of a signature", &signatures[0]);
        if !listed {
            for (subject, referrer) in builds.iter().zip(&signatures).chain([(&signatures[0], &second)]) {
                let list =
                    imgctl::sandbox::ecr::manifest::Manifest::attachments(std::slice::from_ref(&referrer.manifest));
                repository.push(&list, &[&kept_tag(subject)], Utc::now());
            }
        }
        let digest = |built: &Built| built.manifest.digest.to_string();
        Self {
            world: World::new(clouds),
            builds: builds.each_ref().map(digest),
            signatures: std::array::from_fn(|number| digest(&signatures[number])),
            second: digest(&second),
        }
    }

    fn at(&self, rest: &str) -> String {
        format!("{}/team/app{rest}", self.world.sandbox.registry())
    }

    fn has(&self, name: &str) -> bool {
        self.world.sandbox.world().oci.repository("team/app", Utc::now()).has(name)
    }

    fn tags(&self) -> Vec<String> {
        self.world.sandbox.world().oci.repository("team/app", Utc::now()).tags()
    }

    fn len(&self) -> usize {
        self.world.sandbox.world().oci.repository("team/app", Utc::now()).len()
    }

    /// `prune` of the two old builds.
    fn prune(&self, flags: &[&str]) -> Run {
        let store = self.at("");
        let rules = ["prune", &store, "--tag", "pr-*", "--built-before", "30d", "--max-percent", "100", "-o", "json"];
        self.world.run(&[&rules[..], flags].concat())
    }

    #[track_caller]
    fn has_only_the_newest(&self, run: &Run) {
        for gone in self.builds[..2].iter().chain(&self.signatures[..2]).chain([&self.second]) {
            assert!(!self.has(gone), "{gone} in\n{}", run.transcript());
        }
        assert!(self.has(&self.builds[2]) && self.has(&self.signatures[2]), "{}", run.transcript());
    }
}

/// The tag under which clients list what is attached to an image.
fn kept_tag(subject: &Built) -> String {
    format!("sha256-{}", subject.manifest.digest.hex())
}

fn reason(run: &Run, digest: &str) -> String {
    let items = run.json()["items"].as_array().unwrap().clone();
    let of = |item: &&Value| item["digest"] == digest;
    let item = items.iter().find(of).unwrap_or_else(|| panic!("no {digest} in\n{}", run.transcript()));
    item["reason"].as_str().unwrap().to_owned()
}

#[test]
fn what_a_registry_lists_as_attached_goes_after_its_image_and_stays_with_it() {
    let shop = Shop::of("zot", |_| ());
    let plan = shop.prune(&["--dry-run"]);
    plan.exits(0);
    assert!(reason(&plan, &shop.signatures[1]).starts_with("attached to pr-2"), "{}", plan.transcript());
    assert!(reason(&plan, &shop.second).starts_with("attached to sha256:"), "{}", plan.transcript());
    // Nothing is asked about what stays.
    plan.sends(5, "GET referrers");
    assert!(!plan.stdout.contains(&shop.signatures[2]), "{}", plan.transcript());
    let run = shop.prune(&["--yes"]);
    run.ends(0, ["deleted"; 5]);
    let deleted: Vec<&String> =
        run.calls.iter().filter(|call| call.operation == "DELETE manifest").flat_map(|call| &call.items).collect();
    let place = |digest: &str| deleted.iter().position(|item| item.ends_with(digest)).unwrap();
    assert!(place(&shop.builds[0]) < place(&shop.signatures[0]), "{deleted:?}");
    assert!(place(&shop.signatures[0]) < place(&shop.second), "{deleted:?}");
    shop.has_only_the_newest(&run);
}

#[test]
fn where_clients_keep_a_tag_it_goes_with_its_image_and_with_all_that_it_lists() {
    for (registry, route) in [("distribution", Referrers::NoRoute), ("distribution", Referrers::Elsewhere)] {
        let shop = Shop::of(registry, |habits| habits.referrers = route);
        let run = shop.prune(&["--yes"]);
        run.exits(0);
        // One answer is enough to know that the registry has no such list.
        run.sends(1, "GET referrers");
        shop.has_only_the_newest(&run);
        assert_eq!(shop.tags().len(), 2, "{:?}", shop.tags());
        assert_eq!(shop.len(), 3);
    }
}

#[test]
fn a_signature_that_a_list_names_as_in_use_stays_though_no_listing_shows_it() {
    let shop = Shop::of("zot", |_| ());
    std::fs::write(shop.world.home().join("used"), format!("{}\n", shop.signatures[0])).unwrap();
    let run = shop.prune(&["--in-use", "used", "--yes"]);
    run.ends(0, ["deleted", "deleted", "deleted"]);
    assert!(shop.has(&shop.signatures[0]) && shop.has(&shop.second) && !shop.has("pr-1"), "{}", run.transcript());
}

#[test]
fn an_unknown_list_keeps_the_image_and_says_why() {
    for (fault, why) in [("status=403", "no right"), ("status=503", "refuses the call"), ("garble", "cannot read")] {
        let shop = Shop::of("zot", |_| ());
        shop.world.sandbox.add_fault(format!("oci:GET referrers:{fault}").parse().unwrap());
        let run = shop.prune(&["--dry-run", "--attempts", "1"]);
        assert!(run.stdout.contains("what is attached to it is unknown"), "{fault}\n{}", run.transcript());
        assert!(run.stdout.contains(why), "{fault}\n{}", run.transcript());
        let run = shop.prune(&["--yes", "--attempts", "1"]);
        run.sends(0, "DELETE manifest");
        // Somebody who names an image decides about it alone.
        let run = shop.world.run(&["delete", &shop.at(":pr-1"), "--yes", "--attempts", "1", "-o", "json"]);
        run.ends(0, ["deleted"]);
    }
}

#[test]
fn a_saved_plan_deletes_what_is_attached_and_refuses_an_image_that_got_a_signature() {
    let shop = Shop::of("zot", |_| ());
    let plan = shop.prune(&["--dry-run"]).stdout;
    {
        let mut clouds = shop.world.sandbox.world();
        let repository = clouds.oci.repository("team/app", Utc::now());
        attach(repository, "a new signature", &image("pr-2"));
    }
    let run = shop.world.run_with(&["delete", "-", "--yes", "-o", "json"], &plan);
    run.exits(1);
    assert!(run.stdout.contains("a referrer was attached to it"), "{}", run.transcript());
    assert!(shop.has("pr-2") && shop.has(&shop.signatures[1]), "{}", run.transcript());
    assert!(!shop.has("pr-1") && !shop.has(&shop.signatures[0]) && !shop.has(&shop.second), "{}", run.transcript());
}

#[test]
fn a_saved_plan_refuses_an_image_that_lost_its_tag_and_keeps_what_is_attached_to_it() {
    let shop = Shop::of("zot", |_| ());
    let plan = shop.prune(&["--dry-run"]).stdout;
    shop.world.sandbox.world().oci.repository("team/app", Utc::now()).remove_tag("pr-1");
    let run = shop.world.run_with(&["delete", "-", "--yes", "-o", "json"], &plan);
    run.exits(1);
    assert!(run.stdout.contains("it lost the tag pr-1"), "{}", run.transcript());
    assert!(shop.has(&shop.builds[0]) && shop.has(&shop.signatures[0]) && shop.has(&shop.second));
    assert!(!shop.has("pr-2") && !shop.has(&shop.signatures[1]), "{}", run.transcript());
}

#[test]
fn a_listing_that_leaves_out_tags_of_a_saved_plan_stops_the_store() {
    let shop = Shop::of("zot", |habits| habits.api = None);
    let plan = shop.prune(&["--dry-run"]).stdout;
    shop.world.sandbox.add_fault("oci:GET tags:empty:1".parse().unwrap());
    let run = shop.world.run_with(&["delete", "-", "--yes"], &plan);
    run.says("ListingIncomplete").sends(0, "DELETE manifest");
    assert_ne!(run.code, 0);
}

#[test]
fn a_saved_plan_whose_image_is_gone_still_deletes_its_signature() {
    let shop = Shop::of("zot", |habits| habits.api = None);
    let plan = shop.prune(&["--dry-run"]).stdout;
    shop.world.sandbox.world().oci.repository("team/app", Utc::now()).remove(&shop.builds[1].parse().unwrap());
    let run = shop.world.run_with(&["delete", "-", "--yes", "--ignore-missing", "-o", "json"], &plan);
    run.ends(0, ["deleted", "missing", "deleted", "deleted", "deleted"]);
}

#[test]
fn a_registry_that_takes_referrers_along_has_them_deleted() {
    let shop = || Shop::of("zot", |habits| habits.cascades = true);
    let first = shop();
    let run = first.prune(&["--yes"]);
    run.ends(0, ["deleted", "deleted", "gone", "gone", "gone"]);
    first.has_only_the_newest(&run);
    let saved = shop();
    let plan = saved.prune(&["--dry-run"]).stdout;
    let run = saved.world.run_with(&["delete", "-", "--yes", "-o", "json"], &plan);
    run.ends(0, ["deleted", "deleted", "gone", "gone", "gone"]);
}

#[test]
fn a_deletion_by_name_leaves_what_is_attached_and_names_it() {
    for registry in ["zot", "distribution"] {
        let shop = Shop::of(registry, |_| ());
        for flag in ["--dry-run", "--yes"] {
            let run = shop.world.run(&["delete", &shop.at(":pr-2"), flag, "-o", "json"]);
            run.exits(0);
            let left = run.json()["items"][0]["left_behind"].as_array().cloned().unwrap_or_default();
            let left: Vec<&str> = left.iter().map(|left| left["id"].as_str().unwrap()).collect();
            assert!(left.contains(&&*shop.signatures[1]), "{registry}\n{}", run.transcript());
            assert!(!left.contains(&&*shop.signatures[0]), "{registry}\n{}", run.transcript());
        }
        assert!(!shop.has("pr-2") && shop.has(&shop.signatures[1]));
    }
}

#[test]
fn a_signature_that_a_kept_tag_still_lists_is_refused_and_goes_together_with_it() {
    let shop = Shop::of("distribution", |_| ());
    let (signature, tag) = (&shop.signatures[1], format!("sha256-{}", &shop.builds[1][7..]));
    let at = shop.at(&format!("@{signature}"));
    let run = shop.world.run(&["delete", &at, "--yes", "-o", "json"]);
    run.ends(1, ["refused"]);
    assert!(run.stdout.contains(&format!("the tag {tag} still lists it")), "{}", run.transcript());
    shop.world.run(&["delete", &shop.at(&format!(":{tag}")), &at, "--yes", "-o", "json"]).ends(0, ["deleted"; 2]);
    assert!(shop.has("pr-2") && !shop.has(signature) && !shop.has(&tag));
    // Where the registry keeps the list itself, the signature goes alone.
    let shop = Shop::of("zot", |_| ());
    let at = shop.at(&format!("@{}", shop.signatures[1]));
    let run = shop.world.run(&["delete", &at, "--dry-run"]);
    run.exits(0).says("a signature or another referrer");
    shop.world.run(&["delete", &at, "--yes", "-o", "json"]).ends(0, ["deleted"]);
}

#[test]
fn a_restore_brings_back_an_image_with_its_signatures_and_the_tag_that_lists_them() {
    for registry in ["zot", "distribution"] {
        let shop = Shop::of(registry, |_| ());
        let before = shop.world.sandbox.world().oci.snapshot();
        shop.prune(&["--yes"]).exits(0);
        let run = shop.world.run(&["restore", "last", "--yes", "-o", "json"]);
        run.exits(0);
        assert_eq!(shop.world.sandbox.world().oci.snapshot(), before, "{registry}\n{}", run.transcript());
    }
}

#[test]
fn an_orphan_is_one_whose_subject_is_gone_and_not_one_that_merely_has_no_tag() {
    for registry in ["zot", "distribution"] {
        let shop = Shop::of(registry, |_| ());
        let (gone, untagged) = (format!("sha256-{}", "9".repeat(64)), image("untagged"));
        {
            let mut clouds = shop.world.sandbox.world();
            let repository = clouds.oci.repository("team/app", Utc::now());
            untagged.push(repository, &[], Utc::now());
            for tag in [format!("{gone}.sig"), format!("{}.sig", kept_tag(&untagged))] {
                let signature = Built::artifact((&tag, SIGNATURE), Recipe::Text(tag.as_str().into()), SIGNATURE);
                signature.push(repository, &[&tag], Utc::now());
            }
        }
        let store = shop.at("");
        let run = shop.world.run(&["list", &store, "--orphans", "-o", "json"]);
        run.exits(0).lists(1);
        assert!(run.stdout.contains(&format!("{gone}.sig")), "{registry}\n{}", run.transcript());
        let orphans = ["prune", &store, "--orphans", "--max-percent", "100", "--yes", "-o", "json"];
        let run = shop.world.run(&orphans);
        run.exits(0);
        assert!(!shop.has(&format!("{gone}.sig")), "{}", run.transcript());
        assert!(shop.has(&format!("{}.sig", kept_tag(&untagged))), "{registry}\n{}", run.transcript());
        assert!(shop.has(&untagged.manifest.digest.to_string()));
        // Where nobody can tell, it stays.
        let shop = Shop::of(registry, |_| ());
        {
            let mut clouds = shop.world.sandbox.world();
            let repository = clouds.oci.repository("team/app", Utc::now());
            let signature = Built::artifact(("{}", SIGNATURE), Recipe::Text("lost".into()), SIGNATURE);
            signature.push(repository, &[&format!("{gone}.sig")], Utc::now());
        }
        // After a look at every tag, which a registry with a listing of its own does not need.
        let looks = if registry == "zot" { String::new() } else { format!("@{}", shop.tags().len()) };
        let fault = format!("oci:HEAD manifest:status=503{looks}");
        shop.world.sandbox.add_fault(fault.parse().unwrap());
        let store = shop.at("");
        let run = shop.world.run(&["prune", &store, "--orphans", "--dry-run", "--attempts", "1", "-o", "json"]);
        assert!(run.stdout.contains("still exists is unknown"), "{}", run.transcript());
    }
}

#[test]
fn the_list_of_a_vanished_image_goes_with_what_it_lists() {
    let shop = Shop::of("distribution", |_| ());
    {
        let mut clouds = shop.world.sandbox.world();
        let digest = shop.builds[1].parse().unwrap();
        clouds.oci.repository("team/app", Utc::now()).remove(&digest);
    }
    let store = shop.at("");
    let run = shop.world.run(&["prune", &store, "--orphans", "--max-percent", "100", "--yes", "-o", "json"]);
    run.exits(0);
    assert!(!shop.has(&format!("sha256-{}", &shop.builds[1][7..])), "{}", run.transcript());
    assert!(!shop.has(&shop.signatures[1]) && shop.has(&shop.signatures[0]), "{}", run.transcript());
}
