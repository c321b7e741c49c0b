//! Incidents in which other image cleaners deleted too much, each as a test. Comments name the issue as
//! repository#number.

use super::{
    Action, Evidence, Known, Saved, Stock,
    plan::Explained,
    recheck,
    sample::{Shelf, cosign, digest, machine, now, planned, store},
    scan,
};
use crate::{error::Kind, image::Provider};

const NONE: [usize; 0] = [];

fn used(stock: &Stock, text: &str) -> Evidence {
    let mut evidence = Evidence::default();
    let stocks = std::slice::from_ref(stock);
    scan("pods.json", text.as_bytes(), &Known::of(stocks), &mut evidence).unwrap();
    evidence
}

// Azure/acr-cli#131, Azure/acr-cli#342, snok/container-retention-policy#63, actions/delete-package-versions#162
#[test]
fn untagged_never_removes_the_children_of_a_tagged_multi_arch_image() {
    let told = Shelf::new()
        .index(1, &["v1"], 99, &[2, 3])
        .image(2, &[], 99)
        .image(3, &[], 99)
        .image(4, &[], 99)
        .prune(&["--untagged"]);
    assert_eq!(told.deleted(), [4]);
    assert_eq!(told.reason(2), format!("kept: needed by v1 ({})", &digest(1)[..19]));
}

// The same threads: signed images, by tag and by subject, and the signatures of one platform.
#[test]
fn untagged_never_removes_what_is_attached_to_a_tagged_image() {
    let told = Shelf::new()
        .index(1, &["v1"], 99, &[2])
        .image(2, &[], 99)
        .referrer(3, 99, 1)
        .referrer(4, 99, 2)
        .referrer(5, 99, 4)
        .index(6, &[&cosign(1, "")], 99, &[7])
        .image(7, &[], 99)
        .prune(&["--untagged"]);
    assert_eq!(told.deleted(), NONE);
    assert_eq!(told.reason(4), format!("kept: attached to {}, which is kept", &digest(2)[..19]));
}

// dataaxiom/ghcr-cleanup-action#91
#[test]
fn a_child_that_two_indexes_share_is_kept_with_either() {
    let told = Shelf::new()
        .index(1, &["old"], 99, &[3, 4])
        .index(2, &["new"], 1, &[3, 5])
        .image(3, &[], 99)
        .image(4, &[], 99)
        .image(5, &[], 1)
        .prune(&["--older-than", "30d"]);
    assert_eq!(told.deleted(), [1, 4]);
    assert_eq!(told.reason(3), format!("kept: needed by new ({})", &digest(2)[..19]));
    assert_eq!(told.reason(4), format!("only deleted images need it: old ({})", &digest(1)[..19]));
}

// dataaxiom/ghcr-cleanup-action#101
#[test]
fn keep_counts_images_and_not_their_tags_or_platforms() {
    let told = Shelf::new()
        .image(1, &["a", "b", "c"], 10)
        .index(2, &["d", "e"], 11, &[3, 4])
        .image(3, &[], 11)
        .image(4, &["d-arm64"], 11)
        .image(5, &["f"], 12)
        .image(6, &["g"], 13)
        .prune(&["--keep", "3"]);
    assert_eq!(told.deleted(), [6]);
    assert_eq!(told.reason(6), "not among the newest 3 of 4 (--keep 3)");
    assert_eq!(told.reason(5), "kept: among the newest 3 of 4 candidates (--keep 3)");
}

// dataaxiom/ghcr-cleanup-action#104
#[test]
fn signatures_are_kept_or_deleted_with_their_images() {
    let signed = |shelf: Shelf, number: usize| {
        shelf
            .image(number + 1, &[&cosign(number, ".sig")], 99)
            .image(number + 2, &[&cosign(number, ".att")], 99)
            .image(number + 3, &[&cosign(number, ".sbom")], 99)
            .referrer(number + 4, 99, number)
    };
    let told = signed(signed(Shelf::new().image(10, &["new"], 1).image(20, &["old"], 99), 10), 20)
        .prune(&["--older-than", "30d"]);
    assert_eq!(told.deleted(), [20, 21, 22, 23, 24]);
}

