//! What the SDK takes of an answer: no more than a limit, so that no service fills the memory; and its date. The
//! signature of each request is remembered, because a service may send it back.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
            SharedHttpConnector,
        },
        orchestrator::HttpRequest,
        runtime_components::RuntimeComponents,
    },
    shared::IntoShared,
};
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::SemaphorePermit;

use crate::{
    clock::Clock,
    http::{Size, host, large_answer},
    secrets,
};

/// A client whose answers are bounded, and whose clock is compared with ours.
#[derive(Clone, Debug)]
pub(super) struct Bounded {
    pub client: SharedHttpClient,
    pub clock: Clock,
    pub host: Host,
}

/// The host that ECR's calls go to, once one was sent: the SDK decides, by region, variables and profile.
pub(crate) type Host = Arc<OnceLock<String>>;

/// How the header of all calls to ECR begins.
const ECR: &str = "AmazonEC2ContainerRegistry";

impl HttpClient for Bounded {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connector = self.client.http_connector(settings, components);
        Connector { connector, clock: self.clock.clone(), host: Arc::clone(&self.host) }.into_shared()
    }
}

#[derive(Debug)]
struct Connector {
    connector: SharedHttpConnector,
    clock: Clock,
    host: Host,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        request.headers().get("authorization").into_iter().for_each(secrets::remember_signature);
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let size = size(target);
        if target.starts_with(ECR) {
            self.host.get_or_init(|| reqwest::Url::parse(request.uri()).map(|url| host(&url)).unwrap_or_default());
        }
        let clock = self.clock.clone();
        let answer = self.connector.call(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await?;
            clock.note(answer.headers().get("date"));
            Ok(answer.map(|body| SdkBody::from_body_1_x(InTurn::of(body, size))))
        })
    }
}

/// The body of an answer: bounded, and read in its turn once it is large.
struct InTurn {
    body: Limited<SdkBody>,
    read: usize,
    turn: Turn,
}

/// Whether a large answer may be read.
enum Turn {
    Small,
    Waits(Pin<Box<dyn Future<Output = SemaphorePermit<'static>> + Send + Sync>>),
    Has(#[expect(dead_code, reason = "held until the body is read")] SemaphorePermit<'static>),
}

impl InTurn {
    fn of(body: SdkBody, size: Size) -> Self {
        Self { body: Limited::new(body, size.bytes()), read: 0, turn: Turn::Small }
    }
}

impl Body for InTurn {
    type Data = Bytes;
    type Error = <Limited<SdkBody> as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if matches!(self.turn, Turn::Small) && self.read > Size::Few.bytes() {
            self.turn = Turn::Waits(Box::pin(large_answer()));
        }
        if let Turn::Waits(turn) = &mut self.turn {
            self.turn = Turn::Has(ready!(turn.as_mut().poll(context)));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let bytes = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()).map_or(0, Bytes::len);
        self.read += bytes;
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// How large the answer to an operation may be: `AmazonEC2ContainerRegistry_V20150921.DescribeImages`.
pub(crate) fn size(target: &str) -> Size {
    match target.rsplit('.').next() {
        Some("DescribeImages" | "BatchGetImage" | "DescribeRepositories") => Size::List,
        _ => Size::Few,
    }
}
