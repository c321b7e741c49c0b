//! What a refusal means. The HTTP status and the kind of call decide; the provider's code and message are kept as they
//! are, because the same codes mean different things in different lists of theirs.
//! <https://support.huaweicloud.com/intl/en-us/api-workspace/BatchDeleteImageServer.html>

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{
    error::{Error, Kind},
    http::Response,
};

/// What a call is about: what is missing when the answer is "not found".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Image servers of a project.
    Store,
    /// One image server.
    Image,
    Job,
    /// A token or a project, at IAM.
    Login,
}

/// Codes of the gateway, which knows APIs and hosts and nothing of any image.
/// <https://support.huaweicloud.com/intl/en-us/devg-apisign/apisign-devg-pdf.pdf>
const GATEWAY: &str = "APIG";

/// The services' messages have at most 255 characters; Keystone's run to pages.
const LONGEST_MESSAGE: usize = 500;
const LONGEST_CODE: usize = 100;

/// Signatures are good for this long around the server's time.
/// <https://support.huaweicloud.com/intl/en-us/devg-apisign/apisign-devg-pdf.pdf>
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(15);

/// Reads an answer whose status is no success. Some services repeat what they were sent, so `secrets` are blotted out.
pub fn refused(
    about: About,
    answer: &Response,
    now: DateTime<Utc>,
    secrets: &[&SecretString],
) -> Error {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let (code, message) = body.as_ref().and_then(said).unwrap_or_default();
    let message = message.map(|message| without(message, secrets));
    let status = answer.status;
    let kind = match kind(about, status) {
        // A proxy or a wrong host answers 404 too, and an image must not be taken for gone by that.
        Kind::NotFound | Kind::NoStore if !code.as_deref().is_some_and(of_service) => Kind::Config,
        kind => kind,
    };
    let message = match message {
        Some(message) if !message.is_empty() => bounded(&message, LONGEST_MESSAGE),
        _ => format!("HTTP status {status}, and no word on why"),
    };
    let mut error = Error::new(kind, message).request_id(request_id(answer, body.as_ref()));
    error.code = Some(match code {
        Some(code) if !code.is_empty() => bounded(&code, LONGEST_CODE),
        _ => format!("HTTP {status}"),
    });
    error.encoded_authorization_message = body
        .as_ref()
        .and_then(|body| body["encoded_authorization_message"].as_str())
        .map(Into::into);
    error.retry_after = retry_after(answer, now);
    error.hint = hint(kind, about, status, answer, now);
    error
}

/// An answer of success that is not what the call answers.
pub fn unreadable(operation: &str, answer: &Response, why: impl std::fmt::Display) -> Error {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let message = format!(
        "the answer to {operation} cannot be understood: {}",
        bounded(&why.to_string(), LONGEST_MESSAGE)
    );
    Error::new(Kind::Unreadable, message).request_id(request_id(answer, body.as_ref()))
}

fn kind(about: About, status: u16) -> Kind {
    match (status, about) {
        (300..=399, _) => Kind::Config,
        (401, _) => Kind::Auth,
        (403, _) => Kind::Denied,
        (404, About::Image | About::Job) => Kind::NotFound,
        (404, About::Store) => Kind::NoStore,
        (404, About::Login) => Kind::Config,
        (408 | 500.., _) => Kind::Lost,
        (409, _) => Kind::WrongState,
        (413, _) => Kind::TooMany,
        (429, _) => Kind::Throttled,
        (400..=499, _) => Kind::Invalid,
        // No success and no refusal that HTTP knows of.
        _ => Kind::Unreadable,
    }
}

/// Whether a code is one of the service's own: `WKS.00211902`, a product and a number.
fn of_service(code: &str) -> bool {
    code.contains('.') && !code.starts_with(GATEWAY)
}

