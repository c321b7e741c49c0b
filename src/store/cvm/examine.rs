//! Whether CVM can be worked with: one page of one image is asked for, and a deletion of an image that cannot exist is
//! rehearsed.

use std::{sync::Arc, time::Instant};

use chrono::{TimeDelta, Utc};
use serde_json::json;

use super::{
    Done, ENDPOINT, Images, Told,
    call::{Api, CVM},
    decode, errors,
};
use crate::{
    checkup::{Checkup, Heard, Subject},
    error::{Kind, Result},
    http::{Http, Size},
    image::StoreRef,
    settings::{Settings, shortened, shown, tencent::Tencent},
};

/// <https://www.tencentcloud.com/document/api/213/33277>
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// A valid id that no image has: ids are random.
const UNUSED_DIGEST: &str = "img-00000000";

pub async fn examine(settings: &Settings, store: &StoreRef, checkup: &mut Checkup) -> Result<()> {
    let tencent = checkup.of(Subject::Credentials, Tencent::load(settings))?;
    tencent.note_unused(checkup);
    let now = Utc::now();
    let keys = match tencent.keys(now).await {
        Ok(keys) => keys.at(now).await.map(|first| (keys, first)),
        Err(error) => Err(error),
    };
    let (keys, first) = checkup.credentials(keys, || tencent.is_set_up())?;
    checkup.found(Subject::Credentials, shortened(&first.secret_id), keys.found());
    let found = checkup.of(Subject::Region, tencent.region(store.region.as_deref()))?;
    let region = found.value;
    checkup.found(Subject::Region, &region, found.source);
    let endpoint = checkup.of(Subject::Endpoint, tencent.endpoint("cvm", ENDPOINT, &region))?;
    checkup.found(Subject::Endpoint, shown(&endpoint.value), endpoint.source);
    let http = checkup.of(Subject::Endpoint, Http::new(&endpoint.value, settings.timeout))?;
    let api = Api::new(CVM, http.clone(), endpoint.value, &region, Arc::new(keys));
    read(&api, &http, checkup).await?;
    checkup.unknown(Subject::Account, "CVM does not name it");
    delete(&api, checkup).await;
    Ok(())
}

async fn read(api: &Api, http: &Http, checkup: &mut Checkup) -> Result<()> {
    let body = json!({ "Limit": 1 });
    let request = checkup.of(Subject::Endpoint, api.request("DescribeImages", &body).await)?;
    let host = request.url().host_str().unwrap_or_default().to_owned();
    let started = Instant::now();
    checkup.calls += 1;
    let answer = http.send(request, Size::List).await;
    let heard = Heard::of(&answer, started);
    let told: Result<Told<Images>> = answer.and_then(|answer| decode::read(&answer, &host, Utc::now()));
    // The only store that such a call can be about is the region.
    if let (Err(error), Some(heard)) = (&told, &heard)
        && error.kind == Kind::NoStore
    {
        checkup.reached(Subject::Endpoint, heard.took);
        return checkup.of(Subject::Region, told.map(drop));
    }
    checkup.tried("cvm:DescribeImages", heard.as_ref(), TOLERANCE, told.map(drop))
}

/// Rehearses a deletion. Should the service take no notice of that, there is still nothing to delete.
async fn delete(api: &Api, checkup: &mut Checkup) {
    let body = json!({ "ImageIds": [UNUSED_DIGEST], "DryRun": true });
    checkup.calls += 1;
    let told: Result<Told<Done>> = api.call("DeleteImages", 1, &body).await;
    match told {
        // Which of the two is looked at first, permissions or images, is documented nowhere.
        Err(error) if error.kind == Kind::NotFound => {
            checkup.unknown(Subject::Delete, "not refused; `delete --dry-run IMAGE` asks for sure")
        }
        Err(error) if error.code.as_deref() != Some(errors::DRY_RUN) => {
            checkup.allowed(Subject::Delete, "cvm:DeleteImages", Err(error));
        }
        _ => checkup.allowed(Subject::Delete, "cvm:DeleteImages", Ok(())),
    }
}
