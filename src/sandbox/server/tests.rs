use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use super::*;
use crate::sandbox::Service;

/// A service with one operation that counts how often it was done.
#[derive(Default)]
struct Counter(Arc<AtomicUsize>);

impl Service for Counter {
    fn operation(&self, request: &Received) -> Option<String> {
        (request.path == "/count").then(|| "Count".into())
    }

    fn items(&self, request: &Received) -> Vec<String> {
        vec![request.query.clone()]
    }

    fn answer(&mut self, _request: &Received) -> Reply {
        self.0.fetch_add(1, Ordering::SeqCst);
        json(200, r#"{"counted":true}"#)
    }

    fn throttled(&self) -> Reply {
        json(429, r#"{"error_code":"TooFast"}"#)
    }

    fn broken(&self, status: u16) -> Reply {
        json(status, r#"{"error_code":"Broken"}"#)
    }

    fn environment(&self, url: &str) -> Vec<(&'static str, String)> {
        vec![("COUNTER", url.into())]
    }
}

fn json(status: u16, body: &str) -> Reply {
    Reply { status, headers: vec![("content-type".into(), "application/json".into())], body: body.into() }
}

async fn counting(options: Options) -> (Sandbox, Arc<AtomicUsize>) {
    let done = Arc::new(AtomicUsize::new(0));
    let mut world = World::default();
    world.others.push(("counter", Box::new(Counter(done.clone()))));
    (Sandbox::start(world, options).await.unwrap(), done)
}

/// Sends one request on a connection of its own and returns all that came back within a second and a half.
fn send(sandbox: &Sandbox, path: &str) -> String {
    let mut stream = TcpStream::connect(sandbox.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(1500))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn each_fault_does_the_work_or_not_and_spoils_the_answer_as_it_says() {
    let cases = [
        ("throttle", 0, "HTTP/1.1 429", "TooFast\"}"),
        ("status=503", 0, "HTTP/1.1 503", "Broken\"}"),
        ("drop", 0, "", ""),
        ("hang", 0, "", ""),
        ("lose-answer", 1, "", ""),
        ("truncate", 1, "HTTP/1.1 200", "{\"counte"),
        ("garble", 1, "HTTP/1.1 200", "It works!"),
        ("empty", 1, "HTTP/1.1 200", "\r\n{}"),
        ("slow=300ms", 1, "HTTP/1.1 200", "{\"counted\":true}"),
    ];
    for (kind, work, begin, end) in cases {
        let fault = format!("counter:Count:{kind}:1").parse().unwrap();
        let (sandbox, done) = counting(Options { faults: vec![fault], ..Options::default() }).await;
        let started = Instant::now();
        let answer = send(&sandbox, "/count?a");
        assert!(answer.starts_with(begin) && answer.ends_with(end), "{kind}: {answer}");
        assert_eq!(answer.is_empty(), begin.is_empty(), "{kind}: {answer}");
        assert_eq!(done.load(Ordering::SeqCst), work, "{kind}");
        if kind.starts_with("slow") {
            assert!(started.elapsed() >= Duration::from_millis(300));
        }
        let call = &sandbox.calls()[0];
        assert_eq!(call.fault.as_deref(), Some(kind));
        assert_eq!(call.status.is_none(), begin.is_empty(), "{kind}");
        assert!(send(&sandbox, "/count?b").ends_with("{\"counted\":true}"), "{kind}: only once");
    }
}

#[tokio::test]
async fn calls_are_recorded_and_logged_with_their_ids_and_codes() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("calls.ndjson");
    let options = Options { log: Some(log.clone()), ..Options::default() };
    let (sandbox, _) = counting(options).await;
    sandbox.add_fault("*:Count:throttle@1:1".parse().unwrap());
    for path in ["/count?x", "/count?y", "/nowhere"] {
        send(&sandbox, path);
    }
    let written = std::fs::read_to_string(log).unwrap();
    let lines: Vec<_> = written.lines().collect();
    assert_eq!(
        lines,
        [
            r#"{"service":"counter","operation":"Count","items":["x"],"status":200}"#,
            r#"{"service":"counter","operation":"Count","items":["y"],"status":429,"code":"TooFast","fault":"throttle"}"#,
            r#"{"service":"","operation":"GET /nowhere","status":404}"#,
        ]
    );
    assert_eq!(sandbox.calls().len(), 3);
}

#[tokio::test]
async fn dropping_a_sandbox_frees_its_port_even_with_a_connection_open() {
    let (sandbox, _) = counting(Options::default()).await;
    let (address, url) = (sandbox.address, sandbox.url());
    assert!(sandbox.environment().contains(&("COUNTER", url)));
    let _open = TcpStream::connect(address).unwrap();
    drop(sandbox);
    assert!(TcpStream::connect(address).is_err());
    let again = Options { port: address.port(), ..Options::default() };
    assert!(Sandbox::start(World::default(), again).await.is_ok());
}

#[tokio::test]
async fn the_date_of_an_answer_is_the_emulators_clock() {
    let options = Options { clock_skew: TimeDelta::days(400), ..Options::default() };
    let (sandbox, _) = counting(options).await;
    let year = (Utc::now() + TimeDelta::days(400)).format(" %Y ").to_string();
    let answer = send(&sandbox, "/count");
    let date = answer.lines().find(|line| line.starts_with("date:")).unwrap();
    assert!(date.contains(&year) && date.ends_with(" GMT"), "{date}");
}

#[tokio::test]
async fn a_fault_for_an_unknown_service_is_an_error() {
    let faults = vec!["erc:PutImage:drop".parse().unwrap()];
    let options = Options { faults, ..Options::default() };
    let error = Sandbox::start(World::default(), options).await.err().unwrap();
    assert!(error.to_string().contains("there is no service \"erc\"; did you mean \"ec"), "{error}");
}
