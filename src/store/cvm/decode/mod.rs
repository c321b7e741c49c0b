//! Reads an answer: a success with its content, or an error with the kind that its code means. The service answers HTTP
//! 200 to every request that it processed. Any other status comes from a proxy or gateway before it.

mod image;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use self::image::{Described, refused};
use super::errors;
use crate::{
    clock::offset,
    error::{Error, Kind, Result},
    http::Response,
};

/// The content of a success.
#[derive(Debug, PartialEq)]
pub struct Told<T> {
    pub content: T,
    pub request_id: String,
}

/// Reads an answer that `host` sent at `now`.
pub fn read<T: DeserializeOwned>(answer: &Response, host: &str, now: DateTime<Utc>) -> Result<Told<T>> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let error = reported(&body).map(|error| explain(error, answer, now));
    let status = answer.status;
    match (status, error) {
        (200..=299, Some(error)) => Err(error),
        (200..=299, None) => content(&body, host),
        (300..=399, _) => Err(Error::new(
            Kind::Config,
            format!("{host} answered HTTP {status}, a redirect; imgctl does not follow redirects"),
        )
        .hint("check the endpoint")),
        (429, error) => Err(between(error, Kind::Throttled, answer, host, now)),
        // The service may have done the work before it failed, with any code.
        (408 | 500.., error) => Err(between(error, Kind::Lost, answer, host, now)),
        (_, Some(error)) => Err(error),
        (_, None) => {
            Err(between(None, Kind::Unreadable, answer, host, now).hint("check the endpoint and the proxy settings"))
        }
    }
}

/// The service's id of a call, for its support.
pub fn request_id(body: &Value) -> Option<&str> {
    body.pointer("/Response/RequestId")?.as_str()
}

/// An error as the service reports it, in its shape of today or in that of its old gateway.
fn reported(body: &Value) -> Option<Error> {
    let (code, message) = match body.pointer("/Response/Error") {
        Some(Value::Null) | None => match body.get("code")? {
            Value::Number(number) if number.as_i64() == Some(0) => return None,
            number => {
                let code = body.get("codeDesc").and_then(Value::as_str);
                (code.map_or(number.to_string(), Into::into), body.get("message"))
            }
        },
        Some(error) => (error.get("Code")?.as_str()?.to_owned(), error.get("Message")),
    };
    let meaning = errors::meaning(&code);
    let message =
        message.and_then(Value::as_str).filter(|message| !message.is_empty()).unwrap_or("the service gave no reason");
    let mut error = Error::new(meaning.kind, message).code(code).request_id(request_id(body));
    error.hint = meaning.hint.map(Into::into);
    Some(error)
}

/// Adds details from the headers.
fn explain(mut error: Error, answer: &Response, now: DateTime<Utc>) -> Error {
    error.retry_after = answer.retry_after(now);
    if error.code.as_deref() == Some(errors::CLOCK)
        && let Some(ahead) = answer.clock_ahead(now)
    {
        error.message =
            format!("this machine's clock is {}, and the service allows 5 minutes: {}", offset(ahead), error.message);
    }
    error
}

/// An error for a status that a proxy or gateway before the service sent.
fn between(error: Option<Error>, kind: Kind, answer: &Response, host: &str, now: DateTime<Utc>) -> Error {
    let mut error = error.unwrap_or_else(|| Error::new(kind, format!("{host} answered HTTP {}", answer.status)));
    error.kind = kind;
    error.retry_after = answer.retry_after(now);
    error
}

fn content<T: DeserializeOwned>(body: &Value, host: &str) -> Result<Told<T>> {
    // A parser's error would repeat parts of the answer.
    let unreadable =
        || Error::new(Kind::Unreadable, format!("cannot read the answer of {host}")).request_id(request_id(body));
    let request_id = request_id(body).ok_or_else(unreadable)?.to_owned();
    let content = T::deserialize(&body["Response"]).map_err(|_| unreadable())?;
    Ok(Told { content, request_id })
}

