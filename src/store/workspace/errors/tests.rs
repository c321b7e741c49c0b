use std::time::Duration;

use reqwest::header::HeaderMap;

use super::*;

fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Response {
    let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    Response { status, headers: headers.collect::<HeaderMap>(), body: body.to_owned().into() }
}

fn now() -> DateTime<Utc> {
    "2026-11-21T01:00:00Z".parse().unwrap()
}

#[test]
fn each_documented_answer_has_its_kind() {
    use About::*;
    let wks = |code: &str| format!(r#"{{"error_code":"{code}","error_msg":"Why."}}"#);
    let gateway = |code: &str| format!(r#"{{"error_code":"{code}","error_msg":"Why.","request_id":"abc"}}"#);
    let iam = |code: u16| format!(r#"{{"error":{{"code":{code},"message":"Why.","title":"T"}}}}"#);
    for (about, status, body, kind, code) in [
        // Image servers: <https://support.huaweicloud.com/intl/en-us/api-workspace/BatchDeleteImageServer.html>
        (Store, 400, wks("WKS.00211102"), Kind::Invalid, "WKS.00211102"),
        (Store, 401, wks("WKS.00211302"), Kind::Auth, "WKS.00211302"),
        (Store, 403, wks("WKS.00081102"), Kind::Denied, "WKS.00081102"),
        (Store, 404, wks("WKS.00211902"), Kind::NoStore, "WKS.00211902"),
        (Image, 404, wks("WKS.00211902"), Kind::NotFound, "WKS.00211902"),
        (Job, 404, wks("WKS.00211902"), Kind::NotFound, "WKS.00211902"),
        (Store, 405, wks("WKS.00000405"), Kind::Invalid, "WKS.00000405"),
        (Store, 409, wks("WKS.00211103"), Kind::WrongState, "WKS.00211103"),
        (Store, 415, wks("WKS.00000415"), Kind::Invalid, "WKS.00000415"),
        (Store, 500, wks("WKS.00211401"), Kind::Lost, "WKS.00211401"),
        (Store, 503, wks("WKS.00050902"), Kind::Lost, "WKS.00050902"),
        // The gateway.
        (Image, 404, gateway("APIGW.0101"), Kind::Config, "APIGW.0101"),
        (Store, 404, gateway("APIGW.0103"), Kind::Config, "APIGW.0103"),
        (Store, 400, gateway("APIGW.0201"), Kind::Invalid, "APIGW.0201"),
        (Store, 413, gateway("APIGW.0201"), Kind::TooMany, "APIGW.0201"),
        (Store, 414, gateway("APIGW.0201"), Kind::Invalid, "APIGW.0201"),
        (Store, 494, gateway("APIGW.0201"), Kind::Invalid, "APIGW.0201"),
        (Store, 502, gateway("APIGW.0201"), Kind::Lost, "APIGW.0201"),
        (Store, 504, gateway("APIGW.0201"), Kind::Lost, "APIGW.0201"),
        (Store, 401, gateway("APIGW.0301"), Kind::Auth, "APIGW.0301"),
        (Store, 403, gateway("APIGW.0302"), Kind::Denied, "APIGW.0302"),
        (Store, 403, gateway("APIGW.0306"), Kind::Denied, "APIGW.0306"),
        (Store, 401, gateway("APIGW.0307"), Kind::Auth, "APIGW.0307"),
        (Store, 429, gateway("APIGW.0308"), Kind::Throttled, "APIGW.0308"),
        (Store, 403, gateway("APIGW.0310"), Kind::Denied, "APIGW.0310"),
        (Store, 500, gateway("APIGW.0601"), Kind::Lost, "APIGW.0601"),
        (Store, 502, gateway("APIGW.0610"), Kind::Lost, "APIGW.0610"),
        (Store, 503, gateway("APIGW.0613"), Kind::Lost, "APIGW.0613"),
        (Store, 403, gateway("APIGW.0802"), Kind::Denied, "APIGW.0802"),
        // IAM.
        (Login, 300, "{}".into(), Kind::Config, "HTTP 300"),
        (Login, 400, iam(400), Kind::Invalid, "400"),
        (Login, 401, iam(401), Kind::Auth, "401"),
        (Login, 403, wks("PAP5.0001"), Kind::Denied, "PAP5.0001"),
        (Login, 404, iam(404), Kind::Config, "404"),
        // Other shapes, and none.
        (Store, 400, r#"{"errorCode":"C","errorMsg":"Why."}"#.into(), Kind::Invalid, "C"),
        (Store, 400, r#"{"code":"C","message":"Why."}"#.into(), Kind::Invalid, "C"),
        (Store, 400, r#"{"a":{"b":{"error_code":"C"}}}"#.into(), Kind::Invalid, "C"),
        (Store, 302, "moved".into(), Kind::Config, "HTTP 302"),
        (Store, 408, String::new(), Kind::Lost, "HTTP 408"),
        (Store, 502, "<html>".into(), Kind::Lost, "HTTP 502"),
        (Image, 404, "<html>".into(), Kind::Config, "HTTP 404"),
        (Image, 404, "{}".into(), Kind::Config, "HTTP 404"),
        (Image, 404, r#"{"code":404,"message":"Why."}"#.into(), Kind::Config, "404"),
        (Store, 100, String::new(), Kind::Unreadable, "HTTP 100"),
    ] {
        let error = refused(about, &answer(status, &[], &body), now(), &[]);
        assert_eq!((error.kind, error.code.as_deref()), (kind, Some(code)), "{status} {body}");
        if body.contains("Why.") {
            assert_eq!(error.message, "Why.", "{status} {body}");
        }
    }
}

#[test]
fn the_request_id_is_found_in_each_of_its_places() {
    let body = r#"{"error_code":"C","error_msg":"","request_id":"of-body"}"#;
    for (headers, body, id) in [
        (&[("x-request-id", "of-header")][..], body, Some("of-header")),
        (&[("x-openstack-request-id", "req-1")], body, Some("of-body")),
        (&[("x-openstack-request-id", "req-1")], "", Some("req-1")),
        (&[("x-iam-trace-id", "trace")], "{}", Some("trace")),
        (&[], "{}", None),
    ] {
        let error = refused(About::Store, &answer(500, headers, body), now(), &[]);
        assert_eq!(error.request_id.as_deref(), id);
    }
}

#[test]
fn the_encoded_reason_of_a_denial_is_kept_whole() {
    let encoded = "x".repeat(3000);
    let body = format!(r#"{{"error_code":"PAP5.0001","error_msg":"no","encoded_authorization_message":"{encoded}"}}"#);
    let error = refused(About::Store, &answer(403, &[], &body), now(), &[]);
    assert_eq!(error.encoded_reason, Some(encoded));
}

#[test]
fn a_pause_that_the_provider_asks_for_is_read_as_seconds_or_as_a_date() {
    for (text, seconds) in [
        ("7", Some(7)),
        ("Sat, 21 Nov 2026 01:00:30 GMT", Some(30)),
        ("Sat, 21 Nov 2026 00:00:00 GMT", None),
        ("soon", None),
    ] {
        let error = refused(About::Store, &answer(429, &[("retry-after", text)], ""), now(), &[]);
        assert_eq!(error.retry_after, seconds.map(Duration::from_secs), "{text}");
    }
}

#[test]
fn a_secret_that_the_provider_repeats_is_blotted_out() {
    let body = r#"{"error":{"code":400,"message":"{'password': 'hunter2'} is wrong"}}"#;
    let error = refused(About::Login, &answer(400, &[], body), now(), &[&"hunter2".into()]);
    assert_eq!(error.message, "{'password': '[secret]'} is wrong");
}

#[test]
fn a_message_of_pages_is_cut() {
    let body = format!(r#"{{"error":{{"code":400,"message":"{}"}}}}"#, "é".repeat(9000));
    let error = refused(About::Login, &answer(400, &[], &body), now(), &[]);
    assert_eq!(error.message.chars().count(), LONGEST_MESSAGE + 1);
}

#[test]
fn a_clock_that_is_off_is_named_as_the_likely_cause() {
    let late = [("date", "Sat, 21 Nov 2026 01:40:00 GMT")];
    let error = refused(About::Store, &answer(401, &late, ""), now(), &[]);
    assert!(error.hint.unwrap().contains("40 minutes off"));
    assert_eq!(refused(About::Store, &answer(401, &[], ""), now(), &[]).hint, None);
}
