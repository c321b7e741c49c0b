//! The bytes of requests and answers, and what the log shows of them.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use tracing_subscriber::fmt::MakeWriter;

use super::*;

/// Answers one request with this body, and gives back the request as it came.
fn canned(body: &'static str) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heard = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
        // Every request of this store ends its body with the brace that it began with.
        while !heard.ends_with(b"}") {
            let read = stream.read(&mut buffer).unwrap();
            heard.extend_from_slice(&buffer[..read]);
        }
        let length = body.len();
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").unwrap();
        String::from_utf8(heard).unwrap()
    });
    (url, heard)
}

async fn told(url: &str, delete_snapshots: bool) -> Cvm {
    let settings = Settings {
        env: Env::of(
            [
                (ENDPOINT, url),
                ("TENCENTCLOUD_SECRET_ID", "AKIDthe-secret-id"),
                ("TENCENTCLOUD_SECRET_KEY", "the-secret-key"),
                ("TENCENTCLOUD_TOKEN", "the-token"),
            ],
            None,
        ),
        options: settings::Options {
            deletion: DeletionFlags { delete_snapshots, ..DeletionFlags::default() },
            ..settings::Options::default()
        },
        ..Settings::default()
    };
    open(&settings, &Default::default(), &store_ref(Some(REGION))).await.unwrap()
}

const DONE: &str = r#"{"Response":{"RequestId":"r-1"}}"#;

