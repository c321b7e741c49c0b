//! zot: what its search says of images. It finds images with tags only, and may know a new one a moment late.
//! <https://github.com/project-zot/zot/blob/main/pkg/extensions/search/schema.graphql>

use reqwest::Method;
use serde::{Deserialize, Deserializer};
use serde_json::json;

use super::{
    Oci,
    call::Call,
    described::{Described, built_at, date},
    errors::{self, About},
    pages::MOST,
};
use crate::{
    error::{Error, Kind, Result},
    image::Digest,
    store::Image,
};

/// What to ask for. Older versions do not know the second part.
const FIELDS: [&str; 2] =
    ["Tag Digest MediaType Size LastUpdated PushTimestamp LastPullTimestamp", "TaggedTimestamp ArtifactType"];

#[derive(Deserialize)]
struct Answer {
    #[serde(default, deserialize_with = "or_default")]
    data: Data,
    #[serde(default)]
    errors: Option<Vec<Failure>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    #[serde(rename = "ImageList")]
    list: Option<List>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    results: Vec<Summary>,
    page: Option<PageOf>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PageOf {
    total_count: usize,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    tag: Option<String>,
    digest: Digest,
    media_type: Option<String>,
    artifact_type: Option<String>,
    size: Option<String>,
    last_updated: Option<String>,
    push_timestamp: Option<String>,
    tagged_timestamp: Option<String>,
    last_pull_timestamp: Option<String>,
}

impl Oci {
    /// One page of the tags, each with its image.
    pub(super) async fn list_zot(&self, offset: &str) -> Result<Described> {
        let offset: usize = offset.parse().unwrap_or(0);
        let list = match self.search_zot(&FIELDS.join(" "), offset).await {
            Err(error) if error.kind == Kind::Invalid => self.search_zot(FIELDS[0], offset).await,
            answer => answer,
        }?;
        let shown = offset + list.results.len();
        let more = list.page.map_or(list.results.len() >= MOST, |page| shown < page.total_count);
        // A page without anything would come for ever.
        let next = (more && !list.results.is_empty()).then(|| shown.to_string());
        Ok(Described { images: list.results.into_iter().map(Summary::image).collect(), next })
    }

    async fn search_zot(&self, fields: &str, offset: usize) -> Result<List> {
        let query = format!(
            "query($repo: String!, $limit: Int!, $offset: Int!) {{ ImageList(repo: $repo, requestedPage: \
             {{limit: $limit, offset: $offset, sortBy: ALPHABETIC_ASC}}) {{ Results {{ {fields} }} \
             Page {{ TotalCount }} }} }}"
        );
        let variables = json!({ "repo": self.store.name, "limit": MOST, "offset": offset });
        let body = json!({ "query": query, "variables": variables }).to_string().into_bytes();
        let path = "_zot/ext/search".into();
        let call = Call::new("POST search", About::Images, Method::POST, &self.store.name, path);
        let answer = self.opened.registry.call(&Call { body: Some(("application/json", body)), ..call }).await?;
        let read: Answer =
            serde_json::from_slice(&answer.body).map_err(|error| errors::unreadable("its images", &answer, error))?;
        match (read.errors.and_then(|errors| errors.into_iter().next()), read.data.list) {
            (Some(Failure { message }), _) => {
                Err(Error::new(Kind::Invalid, format!("the registry's search refuses the call: {message}"))
                    .request_id(errors::request_id(&answer)))
            }
            (None, Some(list)) => Ok(list),
            (None, None) => Err(errors::unreadable("its images", &answer, "it holds no list")),
        }
    }
}

impl Summary {
    fn image(self) -> Image {
        let known = |text: Option<String>| text.filter(|text| !text.is_empty());
        Image {
            tags: known(self.tag).into_iter().collect(),
            bytes: self.size.and_then(|size| size.parse().ok()),
            pushed_at: date(self.push_timestamp.as_deref()),
            updated_at: date(self.tagged_timestamp.as_deref()),
            pulled_at: date(self.last_pull_timestamp.as_deref()),
            built_at: built_at(self.last_updated.as_deref()),
            media_type: known(self.media_type),
            artifact_type: known(self.artifact_type),
            ..Image::available(self.digest)
        }
    }
}

/// GraphQL answers `null` where an error left nothing.
fn or_default<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Data, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_results_are_read_and_no_date_is_unknown() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let text = format!(
            r#"{{"data":{{"ImageList":{{"Page":{{"TotalCount":2}},"Results":[
            {{"Tag":"v1","Digest":"{digest}","MediaType":"m","Size":"123","LastUpdated":"2024-05-06T07:08:09.123456789Z",
              "PushTimestamp":"2024-05-07T00:00:00Z","TaggedTimestamp":"2024-05-08T00:00:00Z",
              "LastPullTimestamp":"0001-01-01T00:00:00Z","ArtifactType":"a"}},
            {{"Tag":"","Digest":"{digest}","MediaType":null,"Size":"much","PushTimestamp":"1970-01-01T00:00:00Z"}}]}}}}}}"#
        );
        let answer: Answer = serde_json::from_str(&text).unwrap();
        let list = answer.data.list.unwrap();
        assert_eq!(list.page.unwrap().total_count, 2);
        let images: Vec<Image> = list.results.into_iter().map(Summary::image).collect();
        assert_eq!((images[0].tags.as_slice(), images[0].bytes), (&["v1".to_owned()][..], Some(123)));
        let day = |at: Option<chrono::DateTime<chrono::Utc>>| at.map(|at| at.date_naive().to_string());
        assert_eq!(day(images[0].built_at).as_deref(), Some("2024-05-06"));
        assert_eq!(day(images[0].pushed_at).as_deref(), Some("2024-05-07"));
        assert_eq!(day(images[0].updated_at).as_deref(), Some("2024-05-08"));
        assert_eq!((images[0].pulled_at, images[1].pushed_at, images[1].bytes), (None, None, None));
        assert!(images[1].tags.is_empty());
        let failed: Answer = serde_json::from_str(r#"{"errors":[{"message":"no"}],"data":null}"#).unwrap();
        assert!(failed.data.list.is_none() && failed.errors.unwrap().len() == 1);
        assert!(serde_json::from_str::<Answer>(r#"{"data":{"ImageList":{"Page":null}}}"#).is_err());
    }
}