// fujiwara/ecrm#123
#[test]
fn the_children_of_an_index_in_use_are_kept() {
    let shelf = || Shelf::new().index(1, &["v1"], 99, &[2, 3]).image(2, &[], 99).image(3, &[], 99);
    let stock = shelf().stock();
    for text in ["app:v1".to_owned(), digest(1), digest(2)] {
        let told = shelf().prune_but(&["--older-than", "30d"], &used(&stock, &text));
        assert_eq!(told.deleted(), NONE, "{text}");
    }
}

// Azure/acr-cli#560
#[test]
fn an_absurd_age_is_refused() {
    for text in ["-1d", "-30d", "999999999999999999999d", "106751991167d", "300y", "30", "1e9d", "", "soon", "d"] {
        assert!(text.parse::<super::age::Age>().is_err(), "{text}");
    }
    let future: super::age::Age = "2999-01-01".parse().unwrap();
    assert_eq!(future.moment(now()).unwrap_err().kind, Kind::Usage);
}

// Azure/acr#577
#[test]
fn untagged_narrows_the_selection_and_adds_nothing_to_it() {
    let told = Shelf::new().image(1, &["old"], 99).image(2, &[], 99).image(3, &[], 1).prune(&[
        "--older-than",
        "30d",
        "--untagged",
    ]);
    assert_eq!(told.deleted(), [2]);
    assert_eq!(told.reason(2), "untagged, pushed 99 days ago, older than 30d");
    assert_eq!(told.reason(1), "kept: tagged old");
}

// snok/container-retention-policy#67
#[test]
fn keep_counts_after_all_other_filters() {
    let told = Shelf::new()
        .image(1, &["new-1"], 1)
        .image(2, &["new-2"], 2)
        .image(3, &["latest"], 40)
        .image(4, &["a"], 50)
        .image(5, &["mine"], 51)
        .image(6, &["b"], 60)
        .image(7, &["c"], 70)
        .prune(&["--older-than", "30d", "--exclude", "mine", "--keep", "2"]);
    assert_eq!(told.deleted(), [7]);
}

// containers/skopeo#795, containers/skopeo#1432
#[test]
fn any_tag_is_needed_to_delete_an_image_for_one_of_its_tags() {
    let shelf = || Shelf::new().image(1, &["pr-1", "v1.0"], 99).image(2, &["pr-2", "pr-3"], 99);
    let told = shelf().prune(&["--tag", "pr-*"]);
    assert_eq!(told.deleted(), [2]);
    assert_eq!(told.reason(1), "kept: tag v1.0 does not match, another tag does");
    assert_eq!(shelf().prune(&["--tag-regex", "^pr-\\d+$"]).deleted(), [2]);
    assert_eq!(shelf().prune(&["--tag", "pr-*", "--any-tag"]).deleted(), [1, 2]);
    assert_eq!(shelf().prune(&["--tag", "pr-*", "--any-tag", "--exclude", "v*"]).deleted(), [2]);
}

// goharbor/harbor#15332
#[test]
fn deciding_changes_nothing() {
    let stock = Shelf::new().image(1, &["a"], 99).index(2, &["b"], 99, &[1]).stock();
    let before = stock.clone();
    let plan = planned(std::slice::from_ref(&stock), &["--older-than", "1d"], &Evidence::default());
    assert_eq!(plan.totals().deleted, 2);
    assert_eq!(stock, before);
}

// Azure/acr-cli#107
#[test]
fn a_plan_and_a_report_use_different_words() {
    let done = ["deleted", "untagged", "gone", "missing", "accepted", "refused", "failed", "unknown", "skipped"];
    for action in [Action::Delete, Action::Keep] {
        let word = serde_json::to_string(&action).unwrap();
        assert!(!done.contains(&word.trim_matches('"')), "{word}");
    }
}

// Azure/acr#520
#[test]
fn an_image_that_was_tagged_again_meanwhile_is_refused() {
    let told = Shelf::new().image(1, &["old"], 99).image(2, &["new"], 1).prune(&["--older-than", "30d"]);
    let saved = Saved::of(&told.plan.stores[0].rows[0], &told.stock.images()[0], None).unwrap();
    let fresh = Shelf::new().image(1, &["old", "again"], 99).stock();
    let guards = super::GuardArgs::default().compile().unwrap();
    let verdicts = recheck(&[saved], &fresh, &Evidence::default(), &guards);
    assert_eq!(verdicts[0].as_ref().unwrap_err().kind, Kind::Changed);
}

