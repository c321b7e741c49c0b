//! The emulator's HTTP side: a loopback port for the clouds and one for the `oci:` registry, each request handed to the service that knows it, faults played,
//! every call recorded. It knows no cloud. It runs on a thread of its own, so that a test may block, or stop tokio's
//! clock, without stopping the emulator.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use aws_smithy_types::base64;
use chrono::{TimeDelta, Utc};
use futures_util::stream;
use http_body_util::{BodyExt, Full, Limited, StreamBody, combinators::BoxBody};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    Call, Fault, Received, Reply, World,
    bucket::Buckets,
    calls::{self, Record},
    faults::{self, Kind, Script},
    oci,
    spoil::Memory,
};

/// ECR's largest request is a layer part of 20 MiB, sent as base64.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UploadLayerPart.html>
const LARGEST_REQUEST: usize = 32 << 20;

/// A registry takes a layer in one request.
const LARGEST_BLOB: usize = 1 << 30;

/// Long enough for the first half of an answer to leave before the connection closes.
const HALFWAY: Duration = Duration::from_millis(50);

/// The pause before each byte of an answer that trickles.
const TRICKLE: Duration = Duration::from_millis(20);

/// How a sandbox behaves.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How long each request waits before it is looked at.
    pub latency: Duration,
    pub faults: Vec<Fault>,
    /// Calls per second that each operation allows; more are throttled.
    pub rate: Option<u32>,
    /// Where each call is written, one JSON object a line.
    pub log: Option<PathBuf>,
    /// 0 is any free port.
    pub port: u16,
    /// The port of the `oci:` registry; 0 is any free one.
    pub registry_port: u16,
    /// How far the emulator's clock is ahead.
    pub clock_skew: TimeDelta,
}

/// A running emulator. It stops, and its port is free again, when this is dropped.
pub struct Sandbox {
    address: SocketAddr,
    registry: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
}

struct Shared {
    world: Mutex<World>,
    script: Mutex<Script>,
    buckets: Option<Mutex<Buckets>>,
    memory: Mutex<Memory>,
    record: Mutex<Record>,
    latency: Duration,
    clock_skew: TimeDelta,
}

type Body = BoxBody<Bytes, io::Error>;

impl Sandbox {
    /// Starts to serve. A fault for what is not there is an error: it would test nothing.
    pub async fn start(mut world: World, options: Options) -> io::Result<Self> {
        check(&mut world, &options.faults)?;
        let (clouds, address) = listen(options.port)?;
        let (registry, registry_address) = listen(options.registry_port)?;
        let mut script = Script::default();
        options.faults.into_iter().for_each(|fault| script.add(fault));
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            script: Mutex::new(script),
            buckets: options.rate.map(|rate| Mutex::new(Buckets::new(rate))),
            memory: Mutex::default(),
            record: Mutex::new(Record::new(options.log.as_deref())?),
            latency: options.latency,
            clock_skew: options.clock_skew,
        });
        let stop = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (first, second) = (shared.clone(), shared.clone());
        let stopped = stop.clone();
        let serving = async move {
            tokio::join!(serve(clouds, false, first, stopped.clone()), serve(registry, true, second, stopped.clone()));
        };
        let thread = thread::Builder::new().name("imgctl-sandbox".into()).spawn(move || runtime.block_on(serving))?;
        Ok(Self { address, registry: registry_address, shared, stop, thread: Some(thread) })
    }

    /// Where it listens, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where its `oci:` registry listens, as references name it: `127.0.0.1:5000`.
    pub fn registry(&self) -> String {
        self.registry.to_string()
    }

    /// Every call so far, in the order in which they were answered.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.shared.record).calls()
    }

    /// The clouds, to look into and to change. No request is answered while this is held.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.shared.world)
    }

    pub fn add_fault(&self, fault: Fault) {
        lock(&self.shared.script).add(fault);
    }

    /// The logins of its registries, as docker keeps them in its `config.json`.
    pub fn logins(&self) -> serde_json::Value {
        let mut logins = serde_json::Map::new();
        for (_, service) in self.world().services() {
            if let Some((user, password)) = service.login() {
                let host = if service.at_registry() { self.registry } else { self.address };
                let auth = base64::encode(format!("{user}:{password}"));
                logins.insert(host.to_string(), serde_json::json!({ "auth": auth }));
            }
        }
        serde_json::json!({ "auths": logins })
    }

    /// The variables that point imgctl, and the providers' own tools, at this sandbox.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let (clouds, registry) = (self.url(), format!("http://{}", self.registry));
        let mut variables: Vec<(&'static str, String)> = Vec::new();
        for (_, service) in self.world().services() {
            let url = if service.at_registry() { &registry } else { &clouds };
            for (name, value) in service.environment(url) {
                if variables.iter().all(|(known, _)| *known != name) {
                    variables.push((name, value));
                }
            }
        }
        variables
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed already.
            let _ = thread.join();
        }
    }
}

