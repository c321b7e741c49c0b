//! Amazon Inspector as far as it tells which container images are in use.
//! <https://docs.aws.amazon.com/inspector/v2/APIReference/API_ListCoverage.html>

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Received, Reply, Service,
    door::{Door, page, paged},
    ecr::{
        ACCOUNT,
        refusal::{self, Refusal},
    },
};

#[derive(Serialize, Deserialize)]
#[serde(default)]
pub struct Inspector {
    /// Images by region, repository and digest, and how many tasks and pods run each.
    regions: BTreeMap<String, BTreeMap<String, u64>>,
    #[serde(skip, default = "door")]
    pub door: Door,
}

fn door() -> Door {
    Door::of("inspector2")
}

impl Default for Inspector {
    fn default() -> Self {
        Self { regions: BTreeMap::new(), door: door() }
    }
}

impl Inspector {
    /// Records in how many tasks and pods an image was seen.
    pub fn saw(&mut self, region: &str, repository: &str, digest: &str, times: u64) {
        self.regions.entry(region.into()).or_default().insert(format!("{repository}/{digest}"), times);
    }

    fn perform(&self, region: &str, body: &[u8]) -> Result<Value, Refusal> {
        let wrong = |error: &dyn std::fmt::Display| Refusal::new("ValidationException", error.to_string());
        let asked: Value = serde_json::from_slice(body).map_err(|error| wrong(&error))?;
        let size = asked["maxResults"].as_u64().unwrap_or(200);
        if !(1..=200).contains(&size) {
            return Err(wrong(&"maxResults must be between 1 and 200"));
        }
        let least = asked.pointer("/filterCriteria/ecrImageInUseCount/0/lowerInclusive").and_then(Value::as_u64);
        let empty = BTreeMap::new();
        let images = self.regions.get(region).unwrap_or(&empty).iter();
        let fits = images.filter(|(_, times)| least.is_none_or(|least| **times >= least));
        let all = fits.map(|(image, times)| {
            let shown = json!({
                "accountId": ACCOUNT,
                "resourceId": format!("arn:aws:ecr:{region}:{ACCOUNT}:repository/{image}"),
                "resourceType": "AWS_ECR_CONTAINER_IMAGE",
                "resourceMetadata": { "ecrImage": { "inUseCount": times } },
            });
            (image.as_str(), shown)
        });
        let page = page(all, asked["nextToken"].as_str(), self.door.size(size as usize));
        Ok(paged("coveredResources", page, "nextToken"))
    }
}

impl Service for Inspector {
    fn operation(&self, request: &Received) -> Option<String> {
        (request.method == "POST" && request.path == "/coverage/list").then(|| "ListCoverage".into())
    }

    fn operations(&self) -> Vec<&'static str> {
        vec!["ListCoverage"]
    }

    fn answer(&mut self, request: &Received) -> Reply {
        let admitted = self.door.admit(request, "ListCoverage");
        let answer = admitted.and_then(|region| self.perform(&region, &request.body));
        self.door.reply(answer)
    }

    fn throttled(&self) -> Reply {
        let refusal = Refusal { status: 429, ..refusal::throttled() };
        self.door.refuse(&refusal)
    }

    fn broken(&self, status: u16) -> Reply {
        self.door.refuse(&Refusal::of_status(status))
    }

    fn environment(&self, url: &str) -> Vec<(&'static str, String)> {
        vec![("AWS_ENDPOINT_URL_INSPECTOR2", url.into())]
    }
}
