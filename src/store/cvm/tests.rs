use std::time::Duration;

use chrono::TimeDelta;

use super::*;
use crate::{
    image::Provider,
    sandbox::{Options, Sandbox, World, cvm as emulator},
    settings::{self, DeletionFlags, Env, Kinds},
    store::Hold,
};

mod wire;

const REGION: &str = "ap-singapore";

fn store_ref(region: Option<&str>) -> StoreRef {
    StoreRef { provider: Provider::Cvm, owner: None, region: region.map(Into::into), name: String::new(), host: None }
}

fn id(name: &str) -> ImageId {
    ImageId::Named(name.into())
}

fn ids(names: &[&str]) -> Vec<ImageId> {
    names.iter().map(|name| id(name)).collect()
}

fn settings(sandbox: &Sandbox) -> Settings {
    let variables = sandbox.environment();
    let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
    Settings { env: Env::of(variables, None), timeout: Duration::from_secs(5), ..Settings::default() }
}

/// A sandbox with two good images, one that is being made, one shared out, and others' images.
async fn sandbox(options: Options) -> Sandbox {
    let mut world = World::default();
    let region = world.cvm.region(REGION);
    let now = Utc::now();
    region.add("img-good1", now);
    region.add("img-good2", now - TimeDelta::days(1));
    region.bind("img-good2", "DATA_DISK", 200);
    region.add("img-creating", now - TimeDelta::days(2)).state = "CREATING".into();
    let sharing = region.add("img-sharing", now - TimeDelta::days(3));
    sharing.shared_with.insert("100000000002".into(), now);
    region.add_foreign("img-shared", "SHARED_IMAGE", now - TimeDelta::days(4));
    region.add_foreign("img-public", "PUBLIC_IMAGE", now - TimeDelta::days(5));
    Sandbox::start(world, options).await.unwrap()
}

async fn opened(sandbox: &Sandbox) -> Cvm {
    open(&settings(sandbox), &Default::default(), &store_ref(Some(REGION))).await.unwrap()
}

fn each<T>(answer: Answer<ImageId, T>) -> Vec<(ImageId, Result<T>)> {
    match answer {
        Answer::Each(answers) => answers,
        Answer::All(_) => panic!("an answer for all"),
    }
}

#[tokio::test]
async fn the_region_is_the_references_then_the_flags_then_the_settings() {
    let sandbox = sandbox(Options::default()).await;
    for (reference, flag, expected) in [
        (Some("eu-frankfurt"), Some("ap-tokyo"), "eu-frankfurt"),
        (None, Some("ap-tokyo"), "ap-tokyo"),
        (None, None, emulator::REGION),
    ] {
        let settings = Settings { region: flag.map(Into::into), ..settings(&sandbox) };
        let store = open(&settings, &Default::default(), &store_ref(reference)).await.unwrap();
        assert_eq!(*store.home(), store_ref(Some(expected)));
        assert_eq!(store.caller().as_deref(), Some("AKID…7F3Q"));
    }
    let nowhere = Settings::default();
    let error = open(&nowhere, &Default::default(), &store_ref(None)).await.err().unwrap();
    assert_eq!(error.kind, Kind::Config);
    let error = open(&settings(&sandbox), &Default::default(), &store_ref(Some("no region"))).await.err().unwrap();
    assert_eq!(error.kind, Kind::Config);
    assert!(sandbox.calls().is_empty());
}

#[tokio::test]
async fn a_deletion_that_is_taken_is_requested_and_takes_no_snapshots_unless_told() {
    for delete_snapshots in [false, true] {
        let sandbox = sandbox(Options::default()).await;
        let deletion = DeletionFlags { delete_snapshots, ..DeletionFlags::default() };
        let options = settings::Options { deletion, ..settings::Options::default() };
        let settings = Settings { options, ..settings(&sandbox) };
        let store = open(&settings, &Default::default(), &store_ref(Some(REGION))).await.unwrap();
        let answer = store.delete(&ids(&["img-good1", "img-good2"])).await.unwrap().said;
        assert!(matches!(answer, Answer::All(Deletion::Requested)));
        let mut world = sandbox.world();
        let region = world.cvm.region(REGION);
        assert_eq!(region.images.len(), 4);
        let left = if delete_snapshots { 3 } else { 5 };
        assert_eq!(region.snapshots.len(), left);
    }
}

