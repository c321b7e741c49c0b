use super::*;

#[test]
fn every_request_signed_by_the_providers_own_code_is_accepted() {
    let all: Value = serde_json::from_str(include_str!("../../../../tests/data/tc3.json")).unwrap();
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
        assert_eq!(verify::verify(&cvm, &good).unwrap(), "cvm", "{}", text("name"));

        for changed in ["content-type", "host", "authorization"] {
            let mut bad = good.clone();
            let value = format!("{}0", bad.header(changed));
            bad.headers.insert(HeaderName::from_bytes(changed.as_bytes()).unwrap(), value.parse().unwrap());
            let failure = verify::verify(&cvm, &bad).unwrap_err();
            assert_eq!(failure.code, "AuthFailure.SignatureFailure", "{changed}");
        }
        let bad = request(&headers, &format!("{} ", text("payload")), now);
        assert_eq!(verify::verify(&cvm, &bad).unwrap_err().code, "AuthFailure.SignatureFailure");
    }
}

#[test]
fn a_wrong_key_signature_or_time_is_refused() {
    let change = |name: &'static str, value: &'static str| {
        move |request: &mut Received| {
            request.headers.insert(name, HeaderValue::from_static(value));
        }
    };
    type Change = Box<dyn Fn(&mut Received)>;
    let cases: Vec<(Change, Result<(), &str>)> = vec![
        (Box::new(|_| {}), Ok(())),
        (Box::new(|request| request.now += TimeDelta::seconds(300)), Ok(())),
        (Box::new(|request| request.now -= TimeDelta::seconds(300)), Ok(())),
        (Box::new(|request| request.now += TimeDelta::seconds(301)), Err("AuthFailure.SignatureExpire")),
        (Box::new(|request| request.now -= TimeDelta::seconds(301)), Err("AuthFailure.SignatureExpire")),
        (Box::new(|request| request.method = "GET".into()), Err("UnsupportedProtocol")),
        (Box::new(change("content-type", "text/plain")), Err("InvalidRequest")),
        (Box::new(change("authorization", "")), Err("AuthFailure.InvalidAuthorization")),
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
        (Box::new(|request| sign(request, "cvm", "2026-01-02")), Err("AuthFailure.SignatureFailure")),
        (Box::new(change("x-tc-token", "stale")), Err("AuthFailure.TokenFailure")),
        (Box::new(change("x-tc-version", "2018-01-01")), Err("NoSuchVersion")),
        (Box::new(change("x-tc-action", "DropImages")), Err("InvalidAction")),
        (Box::new(change("x-tc-action", "DescribeLaunchConfigurations")), Err("InvalidAction")),
        (Box::new(change("x-tc-region", "mars-north-1")), Err("UnsupportedRegion")),
        (Box::new(|request| drop(request.headers.remove("x-tc-region"))), Err("MissingParameter")),
        (Box::new(|request| drop(request.headers.remove("x-tc-timestamp"))), Err("MissingParameter")),
    ];
    for (number, (change, expected)) in cases.into_iter().enumerate() {
        let mut request = signed("cvm", "DescribeImages", &json!({}), now());
        change(&mut request);
        let got = content(&world().answer(&request)).map(drop);
        assert_eq!(got, expected.map_err(Into::into), "case {number}");
    }
    let other_product = signed("cbs", "DescribeImages", &json!({}), now());
    assert_eq!(content(&world().answer(&other_product)).unwrap_err(), "NoSuchProduct");
}
