//! What the service does for a known sender: list, show and delete servers, show jobs.

use std::collections::HashSet;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::{Failure, Job, Project, Server, Workspace};
use crate::sandbox::{Received, iam::pairs};

/// <https://support.huaweicloud.com/api-workspace/ListImageServers.html>
const DEFAULT_PAGE: usize = 10;
const LONGEST_PAGE: usize = 100;

/// <https://support.huaweicloud.com/intl/en-us/api-workspace/BatchDeleteImageServer.html>
const MOST_DELETED: usize = 20;
const LONGEST_ID: usize = 128;

impl Workspace {
    pub(super) fn list(&mut self, project: &str, request: &Received) -> Result<Value, Failure> {
        let query = pairs(&request.query);
        let asked = |name: &str| {
            let pair = query.iter().find(|(asked, _)| asked == name)?;
            Some(pair.1.as_str())
        };
        let number = |name: &str, otherwise: usize| match asked(name) {
            None => Ok(otherwise),
            Some(text) => text.parse().map_err(|_| Failure::invalid("The parameter is invalid.")),
        };
        let (offset, limit) = (number("offset", 0)?, number("limit", DEFAULT_PAGE)?);
        if !(1..=LONGEST_PAGE).contains(&limit) {
            return Err(Failure::invalid("The parameter is invalid."));
        }
        let fits = |server: &&Server| {
            asked("server_name").is_none_or(|part| server.name.contains(part))
                && asked("server_id").is_none_or(|id| server.id == id)
                && asked("enterprise_project_id").is_none_or(|id| {
                    let id = if id.is_empty() { "0" } else { id };
                    server.enterprise_project_id == id
                })
        };
        let all = self.projects.entry(project.to_owned()).or_default();
        let fitting: Vec<_> = all.servers.iter().filter(fits).collect();
        let page: Vec<_> = fitting.iter().skip(offset).take(limit).map(|server| described(server)).collect();
        Ok(json!({"count": fitting.len(), "items": page}))
    }

    pub(super) fn show(&mut self, project: &str, id: &str) -> Result<Value, Failure> {
        self.projects
            .get(project)
            .and_then(|project| project.server(id))
            .map(described)
            .ok_or_else(|| Failure::missing("The image server does not exist."))
    }

    pub(super) fn delete(&mut self, project: &str, request: &Received) -> Result<Value, Failure> {
        if !request.header("content-type").starts_with("application/json") {
            let message = "The media type is not supported.";
            return Err(Failure::new(415, "WKS.00000415", message));
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let (items, recursive) = wanted(&body)?;
        let all = self.projects.entry(project.to_owned()).or_default();
        // The documents say that such a request is refused as a whole, and not with which code.
        if items.iter().filter_map(|id| all.server(id)).any(Server::is_busy) {
            return Err(Failure::invalid("An image server is being created or is building its image."));
        }
        let job = format!("7736982740{:08}", self.answered);
        all.start(job.clone(), &items, recursive, request.now, self.job_time);
        Ok(if self.names_job { json!({"job_id": job}) } else { json!({}) })
    }

    pub(super) fn job(&mut self, project: &str, id: &str, now: DateTime<Utc>) -> Result<Value, Failure> {
        let names_servers = self.names_servers;
        let job = |project: &Project| Some(told(project.jobs.get(id)?, now, names_servers));
        self.projects.get(project).and_then(job).ok_or_else(|| Failure::missing("The job does not exist."))
    }
}

/// What a deletion asks for, if it is well formed.
fn wanted(body: &Value) -> Result<(Vec<&str>, bool), Failure> {
    let invalid = || Failure::invalid("The parameter is invalid.");
    let recursive = body["recursive"].as_bool().ok_or_else(invalid)?;
    let items = body["items"].as_array().ok_or_else(invalid)?;
    let items: Vec<_> =
        items.iter().filter_map(Value::as_str).filter(|id| (1..=LONGEST_ID).contains(&id.len())).collect();
    let given = body["items"].as_array().map_or(0, Vec::len);
    let distinct: HashSet<_> = items.iter().collect();
    if items.len() < given || distinct.len() < given || !(1..=MOST_DELETED).contains(&given) {
        return Err(invalid());
    }
    Ok((items, recursive))
}

fn described(server: &Server) -> Value {
    let (source, source_type) = &server.source;
    json!({
        "id": server.id,
        "name": server.name,
        "description": server.description,
        "image_ref": {"id": source, "image_type": source_type, "spce_code": "", "product_id": ""},
        "server_group_id": server.server_group_id,
        "app_group_id": server.app_group_id,
        "server_id": server.server_id,
        "instance_id": server.instance_id,
        "image_id": server.image_id,
        "status": server.status,
        "authorize_accounts": [{"account": "user0012", "account_type": "USER"}],
        "create_time": time(server.created),
        "update_time": time(server.updated),
        "enterprise_project_id": server.enterprise_project_id,
    })
}

fn told(job: &Job, now: DateTime<Utc>, names_servers: bool) -> Value {
    let status = job.status(now);
    let sub_jobs = job.sub_jobs.iter().map(|sub_job| {
        let (status, code, message) = match &sub_job.failed {
            Some(failed) => (failed.status.as_str(), failed.code.as_str(), failed.message.as_str()),
            None if job.ended => ("SUCCESS", "", ""),
            None => (status, "", ""),
        };
        json!({
            "id": sub_job.id,
            "job_id": job.id,
            "job_type": "DELETE_SERVER",
            "status": status,
            "job_resource_info": {"resource_id": sub_job.server, "resource_name": sub_job.name},
            "job_execute_info": {"error_code": code, "error_message": message},
            "begin_time": time(job.begun),
            "end_time": time(job.ends),
        })
    });
    let sub_jobs: Vec<_> = sub_jobs.filter(|_| names_servers).collect();
    json!({
        "id": job.id,
        "job_type": "DELETE_SERVER",
        "status": status,
        "begin_time": time(job.begun),
        "end_time": time(job.ends),
        "sub_jobs_total": job.sub_jobs.len(),
        "sub_jobs": sub_jobs,
    })
}

/// Times as the service writes them: zeros at the end of the fraction are left out.
fn time(time: DateTime<Utc>) -> String {
    let text = time.to_rfc3339_opts(SecondsFormat::Millis, true);
    let text = text.trim_end_matches('Z').trim_end_matches('0');
    format!("{}Z", text.trim_end_matches('.'))
}
