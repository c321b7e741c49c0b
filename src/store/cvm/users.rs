//! Finds what uses custom images: instances, versions of launch templates, and launch configurations of auto scaling.
//! These calls cannot filter by image, so imgctl reads every page.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt, stream::FuturesUnordered};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{PAGE, call::Api};
use crate::{
    error::{Error, Kind, Result},
    store::{Asker, Found, Limit, Source, User, Uses, source::asked},
};

/// <https://www.tencentcloud.com/document/api/213/33258>
const INSTANCES: &str = "DescribeInstances";
/// <https://www.tencentcloud.com/document/api/213/41036>
const TEMPLATES: &str = "DescribeLaunchTemplates";
/// <https://www.tencentcloud.com/document/api/213/41037>
const VERSIONS: &str = "DescribeLaunchTemplateVersions";
/// <https://www.tencentcloud.com/document/api/377/30985>
const CONFIGURATIONS: &str = "DescribeLaunchConfigurations";

/// Pages overlap by this much. A deletion during the search moves the later items up, and none may slip between two
/// pages.
const OVERLAP: usize = 10;

/// The lowest documented rate among the calls of the search.
const LIMIT: Limit = Limit { call: INSTANCES, batch: PAGE, per_second: 10, in_flight: 10 };

/// The machines and templates of a region.
pub(super) struct Machines {
    pub cvm: Arc<Api>,
    pub scaling: Arc<Api>,
}

/// One call of the search.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Scan {
    call: &'static str,
    /// The one resource that it is about, if any.
    of: Option<String>,
    /// Where its page begins.
    offset: usize,
}

/// What one call of the search found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Scanned {
    users: Vec<User>,
    /// The calls that must follow before the search is complete.
    more: Vec<Scan>,
}

#[async_trait]
impl Source for Machines {
    fn name(&self) -> String {
        format!("CVM in {}", self.cvm.region())
    }

    async fn users(&self, asker: &dyn Asker) -> Result<Found> {
        let ask = |next: Scan| async move {
            let next = &next;
            asked(asker, LIMIT, || scan(&self.cvm, &self.scaling, next)).await
        };
        let mut calls: FuturesUnordered<_> = first().into_iter().map(ask).collect();
        let mut found = Found::default();
        while let Some(answer) = calls.next().await {
            let answer = answer?;
            found.users.extend(answer.users);
            calls.extend(answer.more.into_iter().map(ask));
        }
        Ok(found)
    }
}

/// Where the search begins.
fn first() -> Vec<Scan> {
    [INSTANCES, TEMPLATES, CONFIGURATIONS].into_iter().map(|call| Scan { call, of: None, offset: 0 }).collect()
}

/// Makes one call of the search.
async fn scan(cvm: &Api, scaling: &Api, scan: &Scan) -> Result<Scanned> {
    let mut body = json!({ "Offset": scan.offset, "Limit": PAGE });
    match scan.call {
        VERSIONS => {
            body["LaunchTemplateId"] = json!(scan.of);
            let told = cvm.call::<Versions>(scan.call, 0, &body).await?.content;
            let more = following(scan, told.launch_template_version_set.len(), told.total_count)?;
            let users = told.launch_template_version_set.iter();
            Ok(Scanned { users: users.flat_map(Version::user).collect(), more })
        }
        TEMPLATES => {
            let told = cvm.call::<Templates>(scan.call, 0, &body).await?.content;
            let more = following(scan, told.launch_template_set.len(), told.total_count)?;
            let versions = told.launch_template_set.into_iter().map(|template| Scan {
                call: VERSIONS,
                of: Some(template.launch_template_id),
                offset: 0,
            });
            Ok(Scanned { users: Vec::new(), more: versions.chain(more).collect() })
        }
        CONFIGURATIONS => {
            let told = scaling.call::<Configurations>(scan.call, 0, &body).await?;
            let told = told.content;
            let more = following(scan, told.launch_configuration_set.len(), told.total_count)?;
            let users = told.launch_configuration_set.iter();
            Ok(Scanned { users: users.flat_map(Configuration::users).collect(), more })
        }
        _ => {
            let told = cvm.call::<Instances>(scan.call, 0, &body).await?.content;
            let more = following(scan, told.instance_set.len(), told.total_count)?;
            let user = |instance: Instance| {
                let who = format!("instance {}", instance.instance_id);
                uses(&who, instance.image_id, Uses::Image)
            };
            Ok(Scanned { users: told.instance_set.into_iter().filter_map(user).collect(), more })
        }
    }
}

