use std::collections::HashSet;

use chrono::TimeDelta;

use super::*;

impl Fixture {
    /// Reads a listing to its end, and counts its pages.
    fn all(&mut self, operation: &str, list: &str, mut body: Value) -> (Vec<Value>, usize) {
        let (mut items, mut pages) = (Vec::new(), 0);
        loop {
            let answer = self.ask(operation, body.clone()).unwrap();
            items.extend(answer[list].as_array().unwrap().iter().cloned());
            pages += 1;
            match &answer["nextToken"] {
                Value::Null => return (items, pages),
                token => body["nextToken"] = token.clone(),
            }
        }
    }
}

#[test]
fn pages_are_of_the_size_asked_and_hold_everything_once() {
    let mut fixture = Fixture::new();
    for number in 0..25 {
        fixture.push(&format!("app {number}"), &[&format!("v{number}"), &format!("also-v{number}")]);
    }
    for (size, image_pages, tag_pages) in [(1, 25, 50), (10, 3, 5), (25, 1, 2), (1000, 1, 1)] {
        let (details, pages) = fixture.all("DescribeImages", "imageDetails", json!({"maxResults": size}));
        assert_eq!((details.len(), pages), (25, image_pages));
        let digests: HashSet<_> = details.iter().map(|detail| detail["imageDigest"].to_string()).collect();
        assert_eq!(digests.len(), 25);
        let (ids, pages) = fixture.all("ListImages", "imageIds", json!({"maxResults": size}));
        assert_eq!((ids.len(), pages), (50, tag_pages));
        assert_eq!(ids.iter().map(Value::to_string).collect::<HashSet<_>>().len(), 50);
    }
}

#[test]
fn pages_hold_a_hundred_unless_asked_and_what_is_deleted_in_between_shifts_nothing() {
    let mut fixture = Fixture::new();
    let digests: Vec<_> = (0..150).map(|number| fixture.push(&format!("app {number}"), &[]).digest).collect();
    let first = fixture.ask("ListImages", json!({})).unwrap();
    let shown = first["imageIds"].as_array().unwrap();
    assert_eq!(shown.len(), 100);
    fixture.ask("BatchDeleteImage", json!({"imageIds": shown})).unwrap();
    let (rest, _) = fixture.all("ListImages", "imageIds", json!({"nextToken": first["nextToken"]}));
    assert_eq!(rest.len(), digests.len() - 100);
}

#[test]
fn page_sizes_tokens_and_filters_are_checked() {
    let mut fixture = Fixture::new();
    for number in 0..3 {
        fixture.push(&format!("app {number}"), &["v1"]);
    }
    let page = fixture.ask("DescribeImages", json!({"maxResults": 1})).unwrap();
    for (operation, body) in [
        ("DescribeImages", json!({"maxResults": 0})),
        ("DescribeImages", json!({"maxResults": 1001})),
        ("ListImages", json!({"maxResults": 1001})),
        ("ListImages", json!({"nextToken": page["nextToken"]})),
        ("DescribeImages", json!({"nextToken": "bogus"})),
        ("DescribeImages", json!({"nextToken": page["nextToken"], "filter": {"tagStatus": "TAGGED"}})),
        ("DescribeImages", json!({"imageIds": [by_tag("v1")], "maxResults": 5})),
        ("DescribeImages", json!({"imageIds": [by_tag("v1")], "nextToken": page["nextToken"]})),
        ("DescribeImages", json!({"filter": {"tagStatus": "SOME"}})),
        ("ListImages", json!({"filter": {"imageStatus": "GONE"}})),
        ("ListImageReferrers", json!({"subjectId": by_digest(Digest::of("")), "maxResults": 51})),
    ] {
        let refusal = fixture.refusal(operation, body.clone());
        assert!(refusal.starts_with("InvalidParameterException"), "{operation} {body}: {refusal}");
    }
    let refusal = fixture.refusal("ListImages", json!({"maxResults": "many"}));
    assert!(refusal.starts_with("SerializationException"));
}

