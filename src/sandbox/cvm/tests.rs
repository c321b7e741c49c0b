use chrono::TimeDelta;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use super::*;

const GUANGZHOU: &str = "ap-guangzhou";

fn now() -> DateTime<Utc> {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn request(headers: &[(&str, &str)], body: &str, now: DateTime<Utc>) -> Received {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        })
        .collect();
    Received {
        method: "POST".into(),
        path: "/".into(),
        query: String::new(),
        headers,
        body: body.to_owned().into(),
        now,
    }
}

/// A request as its sender signs it, of one service.
fn signed(service: &str, action: &str, body: &Value, now: DateTime<Utc>) -> Received {
    let version = version(service).unwrap_or("2017-03-12");
    let (body, timestamp) = (body.to_string(), now.timestamp().to_string());
    let mut request = request(
        &[
            ("content-type", "application/json"),
            ("host", "127.0.0.1:1"),
            ("x-tc-action", action),
            ("x-tc-version", version),
            ("x-tc-timestamp", &timestamp),
            ("x-tc-region", GUANGZHOU),
        ],
        &body,
        now,
    );
    let authorization = verify::sign(&request, service, SECRET_ID, SECRET_KEY);
    request
        .headers
        .insert("authorization", authorization.parse().unwrap());
    request
}

/// The content of a success, or the code of a failure.
fn content(reply: &Reply) -> Result<Value, String> {
    assert_eq!(reply.status, 200);
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    let content = body["Response"].clone();
    assert!(content["RequestId"].is_string());
    match content["Error"]["Code"].as_str() {
        Some(code) => Err(code.to_owned()),
        None => Ok(content),
    }
}

fn ask(cvm: &mut Cvm, action: &str, body: Value) -> Result<Value, String> {
    ask_at(cvm, action, body, now())
}

fn ask_at(cvm: &mut Cvm, action: &str, body: Value, now: DateTime<Utc>) -> Result<Value, String> {
    let service = if action == "DescribeLaunchConfigurations" {
        "as"
    } else {
        "cvm"
    };
    content(&cvm.answer(&signed(service, action, &body, now)))
}

/// The ids that a listing shows.
fn ids(cvm: &mut Cvm, body: Value) -> Result<Vec<String>, String> {
    let content = ask(cvm, "DescribeImages", body)?;
    let images = content["ImageSet"].as_array().unwrap();
    Ok(images
        .iter()
        .map(|image| image["ImageId"].as_str().unwrap().to_owned())
        .collect())
}

/// One image of each kind that can be refused, and two good ones.
fn world() -> Cvm {
    let mut cvm = Cvm::default();
    let region = cvm.region(GUANGZHOU);
    region.add("img-good1", now());
    region.add("img-good2", now() - TimeDelta::days(1));
    region.add("img-creating", now() - TimeDelta::days(2)).state = "CREATING".into();
    let sharing = region.add("img-sharing", now() - TimeDelta::days(3));
    sharing.shared_with.insert("100000000002".into(), now());
    region.add_foreign("img-shared", "SHARED_IMAGE", now() - TimeDelta::days(4));
    region.add_foreign("img-public", "PUBLIC_IMAGE", now() - TimeDelta::days(5));
    region.add("img-busy", now() - TimeDelta::days(6)).busy = 1;
    cvm
}

