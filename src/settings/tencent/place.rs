//! Where calls go: the region, and the host that serves it.

use reqwest::Url;

use super::{By, Found, Tencent};
use crate::{
    error::{Error, Kind, Result},
    http,
    settings::regions::checked,
};

const REGION: &str = "TENCENTCLOUD_REGION";
const ROOT_DOMAIN: &str = "TENCENTCLOUD_DOMAIN";
const DEFAULT_ROOT: &str = "tencentcloudapi.com";

impl Tencent<'_> {
    /// The region that calls go to: that of the reference, of `--region`, or of the provider's own settings.
    pub fn region(&self, of_reference: Option<&str>) -> Result<Found<String>> {
        let named = of_reference.map(|region| (region, "the reference"));
        let found = match named.or_else(|| Some((self.region_flag?, "--region"))) {
            Some((region, source)) => Found { value: region.to_owned(), source: source.to_owned() },
            None => self.own_region()?,
        };
        Ok(Found { value: checked(&found.value, &found.source)?, source: found.source })
    }

    /// The region that the environment or the profile names.
    pub(super) fn own_region(&self) -> Result<Found<String>> {
        let variable = self.env.get(REGION).map(|region| Found { value: region.to_owned(), source: REGION.to_owned() });
        let file = self.configure.region.clone().map(|value| Found { value, source: self.configure_source() });
        let found = match self.profile.by {
            By::Flag => file.or(variable),
            _ => variable.or(file),
        };
        found.ok_or_else(|| {
            let file = match (&self.configure_path, self.profile_file("configure")) {
                (Some(path), _) => format!("{} (it has none)", path.display()),
                (None, Some(path)) => format!("{} (not there)", path.display()),
                (None, None) => "tccli's settings (no home folder)".into(),
            };
            Error::new(
                Kind::Config,
                format!(
                    "no region for Tencent Cloud: looked at the reference, --region, {REGION} (not set) and {file}"
                ),
            )
            .hint("name one, as in cvm://ap-guangzhou/img-… or --region ap-guangzhou")
        })
    }

    fn configure_source(&self) -> String {
        match &self.configure_path {
            Some(path) => path.display().to_string(),
            None => "tccli's settings".into(),
        }
    }

    /// Where a service listens for calls about a region. `variable` names imgctl's own override.
    pub fn endpoint(&self, service: &str, variable: &str, region: &str) -> Result<Found<Url>> {
        let default = format!("{service}.{DEFAULT_ROOT}");
        // tccli writes the default host into every profile: not a choice of the user's.
        let configured = match self.configure.endpoints.get(service) {
            None | Some(serde_json::Value::Null) => None,
            Some(value) => {
                let host = value.as_str().map(str::trim).ok_or_else(|| {
                    Error::new(
                        Kind::Config,
                        format!("{} has a {service}.endpoint that is not text", self.configure_source()),
                    )
                })?;
                let bare = host.strip_prefix("https://").unwrap_or(host).trim_end_matches('/');
                (!bare.is_empty() && bare != default).then_some(host)
            }
        };
        let (text, source) = if let Some(text) = self.env.get(variable) {
            (text.to_owned(), variable.to_owned())
        } else if let Some(text) = configured {
            let source = format!("{service}.endpoint in {}", self.configure_source());
            let scheme = if text.contains("://") { "" } else { "https://" };
            (format!("{scheme}{text}"), source)
        } else {
            let (root, source) = match self.env.get(ROOT_DOMAIN) {
                Some(root) => (root, ROOT_DOMAIN.to_owned()),
                None => (DEFAULT_ROOT, "default".to_owned()),
            };
            (format!("https://{}", host(service, region, root)), source)
        };
        let url = http::endpoint(&text, &source)?;
        // The signature covers the path "/" alone.
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            let message = format!("{source} is \"{text}\": it must end after the host");
            return Err(Error::new(Kind::Config, message));
        }
        Ok(Found { value: url, source })
    }
}

/// Each finance region has its own host. The common host serves all others.
/// <https://www.tencentcloud.com/document/api/213/33280>
fn host(service: &str, region: &str, root: &str) -> String {
    if region.ends_with("-fsi") { format!("{service}.{region}.{root}") } else { format!("{service}.{root}") }
}
