//! Pushing a blob: in one request or in pieces, or by a mount from another repository.

use std::collections::HashMap;

use super::{
    front::{Front, digest},
    refusal::Refusal,
};
use crate::sandbox::{
    Reply,
    ecr::{digest::Digest, repository::Content},
};

/// Blobs on their way, by id.
#[derive(Default)]
pub struct Uploads {
    begun: HashMap<String, Upload>,
    /// How many there have been, for ids that are the same in every run.
    number: u64,
}

struct Upload {
    repository: String,
    bytes: Vec<u8>,
}

impl Front<'_> {
    pub fn start_upload(&mut self, name: &str) -> Result<Reply, Refusal> {
        self.pushed_to(name)?;
        let mount = self.request.parameter("mount").and_then(|mount| mount.parse().ok());
        if let (Some(mount), Some(from)) = (mount, self.request.parameter("from"))
            && let Some(layer) = self.repositories.get(&from).and_then(|from| from.layer(&mount)).cloned()
        {
            self.repository(name)?.fill_layer(mount, layer.size, layer.content);
            return Ok(created(name, mount));
        }
        if let Some(whole) = self.request.parameter("digest") {
            let body = self.request.body.to_vec();
            return self.store(name, &whole, body);
        }
        self.uploads.number += 1;
        let id = format!("00000000-0000-4000-a000-{:012x}", self.uploads.number);
        self.uploads.begun.insert(id.clone(), Upload { repository: name.into(), bytes: Vec::new() });
        Ok(waiting(202, name, &id, 0))
    }

    /// `PATCH` brings a piece, `PUT` the last one with the digest of all, `GET` asks how much came, `DELETE` gives up.
    pub fn go_on_with_upload(&mut self, name: &str, id: &str) -> Result<Reply, Refusal> {
        let unknown = || Refusal::new(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
        let found = self.uploads.begun.get_mut(id).filter(|upload| upload.repository == name);
        let upload = found.ok_or_else(unknown)?;
        let came = upload.bytes.len();
        match self.request.method.as_str() {
            "GET" => return Ok(waiting(204, name, id, came)),
            "DELETE" => {
                self.uploads.begun.remove(id);
                return Ok(Reply::of(204));
            }
            "PATCH" | "PUT" => {}
            _ => return Err(Refusal::of_status(405)),
        }
        let range = self.request.header("content-range");
        let begins = |range: &str| range.trim_start_matches("bytes ").split_once('-')?.0.parse::<usize>().ok();
        if !range.is_empty() && begins(range) != Some(came) {
            return Err(Refusal::new(416, "BLOB_UPLOAD_INVALID", "blob upload invalid"));
        }
        upload.bytes.extend_from_slice(&self.request.body);
        if self.request.method == "PATCH" {
            let came = upload.bytes.len();
            return Ok(waiting(202, name, id, came));
        }
        let given = self.request.parameter("digest").unwrap_or_default();
        let upload = self.uploads.begun.remove(id).ok_or_else(unknown)?;
        self.store(name, &given, upload.bytes)
    }

    fn store(&mut self, name: &str, given: &str, bytes: Vec<u8>) -> Result<Reply, Refusal> {
        let given = digest(given)?;
        if Digest::of(&bytes) != given {
            return Err(Refusal::new(400, "DIGEST_INVALID", "provided digest did not match uploaded content"));
        }
        let size = bytes.len() as u64;
        self.repository(name)?.fill_layer(given, size, Content::Pushed(bytes.into()));
        Ok(created(name, given))
    }
}

fn created(name: &str, digest: Digest) -> Reply {
    Reply::of(201).with("location", format!("/v2/{name}/blobs/{digest}")).with("docker-content-digest", digest)
}

fn waiting(status: u16, name: &str, id: &str, came: usize) -> Reply {
    Reply::of(status)
        .with("location", format!("/v2/{name}/blobs/uploads/{id}"))
        .with("docker-upload-uuid", id)
        .with("range", format!("0-{}", came.saturating_sub(1)))
}