#[test]
fn every_request_that_the_providers_own_code_signed_is_let_in() {
    let all: Value = serde_json::from_str(include_str!("../../../tests/data/tc3.json")).unwrap();
    let sets = ["vectors", "published_vectors"].map(|set| all[set].as_array().unwrap());
    for vector in sets.into_iter().flatten() {
        let text = |field: &str| vector[field].as_str().unwrap();
        let cvm = Cvm {
            secret_id: text("secret_id").into(),
            secret_key: text("secret_key").into(),
            token: vector["token"].as_str().map(Into::into),
            ..Cvm::default()
        };
        let timestamp = vector["timestamp"].as_i64().unwrap();
        let now = DateTime::from_timestamp(timestamp, 0).unwrap();
        let (timestamp, token) = (timestamp.to_string(), cvm.token.clone());
        let mut headers = vec![
            ("content-type", text("content_type")),
            ("host", text("host")),
            ("x-tc-action", text("action")),
            ("x-tc-timestamp", timestamp.as_str()),
            ("authorization", text("authorization")),
        ];
        headers.extend(token.as_deref().map(|token| ("x-tc-token", token)));
        let good = request(&headers, text("payload"), now);
        assert_eq!(
            verify::verify(&cvm, &good).unwrap(),
            "cvm",
            "{}",
            text("name")
        );

        for changed in ["content-type", "host", "authorization"] {
            let mut bad = good.clone();
            let value = format!("{}0", bad.header(changed));
            bad.headers.insert(
                HeaderName::from_bytes(changed.as_bytes()).unwrap(),
                value.parse().unwrap(),
            );
            let failure = verify::verify(&cvm, &bad).unwrap_err();
            assert_eq!(failure.code, "AuthFailure.SignatureFailure", "{changed}");
        }
        let bad = request(&headers, &format!("{} ", text("payload")), now);
        assert_eq!(
            verify::verify(&cvm, &bad).unwrap_err().code,
            "AuthFailure.SignatureFailure"
        );
    }
}

#[test]
fn a_sender_who_is_not_who_they_say_or_not_in_time_is_refused() {
    let change = |name: &'static str, value: &'static str| {
        move |request: &mut Received| {
            request
                .headers
                .insert(name, HeaderValue::from_static(value));
        }
    };
    type Change = Box<dyn Fn(&mut Received)>;
    let cases: Vec<(Change, Result<(), &str>)> = vec![
        (Box::new(|_| {}), Ok(())),
        (
            Box::new(|request| request.now += TimeDelta::seconds(300)),
            Ok(()),
        ),
        (
            Box::new(|request| request.now -= TimeDelta::seconds(300)),
            Ok(()),
        ),
        (
            Box::new(|request| request.now += TimeDelta::seconds(301)),
            Err("AuthFailure.SignatureExpire"),
        ),
        (
            Box::new(|request| request.now -= TimeDelta::seconds(301)),
            Err("AuthFailure.SignatureExpire"),
        ),
        (
            Box::new(|request| request.method = "GET".into()),
            Err("UnsupportedProtocol"),
        ),
        (
            Box::new(change("content-type", "text/plain")),
            Err("InvalidRequest"),
        ),
        (
            Box::new(change("authorization", "")),
            Err("AuthFailure.InvalidAuthorization"),
        ),
        (
            Box::new(change(
                "authorization",
                "TC3-HMAC-SHA256 Credential=a/2026-01-01/cvm/tc3_request, SignedHeaders=host, Signature=0",
            )),
            Err("AuthFailure.InvalidAuthorization"),
        ),
        (
            Box::new(change(
                "authorization",
                "TC3-HMAC-SHA256 Credential=AKIDOther/2026-01-01/cvm/tc3_request, SignedHeaders=content-type;host, Signature=0",
            )),
            Err("AuthFailure.SecretIdNotFound"),
        ),
        (
            Box::new(change("x-tc-token", "stale")),
            Err("AuthFailure.TokenFailure"),
        ),
        (
            Box::new(change("x-tc-version", "2018-01-01")),
            Err("NoSuchVersion"),
        ),
        (
            Box::new(change("x-tc-action", "DropImages")),
            Err("InvalidAction"),
        ),
        (
            Box::new(change("x-tc-action", "DescribeLaunchConfigurations")),
            Err("InvalidAction"),
        ),
        (
            Box::new(change("x-tc-region", "mars-north-1")),
            Err("UnsupportedRegion"),
        ),
        (
            Box::new(|request| drop(request.headers.remove("x-tc-region"))),
            Err("MissingParameter"),
        ),
        (
            Box::new(|request| drop(request.headers.remove("x-tc-timestamp"))),
            Err("MissingParameter"),
        ),
    ];
    for (number, (change, expected)) in cases.into_iter().enumerate() {
        let mut request = signed("cvm", "DescribeImages", &json!({}), now());
        change(&mut request);
        let got = content(&world().answer(&request)).map(drop);
        assert_eq!(got, expected.map_err(Into::into), "case {number}");
    }
    let other_product = signed("cbs", "DescribeImages", &json!({}), now());
    assert_eq!(
        content(&world().answer(&other_product)).unwrap_err(),
        "NoSuchProduct"
    );
}

