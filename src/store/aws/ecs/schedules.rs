//! What EventBridge Scheduler starts in ECS: the schedules whose target is a cluster, and those that call an operation of
//! ECS with an input of their own. Disabled schedules and those of the past count too: a person can set them anew.

use futures_util::future::try_join_all;
use serde::Deserialize;

use super::{
    super::{
        Paged,
        call::{Api, Call, NOTHING, Try},
        errors::Row,
        pages,
    },
    asking::gone,
    start::{Start, Target, concerns_ecs},
};
use crate::{
    error::{Error, Kind, Result},
    store::{Asker, Limit, Permission, source::asked},
};

/// <https://docs.aws.amazon.com/scheduler/latest/APIReference/API_GetSchedule.html>
const CODES: &[Row] = &[(&["ResourceNotFoundException"], Kind::NotFound, "")];

/// The service publishes no rates for these calls; they are the same as for ECS.
const LIST: Limit = Limit { call: "ListSchedules", batch: 100, per_second: 10, in_flight: 4 };
const GET: Limit = Limit { call: "GetSchedule", batch: 1, per_second: 10, in_flight: 4 };

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    schedules: Vec<Summary>,
}

/// A schedule, as a listing shows it: without what its target is given.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    name: String,
    group_name: String,
    target: TargetOf,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TargetOf {
    arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Schedule {
    arn: String,
    name: String,
    group_name: String,
    target: Target,
}

/// The calls of one search.
pub struct Schedules<'a> {
    pub api: &'a Api,
    pub asker: &'a dyn Asker,
}

impl Schedules<'_> {
    pub async fn starts(&self) -> Result<Vec<Start>> {
        let call = |token: Option<String>| async move {
            let token = token.as_deref().map(|token| ("NextToken", token));
            let query: Vec<_> = [("MaxResults", "100")].into_iter().chain(token).collect();
            let call = Call { action: "ListSchedules", ids: 0, own: CODES };
            self.api.get::<Paged<Listed>>(call, &["schedules"], &query).await
        };
        let pages = pages(self.asker, LIST, call).await?;
        let listed: Vec<Summary> = pages.into_iter().flat_map(|page| page.schedules).collect();
        let of_ecs = listed.iter().filter(|schedule| concerns_ecs(&schedule.target.arn));
        let starts = try_join_all(of_ecs.map(|schedule| gone(self.start(schedule)))).await?;
        Ok(starts.into_iter().flatten().collect())
    }

    /// What a schedule starts; nothing, if it was deleted since it was listed.
    async fn start(&self, listed: &Summary) -> Result<Option<Start>> {
        let (path, query) = (["schedules", &*listed.name], [("groupName", &*listed.group_name)]);
        let call = Call { action: "GetSchedule", ids: 1, own: CODES };
        let schedule: Schedule = asked(self.asker, GET, || self.api.get(call, &path, &query)).await?;
        if (&schedule.name, &schedule.group_name) != (&listed.name, &listed.group_name) {
            let message = format!("GetSchedule tells about {}, which was not asked for", schedule.arn);
            return Err(Error::new(Kind::Unreadable, message));
        }
        let who = format!("EventBridge schedule {} in group {}", listed.name, listed.group_name);
        Ok(schedule.target.starts(&schedule.arn).map(|definition| Start { who, definition }))
    }
}

pub async fn permissions(api: &Api) -> Vec<Permission> {
    let tries = [
        Try::Get("scheduler:ListSchedules", &["schedules"], &[("MaxResults", "1")]),
        Try::Get("scheduler:GetSchedule", &["schedules", NOTHING], &[]),
    ];
    api.permissions(CODES, &tries).await
}
