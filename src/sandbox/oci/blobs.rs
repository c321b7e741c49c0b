//! Configs and layers: reading them. `DELETE` of a blob is refused: clients of a registry delete manifests.

use super::{
    front::{Front, digest},
    refusal::Refusal,
};
use crate::sandbox::Reply;

impl Front<'_> {
    pub fn get_blob(&mut self, name: &str, text: &str) -> Result<Reply, Refusal> {
        let digest = digest(text)?;
        let head = self.is_head();
        let unknown = || Refusal::new(404, "BLOB_UNKNOWN", "blob unknown to registry");
        let repository = self.repository(name).map_err(|_| unknown())?;
        let layer = repository.layer(&digest).ok_or_else(unknown)?;
        let reply = Reply::of(200)
            .with("content-type", "application/octet-stream")
            .with("docker-content-digest", digest)
            .with("etag", format!("\"{digest}\""));
        if head {
            return Ok(reply.with("content-length", layer.size));
        }
        Ok(reply.bearing(layer.bytes().ok_or_else(unknown)?))
    }
}