#[test]
fn a_deletion_is_done_for_all_or_refused_for_all_with_the_documented_code() {
    for (bad, code) in [
        ("img-absent", "InvalidImageId.NotFound"),
        ("img_1", "InvalidImageId.Malformed"),
        ("img-creating", "InvalidImageId.IncorrectState"),
        ("img-sharing", "InvalidImageId.InShared"),
        ("img-shared", "InvalidParameterValue.InvalidImageIdIsShared"),
        ("img-public", "InvalidParameterValue.InvalidImageId"),
        ("img-busy", "MutexOperation.TaskRunning"),
    ] {
        let mut cvm = world();
        for dry_run in [true, false] {
            cvm.region(GUANGZHOU)
                .images
                .get_mut("img-busy")
                .unwrap()
                .busy = 1;
            let asked = json!({ "ImageIds": ["img-good1", bad, "img-good2"], "DryRun": dry_run });
            assert_eq!(ask(&mut cvm, "DeleteImages", asked).unwrap_err(), code);
            assert_eq!(cvm.region(GUANGZHOU).images.len(), 7);
        }
    }
    let mut cvm = world();
    let good = json!({ "ImageIds": ["img-good1", "img-good2"], "DryRun": "True" });
    ask(&mut cvm, "DeleteImages", good.clone()).unwrap();
    cvm.dry_run_code = true;
    assert_eq!(
        ask(&mut cvm, "DeleteImages", good).unwrap_err(),
        "DryRunOperation"
    );
    assert_eq!(cvm.region(GUANGZHOU).images.len(), 7);
    ask(
        &mut cvm,
        "DeleteImages",
        json!({ "ImageIds": ["img-good1", "img-good2"] }),
    )
    .unwrap();
    assert_eq!(cvm.region(GUANGZHOU).images.len(), 5);
    cvm.most_ids = Some(1);
    let many = json!({ "ImageIds": ["img-busy", "img-creating"] });
    assert_eq!(
        ask(&mut cvm, "DeleteImages", many).unwrap_err(),
        "InvalidParameterValue.LimitExceeded"
    );
    for (body, code) in [
        (json!({}), "MissingParameter"),
        (json!({ "ImageIds": "img-busy" }), "InvalidParameter"),
        (
            json!({ "ImageIds": ["img-busy"], "DryRun": 1 }),
            "InvalidParameter",
        ),
        (
            json!({ "ImageIds": ["img-busy"], "DeleteBoundSnap": true }),
            "UnknownParameter",
        ),
    ] {
        assert_eq!(ask(&mut cvm, "DeleteImages", body).unwrap_err(), code);
    }
}

#[test]
fn snapshots_stay_but_for_the_system_disks_where_asked_and_bound_to_nothing_else() {
    for (asked, system_goes) in [
        (json!(null), false),
        (json!(false), false),
        (json!(true), true),
    ] {
        let mut cvm = world();
        let region = cvm.region(GUANGZHOU);
        let data = region.bind("img-good1", "DATA_DISK", 200);
        let system = region.images["img-good1"].snapshots[0].clone();
        let common = region.images["img-good2"].snapshots[0].clone();
        region
            .images
            .get_mut("img-busy")
            .unwrap()
            .snapshots
            .push(common.clone());
        let body = json!({ "ImageIds": ["img-good1", "img-good2"], "DeleteBindedSnap": asked });
        ask(&mut cvm, "DeleteImages", body).unwrap();
        let left = &cvm.region(GUANGZHOU).snapshots;
        assert_eq!(!left.contains_key(&system), system_goes);
        assert!(left.contains_key(&data) && left.contains_key(&common));
    }
}