#[tokio::test]
async fn a_deletion_that_is_refused_leaves_all_as_it_was_and_names_the_documented_code() {
    let sandbox = sandbox(Options::default()).await;
    let store = opened(&sandbox).await;
    for (bad, kind, code) in [
        ("img-absent", Kind::NotFound, "InvalidImageId.NotFound"),
        ("img-CREATING", Kind::Invalid, "InvalidImageId.Malformed"),
        ("img-creating", Kind::WrongState, "InvalidImageId.IncorrectState"),
        ("img-sharing", Kind::Protected, "InvalidImageId.InShared"),
        ("img-shared", Kind::Protected, "InvalidParameterValue.InvalidImageIdIsShared"),
        ("img-public", Kind::Protected, "InvalidParameterValue.InvalidImageId"),
    ] {
        let asked = ids(&["img-good1", bad]);
        for error in [store.delete(&asked).await.unwrap_err(), store.rehearse(&asked).await.unwrap_err()] {
            assert_eq!((error.kind, error.code.as_deref()), (kind, Some(code)));
            assert!(error.request_id.is_some());
        }
        // The emulator allows ten calls a second.
        tokio::time::sleep(Duration::from_millis(201)).await;
    }
    sandbox.world().cvm.most_ids = Some(1);
    let error = store.delete(&ids(&["img-good1", "img-good2"])).await.unwrap_err();
    assert_eq!(error.kind, Kind::TooMany);
    assert_eq!(sandbox.world().cvm.region(REGION).images.len(), 6);
}

#[tokio::test]
async fn a_rehearsal_deletes_nothing_and_takes_both_ways_to_say_yes() {
    let sandbox = sandbox(Options::default()).await;
    let store = opened(&sandbox).await;
    assert!(store.rehearses());
    for with_code in [false, true] {
        sandbox.world().cvm.dry_run_code = with_code;
        let answer = store.rehearse(&ids(&["img-good1"])).await.unwrap();
        assert!(matches!(answer, Answer::All(())));
    }
    assert_eq!(sandbox.world().cvm.region(REGION).images.len(), 6);
}

#[tokio::test]
async fn every_id_that_was_asked_for_is_found_or_not_found_in_the_order_asked() {
    let sandbox = sandbox(Options::default()).await;
    let store = opened(&sandbox).await;
    let asked = ids(&["img-absent", "img-good2", "img-creating", "img-shared"]);
    let answers = each(store.get(&asked).await.unwrap());
    let named: Vec<_> = answers.iter().map(|(id, _)| id.clone()).collect();
    assert_eq!(named, asked);
    let [absent, good, creating, shared] = answers.try_into().unwrap();
    let missing = absent.1.unwrap_err();
    assert_eq!((missing.kind, missing.code.as_deref()), (Kind::NotFound, Some("InvalidImageId.NotFound")));
    assert!(missing.message.contains("img-absent") && missing.message.contains(REGION));
    let good = good.1.unwrap();
    assert_eq!(missing.request_id, good.request_id);
    assert!(good.request_id.is_some() && good.hold.is_none());
    assert_eq!((good.snapshots.len(), good.leaves_behind.len()), (2, 2));
    assert!(matches!(creating.1.unwrap().hold, Some(Hold::Refused(_))));
    assert!(matches!(shared.1.unwrap().hold, Some(Hold::Refused(_))));
}

