//! AWS ECS as far as it tells what runs: read only. `state` is what a region holds, `operations` answer about it.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/Welcome.html>

mod operations;
mod state;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::state::{Cluster, Container, Region, Revision, Service as EcsService, Task};
use super::{
    Hooked, Hooks, Received, Reply, Service,
    door::Door,
    ecr::{
        ACCOUNT,
        refusal::{self, Refusal},
    },
};

const TARGET: &str = "AmazonEC2ContainerServiceV20141113.";

/// The service: one account, all regions.
#[derive(Serialize, Deserialize)]
#[serde(default)]
pub struct Ecs {
    regions: BTreeMap<String, Region>,
    #[serde(skip, default = "door")]
    pub door: Door,
    #[serde(skip)]
    hooks: Hooks<Ecs>,
}

fn door() -> Door {
    Door::of("ecs")
}

impl Default for Ecs {
    fn default() -> Self {
        Self { regions: BTreeMap::new(), door: door(), hooks: Hooks::default() }
    }
}

impl Hooked for Ecs {
    fn hooks(&mut self) -> &mut Hooks<Self> {
        &mut self.hooks
    }
}

impl Ecs {
    pub fn region(&mut self, name: &str) -> &mut Region {
        self.regions.entry(name.into()).or_insert_with(|| Region::new(name, ACCOUNT))
    }

    fn perform(&mut self, operation: &str, region: &str, body: &[u8]) -> Result<Value, Refusal> {
        self.run_hooks(operation);
        let asked = serde_json::from_slice(body);
        let asked = asked.map_err(|error| Refusal::new("SerializationException", error.to_string()))?;
        let region = self.regions.entry(region.into()).or_insert_with(|| Region::new(region, ACCOUNT));
        operations::answer(operation, region, &self.door, &asked)
    }
}

impl Service for Ecs {
    fn operation(&self, request: &Received) -> Option<String> {
        request.header("x-amz-target").strip_prefix(TARGET).map(Into::into)
    }

    fn operations(&self) -> Vec<&'static str> {
        operations::OPERATIONS.into()
    }

    fn answer(&mut self, request: &Received) -> Reply {
        let operation = self.operation(request).unwrap_or_default();
        let admitted = self.door.admit(request, &operation);
        let answer = admitted.and_then(|region| self.perform(&operation, &region, &request.body));
        self.door.reply(answer)
    }

    fn throttled(&self) -> Reply {
        self.door.refuse(&refusal::throttled())
    }

    fn broken(&self, status: u16) -> Reply {
        self.door.refuse(&Refusal::of_status(status))
    }

    fn environment(&self, url: &str) -> Vec<(&'static str, String)> {
        vec![("AWS_ENDPOINT_URL_ECS", url.into())]
    }
}