fn check(world: &mut World, faults: &[Fault]) -> io::Result<()> {
    let known: Vec<_> = world.services().map(|(name, service)| (name, service.operations())).collect();
    let wrong = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
    faults.iter().try_for_each(|fault| fault.check(&known)).map_err(wrong)
}

/// A panic of a test that holds the world must not stop the emulator.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A loopback port that waits for calls.
fn listen(port: u16) -> io::Result<(std::net::TcpListener, SocketAddr)> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn serve(listener: std::net::TcpListener, to_registry: bool, shared: Arc<Shared>, stop: CancellationToken) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    // Dropping the set closes every connection.
    let mut connections = JoinSet::new();
    let mut stopped = pin!(stop.cancelled());
    loop {
        let stream = tokio::select! {
            () = &mut stopped => return,
            accepted = listener.accept() => accepted,
            _ = connections.join_next(), if !connections.is_empty() => continue,
        };
        let Ok((stream, _)) = stream else { continue };
        // Answers are small and awaited: waiting to fill a packet only costs time.
        let _ = stream.set_nodelay(true);
        let shared = shared.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| answer(shared.clone(), to_registry, request));
            // Fails where a fault breaks the connection, or the client does.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Answers one request; an error closes its connection without an answer.
async fn answer(shared: Arc<Shared>, to_registry: bool, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    // Not a call of a service: it takes no time of one. The registry knows every path of its port.
    if head.uri.path() == "/" && head.method != Method::POST {
        return Ok(respond(greeting(), whole));
    }
    let most = if oci::is_upload(head.uri.path()) { LARGEST_BLOB } else { LARGEST_REQUEST };
    let body = Limited::new(body, most).collect().await.map_err(io::Error::other)?.to_bytes();
    let after = lock(&shared.record).len();
    tokio::time::sleep(shared.latency).await;
    let received = Received {
        method: head.method.as_str().into(),
        path: head.uri.path().into(),
        query: head.uri.query().unwrap_or_default().into(),
        headers: head.headers,
        body,
        now: Utc::now() + shared.clock_skew,
        to_registry,
    };
    let (mut reply, fault) = shared.handle(&received, after);
    reply.headers.push(("date".into(), received.now.format("%a, %d %b %Y %H:%M:%S GMT").to_string()));
    match fault {
        Some(Kind::Drop | Kind::LoseAnswer) => Err(io::ErrorKind::ConnectionAborted.into()),
        Some(Kind::Hang) => std::future::pending().await,
        Some(Kind::Truncate) => Ok(respond(with_length(reply), halved)),
        Some(Kind::Trickle) => {
            Ok(respond(reply, |body| pieces(body.into_iter().map(|byte| Bytes::from(vec![byte])), TRICKLE)))
        }
        Some(Kind::Huge) => {
            Ok(respond(reply, |_| pieces(std::iter::repeat_n(Bytes::from(vec![b' '; 1 << 20]), 256), Duration::ZERO)))
        }
        Some(Kind::Slow(duration)) => {
            tokio::time::sleep(duration).await;
            Ok(respond(reply, whole))
        }
        _ => Ok(respond(reply, whole)),
    }
}