#[test]
fn filters_choose_by_tags_and_state_and_show_only_active_images_unless_asked() {
    let mut fixture = Fixture::new();
    fixture.push("tagged", &["v1"]);
    fixture.push("untagged", &[]);
    let (archived, now) = (fixture.push("archived", &["old"]).digest, fixture.now);
    fixture.repository().archive(&archived, now);
    for (filter, count) in [
        (json!({}), 2),
        (json!({"imageStatus": "ACTIVE"}), 2),
        (json!({"imageStatus": "ARCHIVED"}), 1),
        (json!({"imageStatus": "ACTIVATING"}), 0),
        (json!({"imageStatus": "ANY"}), 3),
        (json!({"imageStatus": "ANY", "tagStatus": "TAGGED"}), 2),
        (json!({"tagStatus": "UNTAGGED"}), 1),
        (json!({"tagStatus": "ANY"}), 2),
    ] {
        for (operation, list) in [("ListImages", "imageIds"), ("DescribeImages", "imageDetails")] {
            let (items, _) = fixture.all(operation, list, json!({"filter": filter}));
            assert_eq!(items.len(), count, "{operation} {filter}");
        }
    }
}

#[test]
fn one_missing_id_fails_a_whole_description() {
    let mut fixture = Fixture::new();
    let digest = fixture.push("app", &["v1", "latest"]).digest;
    let other = fixture.push("other", &[]).digest;
    for (bad, named) in [
        (by_tag("v9"), "{imageDigest:'null', imageTag:'v9'}"),
        (by_digest(Digest::of("")), "imageTag:'null'}"),
        (by_both("v1", other), "imageTag:'v1'}"),
    ] {
        let refusal = fixture.refusal("DescribeImages", json!({"imageIds": [by_tag("v1"), bad]}));
        assert!(refusal.starts_with("ImageNotFoundException: The image with imageId") && refusal.contains(named));
    }
    let ids = [by_tag("v1"), by_tag("latest"), by_digest(digest), by_both("v1", digest)];
    let answer = fixture.ask("DescribeImages", json!({"imageIds": ids})).unwrap();
    assert_eq!(answer["imageDetails"].as_array().unwrap().len(), 1, "an image is described once");
}

#[test]
fn a_description_says_what_the_registry_knows() {
    let mut fixture = Fixture::new();
    let image = fixture.push("app", &["v1", "latest"]);
    let small = fixture.push("a", &[]);
    let index = fixture.push_index(&[&small, &image], &[]);
    let (sbom, now) = (Manifest::attached("sbom", "application/spdx+json", &image), fixture.now);
    fixture.repository().push(&sbom, &[], now);
    let mut detail = |manifest: &Manifest| {
        let answer = fixture.ask("DescribeImages", json!({"imageIds": [by_digest(manifest.digest)]})).unwrap();
        answer["imageDetails"][0].clone()
    };
    let [size, other] = [&image, &small].map(|image| image.blobs().map(|blob| blob.size).sum::<u64>());
    assert_eq!(
        detail(&image),
        json!({
            "registryId": ACCOUNT,
            "repositoryName": "team/app",
            "imageDigest": image.digest,
            "imageTags": ["latest", "v1"],
            "imageSizeInBytes": size,
            "imagePushedAt": 1767225600.0,
            "imageManifestMediaType": manifest::DOCKER_MANIFEST,
            "artifactMediaType": manifest::DOCKER_CONFIG,
            "imageStatus": "ACTIVE",
        })
    );
    let [index, sbom] = [detail(&index), detail(&sbom)];
    assert_eq!(index["imageSizeInBytes"], size.max(other), "that of its largest image");
    assert_eq!(index["imageTags"], Value::Null);
    assert_eq!(sbom["subjectManifestDigest"], image.digest.to_string());
    assert_eq!(sbom["artifactMediaType"], "application/spdx+json");
}

#[test]
fn referrers_are_listed_by_kind_and_page() {
    let mut fixture = Fixture::new();
    let (image, now) = (fixture.push("app", &["v1"]), fixture.now);
    for number in 0..30 {
        let kind = if number < 25 { "application/spdx+json" } else { "application/vnd.cncf.notary.signature" };
        let attached = Manifest::attached(&format!("attached {number}"), kind, &image);
        fixture.repository().push(&attached, &[], now);
    }
    let subject = by_digest(image.digest);
    let (referrers, pages) = fixture.all("ListImageReferrers", "referrers", json!({"subjectId": subject}));
    assert_eq!((referrers.len(), pages), (30, 2));
    let filter = json!({"artifactTypes": ["application/spdx+json"]});
    let (referrers, pages) = fixture.all(
        "ListImageReferrers",
        "referrers",
        json!({"subjectId": subject, "filter": filter, "maxResults": 5}),
    );
    assert_eq!((referrers.len(), pages), (25, 5));
    let absent = fixture.ask("ListImageReferrers", json!({"subjectId": by_digest(Digest::of(""))})).unwrap();
    assert_eq!(absent, json!({"referrers": []}));
}

