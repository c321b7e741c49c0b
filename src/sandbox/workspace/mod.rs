//! Huawei Cloud Workspace image servers, as their documents describe them, behind the provider's gateway and beside
//! its IAM. The operations are in `operations`, what they work on in `state`.
//! <https://support.huaweicloud.com/intl/en-us/api-workspace/BatchDeleteImageServer.html>

mod operations;
mod seed;
pub mod state;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use self::state::{Change, Failing, Job, Project, Server, SubJob};
use super::{
    Hooked, Hooks, Received, Reply, Service,
    iam::{self, Caller, Iam, Refusal, decoded},
    rates::Rates,
};

/// One account, with its image servers in every region.
#[derive(Serialize, Deserialize)]
#[serde(default)]
pub struct Workspace {
    pub iam: Iam,
    /// By their ids; each is of one region.
    pub projects: BTreeMap<String, Project>,
    /// How long the job of a deletion takes.
    pub job_time: Duration,
    /// Whether a deletion names its job: the documents also say that its answer is empty.
    pub names_job: bool,
    /// Whether jobs tell of each server.
    pub names_servers: bool,
    /// The most calls a second of one operation, if there is a limit.
    pub most_calls: Option<u32>,
    /// Calls answered so far, for the ids of requests and jobs.
    answered: u64,
    #[serde(skip)]
    recent: Rates,
    #[serde(skip)]
    hooks: Hooks<Workspace>,
}

impl Default for Workspace {
    fn default() -> Self {
        Self {
            iam: Iam::default(),
            projects: BTreeMap::new(),
            job_time: Duration::from_secs(1),
            names_job: true,
            names_servers: true,
            most_calls: None,
            answered: 0,
            recent: Rates::default(),
            hooks: Hooks::default(),
        }
    }
}

/// A refusal of the service itself.
#[derive(Debug, PartialEq)]
struct Failure {
    status: u16,
    code: &'static str,
    message: String,
}

impl Failure {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    fn invalid(message: &str) -> Self {
        Self::new(400, "WKS.00211102", message)
    }

    fn missing(message: &str) -> Self {
        Self::new(404, "WKS.00211902", message)
    }
}

/// What a request's path asks for.
enum Route {
    List,
    Show(String),
    Delete,
    Job(String),
}

impl Route {
    /// The project, and what is asked of it.
    fn of(request: &Received) -> Option<(String, Self)> {
        let path = request.path.strip_prefix("/v1/")?;
        let segments: Vec<_> =
            path.split('/').map(|segment| String::from_utf8_lossy(&decoded(segment)).into_owned()).collect();
        let segments: Vec<_> = segments.iter().map(String::as_str).collect();
        let (project, route) = match (request.method.as_str(), segments.as_slice()) {
            ("GET", [project, "image-servers"]) => (project, Self::List),
            ("GET", [project, "image-servers", id]) => (project, Self::Show((*id).into())),
            ("PATCH", [project, "image-servers", "actions", "batch-delete"]) => (project, Self::Delete),
            ("GET", [project, "image-server-jobs", id]) => (project, Self::Job((*id).into())),
            _ => return None,
        };
        Some(((*project).to_owned(), route))
    }

    fn operation(&self) -> &'static str {
        match self {
            Self::List => "ListImageServers",
            Self::Show(_) => "ShowImageServer",
            Self::Delete => "BatchDeleteImageServer",
            Self::Job(_) => "ShowImageJob",
        }
    }
}

impl Hooked for Workspace {
    fn hooks(&mut self) -> &mut Hooks<Self> {
        &mut self.hooks
    }
}

impl Workspace {
    /// What is in a region's project, made if the account has that project and nothing was in it yet.
    ///
    /// # Panics
    ///
    /// Where the account has no such project.
    pub fn region(&mut self, region: &str) -> &mut Project {
        let id = self.iam.project_id(region);
        let id = id.unwrap_or_else(|| panic!("the sandbox's account has no project {region}"));
        self.projects.entry(id).or_default()
    }

    fn admits(&mut self, operation: &str, now: DateTime<Utc>) -> bool {
        self.recent.admits(operation.into(), self.most_calls, now)
    }

    fn handle(&mut self, request: &Received) -> Reply {
        if let Some(operation) = Iam::operation(request) {
            if !self.admits(operation, request.now) {
                return self.throttled();
            }
            self.run_hooks(operation);
            return match self.iam.answer(operation, request) {
                Ok(mut reply) => {
                    let id = ("X-IAM-Trace-Id".into(), self.request_id());
                    reply.headers.push(id);
                    reply
                }
                Err(refusal) => self.refused(&refusal),
            };
        }
        let Some((project, route)) = Route::of(request) else {
            return self.broken(404);
        };
        let operation = route.operation();
        if !self.admits(operation, request.now) {
            return self.throttled();
        }
        match self.iam.caller(request) {
            Err(refusal) => return self.refused(&refusal),
            Ok(Caller::Token(of)) if of.as_deref() != Some(&project) => {
                return self.reply(&Err(foreign()));
            }
            // A key works for its account's projects, and for projects that another IAM confirms.
            Ok(Caller::Key) if self.iam.projects.iter().all(|own| own.id != project) => {
                return self.reply(&Err(foreign()));
            }
            Ok(_) => {}
        }
        if let Some(project) = self.projects.get_mut(&project) {
            project.settle(request.now);
        }
        self.run_hooks(operation);
        let answer = match route {
            Route::List => self.list(&project, request),
            Route::Show(id) => self.show(&project, &id),
            Route::Delete => self.delete(&project, request),
            Route::Job(id) => self.job(&project, &id, request.now),
        };
        self.reply(&answer)
    }