impl Shared {
    /// Finds the service, lets it do its work unless a fault forbids it, and records the call.
    fn handle(&self, received: &Received, after: usize) -> (Reply, Option<Kind>) {
        let mut world = lock(&self.world);
        let mut here = world.services().filter(|(_, service)| service.at_registry() == received.to_registry);
        let mut mine = here.find_map(|(name, service)| Some((name, service.operation(received)?, service)));
        let (name, operation) = match &mine {
            Some((name, operation, _)) => (*name, operation.clone()),
            None => ("", format!("{} {}", received.method, received.path)),
        };
        let fault = lock(&self.script).next(name, &operation);
        let too_fast = |buckets: &Mutex<Buckets>| !lock(buckets).admits(&operation, received.now);
        let mut items = Vec::new();
        let mut reply = match &mut mine {
            Some((_, _, service)) => {
                items = service.items(received);
                match &fault {
                    Some(Kind::Drop | Kind::Hang) => Reply::of(200),
                    None if self.buckets.as_ref().is_some_and(too_fast) => service.throttled(),
                    Some(Kind::Echo) => echo(received),
                    Some(Kind::Redirect) => Reply::of(307).with("location", "/elsewhere"),
                    Some(Kind::Throttle(None)) => service.throttled(),
                    Some(Kind::Throttle(Some(after))) => service.throttled().with("retry-after", after),
                    Some(Kind::Status(status, None)) => service.broken(*status),
                    Some(Kind::Status(status, Some(body))) => Reply::of(*status).bearing(faults::body(body)),
                    _ => service.answer(received),
                }
            }
            None => Reply::of(404),
        };
        match fault {
            Some(Kind::Spoil(spoil)) => lock(&self.memory).spoil(spoil, name, &operation, &mut reply),
            _ => lock(&self.memory).keep(name, &operation, &reply),
        }
        let silent = matches!(fault, Some(Kind::Drop | Kind::LoseAnswer | Kind::Hang));
        // Recorded while the world is locked, so that the record has the order of the work.
        lock(&self.record).add(Call {
            service: name.into(),
            operation,
            items,
            status: (!silent).then_some(reply.status),
            code: (!silent).then(|| calls::code(&reply)).flatten(),
            user_agent: received.header("user-agent").into(),
            fault: fault.as_ref().map(ToString::to_string),
            after,
        });
        (reply, fault)
    }
}

/// The header by which a sandbox says that it is one. No service of a cloud sends it.
pub const MARK: &str = "imgctl-sandbox";

/// What the sandbox says to a browser. This is not a call of a service, and it is not recorded.
fn greeting() -> Reply {
    let text = "This is an imgctl sandbox: it emulates AWS ECR, Tencent Cloud CVM, Huawei Cloud Workspace and an OCI registry.\n\
         Nothing here is real, and nothing costs money. Run `imgctl sandbox --help` to learn more.\n";
    let reply = Reply::of(200).with(MARK, env!("CARGO_PKG_VERSION"));
    reply.with("content-type", "text/plain; charset=utf-8").bearing(text)
}

/// An error in the form of every service, with the headers and the body of the request in its message.
fn echo(received: &Received) -> Reply {
    let headers = received.headers.iter().filter_map(|(name, value)| Some(format!("{name}: {}", value.to_str().ok()?)));
    let body = String::from_utf8_lossy(&received.body).into_owned();
    let message = headers.chain([body]).collect::<Vec<_>>().join("; ");
    let body = serde_json::json!({
        "__type": "InvalidParameterException", "message": message,
        "Response": { "Error": { "Code": "InvalidParameterValue", "Message": message }, "RequestId": "echo" },
        "error_code": "WKS.00211102", "error_msg": message,
    });
    Reply::of(400).bearing(body.to_string())
}

/// A client must learn that half of an answer is not all of it.
fn with_length(reply: Reply) -> Reply {
    let length = reply.body.len().to_string();
    reply.with("content-length", length)
}

fn respond(reply: Reply, body: impl FnOnce(Vec<u8>) -> Body) -> Response<Body> {
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    response.body(body(reply.body)).unwrap_or_else(|error| {
        // Only a service that wrote a header with a line break in it comes here.
        let mut failed = Response::new(whole(error.to_string().into()));
        *failed.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        failed
    })
}

fn whole(body: Vec<u8>) -> Body {
    let never = |never: Infallible| match never {};
    Full::new(Bytes::from(body)).map_err(never).boxed()
}

/// Half of the body, then a broken connection.
fn halved(body: Vec<u8>) -> Body {
    let mut half = body;
    half.truncate(half.len() / 2);
    let half = Bytes::from(half);
    BoxBody::new(StreamBody::new(stream::unfold(Some(half), |half| async move {
        match half {
            Some(half) if !half.is_empty() => Some((Ok(Frame::data(half)), None)),
            _ => {
                tokio::time::sleep(HALFWAY).await;
                Some((Err(io::ErrorKind::ConnectionAborted.into()), None))
            }
        }
    })))
}

/// The body in pieces, with a pause before each.
fn pieces(pieces: impl Iterator<Item = Bytes> + Send + Sync + 'static, pause: Duration) -> Body {
    BoxBody::new(StreamBody::new(stream::unfold(pieces, move |mut pieces| async move {
        tokio::time::sleep(pause).await;
        Some((Ok(Frame::data(pieces.next()?)), pieces))
    })))
}

#[cfg(test)]
mod tests;
