//! What Azure's registry lists and removes beside the protocol.
//! <https://github.com/Azure/acr-cli/blob/main/internal/api>

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::{
    api::{Act, Call},
    front::Front,
    refusal::{Known, Refusal},
};
use crate::sandbox::{
    Received, Reply,
    ecr::{digest::Digest, repository::Image},
    text,
};

/// The most on a page, and as many as unasked.
const PAGE: usize = 1000;

/// The answer to every change of what is locked.
/// <https://github.com/Azure/acr-cli/issues/70>
pub const LOCKED: Known = (
    405,
    "REGISTRY_DISALLOWED_OPERATION",
    "The operation is disallowed on this registry, repository or image. View troubleshooting steps at https://aka.ms/acr",
);

pub fn call(request: &Received) -> Option<Call> {
    let path = text(request.path.strip_prefix("/acr/v1/")?);
    let call = |operation, actions, repository: Option<&str>, reference: &str, act: Act| {
        let repository = repository.map(str::to_owned);
        Some(Call { operation, auth: None, actions, repository, reference: reference.into(), act })
    };
    let read = "metadata_read";
    match request.method.as_str() {
        "GET" if path == "_catalog" => call("GET catalog", "*", None, "", |front, _| front.list_catalog()),
        "GET" if path.ends_with("/_manifests") => {
            call("GET manifests", read, path.strip_suffix("/_manifests"), "", manifests)
        }
        "GET" if path.ends_with("/_tags") => call("GET tag-list", read, path.strip_suffix("/_tags"), "", tags),
        "DELETE" => {
            let (name, tag) = path.split_once("/_tags/")?;
            call("DELETE tag", "delete", Some(name), tag, untag)
        }
        _ => None,
    }
}

fn manifests(front: &mut Front, call: &Call) -> Result<Reply, Refusal> {
    let repository = front.called(call)?;
    let all = repository.images().map(|image| {
        let updated = image.tags.iter().map(|tag| repository.tagged_at(tag, image)).max();
        let manifest = &image.manifest;
        let mut shown = json!({
            "digest": manifest.digest, "imageSize": 0, "createdTime": time(image.pushed_at),
            "lastUpdateTime": time(updated.max(Some(image.pushed_at)).unwrap_or_default()),
            "mediaType": manifest.media_type, "changeableAttributes": attributes(!repository.locked.contains(&manifest.digest)),
        });
        shown["imageSize"] = manifest.blobs().map(|blob| blob.size).sum::<u64>().into();
        if let Some(kind) = manifest.blobs().next() {
            shown["configMediaType"] = kind.media_type.as_ref().into();
        }
        if !image.tags.is_empty() {
            shown["tags"] = json!(image.tags);
        }
        (manifest.digest.to_string(), shown)
    });
    let all = all.collect();
    page(front, call, "manifests", all)
}

fn tags(front: &mut Front, call: &Call) -> Result<Reply, Refusal> {
    let wanted: Option<Digest> = front.request.parameter("digest").and_then(|digest| digest.parse().ok());
    let repository = front.called(call)?;
    let shown = |image: &Image, tag: &String| {
        let at = time(repository.tagged_at(tag, image));
        json!({
            "name": tag, "digest": image.manifest.digest, "createdTime": at, "lastUpdateTime": at, "signed": false,
            "changeableAttributes": attributes(true),
        })
    };
    let of_image = |image: &Image| image.tags.iter().map(|tag| (tag.clone(), shown(image, tag))).collect::<Vec<_>>();
    let images = repository.images().filter(|image| wanted.is_none_or(|wanted| image.manifest.digest == wanted));
    let all = images.flat_map(of_image).collect();
    page(front, call, "tags", all)
}

fn untag(front: &mut Front, call: &Call) -> Result<Reply, Refusal> {
    let repository = front.called(call)?;
    match repository.tag(&call.reference) {
        None => return Err(Refusal::new(404, "TAG_UNKNOWN", "the specified tag does not exist")),
        Some(on) if repository.locked.contains(&on) => return Err(LOCKED.into()),
        Some(_) => {}
    }
    repository.remove_tag(&call.reference);
    Ok(Reply::of(202))
}

/// A page of what is listed, in the order of its names unless the newest are asked for first.
fn page(front: &Front, call: &Call, member: &str, mut all: Vec<(String, Value)>) -> Result<Reply, Refusal> {
    let request = front.request;
    let order = request.parameter("orderby").unwrap_or_default();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    let at = |entry: &Value| entry["lastUpdateTime"].as_str().unwrap_or_default().to_owned();
    match order.as_str() {
        "timedesc" => all.sort_by_key(|(_, entry)| std::cmp::Reverse(at(entry))),
        "timeasc" => all.sort_by_key(|(_, entry)| at(entry)),
        _ => {}
    }
    let last = request.parameter("last");
    let start = last.map_or(0, |last| all.iter().position(|(name, _)| *name == last).map_or(all.len(), |at| at + 1));
    let size = request.parameter("n").and_then(|n| n.parse().ok()).unwrap_or(PAGE).clamp(1, PAGE);
    let rest = &all[start..];
    let shown: Vec<&Value> = rest.iter().take(size).map(|(_, entry)| entry).collect();
    let mut body = json!({ "registry": request.header("host"), "imageName": call.repository });
    if !shown.is_empty() {
        body[member] = json!(shown);
    }
    let reply = Reply::json(200, &body);
    Ok(match rest.get(size - 1).filter(|_| rest.len() > size) {
        Some((last, _)) => {
            let next = format!("<{}?last={last}&n={size}&orderby={order}>; rel=\"next\"", request.path);
            reply.with("link", next)
        }
        None => reply,
    })
}

fn attributes(unlocked: bool) -> Value {
    json!({ "deleteEnabled": unlocked, "writeEnabled": unlocked, "readEnabled": true, "listEnabled": true })
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}
