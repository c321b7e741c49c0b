//! The search of zot: GraphQL with the query `ImageList`, of which as much is answered as was asked for.
//! <https://github.com/project-zot/zot/blob/main/pkg/extensions/search/schema.graphql>

use chrono::{DateTime, SecondsFormat, Utc};
use regex::Regex;
use serde_json::{Map, Value, json};

use super::{api::Call, front::Front, refusal::Refusal};
use crate::sandbox::{
    Received, Reply,
    ecr::repository::{Image, Repository},
};

const PATH: &str = "/v2/_zot/ext/search";

pub fn call(request: &Received) -> Option<Call> {
    if (request.method.as_str(), request.path.as_str()) == ("GET", "/v2/_oci/ext/discover") {
        let reference = String::new();
        return Some(Call {
            operation: "GET extensions",
            auth: None,
            actions: "pull",
            repository: None,
            reference,
            act: |_, _| Ok(extensions()),
        });
    }
    let repository = || argument(&query(request), "repo");
    let known = request.path == PATH && matches!(request.method.as_str(), "GET" | "POST");
    known.then(|| Call {
        operation: if request.method == "GET" { "GET search" } else { "POST search" },
        auth: None,
        actions: "pull",
        repository: repository(),
        reference: String::new(),
        act: search,
    })
}

/// What is there beside the protocol.
/// <https://github.com/project-zot/zot/blob/main/pkg/extensions/get_extensions.go>
fn extensions() -> Reply {
    let zot = json!({
        "name": "_zot", "url": "https://github.com/project-zot/zot/blob/v2.1.8/pkg/extensions/_zot.md",
        "description": "zot registry extensions", "endpoints": [PATH, "/v2/_zot/ext/mgmt"],
    });
    Reply::json(200, &json!({ "extensions": [zot] }))
}

/// The query, with its variables put in.
fn query(request: &Received) -> String {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let given = body["query"].as_str().map(str::to_owned).or_else(|| request.parameter("query"));
    let mut query = given.unwrap_or_default();
    for (name, value) in body["variables"].as_object().into_iter().flatten() {
        query = query
            .replace(&format!(": ${name}"), &format!(": {value}"))
            .replace(&format!(":${name}"), &format!(":{value}"));
    }
    query
}

/// The value of an argument that is a text.
fn argument(query: &str, name: &str) -> Option<String> {
    let pattern = Regex::new(&format!(r#"\b{name}\s*:\s*"([^"]*)""#)).ok()?;
    pattern.captures(query).map(|found| found[1].to_owned())
}

fn search(front: &mut Front, call: &Call) -> Result<Reply, Refusal> {
    let query = query(front.request);
    let failed = |message: &str| Ok(Reply::json(200, &json!({ "errors": [{ "message": message }], "data": null })));
    let asked = query.split_once("ImageList").and_then(|(_, rest)| rest.split_once(')'));
    let (Some(name), Some((head, asked))) = (&call.repository, asked) else {
        return failed("the sandbox answers ImageList(repo: …) only");
    };
    let nothing = Repository::default();
    // A search for what is not there finds nothing.
    let repository = front.repository(name).map_or(&nothing, |repository| repository);
    let Some((_, asked)) = asked.split_once('{') else {
        return failed("nothing of ImageList was asked for");
    };
    let number = |name: &str| {
        let pattern = Regex::new(&format!(r"\b{name}\s*:\s*(\d+)")).ok()?;
        pattern.captures(head)?[1].parse::<usize>().ok()
    };
    let all: Vec<_> = repository.tags().into_iter().filter_map(|tag| summary(name, repository, &tag)).collect();
    let (offset, limit) = (number("offset").unwrap_or(0), number("limit").filter(|limit| *limit > 0));
    let shown: Vec<_> = all.iter().skip(offset).take(limit.unwrap_or(usize::MAX)).cloned().collect();
    let page = json!({ "TotalCount": all.len(), "ItemCount": shown.len() });
    let list = json!({ "Results": shown, "Page": page });
    let wanted = selection(&mut words(asked).into_iter());
    Ok(Reply::json(200, &json!({ "data": { "ImageList": only(list, &wanted) } })))
}

fn summary(name: &str, repository: &Repository, tag: &str) -> Option<Value> {
    let image = repository.find(tag)?;
    let (manifest, time) = (&image.manifest, |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Nanos, true));
    let own = |image: &Image| json!({ "Digest": image.manifest.digest, "Size": repository.size(image).to_string(), "ConfigDigest": image.manifest.blobs().next().map(|it| it.digest) });
    let parts: Vec<Value> = match manifest.children() {
        [] => vec![own(image)],
        children => children.iter().filter_map(|child| repository.image(child)).map(own).collect(),
    };
    Some(json!({
        "RepoName": name, "Tag": tag, "Digest": manifest.digest, "MediaType": manifest.media_type,
        "Size": repository.size(image).to_string(), "LastUpdated": time(built_at(repository, image).unwrap_or_default()),
        "PushTimestamp": time(image.pushed_at), "TaggedTimestamp": time(repository.tagged_at(tag, image)),
        "LastPullTimestamp": time(image.pulled_at.unwrap_or_default()), "ArtifactType": manifest.artifact_media_type(), "DownloadCount": 0, "IsSigned": false, "Manifests": parts,
    }))
}

/// When an image says that it was built; an index, when the newest of its images was.
fn built_at(repository: &Repository, image: &Image) -> Option<DateTime<Utc>> {
    match image.manifest.children() {
        [] => {
            let config = repository.layer(&image.manifest.blobs().next()?.digest)?.bytes()?;
            serde_json::from_slice::<Value>(&config).ok()?["created"].as_str()?.parse().ok()
        }
        children => children.iter().filter_map(|child| built_at(repository, repository.image(child)?)).max(),
    }
}

/// Names and braces of a query; arguments are left out.
fn words(query: &str) -> Vec<String> {
    let spaced = query.replace('{', " { ").replace('}', " } ").replace(',', " ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

/// Members that were asked for, each with those asked for in it.
type Selection = Vec<(String, Vec<String>)>;

fn selection(words: &mut impl Iterator<Item = String>) -> Selection {
    let (mut found, mut depth) = (Selection::new(), 0);
    for word in words {
        match word.as_str() {
            "{" => depth += 1,
            "}" if depth == 0 => break,
            "}" => depth -= 1,
            _ if depth == 0 => found.push((word, Vec::new())),
            _ => found.last_mut().into_iter().for_each(|(_, inner)| inner.push(word.clone())),
        }
    }
    found
}

/// What is left of an answer: at every depth the members that were asked for.
fn only(value: Value, asked: &Selection) -> Value {
    let Value::Object(members) = value else { return value };
    let kept = members.into_iter().filter_map(|(name, value)| {
        let (_, inner) = asked.iter().find(|(known, _)| *known == name)?;
        let named = |part: &Value| match part {
            Value::Object(part) => part
                .iter()
                .filter(|(name, _)| inner.contains(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect::<Map<_, _>>()
                .into(),
            leaf => leaf.clone(),
        };
        let value = match &value {
            Value::Array(list) => list.iter().map(named).collect(),
            one => named(one),
        };
        Some((name, value))
    });
    kept.collect::<Map<_, _>>().into()
}