#[tokio::test]
async fn a_listing_goes_through_all_pages_of_the_kinds_that_were_asked_for() {
    let sandbox = sandbox(Options::default()).await;
    {
        let mut world = sandbox.world();
        let region = world.cvm.region(REGION);
        for number in 0..196 {
            region.add(&format!("img-more{number}"), Utc::now());
        }
    }
    for (shared, public, total, calls) in
        [(false, false, 200, 2), (true, false, 201, 3), (false, true, 201, 3), (true, true, 202, 3)]
    {
        let before = sandbox.calls().len();
        let options = settings::Options { kinds: Kinds { shared, public }, ..settings::Options::default() };
        let settings = Settings { options, ..settings(&sandbox) };
        let store = open(&settings, &Default::default(), &store_ref(Some(REGION))).await.unwrap();
        let (mut seen, mut after) = (std::collections::HashSet::new(), None::<String>);
        loop {
            let page = store.list(after.as_deref()).await.unwrap();
            assert_eq!(page.total, Some(total));
            seen.extend(page.items.into_iter().filter_map(|image| image.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!((seen.len(), sandbox.calls().len() - before), (total, calls));
        assert_eq!(seen.contains(&id("img-shared")), shared);
        assert_eq!(seen.contains(&id("img-public")), public);
    }
    let store = opened(&sandbox).await;
    assert_eq!(store.list(Some("x")).await.unwrap_err().kind, Kind::Usage);
    let past = store.list(Some("1000")).await.unwrap();
    assert!(past.items.is_empty() && past.next.is_none());
}

#[tokio::test]
async fn accounts_that_an_image_is_shared_with_are_noted_and_hold_it() {
    let sandbox = sandbox(Options::default()).await;
    let store = opened(&sandbox).await;
    assert!(store.limit(Op::Sharing).is_some());
    let answers = each(store.get(&ids(&["img-good1", "img-sharing"])).await.unwrap());
    let [mut alone, mut sharing] = [0, 1].map(|at| answers[at].1.clone().unwrap());
    store.add_sharing(&mut alone).await.unwrap();
    store.add_sharing(&mut sharing).await.unwrap();
    assert_eq!((alone.shared_with, alone.hold), (Some(Vec::new()), None));
    assert_eq!(sharing.shared_with, Some(vec!["100000000002".to_owned()]));
    let Some(Hold::Refused(error)) = sharing.hold else {
        panic!("not held");
    };
    assert_eq!((error.kind, error.code.as_deref()), (Kind::Protected, Some("InvalidImageId.InShared")));
    assert!(error.hint.is_some() && error.request_id.is_some());
}

#[tokio::test]
async fn a_call_that_goes_wrong_says_what_that_proves() {
    for (fault, kind, done) in [
        ("throttle", Kind::Throttled, false),
        ("status=500", Kind::Lost, false),
        ("status=503", Kind::Lost, false),
        ("status=404", Kind::Unreadable, false),
        ("drop", Kind::Lost, false),
        ("lose-answer", Kind::Lost, true),
        ("truncate", Kind::Lost, true),
        ("garble", Kind::Unreadable, true),
        ("empty", Kind::Unreadable, true),
        ("hang", Kind::Lost, false),
    ] {
        let sandbox = sandbox(Options {
            faults: vec![format!("cvm:DeleteImages:{fault}").parse().unwrap()],
            ..Options::default()
        })
        .await;
        let settings = Settings { timeout: Duration::from_millis(300), ..settings(&sandbox) };
        let store = open(&settings, &Default::default(), &store_ref(Some(REGION))).await.unwrap();
        let error = store.delete(&ids(&["img-good1"])).await.unwrap_err();
        assert_eq!(error.kind, kind, "{fault}: {error}");
        assert_eq!(sandbox.calls().len(), 1, "{fault}: one attempt");
        let there = sandbox.world().cvm.region(REGION).images.contains_key("img-good1");
        assert_eq!(there, !done, "{fault}");
    }
    let closed = sandbox(Options::default()).await;
    let store = opened(&closed).await;
    drop(closed);
    let error = store.delete(&ids(&["img-good1"])).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unreachable);
}

#[tokio::test]
async fn wrong_credentials_and_a_wrong_clock_stop_the_store() {
    let sandbox = sandbox(Options { clock_skew: TimeDelta::minutes(7), ..Options::default() }).await;
    let error = opened(&sandbox).await.list(None).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (Kind::Auth, Some("AuthFailure.SignatureExpire")));
    assert!(error.message.contains("behind"), "{error}");

    let sandbox = self::sandbox(Options::default()).await;
    for (change, code) in [
        (("TENCENTCLOUD_SECRET_ID", "AKIDOther"), "AuthFailure.SecretIdNotFound"),
        (("TENCENTCLOUD_SECRET_KEY", "other"), "AuthFailure.SignatureFailure"),
        (("TENCENTCLOUD_TOKEN", "stale"), "AuthFailure.TokenFailure"),
    ] {
        let variables = sandbox.environment();
        let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
        let settings = Settings { env: Env::of(variables.chain([change]), None), ..Settings::default() };
        let store = open(&settings, &Default::default(), &store_ref(Some(REGION))).await.unwrap();
        let error = store.list(None).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_deref()), (Kind::Auth, Some(code)));
    }
    sandbox.world().cvm.token = Some("good".into());
    assert!(opened(&sandbox).await.list(None).await.is_ok());
}
