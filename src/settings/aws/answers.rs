//! What the SDK takes of an answer: no more than a limit, so that no service fills the memory; and its date. The
//! signature of each request is remembered, because a service may send it back.

use std::sync::{Arc, OnceLock};

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

use crate::{
    clock::Clock,
    http::{Size, host},
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
            Ok(answer.map(|body| SdkBody::from_body_1_x(Limited::new(body, size.bytes()))))
        })
    }
}

/// How large the answer to an operation may be: `AmazonEC2ContainerRegistry_V20150921.DescribeImages`.
pub(crate) fn size(target: &str) -> Size {
    match target.rsplit('.').next() {
        Some("DescribeImages" | "BatchGetImage" | "DescribeRepositories") => Size::List,
        _ => Size::Few,
    }
}