    fn reply(&self, answer: &Result<Value, Failure>) -> Reply {
        let (status, body) = match answer {
            Ok(body) => (200, body.clone()),
            Err(failure) => (failure.status, json!({"error_code": failure.code, "error_msg": failure.message})),
        };
        self.json(status, &body)
    }

    fn refused(&self, refusal: &Refusal) -> Reply {
        match refusal {
            Refusal::Iam { status, title, message } => {
                self.json(*status, &json!({"error": {"code": status, "message": message, "title": title}}))
            }
            Refusal::Gateway { status, code, message } => {
                self.json(*status, &json!({"error_code": code, "error_msg": message, "request_id": self.request_id()}))
            }
        }
    }

    fn json(&self, status: u16, body: &Value) -> Reply {
        Reply {
            status,
            headers: vec![
                ("content-type".into(), "application/json".into()),
                ("X-Request-Id".into(), self.request_id()),
            ],
            body: body.to_string().into_bytes(),
        }
    }

    fn request_id(&self) -> String {
        format!("{:032x}", self.answered)
    }
}

fn foreign() -> Failure {
    let message = "User does not have permission to access this resource.";
    Failure::new(403, "WKS.00081102", message)
}

impl Service for Workspace {
    fn operation(&self, request: &Received) -> Option<String> {
        Iam::operation(request).or_else(|| Some(Route::of(request)?.1.operation())).map(Into::into)
    }

    fn items(&self, request: &Received) -> Vec<String> {
        match Route::of(request) {
            Some((_, Route::Show(id) | Route::Job(id))) => vec![id],
            Some((_, Route::Delete)) => {
                let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
                let items = body["items"].as_array().into_iter().flatten();
                items.filter_map(Value::as_str).map(Into::into).collect()
            }
            _ => Vec::new(),
        }
    }

    fn operations(&self) -> Vec<&'static str> {
        let own = ["ListImageServers", "ShowImageServer", "BatchDeleteImageServer", "ShowImageJob"];
        own.into_iter().chain(iam::OPERATIONS).collect()
    }

    fn answer(&mut self, request: &Received) -> Reply {
        self.answered += 1;
        self.handle(request)
    }

    fn throttled(&self) -> Reply {
        self.refused(&Refusal::Gateway {
            status: 429,
            code: "APIGW.0308",
            message: "The throttling threshold has been reached.".into(),
        })
    }

    /// With the code that is documented for the status: the service's own, or else its gateway's.
    fn broken(&self, status: u16) -> Reply {
        let own = |code| self.reply(&Err(Failure::new(status, code, "The sandbox was told to fail.")));
        let gateway =
            |code| self.refused(&Refusal::Gateway { status, code, message: "The sandbox was told to fail.".into() });
        match status {
            401 => gateway("APIGW.0301"),
            404 => gateway("APIGW.0101"),
            429 => self.throttled(),
            502 | 504 => gateway("APIGW.0201"),
            400 => own("WKS.00211102"),
            403 => own("WKS.00081102"),
            405 => own("WKS.00000405"),
            409 => own("WKS.00211103"),
            415 => own("WKS.00000415"),
            503 => own("WKS.00050902"),
            _ => own("WKS.00211401"),
        }
    }

    fn environment(&self, url: &str) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("IMGCTL_WORKSPACE_ENDPOINT", url.to_owned()),
            ("IMGCTL_IAM_ENDPOINT", url.to_owned()),
            ("HUAWEICLOUD_SDK_IAM_ENDPOINT", url.to_owned()),
            ("HUAWEICLOUD_SDK_REGION_WORKSPACEAPP_CN_NORTH_4", url.to_owned()),
            ("HW_REGION_NAME", iam::REGION.to_owned()),
            ("HW_DOMAIN_NAME", self.iam.domain.name.clone()),
        ];
        if let Some(user) = self.iam.users.first() {
            variables.push(("HW_USER_NAME", user.name.clone()));
            variables.push(("HW_USER_PASSWORD", user.password.clone()));
        }
        if let Some(key) = self.iam.keys.first() {
            variables.push(("HUAWEICLOUD_SDK_AK", key.access_key.clone()));
            variables.push(("HUAWEICLOUD_SDK_SK", key.secret_key.clone()));
        }
        variables
    }
}
