//! Huawei Cloud Workspace image servers: the calls. `token` logs in, `call` and `sign` authenticate a request, `decode`
//! reads answers, `errors` reads refusals.

mod call;
mod decode;
mod errors;
pub(super) mod examine;
mod sign;
#[cfg(test)]
mod tests;
mod token;

use std::{
    collections::HashSet,
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use chrono::{TimeDelta, Utc};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

#[cfg(any(test, fuzzing))]
pub use self::decode::any_answer;
pub use self::decode::{JobReport, SubJob};
use self::{
    call::{Call, Service},
    decode::{Listed, Server},
    errors::About,
    token::{Access, Auth},
};
use super::{Answer, Deletion, Image, ImageStore, Job, Limit, Op, Page, Receipt, Shared};
use crate::{
    error::{Error, Kind, Result},
    http::Response,
    image::{ImageId, StoreRef},
    settings::{Settings, huawei::Huawei},
};

/// The most servers that one deletion may name.
/// <https://support.huaweicloud.com/intl/en-us/api-workspace/BatchDeleteImageServer.html>
const MOST_DELETED: usize = 20;

/// The most servers on one page. Without a limit the service sends ten, and the others would look absent.
/// <https://support.huaweicloud.com/api-workspace/ListImageServers.html>
const PAGE: usize = 100;

/// The longest id: the same pages.
const LONGEST_ID: usize = 128;

/// Services and logins: all stores of one region share one of each.
pub type Clients = Shared<String, Arc<Region>>;

/// What calls to one region go through.
pub struct Region {
    name: String,
    service: Service,
    auth: Auth,
    enterprise_project: Option<String>,
}

/// The image servers of one project in one region.
pub struct Workspace {
    region: Arc<Region>,
    /// As it was opened.
    store: Arc<StoreRef>,
    recursive: bool,
    /// With the credentials' project, once they have been asked.
    home: OnceLock<Arc<StoreRef>>,
}

/// Opens the image servers of a region. Bad credentials are an error here; the first call retries a passing problem.
pub async fn open(settings: &Settings, clients: &Clients, store: &StoreRef) -> Result<Workspace> {
    let huawei = Huawei::load(settings, store.region.as_deref())?;
    let region = clients.get(huawei.region.clone(), async { Region::new(settings, huawei).map(Arc::new) }).await?;
    let workspace = Workspace::new(settings, region, store);
    match workspace.access().await {
        Err(error) if !error.kind.nothing_done() => Err(error),
        _ => Ok(workspace),
    }
}

impl Region {
    fn new(settings: &Settings, huawei: Huawei) -> Result<Self> {
        Ok(Self {
            name: huawei.region.clone(),
            service: Service::new(&huawei.workspace, settings.timeout)?,
            enterprise_project: huawei.enterprise_project.clone(),
            auth: Auth::new(huawei, settings.timeout)?,
        })
    }
}

impl Workspace {
    /// The image servers of a region, before any login.
    fn new(settings: &Settings, region: Arc<Region>, store: &StoreRef) -> Self {
        Self {
            store: Arc::new(StoreRef { region: Some(region.name.clone()), ..store.clone() }),
            region,
            recursive: settings.options.deletion.recursive,
            home: OnceLock::new(),
        }
    }

    /// A job as the service describes it, finished or not.
    pub async fn job(&self, id: &str) -> Result<JobReport> {
        Ok(self.ask_job(id).await?.0)
    }

    async fn ask_job(&self, id: &str) -> Result<(JobReport, Option<String>)> {
        checked(id)?;
        let path = ["image-server-jobs", id];
        let call = Call { about: About::Job, ..get("ShowImageJob", &path) };
        let answer = self.call(&call).await?;
        let mut report: JobReport = decode::read(&call, &answer)?;
        report.id = id.to_owned();
        Ok((report, errors::request_id(&answer, None)))
    }

    /// The project and the proof for a call. It is an error if the reference names another project.
    async fn access(&self) -> Result<Access> {
        let access = self.region.auth.access().await?;
        match &self.store.owner {
            Some(owner) if *owner != access.project => {
                let message =
                    format!("the reference names the project {owner}, but the credentials are for {}", access.project);
                Err(Error::new(Kind::Config, message)
                    .hint("use credentials for that project, or leave the project out of the reference"))
            }
            _ => {
                let owner = || Some(access.project.clone());
                self.home.get_or_init(|| Arc::new(StoreRef { owner: owner(), ..(*self.store).clone() }));
                Ok(access)
            }
        }
    }

    /// Makes a call. If the service refuses the token, the call did nothing, so it is made once more with a new token.
    async fn call(&self, call: &Call<'_>) -> Result<Response> {
        let mut access = self.access().await?;
        let mut answer = self.send(call, &access).await?;
        if answer.status == 401
            && let Some(renewed) = self.region.auth.renewed(&access).await?
        {
            access = renewed;
            answer = self.send(call, &access).await?;
        }
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        let secrets = access.proof.secrets();
        let error = errors::refused(call.about, &answer, Utc::now(), &secrets);
        Err(match error.kind {
            Kind::Auth => self.region.auth.refuse(error).await,
            _ => error,
        })
    }

    async fn send(&self, call: &Call<'_>, access: &Access) -> Result<Response> {
        let project = access.project.as_str();
        let path = [&["v1", project], call.path].concat();
        let call =
            Call { path: &path, project: Some(project), method: call.method.clone(), body: call.body.clone(), ..*call };
        self.region.service.send(&call, &access.proof).await
    }
}

#[async_trait]
impl ImageStore for Workspace {
    fn home(&self) -> Arc<StoreRef> {
        Arc::clone(self.home.get().unwrap_or(&self.store))
    }

    fn caller(&self) -> Option<String> {
        self.region.auth.caller()
    }

    fn endpoint(&self) -> Option<String> {
        Some(self.region.service.endpoint().into())
    }

    fn clock_ahead(&self) -> Option<TimeDelta> {
        self.region.service.clock_ahead()
    }

    fn limit(&self, op: Op) -> Option<Limit> {
        // Workspace does not publish its rate. Other services of the provider take ten calls a second of each API:
        // <https://support.huaweicloud.com/intl/pt-br/api-bpconsole/en-us_topic_0000002060988265.html>
        // More than five bad signatures in a row lock a key. Four calls at once cannot reach that.
        // <https://support.huaweicloud.com/en-us/ocr_faq/ocr_01_0063.html>
        let read = |call, batch| Some(Limit { call, batch, per_second: 10, in_flight: 4 });
        match op {
            // One deletion at a time: the documents do not say whether they may overlap.
            Op::Delete => {
                Some(Limit { call: "BatchDeleteImageServer", batch: MOST_DELETED, per_second: 2, in_flight: 1 })
            }
            Op::Get => read("ShowImageServer", 1),
            Op::List => read("ListImageServers", PAGE),
            Op::Poll => read("ShowImageJob", 1),
            Op::Manifests
            | Op::Layers
            | Op::Sharing
            | Op::Registry
            | Op::Rules
            | Op::Put
            | Op::StorageClass
            | Op::Details
            | Op::Referrers => None,
        }
    }

    fn all_or_nothing(&self) -> bool {
        // "Instances that are being created or creating images are not supported. The response is abnormal."
        // <https://support.huaweicloud.com/intl/en-us/api-workspace/BatchDeleteImageServer.html>
        true
    }

    async fn delete(&self, ids: &[ImageId]) -> Result<Receipt<Answer<ImageId, Deletion>>> {
        let items = ids.iter().map(server_id).collect::<Result<Vec<_>>>()?;
        let distinct: HashSet<_> = items.iter().collect();
        if !(1..=MOST_DELETED).contains(&items.len()) || distinct.len() < items.len() {
            let message = format!("one call deletes 1 to {MOST_DELETED} different image servers");
            return Err(Error::new(Kind::TooMany, message));
        }
        let body = json!({"items": items, "recursive": self.recursive});
        let call = Call {
            method: Method::PATCH,
            body: Some(body.to_string().into_bytes()),
            items: items.len(),
            ..get("BatchDeleteImageServer", &["image-servers", "actions", "batch-delete"])
        };
        let answer = self.call(&call).await?;
        // The documents show a job id, and also say that the answer is empty.
        #[derive(Deserialize)]
        struct Started {
            job_id: Option<String>,
        }
        let job =
            if answer.body.trim_ascii().is_empty() { None } else { decode::read::<Started>(&call, &answer)?.job_id };
        let deletion = match job.filter(|id| !id.is_empty()) {
            Some(id) => Deletion::Accepted(Job { id }),
            None => Deletion::Requested,
        };
        Ok(Receipt::new(Answer::All(deletion), errors::request_id(&answer, None)))
    }

    /// Asks for one server by its id, and not for a listing narrowed to it: whether a listing shows the servers of
    /// every enterprise project is documented nowhere, and one that hides a server would make it look deleted. A 404 in
    /// the service's own words is about the id itself, and nothing else is taken for absence.
    async fn get(&self, ids: &[ImageId]) -> Result<Answer<ImageId, Image>> {
        let [id] = ids else {
            let message = "one call shows one image server";
            return Err(Error::new(Kind::TooMany, message));
        };
        let name = server_id(id)?;
        let path = ["image-servers", name];
        let call = Call { about: About::Image, items: 1, ..get("ShowImageServer", &path) };
        let found = match self.call(&call).await {
            Ok(answer) => {
                let server: Server = decode::read(&call, &answer)?;
                if server.id != name {
                    let why = format!("it describes {} instead of {name}", server.id);
                    return Err(errors::unreadable(call.operation, &answer, why));
                }
                Ok(server.into_image(self.recursive, errors::request_id(&answer, None)))
            }
            Err(missing) if missing.kind == Kind::NotFound => Err(missing),
            Err(error) => return Err(error),
        };
        Ok(Answer::Each(vec![(id.clone(), found)]))
    }

    async fn list(&self, after: Option<&str>) -> Result<Page<Image>> {
        let offset: usize = match after {
            None => 0,
            Some(token) => token
                .parse()
                .map_err(|_| Error::new(Kind::Usage, format!("not a valid page token for image servers: {token}")))?,
        };
        let (offset_text, limit) = (offset.to_string(), PAGE.to_string());
        let mut query = vec![("offset", offset_text.as_str()), ("limit", limit.as_str())];
        if let Some(id) = &self.region.enterprise_project {
            query.push(("enterprise_project_id", id));
        }
        let call = Call { query: &query, ..get("ListImageServers", &["image-servers"]) };
        let answer = self.call(&call).await?;
        let Listed { count, items } = decode::read(&call, &answer)?;
        let end = offset + items.len();
        // The count may be wrong, so only an empty page proves that the listing is cut short.
        if items.is_empty() && count.is_some_and(|count| offset < count) {
            let why = format!("it counts {} image servers but lists only {offset}", count.unwrap_or_default());
            return Err(errors::unreadable(call.operation, &answer, why));
        }
        let more = count.map_or(items.len() >= PAGE, |count| end < count);
        let request_id = errors::request_id(&answer, None);
        let items = items.into_iter().map(|server| server.into_image(self.recursive, request_id.clone()));
        Ok(Page { items: items.collect(), total: count, next: more.then(|| end.to_string()) })
    }

    async fn poll(&self, job: &Job) -> Result<Option<Answer<ImageId, Deletion>>> {
        let (report, request_id) = self.ask_job(&job.id).await?;
        report.verdict(request_id.as_deref())
    }
}

/// A call that reads the store, below its project.
fn get<'a>(operation: &'static str, path: &'a [&'a str]) -> Call<'a> {
    Call { operation, about: About::Store, method: Method::GET, path, query: &[], body: None, project: None, items: 0 }
}

fn server_id(id: &ImageId) -> Result<&str> {
    match id {
        ImageId::Named(id) => checked(id),
        _ => Err(Error::new(Kind::Invalid, "image servers have ids, not tags or digests")),
    }
}

/// Checks that an id is one segment of a URL path.
fn checked(id: &str) -> Result<&str> {
    if (1..=LONGEST_ID).contains(&id.len()) && !id.contains('/') {
        return Ok(id);
    }
    let message = format!("an id has 1 to {LONGEST_ID} characters and cannot contain a slash");
    Err(Error::new(Kind::Invalid, message))
}