// aws/amazon-ecs-agent#4226, aws/containers-roadmap#1078, METR/hawk#950
#[test]
fn an_image_pinned_by_digest_is_kept_though_its_tag_moved() {
    let shelf = || Shelf::new().image(1, &[], 99).image(2, &["v1"], 1).image(3, &[], 99);
    let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    let task = format!(
        "{{\n \"containerImage\": \"{host}/app:v1\",\n \"imageDigest\": \"{}\",\n \"ImageUri\": \"{host}/app@{}\"\n}}",
        digest(1),
        digest(3)
    );
    let told = shelf().prune_but(&["--untagged", "--older-than", "30d"], &used(&shelf().stock(), &task));
    assert_eq!(told.deleted(), NONE);
    assert_eq!(told.reason(1), "kept: in use, pods.json line 3");
}

// cloud-custodian/cloud-custodian#6554
#[test]
fn machine_images_named_by_launch_templates_or_configurations_are_kept() {
    let stock = Stock::new(
        store(Provider::Cvm, ""),
        [
            machine("img-00000001", "web-1", Some("web"), 99),
            machine("img-00000006", "web-2", Some("web"), 98),
            machine("img-00000002", "db-1", Some("db"), 99),
            machine("img-00000003", "db-2", Some("db"), 98),
            machine("img-00000004", "api-1", None, 99),
            machine("img-00000005", "api-2", None, 99),
        ],
    );
    let mut evidence = Evidence::default();
    evidence.newest_of_families(&stock);
    evidence.id_in(&stock.store, "img-00000004", "in use, launch template lt-1 version 3");
    evidence.family_in(&stock.store, "web", "in use, launch configuration asc-1 names its family");
    let plan = planned(std::slice::from_ref(&stock), &["--older-than", "30d"], &evidence);
    let reasons: Vec<_> = plan.stores[0].rows.iter().map(|row| Explained::from(row.reason.clone()).reason).collect();
    assert_eq!(
        reasons,
        [
            "kept: in use, launch configuration asc-1 names its family",
            "kept: the newest of family web",
            "created 99 days ago, older than 30d",
            "kept: the newest of family db",
            "kept: in use, launch template lt-1 version 3",
            "created 99 days ago, older than 30d",
        ]
    );
}

// aws/containers-roadmap#921
#[test]
fn an_image_without_a_known_pull_or_with_a_pulled_platform_is_kept() {
    let pulled = |days: i64| {
        move |image: &mut crate::store::Image| image.pulled_at = Some(now() - chrono::TimeDelta::days(days))
    };
    let mut shelf = Shelf::new()
        .image(1, &["never"], 300)
        .with(2, &["long-ago"], 300, pulled(100))
        .with(3, &["lately"], 300, pulled(10))
        .index(4, &["multi"], 300, &[5])
        .with(5, &[], 300, pulled(1));
    shelf = shelf.changed(4, pulled(100));
    let told = shelf.prune(&["--not-pulled-for", "90d"]);
    assert_eq!(told.deleted(), [2]);
    assert_eq!(told.reason(1), "kept: no pull is recorded");
    assert_eq!(told.reason(2), "last pulled 100 days ago, longer than 90d");
    assert_eq!(told.reason(4), "kept: last pulled 24 hours ago, not longer than 90d");
}

// Issue 17, 36
#[test]
fn an_unreadable_index_keeps_only_what_is_not_newer_than_itself() {
    let shelf = |index: &'static str| {
        Shelf::new().unreadable(1, &[index], 60).image(2, &[], 70).image(3, &["old"], 50).image(4, &["new"], 1)
    };
    let told = shelf("prod").prune(&["--older-than", "30d"]);
    assert_eq!(told.deleted(), [3]);
    assert_eq!(
        told.reason(2),
        format!("kept: prod ({}) might need it, and could not be read: it is garbled", &digest(1)[..19])
    );
    // A chosen one is deleted first, and then keeps nothing.
    let told = shelf("odd").prune(&["--older-than", "30d"]);
    assert_eq!(told.deleted(), [1, 2, 3]);
    let saved = |row: &super::Row| Saved::of(row, &told.stock.images()[row.image], None).unwrap();
    let rows = told.plan.stores[0].rows.iter().filter(|row| row.action() == Action::Delete);
    let saved: Vec<Saved> = rows.map(saved).collect();
    let guards = super::GuardArgs::default().compile().unwrap();
    let steps = recheck(&saved, &told.stock, &Evidence::default(), &guards);
    let steps: Vec<_> = steps.into_iter().map(|step| step.unwrap()).collect();
    assert_eq!(steps.iter().map(|step| step.pass).collect::<Vec<_>>(), [0, 1, 1]);
    assert_eq!(steps.iter().map(|step| step.after.len()).collect::<Vec<_>>(), [0, 1, 0]);
}