/// Code and message, in each of the shapes that the services, the gateway and IAM put them in.
fn said(body: &Value) -> Option<(Option<String>, Option<String>)> {
    for (code, message) in [
        ("error_code", "error_msg"),
        ("errorCode", "errorMsg"),
        ("code", "message"),
    ] {
        if body.get(code).is_some() || body.get(message).is_some() {
            return Some((text(&body[code]), text(&body[message])));
        }
    }
    body.as_object()?.values().find_map(said)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The id to give to the provider's support: services, the gateway and Keystone put it in different places.
pub fn request_id(answer: &Response, body: Option<&Value>) -> Option<String> {
    answer
        .header("x-request-id")
        .or_else(|| body?["request_id"].as_str())
        .or_else(|| answer.header("x-openstack-request-id"))
        .filter(|id| !id.is_empty())
        .map(|id| bounded(id, LONGEST_CODE))
}

fn without(text: String, secrets: &[&SecretString]) -> String {
    secrets
        .iter()
        .map(|secret| secret.expose_secret())
        .filter(|secret| !secret.is_empty())
        .fold(text, |text, secret| text.replace(secret, "[secret]"))
}

/// At most so many characters.
fn bounded(text: &str, most: usize) -> String {
    let mut characters = text.chars();
    let mut kept: String = characters.by_ref().take(most).collect();
    if characters.next().is_some() {
        kept.push('…');
    }
    kept
}

/// Seconds, or a date.
fn retry_after(answer: &Response, now: DateTime<Utc>) -> Option<Duration> {
    let text = answer.header("retry-after")?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => (date(text)? - now).to_std().ok(),
    }
}

fn date(text: &str) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc2822(text).ok()?.to_utc())
}

