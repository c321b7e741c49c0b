//! AWS ECR, as its documents describe it.

use super::{Received, Reply, Service};

#[derive(Default)]
pub struct Ecr {}

impl Service for Ecr {
    fn operation(&self, request: &Received) -> Option<String> {
        request
            .header("x-amz-target")
            .strip_prefix("AmazonEC2ContainerRegistry_V20150921.")
            .map(Into::into)
    }

    fn answer(&mut self, _request: &Received) -> Reply {
        self.broken(400)
    }

    fn throttled(&self) -> Reply {
        self.broken(400)
    }

    fn broken(&self, status: u16) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: b"{}".to_vec(),
        }
    }

    fn environment(&self, url: &str) -> Vec<(&'static str, String)> {
        vec![("AWS_ENDPOINT_URL_ECR", url.into())]
    }
}
