//! What starts tasks without a service: a rule of EventBridge, or a schedule.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

/// Something that starts tasks, at a time or upon an event.
#[derive(Debug, PartialEq, Eq)]
pub struct Start {
    /// `EventBridge rule nightly`
    pub who: String,
    /// The resource name of the task definition, with or without a revision.
    pub definition: Result<String, Unnamed>,
}

/// Why something that starts tasks names no task definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unnamed {
    /// It has no parameters for ECS.
    Nothing,
    /// Its input is no JSON, or has a placeholder where the name should be.
    Unreadable,
}

impl fmt::Display for Unnamed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "names no task definition",
            Self::Unreadable => "has an input that imgctl cannot read",
        })
    }
}

/// What a rule or a schedule calls.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Target {
    pub arn: String,
    ecs_parameters: Option<EcsParameters>,
    /// May hold secrets: it is never shown.
    input: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EcsParameters {
    task_definition_arn: String,
}

impl Target {
    /// The task definition from which it starts tasks in ECS; none, if it does something else. A short name is of the
    /// account and region of `home`.
    pub fn starts(&self, home: &str) -> Option<Result<String, Unnamed>> {
        let name = match (&self.ecs_parameters, operation(&self.arn)) {
            (Some(parameters), _) => Ok(parameters.task_definition_arn.clone()),
            (None, Some(operation)) => self.of_input(operation).transpose()?,
            (None, None) if is_cluster(&self.arn) => Err(Unnamed::Nothing),
            (None, None) => return None,
        };
        Some(name.and_then(|name| whole(&name, home)))
    }

    /// The task definition in the input of a call to an operation of ECS. Only some operations need one.
    fn of_input(&self, operation: &str) -> Result<Option<String>, Unnamed> {
        let needed = ["runTask", "startTask"].iter().any(|needed| operation.eq_ignore_ascii_case(needed));
        let input = self.input.as_deref().unwrap_or("{}");
        let Ok(Value::Object(input)) = serde_json::from_str(input) else { return Err(Unnamed::Unreadable) };
        // The service takes names in either case.
        match input.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("taskDefinition")) {
            // A placeholder is filled in when the schedule runs.
            Some((_, Value::String(name))) if !name.contains("<aws.scheduler.") => Ok(Some(name)),
            Some(_) => Err(Unnamed::Unreadable),
            None if needed => Err(Unnamed::Nothing),
            None => Ok(None),
        }
    }
}

/// Whether a target may start tasks in ECS.
pub fn concerns_ecs(target: &str) -> bool {
    is_cluster(target) || operation(target).is_some()
}

/// `arn:aws:ecs:eu-west-1:123456789012:cluster/prod`
fn is_cluster(target: &str) -> bool {
    matches!(target.splitn(6, ':').collect::<Vec<_>>()[..], ["arn", _, "ecs", _, _, resource] if resource.starts_with("cluster/"))
}

/// The operation of ECS that a target calls: `arn:aws:scheduler:::aws-sdk:ecs:runTask`.
/// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html>
fn operation(target: &str) -> Option<&str> {
    match target.split(':').collect::<Vec<_>>()[..] {
        ["arn", _, "scheduler", _, _, "aws-sdk", service, operation] if service.eq_ignore_ascii_case("ecs") => {
            Some(operation)
        }
        _ => None,
    }
}

/// The resource name of a task definition that may be given as `FAMILY` or `FAMILY:REVISION`.
fn whole(name: &str, home: &str) -> Result<String, Unnamed> {
    if name.is_empty() {
        return Err(Unnamed::Nothing);
    }
    if name.starts_with("arn:") {
        return Ok(name.to_owned());
    }
    match home.splitn(6, ':').collect::<Vec<_>>()[..] {
        ["arn", partition, _, region, account, _] => {
            Ok(format!("arn:{partition}:ecs:{region}:{account}:task-definition/{name}"))
        }
        _ => Err(Unnamed::Unreadable),
    }
}

/// What is told of a task definition that is not there: nothing starts from it.
pub fn of_nothing(who: &str, definition: &str) -> String {
    format!("{who} starts task definition {}, which does not exist", super::name_of(definition))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "arn:aws-cn:scheduler:cn-north-1:123456789012:schedule/default/nightly";
    const CLUSTER: &str = "arn:aws-cn:ecs:cn-north-1:123456789012:cluster/prod";
    const RUN: &str = "arn:aws-cn:scheduler:::aws-sdk:ecs:runTask";

    fn starts(arn: &str, more: &str) -> Option<Result<String, Unnamed>> {
        let text = format!(r#"{{"Arn":"{arn}","RoleArn":"r"{more}}}"#);
        serde_json::from_str::<Target>(&text).unwrap().starts(HOME)
    }

    fn input(input: &str) -> String {
        format!(r#","Input":{}"#, Value::from(input))
    }

    #[test]
    fn a_target_names_a_task_definition_in_its_parameters_or_in_its_input() {
        let arn = |name: &str| Some(Ok(format!("arn:aws-cn:ecs:cn-north-1:123456789012:task-definition/{name}")));
        let whole = arn("report:12").unwrap().unwrap();
        let parameters = format!(r#","EcsParameters":{{"TaskDefinitionArn":"{whole}","TaskCount":1}}"#);
        assert_eq!(starts(CLUSTER, &parameters), arn("report:12"));
        for (action, text, told) in [
            ("runTask", r#"{"Cluster":"prod","TaskDefinition":"report:12"}"#, arn("report:12")),
            ("runTask", r#"{"taskDefinition":"report"}"#, arn("report")),
            ("RunTask", &format!(r#"{{"taskDefinition":"{whole}"}}"#), arn("report:12")),
            ("updateService", r#"{"Service":"web","TaskDefinition":"web:3"}"#, arn("web:3")),
            ("updateService", r#"{"Service":"web","DesiredCount":0}"#, None),
            ("runTask", r#"{"Cluster":"prod"}"#, Some(Err(Unnamed::Nothing))),
            ("startTask", r#"{"taskDefinition":""}"#, Some(Err(Unnamed::Nothing))),
            ("runTask", r#"{"taskDefinition":["report"]}"#, Some(Err(Unnamed::Unreadable))),
            ("runTask", r#"{"taskDefinition":"<aws.scheduler.execution-id>"}"#, Some(Err(Unnamed::Unreadable))),
            ("runTask", "report:12", Some(Err(Unnamed::Unreadable))),
            ("updateService", "{", Some(Err(Unnamed::Unreadable))),
        ] {
            let target = RUN.replace("runTask", action);
            assert_eq!(starts(&target, &input(text)), told, "{action} {text}");
        }
        assert_eq!(starts(RUN, ""), Some(Err(Unnamed::Nothing)));
        assert_eq!(starts(CLUSTER, ""), Some(Err(Unnamed::Nothing)));
    }

    #[test]
    fn other_targets_start_nothing_in_ecs() {
        for target in [
            "arn:aws:lambda:eu-west-1:123456789012:function:thumbs",
            "arn:aws:scheduler:::aws-sdk:sqs:sendMessage",
            "arn:aws:ecs:eu-west-1:123456789012:service/prod/web",
            "arn:aws:sqs:eu-west-1:123456789012:cluster/prod",
            "",
        ] {
            assert!(!concerns_ecs(target), "{target}");
            assert_eq!(starts(target, &input(r#"{"taskDefinition":"report"}"#)), None, "{target}");
        }
        assert!(concerns_ecs(CLUSTER) && concerns_ecs(RUN));
    }
}
