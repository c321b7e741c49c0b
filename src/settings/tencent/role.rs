//! The role of the CVM instance that imgctl runs on: its temporary keys from the metadata service, renewed before they
//! expire.
//! <https://www.tencentcloud.com/document/product/213/4934>

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, Request, Url};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::Credentials;
use crate::{
    error::{Error, Kind, Result},
    http::{self, Http, Response, Size},
    settings::Env,
};

/// Names another metadata service, or says `off`.
pub(super) const VARIABLE: &str = "IMGCTL_TENCENT_METADATA_ENDPOINT";
const DEFAULT: &str = "http://metadata.tencentyun.com";
const FOLDER: &str = "/latest/meta-data/cam/security-credentials/";

/// The metadata service is on the same host, if it exists.
const TIMEOUT: Duration = Duration::from_secs(1);

/// When the SDKs renew, too.
/// <https://github.com/TencentCloud/tencentcloud-sdk-go/blob/master/tencentcloud/common/cvm_role_provider.go>
const RENEWED_BEFORE: TimeDelta = TimeDelta::seconds(300);

pub(super) struct Role {
    http: Http,
    base: Url,
    name: String,
    /// Locked during a renewal, so that concurrent calls share it.
    keys: Mutex<Credentials>,
}

impl Role {
    /// The role of this machine, or why there is none.
    pub async fn find(env: &Env, now: DateTime<Utc>) -> Result<Self> {
        let base = match env.get(VARIABLE) {
            Some("off") => return Err(none(format!("{VARIABLE} is off"))),
            Some(text) => http::endpoint(text, VARIABLE)?,
            None => Url::parse(DEFAULT).map_err(|error| none(error.to_string()))?,
        };
        let http = Http::direct(&base, TIMEOUT)?;
        let answer = get(&http, &base, "").await?;
        let name = String::from_utf8_lossy(&answer.body).trim().to_owned();
        let harmless = |letter: char| letter.is_ascii_alphanumeric() || "+=,.@_-".contains(letter);
        if name.is_empty() || !name.chars().all(harmless) {
            return Err(none("the metadata service names no role"));
        }
        let keys = fetch(&http, &base, &name, now).await?;
        Ok(Self { http, base, name, keys: Mutex::new(keys) })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Keys that are still valid for a while.
    pub async fn keys(&self, now: DateTime<Utc>) -> Result<Credentials> {
        let mut keys = self.keys.lock().await;
        let left = keys.expires_at.map(|end| end - now);
        if left.is_some_and(|left| left <= RENEWED_BEFORE) {
            match fetch(&self.http, &self.base, &self.name, now).await {
                Ok(fresh) => *keys = fresh,
                Err(error) if left <= Some(TimeDelta::zero()) => return Err(error),
                // They are still valid; the next call tries again.
                Err(_) => {}
            }
        }
        Ok(keys.clone())
    }
}

async fn get(http: &Http, base: &Url, name: &str) -> Result<Response> {
    let mut url = base.clone();
    url.set_path(&format!("{FOLDER}{name}"));
    let answer = http
        .send(Request::new(Method::GET, url), Size::Few)
        .await
        .map_err(|_| none("the metadata service of a CVM instance does not answer"))?;
    match answer.status {
        200 => Ok(answer),
        404 => Err(none("this CVM instance has no role")),
        status => Err(none(format!("the metadata service answered HTTP {status}"))),
    }
}

async fn fetch(http: &Http, base: &Url, name: &str, now: DateTime<Utc>) -> Result<Credentials> {
    let answer = get(http, base, name).await?;
    let keys =
        decode(&answer.body).ok_or_else(|| none(format!("the metadata service gave no keys for the role {name}")))?;
    match keys.expires_at {
        Some(end) if end <= now => Err(none(format!("the keys of the role {name} expired at {end}"))),
        _ => Ok(keys),
    }
}

fn none(why: impl Into<String>) -> Error {
    Error::new(Kind::Auth, why)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    tmp_secret_id: String,
    tmp_secret_key: String,
    token: String,
    expired_time: i64,
    code: String,
}

fn decode(body: &[u8]) -> Option<Credentials> {
    let given: Given = serde_json::from_slice(body).ok()?;
    (given.code == "Success").then_some(())?;
    Some(Credentials {
        secret_id: given.tmp_secret_id,
        secret_key: given.tmp_secret_key.into(),
        token: Some(given.token.into()),
        expires_at: Some(DateTime::from_timestamp(given.expired_time, 0)?),
    })
}
