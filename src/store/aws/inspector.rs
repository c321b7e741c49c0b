//! Which container images Amazon Inspector saw in use, in ECS tasks and EKS pods. It looks only where enhanced scanning is
//! on, and only at images within its re-scan window, so it can keep images and never allows to delete one.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Paged, account,
    call::{Api, Call},
    pages,
};
use crate::{
    error::{Error, Kind, Result},
    store::{Asker, Found, Limit, Permission, Source, User, Uses},
};

/// No rate is published: a low one of our own.
/// <https://docs.aws.amazon.com/inspector/v2/APIReference/API_ListCoverage.html>
const COVERAGE: Limit = Limit { call: "ListCoverage", batch: 200, per_second: 5, in_flight: 1 };

const CALL: Call<'static> = Call { action: "ListCoverage", ids: 0, own: &[] };
const PATH: [&str; 2] = ["coverage", "list"];

pub struct Inspector {
    pub api: Api,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Coverage {
    covered_resources: Vec<Covered>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Covered {
    resource_id: String,
    resource_metadata: Option<Metadata>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    ecr_image: Option<EcrImage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EcrImage {
    in_use_count: Option<u64>,
}

#[async_trait]
impl Source for Inspector {
    fn name(&self) -> String {
        self.api.name()
    }

    async fn users(&self, asker: &dyn Asker) -> Result<Found> {
        let call = |token: Option<String>| async move {
            let mut body = json!({
                "maxResults": COVERAGE.batch,
                "filterCriteria": {
                    "resourceType": [{ "comparison": "EQUALS", "value": "AWS_ECR_CONTAINER_IMAGE" }],
                    "ecrImageInUseCount": [{ "lowerInclusive": 1 }],
                },
            });
            if let Some(token) = token {
                body["nextToken"] = Value::from(token);
            }
            self.api.post::<Paged<Coverage>>(CALL, &PATH, &body).await
        };
        let pages: Vec<Coverage> = pages(asker, COVERAGE, call).await?;
        let covered: Vec<Covered> = pages.into_iter().flat_map(|page| page.covered_resources).collect();
        let users = covered.iter().map(Covered::user).collect::<Result<Vec<_>>>()?;
        let account = covered.first().and_then(|covered| account(&covered.resource_id));
        let seen = vec![(users.len(), ["image in use", "images in use"])];
        Ok(Found { users, seen, account, ..Found::default() })
    }

    async fn permissions(&self) -> Vec<Permission> {
        let body = json!({ "maxResults": 1 });
        let answer: Result<Value> = self.api.post(CALL, &PATH, &body).await;
        vec![Permission::of("inspector2:ListCoverage", answer)]
    }
}

impl Covered {
    /// Its id is `arn:PARTITION:ecr:REGION:ACCOUNT:repository/NAME/DIGEST`.
    fn user(&self) -> Result<User> {
        let parts: Vec<&str> = self.resource_id.splitn(6, ':').collect();
        let image = match parts[..] {
            [_, _, "ecr", region, account, resource] => resource
                .strip_prefix("repository/")
                .and_then(|path| path.rsplit_once('/'))
                .map(|(name, digest)| format!("ecr://{account}@{region}/{name}@{digest}")),
            _ => None,
        };
        let image = image.ok_or_else(|| {
            Error::new(Kind::Unreadable, format!("ListCoverage names {}, which is not an image", self.resource_id))
        })?;
        let metadata = self.resource_metadata.as_ref().and_then(|metadata| metadata.ecr_image.as_ref());
        let who = match metadata.and_then(|image| image.in_use_count) {
            Some(1) => "Amazon Inspector saw it in 1 task or pod".to_owned(),
            Some(count) => format!("Amazon Inspector saw it in {count} tasks or pods"),
            None => "Amazon Inspector saw it in use".to_owned(),
        };
        Ok(User { who, uses: Uses::Named(image) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_read_from_its_resource_name() {
        let covered = |id: &str, count| Covered {
            resource_id: id.into(),
            resource_metadata: Some(Metadata { ecr_image: Some(EcrImage { in_use_count: count }) }),
        };
        let user = covered("arn:aws:ecr:eu-west-1:123456789012:repository/team/app/sha256:ab", Some(2)).user().unwrap();
        assert_eq!(user.uses, Uses::Named("ecr://123456789012@eu-west-1/team/app@sha256:ab".into()));
        assert_eq!(user.who, "Amazon Inspector saw it in 2 tasks or pods");
        assert!(covered("arn:aws:lambda:eu-west-1:1:function:x", None).user().is_err());
    }
}
