//! What a failed call means, against servers that answer in every wrong way.

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, future},
};
use aws_sdk_ecr::{
    Client, Config,
    config::{BehaviorVersion, Region},
    types::ImageIdentifier,
};
use aws_smithy_types::retry::RetryConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::settings::aws::timeouts;

/// Calls a server that answers every request with these bytes and closes; without bytes it closes at once.
async fn answer_to(answer: Option<Vec<u8>>) -> Result<usize, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            match &answer {
                Some(bytes) if bytes.is_empty() => tokio::time::sleep(Duration::from_secs(60)).await,
                Some(bytes) => drop(stream.write_all(bytes).await),
                None => {}
            }
        }
    });
    call(&format!("http://{address}"), Duration::from_secs(5)).await
}

fn config(endpoint: &str, timeout: Duration) -> aws_sdk_ecr::config::Builder {
    Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("AKIAEXAMPLE", "secret", None, None, "test"))
        .endpoint_url(endpoint)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts(timeout))
}

async fn call(endpoint: &str, timeout: Duration) -> Result<usize, Error> {
    let image = ImageIdentifier::builder().image_tag("v1").build();
    let call = Client::from_conf(config(endpoint, timeout).build())
        .batch_delete_image()
        .repository_name("app")
        .image_ids(image);
    call.send().await.map(|answer| answer.image_ids().len()).map_err(|error| describe("BatchDeleteImage", &error))
}

fn http(status: &str, headers: &str, body: &str) -> Option<Vec<u8>> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n");
    Some((head + body).into_bytes())
}

#[tokio::test]
async fn every_documented_error_has_its_meaning() {
    use Kind::*;
    let table = [
        ("400 X", "ThrottlingException", Throttled),
        ("400 X", "TooManyRequestsException", Throttled),
        ("400 X", "LimitExceededException", Throttled),
        ("400 X", "RepositoryNotFoundException", NoStore),
        ("400 X", "ImageNotFoundException", NotFound),
        ("400 X", "InvalidParameterException", Invalid),
        ("400 X", "ValidationException", Invalid),
        ("500 X", "ServerException", Lost),
        ("503 X", "ServiceUnavailableException", Lost),
        ("400 X", "UnableToGetUpstreamImageException", Failed),
        ("400 X", "KmsException", Failed),
        ("400 X", "AccessDeniedException", Denied),
        ("400 X", "UnrecognizedClientException", Auth),
        ("403 X", "InvalidSignatureException", Auth),
        ("403 X", "SignatureDoesNotMatch", Auth),
        ("400 X", "ExpiredTokenException", Auth),
        ("403 X", "MissingAuthenticationTokenException", Auth),
        ("403 X", "IncompleteSignature", Auth),
        ("400 X", "InvalidClientTokenId", Auth),
        ("403 X", "RequestExpired", Auth),
        ("403 X", "RequestTimeTooSkewed", Auth),
        ("400 X", "RequestLimitExceeded", Throttled),
        ("503 X", "ThrottlingException", Throttled),
        ("400 X", "LayersNotFoundException", LayersGone),
        ("400 X", "ReferencedImagesNotFoundException", PartsMissing),
        ("400 X", "ImageAlreadyExistsException", AlreadyThere),
        ("400 X", "ImageTagAlreadyExistsException", TagTaken),
        ("400 X", "ImageDigestDoesNotMatchException", Invalid),
        ("400 X", "ImageStorageClassUpdateNotSupportedException", WrongState),
        ("400 X", "UnknownOperationException", Config),
        ("400 X", "SomethingNewer", Failed),
        // Whatever a broken backend calls it: it may have been done.
        ("500 X", "SomethingNewer", Lost),
    ];
    for (status, code, kind) in table {
        let headers = format!("x-amzn-errortype: {code}:http://x/\r\nx-amzn-requestid: r1\r\n");
        let body = format!("{{\"__type\":\"com.amazonaws.ecr#{code}\",\"message\":\"why\"}}");
        let error = answer_to(http(status, &headers, &body)).await.unwrap_err();
        assert_eq!(error.kind, kind, "{code}: {error:?}");
        assert_eq!(error.request_id.as_deref(), Some("r1"), "{code}");
        assert_eq!((error.code.as_deref(), error.message.as_str()), (Some(code), "why"));
    }
}

