//! What EventBridge Scheduler starts in ECS: the schedules whose target is a cluster, and those that call an operation of
//! ECS with an input of their own. Disabled schedules and those of the past count too: a person can set them anew.

use futures_util::future::{join, try_join_all};
use reqwest::Method;
use serde::{Deserialize, de::DeserializeOwned, de::IgnoredAny};

use super::{
    super::{
        Paged,
        call::{Api, Call},
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
            self.get::<Paged<Listed>>("ListSchedules", 0, &["schedules"], &query).await
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
        let schedule: Schedule = asked(self.asker, GET, || self.get("GetSchedule", 1, &path, &query)).await?;
        if (&schedule.name, &schedule.group_name) != (&listed.name, &listed.group_name) {
            let message = format!("GetSchedule tells about {}, which was not asked for", schedule.arn);
            return Err(Error::new(Kind::Unreadable, message));
        }
        let who = format!("EventBridge schedule {} in group {}", listed.name, listed.group_name);
        Ok(schedule.target.starts(&schedule.arn).map(|definition| Start { who, definition }))
    }

    async fn get<T: DeserializeOwned>(
        &self,
        action: &'static str,
        ids: usize,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T> {
        self.api.rest(Call { action, ids, own: CODES }, Method::GET, path, query, None).await
    }
}

pub async fn permissions(api: &Api) -> Vec<Permission> {
    let get = async |name: &'static str, path: &[&str], query: &[(&str, &str)]| {
        let call = Call { action: name.trim_start_matches("scheduler:"), ids: 0, own: CODES };
        Permission::of(name, api.rest::<IgnoredAny>(call, Method::GET, path, query, None).await)
    };
    let list = get("scheduler:ListSchedules", &["schedules"], &[("MaxResults", "1")]);
    let read = get("scheduler:GetSchedule", &["schedules", "imgctl-doctor"], &[]);
    let (list, read) = join(list, read).await;
    vec![list, read]
}
