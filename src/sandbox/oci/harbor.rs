//! The artifacts of Harbor's own API, which takes names and passwords as they are.
//! <https://github.com/goharbor/harbor/blob/main/api/v2.0/swagger.yaml>

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::{
    api::{Act, Call},
    front::Front,
    habits::Auth,
    refusal::Refusal,
};
use crate::sandbox::{
    Received, Reply,
    ecr::{
        digest::Digest,
        repository::{Image, Repository},
    },
    text,
};

/// What the documents allow on a page, and what comes unasked.
const PAGE: (usize, usize) = (100, 10);

pub fn call(request: &Received) -> Option<Call> {
    if (request.method.as_str(), request.path.as_str()) == ("GET", "/api/v2.0/ping") {
        let act: Act = |_, _| Ok(Reply::of(200).with("content-type", "text/plain; charset=utf-8").bearing("Pong"));
        let (auth, reference) = (Some(Auth::Open), String::new());
        return Some(Call { operation: "GET ping", auth, actions: "", repository: None, reference, act });
    }
    let path = request.path.strip_prefix("/api/v2.0/projects/")?;
    let (project, rest) = path.split_once("/repositories/")?;
    let (repository, rest) = rest.split_once("/artifacts")?;
    // A slash in the name is encoded twice.
    let name = format!("{project}/{}", text(&text(repository)));
    let parts: Vec<String> = rest.split('/').skip(1).map(text).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (operation, actions, reference, act): (_, _, _, Act) = match (request.method.as_str(), parts.as_slice()) {
        ("GET", []) => ("GET artifacts", "pull", "", artifacts),
        ("GET", [reference]) => ("GET artifact", "pull", *reference, artifact),
        ("DELETE", [reference]) => ("DELETE artifact", "delete", *reference, |front, call| front.delete_artifact(call)),
        ("DELETE", [_, "tags", tag]) => ("DELETE tag", "delete", *tag, untag),
        _ => return None,
    };
    let (auth, repository) = (Some(Auth::Basic), Some(name));
    Some(Call { operation, auth, actions, repository, reference: reference.into(), act })
}

fn artifacts(front: &mut Front, call: &Call) -> Result<Reply, Refusal> {
    let request = front.request;
    let number = |name: &str, unasked| request.parameter(name).and_then(|text| text.parse().ok()).unwrap_or(unasked);
    let (page, size): (usize, usize) = (number("page", 1).max(1), number("page_size", PAGE.1));
    if size > PAGE.0 {
        return Err(Refusal::new(
            422,
            "UNPROCESSABLE_ENTITY",
            "page_size in query should be less than or equal to 100",
        ));
    }
    let query = request.parameter("q").unwrap_or_default();
    let (untagged, base) = (query.contains("tags=nil"), query.contains("base=*"));
    let by_id = request.parameter("sort").is_some_and(|sort| sort == "id");
    let nothing = Repository::default();
    // The list of a repository that is not there is empty.
    let repository = front.called(call).map_or(&nothing, |repository| repository);
    // An image that only an index names is shown with that index unless everything is asked for, and what is attached
    // only with its subject.
    let shown = |image: &&Image| {
        let (digest, tagged) = (&image.manifest.digest, !image.tags.is_empty());
        let own = base || tagged || repository.parents(digest).next().is_none();
        own && !(untagged && tagged) && !is_attached(repository, image)
    };
    let mut all: Vec<&Image> = repository.images().filter(shown).collect();
    match by_id {
        true => all.sort_by_key(|image| image.pushed_at),
        false => all.sort_by_key(|image| std::cmp::Reverse(image.pushed_at)),
    }
    let on_page: Vec<_> = all.iter().skip((page - 1) * size).take(size).map(|image| show(repository, image)).collect();
    let total = all.len();
    let reply = Reply::json(200, &json!(on_page)).with("x-total-count", total);
    Ok(if page * size < total {
        reply.with("link", format!("<{}?page={}&page_size={size}>; rel=\"next\"", request.path, page + 1))
    } else {
        reply
    })
}

fn artifact(front: &mut Front, call: &Call) -> Result<Reply, Refusal> {
    let no_image = front.habits.no_image;
    let repository = front.called(call)?;
    let image = repository.find(&call.reference).ok_or(Refusal::from(no_image))?;
    Ok(Reply::json(200, &show(repository, image)))
}

fn untag(front: &mut Front, call: &Call) -> Result<Reply, Refusal> {
    let repository = front.called(call)?;
    if repository.tag(&call.reference).is_none() {
        return Err(Refusal::new(404, "NOT_FOUND", format!("tag {} not found", call.reference)));
    }
    repository.remove_tag(&call.reference);
    Ok(Reply::of(200))
}

impl Front<'_> {
    /// As a deletion by digest of the protocol, also for a tag, with the other status.
    fn delete_artifact(&mut self, call: &Call) -> Result<Reply, Refusal> {
        let name = call.repository.clone().unwrap_or_default();
        let found = self.called(call)?.find(&call.reference).map(|image| image.manifest.digest);
        let digest = found.ok_or(Refusal::from(self.habits.no_image))?;
        self.delete_manifest(&name, &digest.to_string()).map(|_| Reply::of(200))
    }
}

/// What is attached to an image, by `subject` or by the tag that cosign makes of its digest.
/// <https://github.com/goharbor/harbor/tree/main/src/server/middleware/cosign>
pub fn attached<'r>(repository: &'r Repository, digest: &Digest) -> impl Iterator<Item = &'r Image> {
    repository.referrers(digest).chain(repository.find(&format!("sha256-{}.sig", digest.hex())))
}

fn is_attached(repository: &Repository, image: &Image) -> bool {
    let by_tag = |tag: &String| {
        let hex = tag.strip_prefix("sha256-").and_then(|rest| rest.strip_suffix(".sig"));
        hex.is_some_and(|hex| repository.has(&format!("sha256:{hex}")))
    };
    image.manifest.subject.is_some_and(|subject| repository.image(&subject).is_some()) || image.tags.iter().any(by_tag)
}

fn show(repository: &Repository, image: &Image) -> Value {
    let manifest = &image.manifest;
    let pull_time = time(image.pulled_at.unwrap_or(NEVER));
    let tag = |tag: &String| {
        let pushed = time(repository.tagged_at(tag, image));
        json!({ "name": tag, "push_time": pushed, "pull_time": pull_time, "immutable": false })
    };
    let tags: Vec<_> = image.tags.iter().map(tag).collect();
    let references: Vec<_> =
        manifest.children().iter().map(|child| json!({ "parent_id": 0, "child_digest": child })).collect();
    let accessory = |referrer: &Image| {
        json!({
            "digest": referrer.manifest.digest, "size": repository.size(referrer),
            "creation_time": time(referrer.pushed_at),
            "type": "signature.cosign", "subject_artifact_digest": manifest.digest,
        })
    };
    let accessories: Vec<_> = attached(repository, &manifest.digest).map(accessory).collect();
    json!({
        "type": "IMAGE", "digest": manifest.digest, "size": repository.size(image),
        "manifest_media_type": manifest.media_type, "media_type": manifest.artifact_media_type(),
        "push_time": time(image.pushed_at), "pull_time": pull_time,
        "tags": or_null(tags), "references": or_null(references), "accessories": or_null(accessories),
    })
}

/// How a time that is not known is written.
const NEVER: DateTime<Utc> = DateTime::from_timestamp(-62_135_596_800, 0).unwrap();

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn or_null(list: Vec<Value>) -> Value {
    if list.is_empty() { Value::Null } else { list.into() }
}
