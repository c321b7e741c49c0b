use super::*;

impl Fixture {
    fn delete(&mut self, ids: &[Value]) -> Value {
        self.ask("BatchDeleteImage", json!({"imageIds": ids})).unwrap()
    }
}

#[test]
fn a_tag_goes_alone_and_the_last_one_takes_the_image_with_it() {
    let mut fixture = Fixture::new();
    let digest = fixture.push("app", &["v1", "latest"]).digest;
    let answer = fixture.delete(&[by_tag("v1")]);
    assert_eq!(answer, json!({"imageIds": [by_both("v1", digest)], "failures": []}));
    assert!(fixture.has(digest) && fixture.has("latest") && !fixture.has("v1"));
    fixture.delete(&[by_tag("latest")]);
    assert!(!fixture.has(digest));
}

#[test]
fn a_digest_goes_with_all_its_tags_and_the_answer_lists_each() {
    let mut fixture = Fixture::new();
    let tagged = fixture.push("app", &["v1", "latest"]).digest;
    let untagged = fixture.push("old", &[]).digest;
    let answer = fixture.delete(&[by_digest(tagged), by_digest(untagged)]);
    let deleted = [by_both("latest", tagged), by_both("v1", tagged), by_digest(untagged)];
    assert_eq!(answer, json!({"imageIds": deleted, "failures": []}));
    assert!(!fixture.has(tagged) && !fixture.has(untagged) && !fixture.has("v1"));
    assert_eq!(codes(&fixture.delete(&[by_digest(tagged)])), ["ImageNotFound"]);
}

#[test]
fn a_tag_with_a_digest_goes_only_where_it_points_there() {
    let mut fixture = Fixture::new();
    let digest = fixture.push("app", &["v1", "latest"]).digest;
    let other = fixture.push("other", &["v2"]).digest;
    let answer = fixture.delete(&[by_both("v1", other), by_both("v9", digest), by_both("v1", digest)]);
    assert_eq!(codes(&answer), ["ImageTagDoesNotMatchDigest", "ImageNotFound"]);
    assert_eq!(answer["failures"][0]["imageId"], by_both("v1", other));
    assert_eq!(answer["imageIds"], json!([by_both("v1", digest)]));
    assert!(fixture.has("latest") && fixture.has(digest) && !fixture.has("v1"));
    fixture.delete(&[by_both("latest", digest)]);
    assert!(!fixture.has(digest), "its last tag went");
}

#[test]
fn what_an_index_holds_stays_and_the_failure_names_the_index() {
    let mut fixture = Fixture::new();
    let children = [fixture.push("amd", &["v1-amd"]), fixture.push("arm", &[])];
    let index = fixture.push_index(&[&children[0], &children[1]], &["v1"]).digest;
    let answer = fixture.delete(&[by_tag("v1-amd"), by_digest(children[0].digest), by_digest(children[1].digest)]);
    assert_eq!(codes(&answer), ["ImageReferencedByManifestList"; 3]);
    let reason = answer["failures"][0]["failureReason"].as_str().unwrap();
    assert_eq!(reason, format!("Requested image referenced by manifest list: [{index}]"));
    assert!(fixture.has("v1-amd"));

    let now = fixture.now;
    fixture.repository().push(&children[0], &["second"], now);
    assert_eq!(codes(&fixture.delete(&[by_tag("second")])), Vec::<&str>::new(), "not its only tag");
}

#[test]
fn an_index_and_its_images_in_one_call_end_with_the_images_left() {
    let mut fixture = Fixture::new();
    let child = fixture.push("amd", &[]);
    let index = fixture.push_index(&[&child], &["v1"]).digest;
    let answer = fixture.delete(&[by_digest(index), by_digest(child.digest)]);
    assert_eq!(answer["imageIds"], json!([by_both("v1", index)]));
    assert_eq!(codes(&answer), ["ImageReferencedByManifestList"]);
    assert_eq!(codes(&fixture.delete(&[by_digest(child.digest)])), Vec::<&str>::new());
    assert!(!fixture.has(child.digest));
}

#[test]
fn each_bad_id_fails_with_its_own_code_and_is_echoed() {
    let mut fixture = Fixture::new();
    let digest = fixture.push("app", &["v1"]).digest;
    let cases = [
        (json!({}), "MissingDigestAndTag"),
        (by_digest("sha256"), "InvalidImageDigest"),
        (by_digest("sha256:00"), "ImageNotFound"),
        (by_digest(digest.to_string().to_uppercase()), "ImageNotFound"),
        (by_tag("not a tag"), "InvalidImageTag"),
        (by_tag("absent"), "ImageNotFound"),
    ];
    for operation in ["BatchDeleteImage", "BatchGetImage"] {
        let ids: Vec<_> = cases.iter().map(|(id, _)| id.clone()).collect();
        let answer = fixture.ask(operation, json!({"imageIds": ids})).unwrap();
        for ((id, code), failure) in cases.iter().zip(answer["failures"].as_array().unwrap()) {
            assert_eq!((&failure["imageId"], failure["failureCode"].as_str()), (id, Some(*code)));
        }
    }
    assert!(fixture.has("v1"));
}

#[test]
fn the_same_id_twice_fails_once_and_another_name_of_the_same_image_is_covered() {
    let mut fixture = Fixture::new();
    let digest = fixture.push("app", &["v1"]).digest;
    let answer = fixture.delete(&[by_tag("v1"), by_digest(digest), by_tag("v1")]);
    assert_eq!(answer["imageIds"], json!([by_both("v1", digest)]));
    assert_eq!(codes(&answer), ["ImageNotFound"]);
}

#[test]
fn a_call_of_more_than_a_hundred_ids_or_none_does_nothing() {
    let mut fixture = Fixture::new();
    fixture.push("app", &["v1"]);
    for operation in ["BatchDeleteImage", "BatchGetImage", "DescribeImages"] {
        let refusal = fixture.refusal(operation, json!({"imageIds": vec![by_tag("v1"); 101]}));
        assert_eq!(
            refusal,
            "InvalidParameterException: Invalid parameter at 'imageIds' failed to satisfy constraint: \
             'Member must have length less than or equal to 100'"
        );
        for bad in [json!({"imageIds": []}), json!({"imageIds": [by_tag("")]})] {
            assert!(fixture.refusal(operation, bad).starts_with("InvalidParameterException"));
        }
    }
    for missing in [json!({}), json!({"imageIds": null})] {
        let refusal = fixture.refusal("BatchDeleteImage", missing);
        assert!(refusal.contains("'imageIds'") && refusal.contains("not be null"), "{refusal}");
    }
    assert!(fixture.has("v1"));
}

#[test]
fn a_hook_plays_the_pusher_who_moves_a_tag_in_between() {
    let mut fixture = Fixture::new();
    let seen = fixture.push("app", &["v1"]).digest;
    let mut pushed = false;
    fixture.ecr.before("BatchDeleteImage", move |ecr| {
        if !std::mem::replace(&mut pushed, true) {
            let repository = ecr.repository(REGION, "team/app", now());
            repository.push(&Manifest::image("newer", 1), &["v1"], now());
        }
    });
    assert_eq!(codes(&fixture.delete(&[by_both("v1", seen)])), ["ImageTagDoesNotMatchDigest"]);
    assert!(fixture.has("v1"));
    fixture.delete(&[by_tag("v1")]);
    assert!(!fixture.has("v1"), "the hook came only once");
}
