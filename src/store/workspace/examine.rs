//! Whether Workspace can be worked with: a login, and one page of one image server.

use std::{sync::Arc, time::Instant};

use chrono::{TimeDelta, Utc};

use super::{Call, Listed, Region, Workspace, decode, errors, get};
use crate::{
    checkup::{Checkup, Heard, Subject},
    error::{Kind, Result},
    image::StoreRef,
    settings::{Settings, huawei::Huawei},
};

/// <https://support.huaweicloud.com/intl/en-us/devg-apisign/apisign-devg-pdf.pdf>
const TOLERANCE: TimeDelta = TimeDelta::minutes(15);

pub async fn examine(settings: &Settings, store: &StoreRef, checkup: &mut Checkup) -> Result<()> {
    let huawei = Huawei::look(settings, store.region.as_deref(), checkup)?;
    let region = checkup.of(Subject::Endpoint, Region::new(settings, huawei))?;
    let workspace = Workspace::new(settings, Arc::new(region), store);
    let started = Instant::now();
    let access = workspace.access().await;
    if checkup.value(Subject::Login).is_some() {
        checkup.calls += 1;
        let answered = !matches!(&access, Err(error) if error.kind == Kind::Unreachable);
        if answered {
            checkup.reached(Subject::Login, started.elapsed());
        }
    }
    let access = match access {
        Ok(access) => access,
        Err(error) => {
            let subject = match error.kind {
                Kind::Auth => Subject::Credentials,
                Kind::Config => Subject::Project,
                _ => Subject::Login,
            };
            return checkup.of(subject, Err(error));
        }
    };
    checkup.told(Subject::Project, &access.project);
    let mut query = vec![("offset", "0"), ("limit", "1")];
    // A user with access to only one enterprise project must name it.
    if let Some(id) = &workspace.region.enterprise_project {
        query.push(("enterprise_project_id", id));
    }
    let call = Call { query: &query, ..get("ListImageServers", &["image-servers"]) };
    let started = Instant::now();
    checkup.calls += 1;
    let answer = workspace.send(&call, &access).await;
    let heard = Heard::of(&answer, started);
    let read = answer.and_then(|answer| match answer.status {
        200..300 => decode::read::<Listed>(&call, &answer).map(drop),
        _ => Err(errors::refused(call.about, &answer, Utc::now(), &access.proof.secrets())),
    });
    checkup.tried("workspace:imageServer:list", heard.as_ref(), TOLERANCE, read)?;
    checkup.unknown(Subject::Delete, "cannot be asked without deleting");
    Ok(())
}