/// The calls that must follow a page: after the first page all others, and after a short page the part that it left
/// out.
fn following(scan: &Scan, told: usize, total: usize) -> Result<Vec<Scan>> {
    let page = |offset| Scan { offset, ..scan.clone() };
    let mut more = Vec::new();
    if told < PAGE.min(total.saturating_sub(scan.offset)) {
        if told == 0 {
            let message = format!("{} counts {total} and tells of none of them", scan.call);
            return Err(Error::new(Kind::Unreadable, message));
        }
        more.push(page(scan.offset + told));
    }
    if scan.offset == 0 && total > PAGE {
        more.extend((PAGE - OVERLAP..total).step_by(PAGE - OVERLAP).map(page));
    }
    Ok(more)
}

/// An absent or empty name means that no image is used.
fn uses(who: &str, name: Option<String>, of: fn(String) -> Uses) -> Option<User> {
    let name = name.filter(|name| !name.is_empty())?;
    Some(User { who: who.to_owned(), uses: of(name) })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Instances {
    total_count: usize,
    instance_set: Vec<Instance>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Instance {
    instance_id: String,
    image_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Templates {
    total_count: usize,
    launch_template_set: Vec<Template>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Template {
    launch_template_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Versions {
    total_count: usize,
    launch_template_version_set: Vec<Version>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    launch_template_id: String,
    launch_template_version: u64,
    launch_template_version_data: Option<Value>,
}

impl Version {
    /// Old versions count too: a user can still start an instance from one.
    fn user(&self) -> Option<User> {
        let who = format!("launch template {} version {}", self.launch_template_id, self.launch_template_version);
        let data = self.launch_template_version_data.as_ref()?;
        let image = data.get("ImageId").and_then(Value::as_str);
        uses(&who, image.map(Into::into), Uses::Image)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configurations {
    total_count: usize,
    launch_configuration_set: Vec<Configuration>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configuration {
    launch_configuration_id: String,
    image_id: Option<String>,
    image_family: Option<String>,
}

impl Configuration {
    fn users(&self) -> Vec<User> {
        let who = format!("launch configuration {}", self.launch_configuration_id);
        [uses(&who, self.image_id.clone(), Uses::Image), uses(&who, self.image_family.clone(), Uses::Family)]
            .into_iter()
            .flatten()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_of_a_search_overlap_and_reach_the_end() {
        let offsets = |total: usize| -> Vec<usize> {
            let more = following(&first()[0], total.min(PAGE), total).unwrap();
            more.iter().map(|scan| scan.offset).collect()
        };
        assert_eq!(offsets(0), [0; 0]);
        assert_eq!(offsets(100), [0; 0]);
        assert_eq!(offsets(101), [90]);
        assert_eq!(offsets(271), [90, 180, 270]);
        let later = Scan { offset: 90, ..first()[0].clone() };
        assert_eq!(following(&later, PAGE, 271).unwrap(), [], "only the first page knows the others");
    }

    #[test]
    fn a_short_page_is_completed_and_an_empty_one_is_an_error() {
        let at = |offset| Scan { offset, ..first()[0].clone() };
        assert_eq!(following(&at(0), 50, 80).unwrap(), [at(50)]);
        assert_eq!(following(&at(90), 50, 271).unwrap(), [at(140)]);
        assert_eq!(following(&at(270), 1, 271).unwrap(), []);
        // The last item was deleted during the search.
        assert_eq!(following(&at(270), 0, 270).unwrap(), []);
        for (offset, total) in [(0, 80), (90, 271)] {
            let error = following(&at(offset), 0, total).unwrap_err();
            assert_eq!(error.kind, Kind::Unreadable);
        }
    }

    #[test]
    fn a_configuration_may_name_an_image_or_a_family() {
        let told = r#"{"TotalCount":1,"LaunchConfigurationSet":[
            {"LaunchConfigurationId":"asc-1","ImageId":"","ImageFamily":"web"}]}"#;
        let told: Configurations = serde_json::from_str(told).unwrap();
        let users = told.launch_configuration_set[0].users();
        assert_eq!(users[0].uses, Uses::Family("web".into()));
        assert_eq!(users.len(), 1);
    }
}