fn hint(
    kind: Kind,
    about: About,
    status: u16,
    answer: &Response,
    now: DateTime<Utc>,
) -> Option<String> {
    let there = answer.header("date").and_then(date).unwrap_or(now);
    let hint = match (kind, about) {
        (Kind::Auth, _) if (there - now).abs() > CLOCK_TOLERANCE => {
            let minutes = (there - now).num_minutes().abs();
            return Some(format!(
                "this machine's clock is {minutes} minutes off, and signatures are good for 15"
            ));
        }
        (Kind::Denied, About::Store | About::Image) => {
            "image servers need the permissions workspace:imageServer:list, :get and :batchDelete"
        }
        (Kind::Config, _) if (300..400).contains(&status) => {
            "the endpoint answers with a redirect, which is not followed; give the address itself"
        }
        (Kind::Config, About::Login) => {
            "check the region, and IMGCTL_IAM_ENDPOINT or HW_AUTH_URL if one is set"
        }
        (Kind::Config, _) => {
            "check the region: not every region has Workspace, and IMGCTL_WORKSPACE_ENDPOINT can name another host"
        }
        _ => return None,
    };
    Some(hint.into())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Response {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Response {
            status,
            headers: headers.collect::<HeaderMap>(),
            body: body.to_owned().into(),
        }
    }

    fn now() -> DateTime<Utc> {
        "2026-11-21T01:00:00Z".parse().unwrap()
    }

    #[test]
    fn each_documented_answer_has_its_kind() {
        use About::*;
        let wks = |code: &str| format!(r#"{{"error_code":"{code}","error_msg":"Why."}}"#);
        let gateway = |code: &str| {
            format!(r#"{{"error_code":"{code}","error_msg":"Why.","request_id":"abc"}}"#)
        };
        let iam =
            |code: u16| format!(r#"{{"error":{{"code":{code},"message":"Why.","title":"T"}}}}"#);
        for (about, status, body, kind, code) in [
            // Image servers: <https://support.huaweicloud.com/intl/en-us/api-workspace/BatchDeleteImageServer.html>
            (
                Store,
                400,
                wks("WKS.00211102"),
                Kind::Invalid,
                "WKS.00211102",
            ),
            (Store, 401, wks("WKS.00211302"), Kind::Auth, "WKS.00211302"),
            (
                Store,
                403,
                wks("WKS.00081102"),
                Kind::Denied,
                "WKS.00081102",
            ),
            (
                Store,
                404,
                wks("WKS.00211902"),
                Kind::NoStore,
                "WKS.00211902",
            ),
            (
                Image,
                404,
                wks("WKS.00211902"),
                Kind::NotFound,
                "WKS.00211902",
            ),
            (
                Job,
                404,
                wks("WKS.00211902"),
                Kind::NotFound,
                "WKS.00211902",
            ),
            (
                Store,
                405,
                wks("WKS.00000405"),
                Kind::Invalid,
                "WKS.00000405",
            ),
            (
                Store,
                409,
                wks("WKS.00211103"),
                Kind::WrongState,
                "WKS.00211103",
            ),
            (
                Store,
                415,
                wks("WKS.00000415"),
                Kind::Invalid,
                "WKS.00000415",
            ),
            (Store, 500, wks("WKS.00211401"), Kind::Lost, "WKS.00211401"),
            (Store, 503, wks("WKS.00050902"), Kind::Lost, "WKS.00050902"),
            // The gateway.
            (
                Image,
                404,
                gateway("APIGW.0101"),
                Kind::Config,
                "APIGW.0101",
            ),
            (
                Store,
                404,
                gateway("APIGW.0103"),
                Kind::Config,
                "APIGW.0103",
            ),
            (
                Store,
                400,
                gateway("APIGW.0201"),
                Kind::Invalid,
                "APIGW.0201",
            ),
            (
                Store,
                413,
                gateway("APIGW.0201"),
                Kind::TooMany,
                "APIGW.0201",
            ),
            (
                Store,
                414,
                gateway("APIGW.0201"),
                Kind::Invalid,
                "APIGW.0201",
            ),
            (
                Store,
                494,
                gateway("APIGW.0201"),
                Kind::Invalid,
                "APIGW.0201",
            ),
            (Store, 502, gateway("APIGW.0201"), Kind::Lost, "APIGW.0201"),
            (Store, 504, gateway("APIGW.0201"), Kind::Lost, "APIGW.0201"),
            (Store, 401, gateway("APIGW.0301"), Kind::Auth, "APIGW.0301"),
            (
                Store,
                403,
                gateway("APIGW.0302"),
                Kind::Denied,
                "APIGW.0302",
            ),
            (
                Store,
                403,
                gateway("APIGW.0306"),
                Kind::Denied,
                "APIGW.0306",
            ),
            (Store, 401, gateway("APIGW.0307"), Kind::Auth, "APIGW.0307"),
            (
                Store,
                429,
                gateway("APIGW.0308"),
                Kind::Throttled,
                "APIGW.0308",
            ),
            (
                Store,
                403,
                gateway("APIGW.0310"),
                Kind::Denied,
                "APIGW.0310",
            ),
            (Store, 500, gateway("APIGW.0601"), Kind::Lost, "APIGW.0601"),
            (Store, 502, gateway("APIGW.0610"), Kind::Lost, "APIGW.0610"),
            (Store, 503, gateway("APIGW.0613"), Kind::Lost, "APIGW.0613"),
            (
                Store,
                403,
                gateway("APIGW.0802"),
                Kind::Denied,
                "APIGW.0802",
            ),
            // IAM.
            (Login, 300, "{}".into(), Kind::Config, "HTTP 300"),
            (Login, 400, iam(400), Kind::Invalid, "400"),
            (Login, 401, iam(401), Kind::Auth, "401"),
            (Login, 403, wks("PAP5.0001"), Kind::Denied, "PAP5.0001"),
            (Login, 404, iam(404), Kind::Config, "404"),
            // Other shapes, and none.
            (
                Store,
                400,
                r#"{"errorCode":"C","errorMsg":"Why."}"#.into(),
                Kind::Invalid,
                "C",
            ),
            (
                Store,
                400,
                r#"{"code":"C","message":"Why."}"#.into(),
                Kind::Invalid,
                "C",
            ),
            (
                Store,
                400,
                r#"{"a":{"b":{"error_code":"C"}}}"#.into(),
                Kind::Invalid,
                "C",
            ),
            (Store, 302, "moved".into(), Kind::Config, "HTTP 302"),
            (Store, 408, String::new(), Kind::Lost, "HTTP 408"),
            (Store, 502, "<html>".into(), Kind::Lost, "HTTP 502"),
            (Image, 404, "<html>".into(), Kind::Config, "HTTP 404"),
            (Image, 404, "{}".into(), Kind::Config, "HTTP 404"),
            (
                Image,
                404,
                r#"{"code":404,"message":"Why."}"#.into(),
                Kind::Config,
                "404",
            ),
            (Store, 100, String::new(), Kind::Unreadable, "HTTP 100"),
        ] {
            let error = refused(about, &answer(status, &[], &body), now(), &[]);
            assert_eq!(
                (error.kind, error.code.as_deref()),
                (kind, Some(code)),
                "{status} {body}"
            );
            if body.contains("Why.") {
                assert_eq!(error.message, "Why.", "{status} {body}");
            }
        }
    }

    #[test]
    fn the_request_id_is_found_in_each_of_its_places() {
        let body = r#"{"error_code":"C","error_msg":"","request_id":"of-body"}"#;
        for (headers, body, id) in [
            (
                &[("x-request-id", "of-header")][..],
                body,
                Some("of-header"),
            ),
            (
                &[("x-openstack-request-id", "req-1")],
                body,
                Some("of-body"),
            ),
            (&[("x-openstack-request-id", "req-1")], "", Some("req-1")),
            (&[], "{}", None),
        ] {
            let error = refused(About::Store, &answer(500, headers, body), now(), &[]);
            assert_eq!(error.request_id.as_deref(), id);
        }
    }

    #[test]
    fn the_encoded_reason_of_a_denial_is_kept_whole() {
        let encoded = "x".repeat(3000);
        let body = format!(
            r#"{{"error_code":"PAP5.0001","error_msg":"no","encoded_authorization_message":"{encoded}"}}"#
        );
        let error = refused(About::Store, &answer(403, &[], &body), now(), &[]);
        assert_eq!(error.encoded_authorization_message, Some(encoded));
    }

    #[test]
    fn a_pause_that_the_provider_asks_for_is_read_as_seconds_or_as_a_date() {
        for (text, seconds) in [
            ("7", Some(7)),
            ("Sat, 21 Nov 2026 01:00:30 GMT", Some(30)),
            ("Sat, 21 Nov 2026 00:00:00 GMT", None),
            ("soon", None),
        ] {
            let error = refused(
                About::Store,
                &answer(429, &[("retry-after", text)], ""),
                now(),
                &[],
            );
            assert_eq!(
                error.retry_after,
                seconds.map(Duration::from_secs),
                "{text}"
            );
        }
    }

    #[test]
    fn a_secret_that_the_provider_repeats_is_blotted_out() {
        let body = r#"{"error":{"code":400,"message":"{'password': 'hunter2'} is wrong"}}"#;
        let error = refused(
            About::Login,
            &answer(400, &[], body),
            now(),
            &[&"hunter2".into()],
        );
        assert_eq!(error.message, "{'password': '[secret]'} is wrong");
    }

    #[test]
    fn a_message_of_pages_is_cut() {
        let body = format!(
            r#"{{"error":{{"code":400,"message":"{}"}}}}"#,
            "é".repeat(9000)
        );
        let error = refused(About::Login, &answer(400, &[], &body), now(), &[]);
        assert_eq!(error.message.chars().count(), LONGEST_MESSAGE + 1);
    }

    #[test]
    fn a_clock_that_is_off_is_named_as_the_likely_cause() {
        let late = [("date", "Sat, 21 Nov 2026 01:40:00 GMT")];
        let error = refused(About::Store, &answer(401, &late, ""), now(), &[]);
        assert!(error.hint.unwrap().contains("40 minutes off"));
        assert_eq!(
            refused(About::Store, &answer(401, &[], ""), now(), &[]).hint,
            None
        );
    }
}
