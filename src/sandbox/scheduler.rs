//! Amazon EventBridge Scheduler as far as it tells what schedules call: read only.
//! <https://docs.aws.amazon.com/scheduler/latest/APIReference/Welcome.html>

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Hooked, Hooks, Received, Reply, Service,
    door::{Door, page, paged},
    ecr::{
        ACCOUNT,
        refusal::{self, Refusal},
    },
};

const PATH: &str = "/schedules";

/// The target that starts tasks with an input of its own.
pub const RUN_TASK: &str = "arn:aws:scheduler:::aws-sdk:ecs:runTask";

/// The service: one account, all regions.
#[derive(Serialize, Deserialize)]
#[serde(default)]
pub struct Scheduler {
    /// Schedules by region, and by group and name.
    regions: BTreeMap<String, BTreeMap<String, Schedule>>,
    #[serde(skip, default = "door")]
    pub door: Door,
    #[serde(skip)]
    hooks: Hooks<Scheduler>,
}

/// What a schedule calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Schedule {
    target: String,
    /// Of a target that is a cluster.
    definition: Option<String>,
    /// Of any other target.
    input: Option<String>,
    enabled: bool,
}

fn door() -> Door {
    Door::of("scheduler")
}

impl Default for Scheduler {
    fn default() -> Self {
        Self { regions: BTreeMap::new(), door: door(), hooks: Hooks::default() }
    }
}

impl Hooked for Scheduler {
    fn hooks(&mut self) -> &mut Hooks<Self> {
        &mut self.hooks
    }
}

impl Schedule {
    /// Starts tasks in a cluster. Both are resource names.
    pub fn starting(cluster: &str, definition: &str) -> Self {
        Self { target: cluster.into(), definition: Some(definition.into()), input: None, enabled: true }
    }

    /// Calls anything else.
    pub fn calling(target: &str, input: &str) -> Self {
        Self { target: target.into(), definition: None, input: Some(input.into()), enabled: true }
    }

    pub fn disabled(self) -> Self {
        Self { enabled: false, ..self }
    }
}

impl Scheduler {
    /// Adds a schedule to a group.
    pub fn add(&mut self, region: &str, group: &str, name: &str, schedule: Schedule) {
        self.regions.entry(region.into()).or_default().insert(format!("{group}/{name}"), schedule);
    }

    pub fn remove(&mut self, region: &str, group: &str, name: &str) {
        self.regions.entry(region.into()).or_default().remove(&format!("{group}/{name}"));
    }

    fn perform(&mut self, operation: &str, request: &Received, region: &str) -> Result<Value, Refusal> {
        self.run_hooks(operation);
        let empty = BTreeMap::new();
        let schedules = self.regions.get(region).unwrap_or(&empty);
        let invalid = |why: &str| Refusal::new("ValidationException", why);
        if operation == "ListSchedules" {
            let size = match request.parameter("MaxResults").map(|size| size.parse()) {
                None => 100,
                Some(Ok(size @ 1..=100)) => size,
                Some(_) => return Err(invalid("MaxResults must be between 1 and 100")),
            };
            let group = request.parameter("ScheduleGroup");
            let fits = |key: &str| group.as_ref().is_none_or(|group| key.split('/').next() == Some(group));
            let all = schedules.iter().filter(|(key, _)| fits(key));
            let all = all.map(|(key, schedule)| {
                let mut shown = shown(region, key, schedule);
                shown["Target"] = json!({ "Arn": schedule.target });
                (key.as_str(), shown)
            });
            let page = page(all, request.parameter("NextToken").as_deref(), self.door.size(size));
            return Ok(paged("Schedules", page, "NextToken"));
        }
        let name = request.path.trim_start_matches(PATH).trim_start_matches('/');
        let group = request.parameter("groupName").unwrap_or_else(|| "default".into());
        let key = format!("{group}/{name}");
        let missing = || {
            let message = format!("Schedule {name} does not exist.");
            Refusal { status: 404, ..Refusal::new("ResourceNotFoundException", message) }
        };
        let schedule = schedules.get(&key).ok_or_else(missing)?;
        let mut shown = shown(region, &key, schedule);
        shown["ScheduleExpression"] = "rate(1 day)".into();
        shown["FlexibleTimeWindow"] = json!({ "Mode": "OFF" });
        shown["Target"] =
            json!({ "Arn": schedule.target, "RoleArn": format!("arn:aws:iam::{ACCOUNT}:role/scheduler") });
        if let Some(definition) = &schedule.definition {
            shown["Target"]["EcsParameters"] = json!({ "TaskDefinitionArn": definition, "TaskCount": 1 });
        }
        if let Some(input) = &schedule.input {
            shown["Target"]["Input"] = input.clone().into();
        }
        Ok(shown)
    }
}

/// What both calls tell of a schedule.
fn shown(region: &str, key: &str, schedule: &Schedule) -> Value {
    let (group, name) = key.split_once('/').unwrap_or_default();
    json!({
        "Arn": format!("arn:aws:scheduler:{region}:{ACCOUNT}:schedule/{key}"),
        "Name": name,
        "GroupName": group,
        "State": if schedule.enabled { "ENABLED" } else { "DISABLED" },
        "CreationDate": 1_767_225_600.0,
        "LastModificationDate": 1_767_225_600.0,
    })
}

impl Service for Scheduler {
    fn operation(&self, request: &Received) -> Option<String> {
        let rest = request.path.strip_prefix(PATH).filter(|_| request.method == "GET")?;
        match rest.strip_prefix('/') {
            None if rest.is_empty() => Some("ListSchedules".into()),
            Some(name) if !name.is_empty() => Some("GetSchedule".into()),
            _ => None,
        }
    }

    fn operations(&self) -> Vec<&'static str> {
        vec!["ListSchedules", "GetSchedule"]
    }

    fn answer(&mut self, request: &Received) -> Reply {
        let operation = self.operation(request).unwrap_or_default();
        let admitted = self.door.admit(request, &operation).map_err(refusal::at_rest);
        let answer = admitted.and_then(|region| self.perform(&operation, request, &region));
        self.door.reply(answer)
    }

    fn throttled(&self) -> Reply {
        let refusal = Refusal { status: 429, ..refusal::throttled() };
        self.door.refuse(&refusal)
    }

    fn broken(&self, status: u16) -> Reply {
        self.door.refuse(&Refusal::of_status(status))
    }

    fn environment(&self, url: &str) -> Vec<(&'static str, String)> {
        vec![("AWS_ENDPOINT_URL_SCHEDULER", url.into())]
    }
}
