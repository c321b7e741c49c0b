//! What the emulator does, as its clients see it: signed requests in, JSON out.

mod archive;
mod deletions;
mod docker;
mod door;
mod layers;
mod listings;
mod pushes;

use hyper::{HeaderMap, body::Bytes};

use super::{
    digest::Digest,
    manifest::{Blob, Manifest},
    *,
};

fn now() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// A service with one repository, `team/app`.
struct Fixture {
    ecr: Ecr,
    now: DateTime<Utc>,
}

impl Fixture {
    fn new() -> Self {
        let mut ecr = Ecr::default();
        ecr.repository(REGION, "team/app", now());
        Self { ecr, now: now() }
    }

    fn repository(&mut self) -> &mut Repository {
        let now = self.now;
        self.ecr.repository(REGION, "team/app", now)
    }

    /// Pushes an image with as many layers as its name has letters.
    fn push(&mut self, name: &str, tags: &[&str]) -> Manifest {
        let (now, image) = (self.now, Manifest::image(name, name.len()));
        self.repository().push(&image, tags, now);
        image
    }

    fn push_index(&mut self, children: &[&Manifest], tags: &[&str]) -> Manifest {
        let children: Vec<_> = children.iter().map(|child| (*child, "linux/amd64")).collect();
        let (now, index) = (self.now, Manifest::index(&children));
        self.repository().push(&index, tags, now);
        index
    }

    fn has(&mut self, name: impl ToString) -> bool {
        self.repository().has(&name.to_string())
    }

    fn request(&self, operation: &str, body: &Value) -> Received {
        let mut request = Received {
            method: "POST".into(),
            path: "/".into(),
            query: String::new(),
            headers: HeaderMap::new(),
            body: Bytes::from(body.to_string()),
            now: self.now,
            to_registry: false,
        };
        let target = format!("{TARGET}{operation}").parse().unwrap();
        request.headers.insert("x-amz-target", target);
        sigv4::sign(&mut request, "ecr", REGION, &self.ecr.keys[0]);
        request
    }

    /// Asks about `team/app`, unless the body names another repository.
    fn ask(&mut self, operation: &str, mut body: Value) -> Result<Value, String> {
        if body["repositoryName"].is_null() {
            body["repositoryName"] = "team/app".into();
        }
        let reply = self.ecr.answer(&self.request(operation, &body));
        let answer: Value = serde_json::from_slice(&reply.body).unwrap();
        match reply.status {
            200 => Ok(answer),
            _ => Err(format!("{}: {}", answer["__type"].as_str().unwrap(), answer["message"].as_str().unwrap())),
        }
    }

    /// What a call of this operation is refused for.
    fn refusal(&mut self, operation: &str, body: Value) -> String {
        self.ask(operation, body).expect_err("it was done")
    }
}

fn by_digest(digest: impl ToString) -> Value {
    json!({"imageDigest": digest.to_string()})
}

fn by_tag(tag: &str) -> Value {
    json!({"imageTag": tag})
}

fn by_both(tag: &str, digest: impl ToString) -> Value {
    json!({"imageTag": tag, "imageDigest": digest.to_string()})
}

/// The codes of an answer's failures.
fn codes(answer: &Value) -> Vec<&str> {
    let failures = answer["failures"].as_array().unwrap();
    failures.iter().map(|failure| failure["failureCode"].as_str().unwrap()).collect()
}