#[test]
fn getting_a_manifest_counts_as_a_pull_once_a_day() {
    let mut fixture = Fixture::new();
    let image = fixture.push("app", &["v1", "latest"]);
    let pulled = |fixture: &mut Fixture| fixture.repository().find("v1").unwrap().pulled_at;
    fixture.ask("DescribeImages", json!({"imageIds": [by_tag("v1")]})).unwrap();
    assert_eq!(pulled(&mut fixture), None);
    for (hours, recorded) in [(0, 0), (23, 0), (24, 24)] {
        fixture.now = now() + TimeDelta::hours(hours);
        let answer = fixture.ask("BatchGetImage", json!({"imageIds": [by_tag("v1")]})).unwrap();
        assert_eq!(answer["images"][0]["imageManifest"], *image.text);
        assert_eq!(answer["images"][0]["imageId"], by_both("v1", image.digest));
        assert_eq!(pulled(&mut fixture), Some(now() + TimeDelta::hours(recorded)));
    }
}

#[test]
fn a_manifest_by_digest_comes_once_a_tag_or_once() {
    let mut fixture = Fixture::new();
    let digest = fixture.push("app", &["v1", "latest"]).digest;
    for (each, count) in [(true, 2), (false, 1)] {
        fixture.ecr.quirks.one_image_a_tag = each;
        let answer = fixture.ask("BatchGetImage", json!({"imageIds": [by_digest(digest)]})).unwrap();
        assert_eq!(answer["images"].as_array().unwrap().len(), count);
    }
    let ask = json!({"imageIds": [by_digest(digest)], "acceptedMediaTypes": [manifest::OCI_MANIFEST]});
    assert_eq!(codes(&fixture.ask("BatchGetImage", ask).unwrap()), ["ImageNotFound"]);
}

#[test]
fn an_archived_image_is_listed_when_asked_and_cannot_be_pulled() {
    let mut fixture = Fixture::new();
    let (digest, now) = (fixture.push("app", &["v1"]).digest, fixture.now);
    fixture.repository().archive(&digest, now);
    for (quirk, code) in [(ArchivedPull::Inaccessible, "ImageInaccessible"), (ArchivedPull::NotFound, "ImageNotFound")]
    {
        fixture.ecr.quirks.archived_pull = quirk;
        assert_eq!(codes(&fixture.ask("BatchGetImage", json!({"imageIds": [by_tag("v1")]})).unwrap()), [code]);
    }
    let ids = json!([by_tag("v1")]);
    let refusal = fixture.refusal("DescribeImages", json!({"imageIds": ids}));
    assert!(refusal.starts_with("ImageNotFoundException"));
    let answer = fixture.ask("DescribeImages", json!({"imageIds": ids, "filter": {"imageStatus": "ANY"}})).unwrap();
    assert_eq!(answer["imageDetails"][0]["imageStatus"], "ARCHIVED");
    assert!(answer["imageDetails"][0]["lastArchivedAt"].is_number());
    assert_eq!(codes(&fixture.ask("BatchDeleteImage", json!({"imageIds": ids})).unwrap()), Vec::<&str>::new());
}

#[test]
fn repositories_are_listed_by_name_or_by_page() {
    let mut fixture = Fixture::new();
    for number in 0..5 {
        fixture.ecr.repository(REGION, &format!("tools/{number}"), now());
    }
    let (all, pages) = fixture.all("DescribeRepositories", "repositories", json!({"maxResults": 4}));
    assert_eq!((all.len(), pages), (6, 2));
    assert_eq!(all[0]["repositoryUri"], "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app");
    assert_eq!(all[0]["repositoryArn"], "arn:aws:ecr:eu-west-1:123456789012:repository/team/app");
    let names = json!({"repositoryNames": ["tools/3", "absent"]});
    assert!(fixture.refusal("DescribeRepositories", names.clone()).starts_with("RepositoryNotFoundException"));
    let both = json!({"repositoryNames": ["tools/3"], "maxResults": 3});
    assert!(fixture.refusal("DescribeRepositories", both).starts_with("InvalidParameterException"));
}