/// Reads any text as an answer with any status.
#[cfg(any(test, fuzzing))]
pub fn any_answer(text: &[u8]) {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Listed {
        image_set: Vec<Described>,
    }
    for status in [200, 400, 429, 500] {
        let answer = Response { status, headers: Default::default(), body: text.to_vec().into() };
        if let Ok(told) = read::<Listed>(&answer, "cvm.example.com", DateTime::UNIX_EPOCH) {
            let images = told.content.image_set.into_iter();
            images.for_each(|image| drop(image.into_image(true, &told.request_id)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Nothing {}

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Response {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        Response { status, headers, body: body.to_owned().into() }
    }

    fn heard(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Result<String> {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let told = read::<Nothing>(&answer(status, headers, body), "cvm.example.com", now)?;
        Ok(told.request_id)
    }

    fn failed(code: &str) -> String {
        format!(r#"{{"Response":{{"Error":{{"Code":"{code}","Message":"why"}},"RequestId":"r-1"}}}}"#)
    }

    #[test]
    fn a_broken_answer_is_read_or_refused() {
        let list = r#"{"Response":{"TotalCount":1,"RequestId":"r","ImageSet":[{"ImageId":"img-1","ImageType":"PRIVATE_IMAGE",
            "CreatedTime":"2024-05-20T10:39:49Z","ImageName":"n","ImageSize":50,"ImageState":"NORMAL","Platform":null,
            "SnapshotSet":[{"SnapshotId":"snap-1","DiskUsage":"SYSTEM_DISK","DiskSize":50}],"ImageFamily":"f"}]}}"#;
        let good = [list, &failed("InvalidImageId.NotFound"), r#"{"code":4100,"codeDesc":"A"}"#];
        crate::fuzz::each(&good, any_answer);
    }

    #[test]
    fn a_success_has_the_documented_shape_and_a_request_id() {
        assert_eq!(heard(200, &[], r#"{"Response":{"RequestId":"r-1"}}"#).unwrap(), "r-1");
        let with_null = r#"{"Response":{"Error":null,"RequestId":"r-1"}}"#;
        assert_eq!(heard(200, &[], with_null).unwrap(), "r-1");
        for body in [
            "",
            "<html><body>It works!",
            "{}",
            "[]",
            "null",
            r#"{"Response":{}}"#,
            r#"{"Response":null}"#,
            r#"{"Response":[]}"#,
            r#"{"Response":{"RequestId":7}}"#,
            r#"{"Response":{"RequestId":"r-1""#,
            r#"{"RequestId":"r-1"}"#,
            r#"{"code":0,"message":"","codeDesc":"Success"}"#,
            r#"{"Response":{"Error":{"Message":"no code"}}}"#,
        ] {
            let error = heard(200, &[], body).unwrap_err();
            assert_eq!(error.kind, Kind::Unreadable, "{body}");
        }
    }

    #[test]
    fn an_error_keeps_its_code_its_message_and_its_request_id() {
        let error = heard(200, &[], &failed("InvalidImageId.NotFound")).unwrap_err();
        assert_eq!(error.kind, Kind::NotFound);
        assert_eq!(error.code.as_deref(), Some("InvalidImageId.NotFound"));
        assert_eq!(error.message, "why");
        assert_eq!(error.request_id.as_deref(), Some("r-1"));
        let hinted = heard(200, &[], &failed("UnauthorizedOperation.PermissionDenied")).unwrap_err();
        assert!(hinted.hint.unwrap().contains("cvm:DeleteImages"));
    }

    #[test]
    fn errors_of_the_old_gateway_are_understood() {
        for (body, code, kind) in [
            (r#"{"code":4100,"message":"no","codeDesc":"AuthFailure"}"#, "AuthFailure", Kind::Auth),
            (
                r#"{"code":4400,"message":"slow","codeDesc":"RequestLimitExceeded"}"#,
                "RequestLimitExceeded",
                Kind::Throttled,
            ),
            (r#"{"code":5000,"message":"?"}"#, "5000", Kind::Failed),
        ] {
            let error = heard(200, &[], body).unwrap_err();
            assert_eq!((error.kind, error.code.as_deref()), (kind, Some(code)));
        }
    }

    #[test]
    fn each_status_of_a_gateway_has_the_kind_that_it_proves() {
        let busy = failed("RequestLimitExceeded");
        let wrong_key = failed("AuthFailure.SignatureFailure");
        for (status, body, kind) in [
            (301, "", Kind::Config),
            (302, busy.as_str(), Kind::Config),
            (400, "", Kind::Unreadable),
            (401, wrong_key.as_str(), Kind::Auth),
            (403, "<html>", Kind::Unreadable),
            (404, "", Kind::Unreadable),
            (408, "", Kind::Lost),
            (429, "", Kind::Throttled),
            (500, "", Kind::Lost),
            (502, "<html>", Kind::Lost),
            (503, busy.as_str(), Kind::Lost),
            (504, r#"{"Response":{"RequestId":"r-1"}}"#, Kind::Lost),
        ] {
            assert_eq!(heard(status, &[], body).unwrap_err().kind, kind, "{status} {body}");
        }
        let error = heard(503, &[("retry-after", "7")], "").unwrap_err();
        assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
        let error = heard(503, &[("retry-after", "Thu, 01 Jan 2026 00:00:30 GMT")], "").unwrap_err();
        assert_eq!(error.retry_after, Some(Duration::from_secs(30)));
        let error = heard(503, &[], &busy).unwrap_err();
        assert_eq!(error.code.as_deref(), Some("RequestLimitExceeded"));
    }

    #[test]
    fn a_clock_error_says_how_far_the_clock_is_off() {
        for (date, said) in [
            ("Thu, 01 Jan 2026 00:07:30 GMT", "this machine's clock is 7m 30s behind"),
            ("Wed, 31 Dec 2025 23:50:00 GMT", "this machine's clock is 10m ahead"),
        ] {
            let error = heard(200, &[("date", date)], &failed(errors::CLOCK)).unwrap_err();
            assert!(error.message.starts_with(said), "{error}");
            assert!(error.hint.unwrap().contains("clock"));
        }
        let error = heard(200, &[], &failed(errors::CLOCK)).unwrap_err();
        assert_eq!(error.message, "why");
        let other = failed("AuthFailure.SignatureFailure");
        let error = heard(200, &[("date", "Thu, 01 Jan 2026 00:07:30 GMT")], &other).unwrap_err();
        assert_eq!(error.message, "why");
    }
}