// snok: an index that cannot be read counts as needing everything.
#[test]
fn an_unreadable_index_keeps_what_it_might_need() {
    let told = Shelf::new()
        .unreadable(1, &["odd"], 1)
        .image(2, &[], 99)
        .image(3, &["old"], 99)
        .image(4, &["new"], 1)
        .prune(&["--older-than", "30d"]);
    assert_eq!(told.deleted(), NONE);
    let odd = &digest(1)[..19];
    assert_eq!(told.reason(2), format!("kept: odd ({odd}) might need it, and could not be read: it is garbled"));
    assert_eq!(told.reason(4), "kept: pushed 24 hours ago, not older than 30d");
    assert_eq!(
        told.plan.stores[0].warnings,
        [format!("app: odd ({odd}) could not be read (it is garbled); what it might need is kept")]
    );
}

#[test]
fn unreadable_indexes_with_one_reason_are_one_warning() {
    let told = Shelf::new()
        .unreadable(1, &["odd"], 1)
        .unreadable(2, &["even"], 1)
        .unreadable(3, &[], 1)
        .prune(&["--older-than", "30d"]);
    let odd = &digest(1)[..19];
    assert_eq!(
        told.plan.stores[0].warnings,
        [format!("app: odd ({odd}) and 2 more could not be read (it is garbled); what they might need is kept")]
    );
}

// Artifact Registry: rules that keep beat rules that delete.
#[test]
fn protected_excluded_and_used_images_are_kept_whatever_selects_them() {
    let shelf = || {
        Shelf::new()
            .image(1, &["prod-1"], 99)
            .image(2, &["mine"], 99)
            .image(3, &["used"], 99)
            .index(4, &["release-1"], 99, &[5])
            .image(5, &["a"], 99)
            .image(6, &["b"], 99)
    };
    let told = shelf().prune_but(&["--tag", "*", "--exclude", "mine"], &used(&shelf().stock(), "app:used"));
    assert_eq!(told.deleted(), [6]);
    assert_eq!(told.reason(1), "kept: prod-1 is protected by prod*");
    assert_eq!(told.reason(2), "kept: mine matches --exclude mine");
    assert_eq!(told.reason(3), "kept: in use, pods.json line 1");
    assert_eq!(told.reason(5), format!("kept: needed by release-1 ({})", &digest(4)[..19]));
}

#[test]
fn orphans_are_kept_without_the_flag_or_while_their_subject_is_in_another_store() {
    let shelf = || {
        Shelf::new()
            .referrer(1, 99, 50)
            .image(2, &[&cosign(51, ".sig")], 99)
            .image(3, &["a"], 99)
            .image(4, &[&cosign(60, ".sig")], 99)
            .image(5, &[&cosign(3, ".sig"), &cosign(70, ".sig"), &cosign(60, ".att")], 99)
    };
    let other = Shelf::named("other").image(60, &["x"], 1).stock();
    let goes = |flags: &[&str]| {
        let stocks = [shelf().stock(), other.clone()];
        let plan = planned(&stocks, flags, &Evidence::default());
        let rows = plan.stores[0].rows.iter().filter(|row| row.action() == Action::Delete);
        rows.map(|row| row.image + 1).collect::<Vec<_>>()
    };
    assert_eq!(goes(&["--older-than", "30d"]), [3]);
    assert_eq!(goes(&["--orphans"]), [1, 2]);
    assert_eq!(goes(&["--orphans", "--older-than", "100d"]), NONE);
}

