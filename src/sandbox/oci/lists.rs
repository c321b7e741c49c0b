//! Listings: the tags of a repository, the repositories of a registry, and how they are cut into pages.

use serde_json::json;

use super::{
    front::Front,
    habits::{Api, Link, Pages},
    refusal::Refusal,
};
use crate::sandbox::{Reply, ecr::digest::Digest, iam::encoded};

impl Front<'_> {
    pub fn list_catalog(&mut self) -> Result<Reply, Refusal> {
        let pages = self.habits.catalog.ok_or_else(Refusal::no_route)?;
        let names = self.repositories.keys().cloned().collect();
        let (names, link) = self.page(names, &pages)?;
        Ok(linked(Reply::json(200, &json!({ "repositories": names })), link))
    }

    pub fn list_tags(&mut self, name: &str) -> Result<Reply, Refusal> {
        let habits = self.habits;
        let repository = self.repository(name)?;
        let mut tags = repository.tags();
        if !habits.tags.sorted {
            // In an order that only looks like one.
            tags.sort_by_key(|tag| Digest::of(tag));
        }
        let manifests = (habits.api == Some(Api::Gar)).then(|| super::gar::members(repository));
        let (tags, link) = self.page(tags, &habits.tags)?;
        let mut body = json!({ "name": name, "tags": tags });
        if tags.is_empty() && !habits.tags.cut {
            body["tags"] = json!(null);
        }
        if let Some(manifests) = manifests {
            body["manifest"] = manifests;
            let below = self.repositories.keys().filter_map(|other| other.strip_prefix(name)?.strip_prefix('/'));
            body["child"] = json!(below.collect::<Vec<_>>());
        }
        Ok(linked(Reply::json(200, &body), link))
    }

    /// The page that is asked for, and where the next one is.
    pub fn page(&self, all: Vec<String>, pages: &Pages) -> Result<(Vec<String>, Option<String>), Refusal> {
        if !pages.cut {
            return Ok((all, None));
        }
        let text = self.request.parameter("n");
        let asked: Option<usize> = text.as_ref().and_then(|text| text.parse().ok());
        if let (Some(_), None, Some(why)) = (text, asked, pages.unreadable) {
            return Err(why.into());
        }
        let last = self.request.parameter("last");
        if let (Some(most), Some(beyond)) = (pages.most, pages.beyond)
            && asked.is_some_and(|asked| asked > most)
        {
            return Err(beyond.into());
        }
        if let (Some(last), Some(lost)) = (&last, pages.lost)
            && !all.contains(last)
        {
            return Err(lost.into());
        }
        let size = asked.or(pages.unasked).unwrap_or(usize::MAX).min(pages.most.unwrap_or(usize::MAX));
        let mut rest: Vec<_> = all.into_iter().filter(|name| last.as_ref().is_none_or(|last| name > last)).collect();
        let more = rest.len() > size;
        rest.truncate(size);
        let link = rest.last().filter(|_| more).and_then(|last| {
            let path = format!("{}?last={}&n={size}", self.request.path, encoded(last));
            match pages.link {
                Link::Missing => None,
                Link::Relative => Some(path),
                Link::Absolute => Some(format!("http://{}{path}", self.request.header("host"))),
                Link::OtherHost => Some(format!("http://registry.invalid{path}")),
            }
        });
        Ok((rest, link))
    }
}

fn linked(reply: Reply, link: Option<String>) -> Reply {
    match link {
        Some(link) => reply.with("link", format!("<{link}>; rel=\"next\"")),
        None => reply,
    }
}
