use chrono::TimeDelta;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use super::*;

mod images;
mod sender;

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
        to_registry: false,
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
    sign(&mut request, service, &now.date_naive().to_string());
    request
}

fn sign(request: &mut Received, service: &str, date: &str) {
    let authorization = verify::sign(request, service, date, (SECRET_ID, SECRET_KEY));
    request.headers.insert("authorization", authorization.parse().unwrap());
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
    let service = if action == "DescribeLaunchConfigurations" { "as" } else { "cvm" };
    content(&cvm.answer(&signed(service, action, &body, now)))
}

/// The ids that a listing shows.
fn ids(cvm: &mut Cvm, body: Value) -> Result<Vec<String>, String> {
    let content = ask(cvm, "DescribeImages", body)?;
    let images = content["ImageSet"].as_array().unwrap();
    Ok(images.iter().map(|image| image["ImageId"].as_str().unwrap().to_owned()).collect())
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
fn users_of_images_are_listed_and_a_configuration_without_its_image_is_abnormal() {
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
    for (id, image, family) in [("asc-1", Some("img-absent"), None), ("asc-2", None, Some("web"))] {
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
    assert_eq!(ask(&mut cvm, "DescribeInstances", by_image).unwrap_err(), "InvalidFilter");
    let templates = ask(&mut cvm, "DescribeLaunchTemplates", json!({})).unwrap();
    assert_eq!(templates["LaunchTemplateSet"][0]["LatestVersionNumber"], 2);
    for (body, images) in [
        (json!({ "LaunchTemplateId": "lt-1" }), "img-good1 img-good2"),
        (json!({ "LaunchTemplateId": "lt-1", "DefaultVersion": true }), "img-good2"),
        (json!({ "LaunchTemplateId": "lt-1", "MaxVersion": 1 }), "img-good1"),
        (json!({ "LaunchTemplateId": "lt-1", "LaunchTemplateVersions": [2] }), "img-good2"),
    ] {
        let versions = ask(&mut cvm, "DescribeLaunchTemplateVersions", body).unwrap();
        let versions = versions["LaunchTemplateVersionSet"].as_array().unwrap().clone();
        let image = |version: &Value| version["LaunchTemplateVersionData"]["ImageId"].as_str().unwrap().to_owned();
        assert_eq!(versions.iter().map(image).collect::<Vec<_>>().join(" "), images);
    }
    let configurations = ask(&mut cvm, "DescribeLaunchConfigurations", json!({})).unwrap();
    let set = &configurations["LaunchConfigurationSet"];
    assert_eq!(set[0]["LaunchConfigurationStatus"], "IMAGE_ABNORMAL");
    assert_eq!(set[1]["LaunchConfigurationStatus"], "NORMAL");
}

#[test]
fn too_many_calls_within_a_second_are_refused() {
    let mut cvm = world();
    let delete = |cvm: &mut Cvm| ask(cvm, "DeleteImages", json!({ "ImageIds": ["img-absent"] })).unwrap_err();
    for _ in 0..10 {
        assert_eq!(delete(&mut cvm), "InvalidImageId.NotFound");
    }
    assert_eq!(delete(&mut cvm), "RequestLimitExceeded");
    assert_eq!(content(&cvm.throttled()).unwrap_err(), "RequestLimitExceeded");
}

#[test]
fn a_hook_changes_the_world_between_two_calls() {
    let mut cvm = world();
    cvm.before("DeleteImages", |cvm| drop(cvm.region(GUANGZHOU).images.remove("img-good1")));
    assert_eq!(ids(&mut cvm, json!({ "ImageIds": ["img-good1"] })).unwrap().len(), 1);
    let body = json!({ "ImageIds": ["img-good1"] });
    assert_eq!(ask(&mut cvm, "DeleteImages", body).unwrap_err(), "InvalidImageId.NotFound");
}

#[test]
fn the_same_seed_gives_the_same_world_and_it_survives_being_stored() {
    let show = |cvm: &Cvm| serde_json::to_string(cvm).unwrap();
    let world = Cvm::seeded(7, 400, now());
    assert_eq!(show(&world), show(&Cvm::seeded(7, 400, now())));
    assert_ne!(show(&world), show(&Cvm::seeded(8, 400, now())));
    let stored: Cvm = serde_json::from_str(&show(&world)).unwrap();
    assert_eq!(show(&stored), show(&world));

    let images = || world.regions.values().flat_map(|region| region.images.values());
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
    assert!(Cvm::seeded(7, 0, now()).regions.values().all(|region| region.instances.is_empty()));
}
