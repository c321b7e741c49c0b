use super::*;

/// Status, code, the code in the header, and the rest of the body.
fn refused(reply: &Reply) -> (u16, String) {
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    let code = body["__type"].as_str().unwrap().to_owned();
    let header = reply.headers.iter().find(|(name, _)| name == "x-amzn-errortype");
    assert_eq!(header.map(|(_, code)| code), Some(&code));
    assert!(!body["message"].as_str().unwrap().is_empty());
    (reply.status, code)
}

#[test]
fn a_request_that_cannot_be_authenticated_is_refused_with_400_and_a_reason() {
    let mut fixture = Fixture::new();
    fixture.push("app", &["v1"]);
    let body = json!({"repositoryName": "team/app", "imageIds": [by_tag("v1")]});
    let good = fixture.request("BatchDeleteImage", &body);
    let mut cases =
        vec![("InvalidSignatureException", good.clone()), ("MissingAuthenticationTokenException", good.clone())];
    cases[0].1.body = Bytes::from(body.to_string().replace("v1", "v2"));
    cases[1].1.headers.remove("authorization");
    for (code, request) in cases {
        assert_eq!(refused(&fixture.ecr.answer(&request)), (400, code.into()));
    }
    fixture.ecr.keys[0].expires = Some(fixture.now);
    assert_eq!(refused(&fixture.ecr.answer(&good)), (400, "ExpiredTokenException".into()));
    fixture.ecr.keys.clear();
    assert_eq!(refused(&fixture.ecr.answer(&good)), (400, "UnrecognizedClientException".into()));
    assert!(fixture.has("v1"));
}

#[test]
fn a_denied_operation_is_not_done() {
    let mut fixture = Fixture::new();
    fixture.push("app", &["v1"]);
    fixture.ecr.denied.insert("BatchDeleteImage".into());
    let refusal = fixture.refusal("BatchDeleteImage", json!({"imageIds": [by_tag("v1")]}));
    assert!(refusal.contains("is not authorized to perform: ecr:BatchDeleteImage"), "{refusal}");
    assert!(fixture.has("v1"));
    assert!(fixture.refusal("DeleteEverything", json!({})).starts_with("UnknownOperationException"));
}

#[test]
fn a_rate_holds_for_each_second() {
    let mut fixture = Fixture::new();
    fixture.ecr.rates.insert("ListImages".into(), 2);
    let calls = |fixture: &mut Fixture| [(); 3].map(|()| fixture.ask("ListImages", json!({})).is_ok());
    assert_eq!(calls(&mut fixture), [true, true, false]);
    assert_eq!(fixture.refusal("ListImages", json!({})), "ThrottlingException: Rate exceeded");
    fixture.now += chrono::TimeDelta::seconds(1);
    assert_eq!(calls(&mut fixture), [true, true, false]);
}

#[test]
fn accounts_and_regions_are_apart() {
    let mut fixture = Fixture::new();
    fixture.push("app", &["v1"]);
    fixture.ecr.repository("us-east-1", "elsewhere", now());
    for operation in ["ListImages", "DescribeImages", "DeleteRepository", "GetLifecyclePolicy"] {
        let refusal = fixture.refusal(operation, json!({"registryId": "999999999999"}));
        assert_eq!(
            refusal,
            "RepositoryNotFoundException: The repository with name 'team/app' does not exist in the registry with id '999999999999'"
        );
    }
    let mine = json!({"registryId": ACCOUNT});
    assert!(fixture.ask("ListImages", mine).is_ok());
    assert!(fixture.refusal("ListImages", json!({"registryId": "12"})).starts_with("InvalidParameterException"));
    let other_region = json!({"repositoryName": "elsewhere"});
    assert!(fixture.refusal("ListImages", other_region).starts_with("RepositoryNotFoundException"));
    assert!(fixture.refusal("GetLifecyclePolicy", json!({})).starts_with("LifecyclePolicyNotFoundException"));
}

#[test]
fn sts_names_the_caller_in_xml_and_refuses_with_403() {
    let mut fixture = Fixture::new();
    let mut request = fixture.request("", &json!({}));
    request.headers.clear();
    request.headers.insert("content-type", "application/x-www-form-urlencoded; charset=utf-8".parse().unwrap());
    request.body = Bytes::from("Action=GetCallerIdentity&Version=2011-06-15");
    sigv4::sign(&mut request, "sts", "us-east-1", &fixture.ecr.keys[0]);
    assert_eq!(fixture.ecr.operation(&request).as_deref(), Some("GetCallerIdentity"));
    let text = |reply: &Reply| String::from_utf8(reply.body.clone()).unwrap();
    let reply = fixture.ecr.answer(&request);
    assert_eq!(reply.status, 200);
    assert!(text(&reply).contains("<Account>123456789012</Account>"));
    fixture.ecr.keys[0].secret = "another".into();
    let reply = fixture.ecr.answer(&request);
    assert_eq!(reply.status, 403);
    assert!(text(&reply).contains("<Code>SignatureDoesNotMatch</Code>"));
}

#[test]
fn the_record_names_the_ids_of_a_request() {
    let fixture = Fixture::new();
    let digest = Digest::of("").to_string();
    for (body, expected) in [
        (
            json!({"imageIds": [by_tag("v1"), by_digest(&digest), by_both("v2", &digest)]}),
            vec!["v1".into(), digest.clone(), format!("v2@{digest}")],
        ),
        (json!({"layerDigests": [digest]}), vec![digest.clone()]),
        (json!({"imageManifest": "{}", "imageTag": "v1"}), vec!["v1".into()]),
        (json!({}), vec![]),
    ] {
        let request = fixture.request("BatchGetImage", &body);
        assert_eq!(fixture.ecr.items(&request), expected);
    }
}