#[test]
fn a_limit_that_a_push_exceeds_is_a_quota_and_not_a_rate() {
    let limit = |kind| Error::new(kind, "why").code("LimitExceededException");
    let quota = super::super::errors::of_put(limit(Kind::Throttled));
    assert_eq!((quota.kind, quota.hint.is_some()), (Kind::Failed, true));
    let rate = Error::new(Kind::Throttled, "why").code("ThrottlingException");
    assert_eq!(super::super::errors::of_put(rate.clone()), rate);
}

#[tokio::test]
async fn an_answer_without_a_code_is_sorted_by_its_status() {
    use Kind::*;
    let html = "<html>no</html>";
    for (status, kind) in [
        ("301 Moved", Config),
        ("401 X", Auth),
        ("403 X", Denied),
        ("404 X", Config),
        ("413 X", Config),
        ("418 X", Config),
        ("429 X", Throttled),
        ("500 X", Lost),
        ("502 X", Lost),
        ("503 X", Lost),
        ("504 X", Lost),
    ] {
        let error = answer_to(http(status, "retry-after: 7\r\n", html)).await.unwrap_err();
        assert_eq!(error.kind, kind, "{status}: {error:?}");
    }
}

#[tokio::test]
async fn the_wait_that_the_service_asks_for_is_kept() {
    let body = "{\"__type\":\"ThrottlingException\"}";
    for (header, wait) in [("retry-after: 7\r\n", 7_000), ("x-amz-retry-after: 1500\r\n", 1_500)] {
        let error = answer_to(http("400 X", header, body)).await.unwrap_err();
        assert_eq!(error.retry_after, Some(Duration::from_millis(wait)));
    }
}

#[tokio::test]
async fn an_answer_that_is_no_answer_proves_nothing() {
    let garbage = answer_to(http("200 OK", "", "<html>")).await.unwrap_err();
    assert_eq!(garbage.kind, Kind::Unreadable, "{garbage:?}");
    let whole = http("200 OK", "", "{\"imageIds\":[],\"failures\":[]}").unwrap();
    let chunks =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1d\r\n{\"imageIds\":[],\"failures\":[]}\r\n0\r\n\r\n";
    for whole in [whole.as_slice(), chunks.as_bytes()] {
        assert_eq!(answer_to(Some(whole.to_vec())).await, Ok(0));
        for cut in 1..whole.len() {
            let error = answer_to(Some(whole[..cut].to_vec())).await.unwrap_err();
            assert_eq!(error.kind, Kind::Lost, "cut at {cut}: {error:?}");
        }
    }
    let closed = answer_to(None).await.unwrap_err();
    assert_eq!(closed.kind, Kind::Lost, "{closed:?}");
}

#[tokio::test]
async fn a_refused_connection_was_never_sent_and_a_silent_server_may_have_done_it() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = call(&format!("http://{free}"), Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Unreachable, "{refused:?}");
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let error = call(&format!("http://{address}"), Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(error.kind, Kind::Lost, "{error:?}");
}

#[tokio::test]
async fn without_tls_on_the_other_side_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let error = call(&format!("https://{address}"), Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unreachable, "{error:?}");
}

#[tokio::test]
async fn credentials_that_end_on_the_way_are_told_from_a_broken_connection() {
    #[derive(Debug)]
    struct Ended;
    impl ProvideCredentials for Ended {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let ended = CredentialsError::provider_error("the session ended");
            future::ProvideCredentials::ready(Err(ended))
        }
    }
    let config = config("http://127.0.0.1:9", Duration::from_secs(5)).credentials_provider(Ended).build();
    let call = Client::from_conf(config).describe_repositories().send();
    let error = describe("BatchDeleteImage", &call.await.unwrap_err());
    assert_eq!(error.kind, Kind::Auth, "{error:?}");
    assert!(error.message.contains("the session ended"), "{error:?}");
}

#[tokio::test]
async fn a_token_that_the_service_repeats_is_not_printed() {
    let body = "{\"__type\":\"InvalidSignatureException\",\"message\":\"The signature does not match.\\n\\n\
         The Canonical String for this request should have been\\n'POST\\nx-amz-security-token:hunter2'\"}";
    let error = answer_to(http("403 X", "", body)).await.unwrap_err();
    assert_eq!(error.message, "The signature does not match.");
    assert!(!format!("{error:?}").contains("hunter2"));
}