#[test]
fn states_change_by_themselves_when_their_time_has_come() {
    let mut cvm = world();
    cvm.deleting_for = Duration::from_secs(30);
    let creating = cvm
        .region(GUANGZHOU)
        .images
        .get_mut("img-creating")
        .unwrap();
    creating.change = Some(Change {
        at: now() + TimeDelta::seconds(60),
        state: Some("NORMAL".into()),
    });
    ask(
        &mut cvm,
        "DeleteImages",
        json!({ "ImageIds": ["img-good1"] }),
    )
    .unwrap();
    let mut states = |seconds| {
        let asked = json!({ "ImageIds": ["img-good1", "img-creating"] });
        let at = now() + TimeDelta::seconds(seconds);
        let content = ask_at(&mut cvm, "DescribeImages", asked, at).unwrap();
        let images = content["ImageSet"].as_array().unwrap().clone();
        let states: Vec<_> = images
            .iter()
            .map(|image| image["ImageState"].as_str().unwrap().to_owned())
            .collect();
        states.join(" ")
    };
    assert_eq!(states(0), "DELETING CREATING");
    assert_eq!(states(29), "DELETING CREATING");
    assert_eq!(states(30), "CREATING");
    assert_eq!(states(60), "NORMAL");
    let again = json!({ "ImageIds": ["img-good2"] });
    ask(&mut cvm, "DeleteImages", again.clone()).unwrap();
    assert_eq!(
        ask(&mut cvm, "DeleteImages", again).unwrap_err(),
        "InvalidImageId.IncorrectState"
    );
}

#[test]
fn listings_are_filtered_sorted_and_cut_as_documented() {
    let mut cvm = world();
    let image = cvm.region(GUANGZHOU).images.get_mut("img-good2").unwrap();
    image.name = "Nightly-7".into();
    image.platform = "Ubuntu".into();
    image.tags.insert("team".into(), "web".into());
    let filter =
        |name: &str, values: &[&str]| json!({ "Filters": [{ "Name": name, "Values": values }] });
    for (body, expected) in [
        (
            json!({ "ImageIds": ["img-good2", "img-absent"] }),
            "img-good2",
        ),
        (json!({ "Limit": 2 }), "img-good1 img-good2"),
        (json!({ "Limit": 2, "Offset": 6 }), "img-busy"),
        (json!({ "Offset": 7 }), ""),
        (
            filter("image-type", &["SHARED_IMAGE", "PUBLIC_IMAGE"]),
            "img-shared img-public",
        ),
        (filter("image-id", &["img-busy"]), "img-busy"),
        (filter("image-name", &["ightly"]), "img-good2"),
        (filter("platform", &["ubuntu"]), "img-good2"),
        (filter("tag-key", &["team"]), "img-good2"),
        (filter("tag-value", &["web"]), "img-good2"),
        (filter("tag:team", &["web"]), "img-good2"),
        (filter("tag:team", &["db"]), ""),
    ] {
        let expected: Vec<_> = expected.split_whitespace().collect();
        assert_eq!(ids(&mut cvm, body.clone()).unwrap(), expected, "{body}");
    }
    let content = ask(&mut cvm, "DescribeImages", json!({ "Limit": 1 })).unwrap();
    assert_eq!(content["TotalCount"], 7);
    let many: Vec<_> = (0..101).map(|number| format!("img-{number}")).collect();
    for (body, code) in [
        (
            json!({ "Limit": 101 }),
            "InvalidParameterValue.InvalidParameterValueLimit",
        ),
        (
            json!({ "Limit": 0 }),
            "InvalidParameterValue.InvalidParameterValueLimit",
        ),
        (
            json!({ "ImageIds": ["img-1"], "Filters": [{ "Name": "image-id", "Values": [] }] }),
            "InvalidParameter.InvalidParameterCoexistImageIdsFilters",
        ),
        (json!({ "ImageIds": ["ami-1"] }), "InvalidImageId.Malformed"),
        (json!({ "ImageIds": ["img-"] }), "InvalidImageId.Malformed"),
        (
            json!({ "ImageIds": many }),
            "InvalidParameterValue.LimitExceeded",
        ),
        (filter("image-state", &["NORMAL"]), "InvalidFilter"),
        (
            filter("image-id", &["1", "2", "3", "4", "5", "6"]),
            "InvalidFilterValue.LimitExceeded",
        ),
    ] {
        assert_eq!(ids(&mut cvm, body.clone()).unwrap_err(), code, "{body}");
    }
    let region = cvm.region(GUANGZHOU);
    (0..30).for_each(|number| drop(region.add(&format!("img-more{number}"), now())));
    assert_eq!(ids(&mut cvm, json!({})).unwrap().len(), 20);
}

