//! How the SDK reaches AWS: rustls with ring, a proxy for https alone, the certificates that AWS's own tools take, and
//! no wait without an end.

use std::time::Duration;

use aws_smithy_http_client::{
    Builder, Connector,
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::timeout::TimeoutConfig;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::{super::Settings, profile::Profile};
use crate::{
    error::{Error, Kind, Result},
    http,
};

/// The proxy and the certificates of every connection.
pub(super) struct Transport {
    proxy: ProxyConfig,
    tls: TlsContext,
}

impl Transport {
    pub fn new(settings: &Settings, profile: &Profile) -> Result<Self> {
        Ok(Self { proxy: proxy(settings)?, tls: tls(settings, profile)? })
    }

    /// The client for AWS and for the sources of credentials.
    pub fn client(&self) -> SharedHttpClient {
        over_tls(self.proxy.clone(), self.tls.clone())
    }

    /// The client for an endpoint on this machine, without any proxy; `None` for one elsewhere.
    pub fn direct(&self, endpoint: &str) -> Option<SharedHttpClient> {
        let url = reqwest::Url::parse(endpoint).ok()?;
        if !http::is_loopback(&url) {
            return None;
        }
        Some(match url.scheme() {
            // Avoids reading the system's certificates.
            "http" => Builder::new().build_http(),
            _ => over_tls(ProxyConfig::disabled(), self.tls.clone()),
        })
    }
}

fn over_tls(proxy: ProxyConfig, tls: TlsContext) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        if settings.is_none() {
            // The SDK asks for a connector early, to read the certificates. Most clients are for credentials that then
            // come from another source, so this avoids that.
            return Connector::builder().build_http();
        }
        let mut connector = Connector::builder()
            .proxy_config(proxy.clone())
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(tls.clone());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        if let Some(settings) = settings {
            connector = connector.connector_settings(settings.clone());
        }
        connector.build()
    })
}

/// The proxy for https. Plain http is only for this machine and its metadata service, which need no proxy.
fn proxy(settings: &Settings) -> Result<ProxyConfig> {
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let Some((name, url)) = settings.env.first(&names) else {
        return Ok(ProxyConfig::disabled());
    };
    let url = match url.contains("://") {
        true => url.to_owned(),
        false => format!("http://{url}"),
    };
    // The address may contain a password, so the error does not repeat it.
    let proxy = ProxyConfig::https(url).map_err(|_| {
        Error::new(Kind::Config, format!("{name} is not a valid proxy address for AWS"))
            .hint("it looks like http://proxy.example.com:3128")
    })?;
    Ok(match settings.env.first(&["NO_PROXY", "no_proxy"]) {
        Some((_, rules)) => proxy.no_proxy(rules),
        None => proxy,
    })
}

/// The certificates to trust: the system's, or those that AWS's own tools are told to trust instead.
fn tls(settings: &Settings, profile: &Profile) -> Result<TlsContext> {
    let Some(pem) = certificates(settings, profile)? else {
        return Ok(TlsContext::default());
    };
    let trusted = TrustStore::empty().with_pem_certificate(pem);
    let built = TlsContext::builder().with_trust_store(trusted).build();
    built.map_err(|error| Error::new(Kind::Config, format!("cannot trust the certificates: {error}")))
}

/// The certificates that AWS's own tools are told to trust instead of the system's.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html>
pub(super) fn certificates(settings: &Settings, profile: &Profile) -> Result<Option<Vec<u8>>> {
    let variable = settings.env.get("AWS_CA_BUNDLE");
    let Some(path) = variable.or_else(|| profile.get("ca_bundle")) else {
        return Ok(None);
    };
    let from = variable.map_or("ca_bundle of the AWS profile", |_| "AWS_CA_BUNDLE");
    let wrong = |why: String| Error::new(Kind::Config, format!("{from} is {path:?}: {why}"));
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    // The transport panics if it cannot read a certificate.
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("it contains no certificate".into()));
    }
    Ok(Some(pem))
}

/// Limits every wait. By default the SDK waits forever for a server that accepts and does not answer.
pub(crate) fn timeouts(timeout: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(timeout.min(Duration::from_secs(10)))
        .operation_attempt_timeout(timeout)
        .operation_timeout(timeout)
        .build()
}
