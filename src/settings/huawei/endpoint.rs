//! The endpoints of a region's services, and the variables that change them.

use reqwest::Url;

use crate::{
    error::{Error, Kind, Result},
    http,
    settings::Env,
};

/// Regions whose WorkspaceApp listens under its Chinese name; elsewhere it is `workspace`.
/// <https://github.com/huaweicloud/huaweicloud-sdk-python-v3/blob/master/huaweicloud-sdk-workspaceapp/huaweicloudsdkworkspaceapp/v1/region/workspaceapp_region.py>
pub(super) const APPSTREAM: [&str; 5] = ["cn-north-4", "cn-north-9", "cn-east-3", "cn-south-1", "cn-southwest-2"];

const CLOUD: &str = "HW_CLOUD";
const DEFAULT_CLOUD: &str = "myhuaweicloud.com";
/// European regions belong to a separate cloud.
/// <https://github.com/huaweicloud/terraform-provider-huaweicloud>
const EUROPE: (&str, &str) = ("eu-west-1", "myhuaweicloud.eu");

const WORKSPACE_ENDPOINT: &str = "IMGCTL_WORKSPACE_ENDPOINT";
const IAM_ENDPOINT: &str = "IMGCTL_IAM_ENDPOINT";
const OTHER_IAM_ENDPOINTS: [&str; 3] = ["HW_AUTH_URL", "OS_AUTH_URL", "HUAWEICLOUD_SDK_IAM_ENDPOINT"];

/// A service's endpoint, and what names it.
pub(super) struct Endpoint {
    pub url: Url,
    pub source: String,
}

pub(super) fn workspace(env: &Env, region: &str) -> Result<Endpoint> {
    let host = if APPSTREAM.contains(&region) { "appstream" } else { "workspace" };
    match env.get(WORKSPACE_ENDPOINT) {
        Some(text) => given(text, WORKSPACE_ENDPOINT),
        None => default(env, host, region),
    }
}

/// IAM; `of_credentials` is the endpoint that the credentials name, and where they name it.
pub(super) fn iam(env: &Env, region: &str, of_credentials: Option<(String, String)>) -> Result<Endpoint> {
    if let Some(text) = env.get(IAM_ENDPOINT) {
        return given(text, IAM_ENDPOINT);
    }
    if let Some((text, source)) = of_credentials {
        return given(&text, &source);
    }
    match env.first(&OTHER_IAM_ENDPOINTS) {
        Some((variable, text)) => given(text, variable),
        None => default(env, "iam", region),
    }
}

fn default(env: &Env, service: &str, region: &str) -> Result<Endpoint> {
    let (cloud, source) = match env.get(CLOUD) {
        Some(cloud) => (cloud, CLOUD),
        None if region.starts_with(EUROPE.0) => (EUROPE.1, "the region's host"),
        None => (DEFAULT_CLOUD, "the region's host"),
    };
    if !cloud.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)) {
        return Err(Error::new(
            Kind::Config,
            format!("{CLOUD} is \"{}\": it is not a host name", http::without_password(cloud)),
        )
        .hint("it looks like myhuaweicloud.com"));
    }
    given(&format!("https://{service}.{region}.{cloud}"), source)
}

/// An endpoint without the API's version, which each call adds. It must not have parts that are signed differently from
/// how they are sent.
fn given(text: &str, source: &str) -> Result<Endpoint> {
    let mut url = http::endpoint(text, source)?;
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/v3").unwrap_or(path).to_owned();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    if !path.bytes().all(plain) || url.query().is_some() || url.fragment().is_some() {
        let message = format!("{source} is \"{text}\": it must end after the host or a plain path");
        return Err(Error::new(Kind::Config, message));
    }
    url.set_path(&path);
    Ok(Endpoint { url, source: source.to_owned() })
}