#[test]
fn an_image_is_shared_and_not_shared_any_more_and_can_then_be_deleted() {
    let mut cvm = world();
    let sharing = |cvm: &mut Cvm, id: &str| {
        ask(
            cvm,
            "DescribeImageSharePermission",
            json!({ "ImageId": id }),
        )
    };
    let content = sharing(&mut cvm, "img-sharing").unwrap();
    assert_eq!(
        content["SharePermissionSet"][0]["AccountId"],
        "100000000002"
    );
    assert_eq!(
        sharing(&mut cvm, "img-good1").unwrap()["SharePermissionSet"],
        json!([])
    );
    assert_eq!(
        sharing(&mut cvm, "img-absent").unwrap_err(),
        "InvalidImageId.NotFound"
    );
    assert_eq!(
        sharing(&mut cvm, "img-public").unwrap_err(),
        "UnauthorizedOperation.ImageNotBelongToAccount"
    );
    let modify = |cvm: &mut Cvm, id: &str, account: &str, permission: &str| {
        let body = json!({ "ImageId": id, "AccountIds": [account], "Permission": permission });
        ask(cvm, "ModifyImageSharePermission", body).map(drop)
    };
    for (id, account, permission, code) in [
        ("img-good1", "nobody", "SHARE", "InvalidAccountId.NotFound"),
        (
            "img-good1",
            "100000000001",
            "SHARE",
            "FailedOperation.AccountIsYourSelf",
        ),
        ("img-good1", "100000000003", "GIVE", "InvalidParameterValue"),
        (
            "img-sharing",
            "100000000002",
            "SHARE",
            "FailedOperation.AccountAlreadyExists",
        ),
        (
            "img-creating",
            "100000000002",
            "SHARE",
            "InvalidParameterValue.InvalidImageState",
        ),
    ] {
        assert_eq!(modify(&mut cvm, id, account, permission).unwrap_err(), code);
    }
    let delete =
        |cvm: &mut Cvm| ask(cvm, "DeleteImages", json!({ "ImageIds": ["img-sharing"] })).map(drop);
    assert_eq!(delete(&mut cvm).unwrap_err(), "InvalidImageId.InShared");
    modify(&mut cvm, "img-sharing", "100000000002", "CANCEL").unwrap();
    delete(&mut cvm).unwrap();
    let quota = ask(&mut cvm, "DescribeImageQuota", json!({})).unwrap();
    assert_eq!(quota["ImageNumQuota"], 500);
}