// Issue 17, 33
#[test]
fn referrers_with_a_tag_of_their_own_are_not_images() {
    let tagged = |number, tag, subject| {
        move |shelf: Shelf| shelf.with(number, &[tag], 9, |image| image.subject = Some(digest(subject)))
    };
    let shelf = || {
        let shelf = Shelf::new().image(1, &["v1"], 30).image(2, &["v2"], 20).image(3, &["v3"], 10);
        tagged(13, "sbom-3", 3)(tagged(12, "sbom-2", 2)(tagged(11, "1.9.9", 1)(shelf)))
            .image(23, &[&format!("web-{}", cosign(3, ".sig"))], 9)
            .image(21, &[&format!("web-{}", cosign(1, ".sig"))], 9)
    };
    let told = shelf().prune(&["--keep", "1"]);
    assert_eq!(told.deleted(), [1, 2, 11, 12, 21]);
    assert_eq!(told.plan.stores[0].totals.tagged, 3);
    let told = shelf().prune(&["--tag", "v*"]);
    assert_eq!(told.plan.stops.last().unwrap().guard, "allow-empty");
    let told = tagged(11, "sbom", 50)(Shelf::new().image(1, &["v1"], 1)).prune(&["--older-than", "5d"]);
    assert_eq!(told.deleted(), NONE);
}

// Issue 17, 34
#[test]
fn subjects_that_a_listing_leaves_out_are_read_from_manifests() {
    let shelf = || Shelf::new().image(1, &["v1"], 99).read_referrer(2, &[], 99, 1).image(3, &[], 99);
    assert_eq!(shelf().prune(&["--untagged"]).deleted(), [3]);
    let bare = Shelf::new().image(1, &["v1"], 99).image(2, &[], 99).stock();
    assert!(bare.may_be_referrer(&bare.images()[1]));
    let stock = shelf().stock();
    assert!(!stock.may_be_referrer(&stock.images()[1]));
    let mut unreadable = Shelf::new().image(1, &["v1"], 99).image(2, &[], 99).stock();
    unreadable.read(&digest(2), super::Reading::Unreadable("it is garbled".into()));
    let plan = planned(std::slice::from_ref(&unreadable), &["--untagged"], &Evidence::default());
    assert_eq!(plan.totals().deleted, 0);
}

// Issue 17, 37
#[test]
fn keep_counts_tagged_images_and_keep_untagged_the_others() {
    let shelf = || {
        let releases = ["v1", "v2", "v3", "v4", "v5"].into_iter().enumerate();
        let shelf =
            releases.fold(Shelf::new(), |shelf, (number, tag)| shelf.image(number + 1, &[tag], 99 - number as i64));
        (11..15).fold(shelf, |shelf, number| shelf.image(number, &[], 60 - number as i64))
    };
    assert_eq!(shelf().prune(&["--keep", "3"]).deleted(), [1, 2]);
    assert_eq!(shelf().prune(&["--keep", "3", "--older-than", "30d"]).deleted(), [1, 2, 11, 12, 13, 14]);
    assert_eq!(shelf().prune(&["--keep", "3", "--keep-untagged", "1"]).deleted(), [1, 2, 11, 12, 13]);
    assert_eq!(shelf().prune(&["--keep-untagged", "1"]).deleted(), [11, 12, 13]);
    assert_eq!(shelf().prune(&["--untagged", "--keep", "1"]).deleted(), [11, 12, 13]);
    assert_eq!(shelf().prune(&["--keep-semver"]).deleted(), [1, 2, 3, 4, 5]);
}

// Azure/acr-cli#457: 140,000 manifests must not take hours.
#[test]
fn a_hundred_thousand_images_are_decided_quickly() {
    // 20,000 indexes of two platforms of their own, one that ten share and one that all share; a signature for each.
    let mut shelf = Shelf::new();
    for number in 0..20_000 {
        let (index, age) = (number * 10, (number % 90) as i64);
        let tag = format!("build-{number}");
        shelf = shelf
            .index(index, &[&tag], age, &[index + 1, index + 2, number / 10 * 100 + 3, 3])
            .image(index + 1, &[], age)
            .image(index + 2, &[], age)
            .image(index + 4, &[&cosign(index, ".sig")], age);
        if number % 10 == 0 {
            shelf = shelf.image(index + 3, &[], age);
        }
    }
    let stock = shelf.stock();
    let begin = std::time::Instant::now();
    let flags = ["--older-than", "30d", "--tag", "build-*", "--exclude", "build-7*", "--keep", "100", "--keep-semver"];
    let plan = planned(std::slice::from_ref(&stock), &flags, &Evidence::default());
    // Allows for a debug build on a busy machine; a release build needs a tenth of that.
    assert!(begin.elapsed().as_secs() < 20, "{:?}", begin.elapsed());
    assert_eq!(plan.totals().images, 82_000);
    assert!(plan.totals().deleted > 40_000);
}
