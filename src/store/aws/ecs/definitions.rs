//! Task definitions: which revisions are active, the newest of each family, and the images that a revision names.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use serde_json::json;

use super::{
    DEFINITIONS,
    asking::{Asking, complete},
    decode::{DefinitionArns, Described, name_of},
};
use crate::error::{Error, Kind, Result};

/// The active revisions of each family, the newest first.
pub struct Active(BTreeMap<String, Vec<(u64, String)>>);

impl Active {
    /// Of a listing in any order.
    fn of(arns: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut families: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
        for arn in arns {
            let revision = arn.rsplit_once(':').and_then(|(family, revision)| Some((family, revision.parse().ok()?)));
            let Some((family, revision)) = revision else {
                return Err(Error::new(Kind::Unreadable, format!("{arn} is not a revision of a task definition")));
            };
            families.entry(family.to_owned()).or_default().push((revision, arn.clone()));
        }
        families.values_mut().for_each(|revisions| revisions.sort_by(|one, other| other.cmp(one)));
        Ok(Self(families))
    }

    /// The newest revisions of each family.
    pub fn newest(&self, count: usize) -> Vec<String> {
        self.0.values().flat_map(|revisions| revisions.iter().take(count).map(|(_, arn)| arn.clone())).collect()
    }

    /// The revision that a task would be started from now: without a number, the newest active one of the family.
    pub fn revision<'a>(&'a self, definition: &'a str) -> Option<&'a str> {
        match name_of(definition).contains(':') {
            true => Some(definition),
            false => self.0.get(definition)?.first().map(|(_, arn)| arn.as_str()),
        }
    }
}

impl Asking<'_> {
    pub async fn active(&self) -> Result<Active> {
        let body = json!({ "status": "ACTIVE", "sort": "DESC" });
        let pages: Vec<DefinitionArns> = self.pages(DEFINITIONS, "ListTaskDefinitions", &body).await?;
        Active::of(pages.into_iter().flat_map(|page| page.task_definition_arns))
    }

    /// The names of the images of each task definition. One in use can always be described; one that is only listed, or
    /// that a schedule names, may be gone by now.
    pub async fn definitions(
        &self,
        arns: &BTreeSet<&str>,
        in_use: &BTreeSet<&str>,
    ) -> Result<BTreeMap<String, Vec<String>>> {
        let mut known: BTreeMap<String, Vec<String>> = self.recalled("definition", arns.iter().copied()).await;
        let unknown = arns.iter().copied().filter(|arn| !known.contains_key(*arn));
        let asked = try_join_all(unknown.map(|arn| async move {
            let body = json!({ "taskDefinition": arn });
            let told: Result<Described> = self.call(DEFINITIONS, "DescribeTaskDefinition", 1, &body).await;
            match told {
                Ok(Described { task_definition }) => {
                    complete("DescribeTaskDefinition", &[arn], [task_definition.arn.as_str()].into_iter(), &[])?;
                    let images = task_definition.container_definitions.into_iter().map(|container| container.image);
                    Ok(Some((arn, images.collect())))
                }
                Err(error) if error.kind == Kind::Invalid && !in_use.contains(arn) => Ok(None),
                Err(error) => Err(error),
            }
        }));
        let new: Vec<(&str, Vec<String>)> = asked.await?.into_iter().flatten().collect();
        self.keep("definition", new.iter().map(|(arn, images)| (*arn, images))).await;
        known.extend(new.into_iter().map(|(arn, images)| (arn.to_owned(), images)));
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arn(revision: &str) -> String {
        format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/{revision}")
    }

    #[test]
    fn the_newest_revisions_are_found_in_any_order() {
        let active = Active::of(["web:9", "job:1", "web:10", "web:8", "job:2"].map(arn)).unwrap();
        assert_eq!(active.newest(2), ["job:2", "job:1", "web:10", "web:9"].map(arn));
        assert_eq!(active.newest(0), [""; 0]);
        assert_eq!(active.newest(usize::MAX).len(), 5);
        assert!(Active::of([arn("web")]).is_err());
    }

    #[test]
    fn a_name_without_a_number_is_the_newest_active_revision() {
        let active = Active::of(["web:9", "web:10"].map(arn)).unwrap();
        for (named, meant) in
            [("web", Some("web:10")), ("web:9", Some("web:9")), ("web:1", Some("web:1")), ("job", None)]
        {
            assert_eq!(active.revision(&arn(named)), meant.map(arn).as_deref(), "{named}");
        }
    }
}
