//! The registry as its clients see it: requests in, answers out.

mod apis;
mod deletions;
mod lists;
mod pulls;
mod pushes;
mod tokens;

use chrono::TimeDelta;
use hyper::{
    HeaderMap,
    header::{HeaderName, HeaderValue},
};
use serde_json::Value;

use super::*;
use crate::sandbox::ecr::{
    build::{Built, Kind},
    digest::Digest,
    made::Recipe,
};

fn now() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// Every type of manifest that there is.
const ALL: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
                   application/vnd.docker.distribution.manifest.v2+json, \
                   application/vnd.docker.distribution.manifest.list.v2+json";

/// A registry with one repository, `team/app`.
struct Fixture {
    oci: Oci,
    now: DateTime<Utc>,
}

/// An answer, as far as the tests look at it.
struct Answer(Reply);

impl Answer {
    fn status(&self) -> u16 {
        self.0.status
    }

    /// A header, or nothing.
    fn header(&self, name: &str) -> &str {
        let found = self.0.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.0.body).unwrap()
    }

    /// The status and the code of an error.
    fn error(&self) -> (u16, String) {
        let code = serde_json::from_slice::<Value>(&self.0.body).unwrap_or_default();
        (self.0.status, code["errors"][0]["code"].as_str().unwrap_or_default().into())
    }
}

impl Fixture {
    /// A registry of this kind that asks nobody who they are.
    fn open(registry: &str) -> Self {
        let mut fixture = Self::of(registry);
        fixture.oci.habits.auth = habits::Auth::Open;
        fixture
    }

    fn of(registry: &str) -> Self {
        let habits = Habits::of(registry).unwrap();
        let mut oci = Oci { habits, ..Oci::default() };
        oci.repository("team/app", now());
        Self { oci, now: now() }
    }

    fn repository(&mut self) -> &mut Repository {
        self.oci.repository("team/app", now())
    }

    fn image(kind: Kind, name: &str, platform: &str) -> Built {
        Built::image(kind, platform, now(), vec![Recipe::File(name.into())])
    }

    /// Pushes an image of one platform.
    fn push(&mut self, name: &str, tags: &[&str]) -> Digest {
        let (at, image) = (self.now, Self::image(Kind::Oci, name, "linux/amd64"));
        image.push(self.repository(), tags, at);
        image.manifest.digest
    }

    /// Pushes an index over images for two architectures, which are returned after it.
    fn push_index(&mut self, kind: Kind, tags: &[&str]) -> [Digest; 3] {
        let (at, platforms) = (self.now, ["linux/arm64", "linux/amd64"]);
        let children = platforms.map(|platform| Self::image(kind, platform, platform));
        let index = Built::index(&[(&children[0], platforms[0]), (&children[1], platforms[1])]);
        for part in &children {
            part.push(self.repository(), &[], at);
        }
        index.push(self.repository(), tags, at);
        [index.manifest.digest, children[0].manifest.digest, children[1].manifest.digest]
    }

    fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut map = HeaderMap::new();
        for (name, value) in [("host", "127.0.0.1:5000")].iter().chain(headers) {
            map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let request = Received {
            method: method.into(),
            path: path.into(),
            query: query.into(),
            headers: map,
            body: body.to_vec().into(),
            now: self.now,
            to_registry: true,
        };
        assert!(self.oci.operation(&request).is_some());
        Answer(self.oci.answer(&request))
    }

    fn ask(&mut self, method: &str, path: impl AsRef<str>) -> Answer {
        self.send(method, path.as_ref(), &[("accept", ALL)], b"")
    }

    /// What a deletion in `team/app` ends with.
    fn delete(&mut self, reference: impl ToString) -> (u16, String) {
        self.ask("DELETE", format!("/v2/team/app/manifests/{}", reference.to_string())).error()
    }

    fn has(&mut self, reference: impl ToString) -> bool {
        self.repository().has(&reference.to_string())
    }
}

fn code(status: u16, code: &str) -> (u16, String) {
    (status, code.into())
}