#[test]
fn what_uses_images_is_told_and_a_configuration_without_its_image_is_broken() {
    let mut cvm = world();
    let region = cvm.region(GUANGZHOU);
    region.images.get_mut("img-good1").unwrap().family = Some("web".into());
    region.instances.push(Instance {
        id: "ins-1".into(),
        name: "vm".into(),
        state: "RUNNING".into(),
        zone: "ap-guangzhou-3".into(),
        image: "img-good2".into(),
        created: now(),
    });
    region.launch_templates.push(LaunchTemplate {
        id: "lt-1".into(),
        name: "t".into(),
        created: now(),
        versions: vec!["img-good1".into(), "img-good2".into()],
        default_version: 2,
    });
    for (id, image, family) in [
        ("asc-1", Some("img-absent"), None),
        ("asc-2", None, Some("web")),
    ] {
        region.launch_configurations.push(LaunchConfiguration {
            id: id.into(),
            name: id.into(),
            created: now(),
            image: image.map(Into::into),
            family: family.map(Into::into),
        });
    }
    let instances = ask(&mut cvm, "DescribeInstances", json!({ "Limit": 100 })).unwrap();
    assert_eq!(instances["InstanceSet"][0]["ImageId"], "img-good2");
    let by_image = json!({ "Filters": [{ "Name": "image-id", "Values": ["img-good2"] }] });
    assert_eq!(
        ask(&mut cvm, "DescribeInstances", by_image).unwrap_err(),
        "InvalidFilter"
    );
    let templates = ask(&mut cvm, "DescribeLaunchTemplates", json!({})).unwrap();
    assert_eq!(templates["LaunchTemplateSet"][0]["LatestVersionNumber"], 2);
    for (body, images) in [
        (json!({ "LaunchTemplateId": "lt-1" }), "img-good1 img-good2"),
        (
            json!({ "LaunchTemplateId": "lt-1", "DefaultVersion": true }),
            "img-good2",
        ),
        (
            json!({ "LaunchTemplateId": "lt-1", "MaxVersion": 1 }),
            "img-good1",
        ),
        (
            json!({ "LaunchTemplateId": "lt-1", "LaunchTemplateVersions": [2] }),
            "img-good2",
        ),
    ] {
        let versions = ask(&mut cvm, "DescribeLaunchTemplateVersions", body).unwrap();
        let versions = versions["LaunchTemplateVersionSet"]
            .as_array()
            .unwrap()
            .clone();
        let image = |version: &Value| {
            version["LaunchTemplateVersionData"]["ImageId"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(
            versions.iter().map(image).collect::<Vec<_>>().join(" "),
            images
        );
    }
    let configurations = ask(&mut cvm, "DescribeLaunchConfigurations", json!({})).unwrap();
    let set = &configurations["LaunchConfigurationSet"];
    assert_eq!(set[0]["LaunchConfigurationStatus"], "IMAGE_ABNORMAL");
    assert_eq!(set[1]["LaunchConfigurationStatus"], "NORMAL");
}

#[test]
fn too_many_calls_within_a_second_are_refused() {
    let mut cvm = world();
    let delete = |cvm: &mut Cvm| {
        ask(cvm, "DeleteImages", json!({ "ImageIds": ["img-absent"] })).unwrap_err()
    };
    for _ in 0..10 {
        assert_eq!(delete(&mut cvm), "InvalidImageId.NotFound");
    }
    assert_eq!(delete(&mut cvm), "RequestLimitExceeded");
    assert_eq!(
        content(&cvm.throttled()).unwrap_err(),
        "RequestLimitExceeded"
    );
}

#[test]
fn a_hook_changes_the_world_between_two_calls() {
    let mut cvm = world();
    cvm.before(
        "DeleteImages",
        Box::new(|cvm| drop(cvm.region(GUANGZHOU).images.remove("img-good1"))),
    );
    assert_eq!(
        ids(&mut cvm, json!({ "ImageIds": ["img-good1"] }))
            .unwrap()
            .len(),
        1
    );
    let body = json!({ "ImageIds": ["img-good1"] });
    assert_eq!(
        ask(&mut cvm, "DeleteImages", body).unwrap_err(),
        "InvalidImageId.NotFound"
    );
}

#[test]
fn the_same_seed_gives_the_same_world_and_it_survives_being_stored() {
    let show = |cvm: &Cvm| serde_json::to_string(cvm).unwrap();
    let world = Cvm::seeded(7, 400, now());
    assert_eq!(show(&world), show(&Cvm::seeded(7, 400, now())));
    assert_ne!(show(&world), show(&Cvm::seeded(8, 400, now())));
    let stored: Cvm = serde_json::from_str(&show(&world)).unwrap();
    assert_eq!(show(&stored), show(&world));

    let images = || {
        world
            .regions
            .values()
            .flat_map(|region| region.images.values())
    };
    assert_eq!(world.regions.len(), 3);
    assert_eq!(images().filter(|image| image.is_own()).count(), 400);
    for state in ["NORMAL", "CREATING", "SYNCING", "CREATEFAILED"] {
        assert!(images().any(|image| image.state == state), "{state}");
    }
    assert!(images().any(|image| !image.shared_with.is_empty()));
    assert!(images().any(|image| image.snapshots.len() > 1));
    for region in world.regions.values() {
        assert!(!region.instances.is_empty() && !region.launch_templates.is_empty());
        for instance in &region.instances {
            assert_eq!(region.images[&instance.image].state, "NORMAL");
        }
    }
    assert!(
        Cvm::seeded(7, 0, now())
            .regions
            .values()
            .all(|region| region.instances.is_empty())
    );
}