#[tokio::test]
async fn a_request_carries_the_documented_headers_and_the_exact_body() {
    for (delete_snapshots, dry_run, body) in [
        (false, false, r#"{"ImageIds":["img-1"]}"#),
        (true, false, r#"{"DeleteBindedSnap":true,"ImageIds":["img-1"]}"#),
        (true, true, r#"{"DeleteBindedSnap":true,"DryRun":true,"ImageIds":["img-1"]}"#),
    ] {
        let (url, heard) = canned(DONE);
        let store = told(&url, delete_snapshots).await;
        match dry_run {
            true => drop(store.rehearse(&ids(&["img-1"])).await.unwrap()),
            false => drop(store.delete(&ids(&["img-1"])).await.unwrap()),
        }
        let heard = heard.join().unwrap();
        let (head, got) = heard.split_once("\r\n\r\n").unwrap();
        assert_eq!(got, body);
        let host = url.strip_prefix("http://").unwrap();
        for line in [
            "POST / HTTP/1.1",
            "content-type: application/json",
            &format!("host: {host}"),
            "x-tc-action: DeleteImages",
            "x-tc-version: 2017-03-12",
            "x-tc-region: ap-singapore",
            "x-tc-language: en-US",
            "x-tc-token: the-token",
            concat!("x-tc-requestclient: imgctl_", env!("CARGO_PKG_VERSION")),
        ] {
            assert!(head.lines().any(|got| got == line), "{line} in\n{head}");
        }
        assert!(head.contains("SignedHeaders=content-type;host, "), "{head}");
        assert!(!heard.contains("the-secret-key"));
    }
}

#[tokio::test]
async fn what_is_secret_in_a_request_is_marked_so_that_nothing_shows_it() {
    let store = told("http://127.0.0.1:1", false).await;
    let request = store.api.request("DeleteImages", &json!({})).await.unwrap();
    for name in ["authorization", "x-tc-token"] {
        assert!(request.headers()[name].is_sensitive(), "{name}");
    }
    let shown = format!("{request:?}");
    for secret in ["AKIDthe-secret-id", "Signature=", "the-token"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn an_answer_proves_of_an_image_only_what_it_says() {
    let asked = ids(&["img-1", "img-2"]);
    for (body, one, two) in [
        (r#"{"Response":{"TotalCount":0,"ImageSet":[],"RequestId":"r"}}"#, "missing", "missing"),
        // It counts more than it shows.
        (r#"{"Response":{"TotalCount":2,"ImageSet":[{"ImageId":"img-1"}],"RequestId":"r"}}"#, "there", "unknown"),
        // The same twice is one image.
        (
            r#"{"Response":{"TotalCount":2,"ImageSet":[{"ImageId":"img-1"},{"ImageId":"img-1"}],"RequestId":"r"}}"#,
            "there",
            "unknown",
        ),
    ] {
        let (url, _heard) = canned(body);
        let answers = each(told(&url, false).await.get(&asked).await.unwrap());
        let word = |id: &ImageId| match answers.iter().find(|(named, _)| named == id) {
            None => "unknown",
            Some((_, Ok(_))) => "there",
            Some((_, Err(error))) if error.kind == Kind::NotFound => "missing",
            Some((_, Err(_))) => "failed",
        };
        assert_eq!((word(&asked[0]), word(&asked[1])), (one, two), "{body}");
        assert!(answers.len() <= 2);
    }
    for body in [
        DONE,
        r#"{"Response":{"TotalCount":0,"ImageSet":null,"RequestId":"r"}}"#,
        r#"{"Response":{"TotalCount":0,"RequestId":"r"}}"#,
        r#"{"Response":{"TotalCount":1,"ImageSet":[{"ImageName":"no id"}],"RequestId":"r"}}"#,
        r#"{"Response":{"TotalCount":1,"ImageSet":[{"ImageId":7}],"RequestId":"r"}}"#,
        r#"{"Response":{"TotalCount":0,"ImageSet":[]}}"#,
    ] {
        let (url, _heard) = canned(body);
        let error = told(&url, false).await.get(&asked).await.unwrap_err();
        assert_eq!(error.kind, Kind::Unreadable, "{body}");
        let (url, _heard) = canned(body);
        let error = told(&url, false).await.list(None).await.unwrap_err();
        assert_eq!(error.kind, Kind::Unreadable, "{body}");
    }
}

#[tokio::test]
async fn a_description_of_an_image_that_was_not_asked_for_proves_nothing() {
    for body in [
        r#"{"Response":{"TotalCount":2,"ImageSet":[{"ImageId":"img-1"},{"ImageId":"img-3"}],"RequestId":"r"}}"#,
        r#"{"Response":{"TotalCount":1,"ImageSet":[{"ImageId":"img-3"}],"RequestId":"r"}}"#,
    ] {
        let (url, _heard) = canned(body);
        let error = told(&url, false).await.get(&ids(&["img-1", "img-2"])).await.unwrap_err();
        assert_eq!((error.kind, error.request_id.as_deref()), (Kind::Unreadable, Some("r")), "{body}");
    }
}

#[tokio::test]
async fn a_listing_without_a_count_goes_on_while_pages_are_full() {
    let (url, _heard) = canned(r#"{"Response":{"TotalCount":null,"ImageSet":[{"ImageId":"img-1"}],"RequestId":"r"}}"#);
    let page = told(&url, false).await.list(None).await.unwrap();
    assert_eq!(page.next, None);
    let (url, _heard) = canned(r#"{"Response":{"TotalCount":9,"ImageSet":[],"RequestId":"r"}}"#);
    let error = told(&url, false).await.list(None).await.unwrap_err();
    assert_eq!((error.kind, error.request_id.as_deref()), (Kind::Unreadable, Some("r")));
    let (url, _heard) = canned(r#"{"Response":{"TotalCount":9,"ImageSet":[{"ImageId":"img-1"}],"RequestId":"r"}}"#);
    let page = told(&url, false).await.list(Some("4")).await.unwrap();
    assert_eq!(page.next.as_deref(), Some("5"));
}

#[tokio::test]
async fn what_has_no_id_of_this_provider_is_never_sent() {
    let store = told("http://127.0.0.1:1", false).await;
    let error = store.delete(&[id("img-1"), ImageId::Tag("v1".into())]).await.unwrap_err();
    assert_eq!(error.kind, Kind::Usage);
}

/// All that is logged, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_call_is_logged_in_one_line_without_its_body_or_any_secret() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    // With a single one, tracing asks whichever thread comes by first whether a line is of interest, and other tests
    // run without any.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(subscriber);
    let (url, heard) = canned(DONE);
    told(&url, false).await.delete(&ids(&["img-1", "img-2"])).await.unwrap();
    let heard = heard.join().unwrap();
    let (_, signature) = heard.lines().find_map(|line| line.split_once("Signature=")).unwrap();
    let (url, _heard) = canned(
        r#"{"Response":{"Error":{"Code":"InvalidImageId.NotFound","Message":"the-message"},"RequestId":"r-2"}}"#,
    );
    told(&url, false).await.delete(&ids(&["img-1"])).await.unwrap_err();
    told("http://127.0.0.1:1", false).await.list(None).await.unwrap_err();

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("imgctl::store::said")).collect();
    assert_eq!(lines.len(), 3, "{text}");
    for part in ["DEBUG", "cvm DeleteImages in ap-singapore", "2 ids", "HTTP 200 in ", "request r-1"] {
        assert!(lines[0].contains(part), "{part} in {}", lines[0]);
    }
    assert!(lines[1].contains("InvalidImageId.NotFound"), "{}", lines[1]);
    assert!(lines[2].contains("DescribeImages"), "{}", lines[2]);
    for secret in ["the-secret-key", "AKIDthe-secret-id", "the-token", signature, "img-1", "the-message"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}
