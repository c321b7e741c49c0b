//! Tencent Cloud CVM, as its documents describe it: who may call, what exists, how often. Every answer is HTTP 200;
//! failures are inside. The operations are in `images` and `users`, what they work on in `state`.

mod images;
mod parameters;
mod seed;
pub mod state;
#[cfg(test)]
mod tests;
mod users;
mod verify;

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Hooked, Hooks, Received, Reply, Service, rates::Rates};
use parameters::Parameters;
pub use state::{Change, Image, Instance, LaunchConfiguration, LaunchTemplate, Region, Snapshot};

/// The keys of every sandbox. They work nowhere else.
pub const SECRET_ID: &str = "AKIDSandbox00000000000000000000007F3Q";
pub const SECRET_KEY: &str = "SandboxSecretKey0000000000000000";
/// The region that its environment names.
pub const REGION: &str = "ap-guangzhou";

/// Regions of the provider's own SDK. One that holds anything here is known, too.
/// <https://github.com/TencentCloud/tencentcloud-sdk-go/blob/master/tencentcloud/common/regions/regions.go>
const REGIONS: &str = "ap-bangkok ap-beijing ap-chengdu ap-chongqing ap-guangzhou ap-hongkong ap-jakarta ap-nanjing \
     ap-seoul ap-shanghai ap-shanghai-fsi ap-shenzhen-fsi ap-singapore ap-tokyo eu-frankfurt na-ashburn \
     na-siliconvalley sa-saopaulo";

/// One account, with all its regions.
#[derive(Serialize, Deserialize)]
#[serde(default)]
pub struct Cvm {
    pub secret_id: String,
    pub secret_key: String,
    /// What the keys need beside them, if they are temporary.
    pub token: Option<String>,
    pub account: String,
    pub regions: BTreeMap<String, Region>,
    /// The most ids that one deletion may name, if there is a limit.
    pub most_ids: Option<usize>,
    /// How long a deleted image is seen in `DELETING`.
    pub deleting_for: Duration,
    /// A rehearsal says yes with the code `DryRunOperation`.
    pub dry_run_code: bool,
    /// Calls answered so far, for the ids of requests.
    answered: u64,
    #[serde(skip)]
    rates: Rates,
    #[serde(skip)]
    hooks: Hooks<Cvm>,
}

impl Default for Cvm {
    fn default() -> Self {
        Self {
            secret_id: SECRET_ID.into(),
            secret_key: SECRET_KEY.into(),
            token: None,
            account: "100000000001".into(),
            regions: BTreeMap::new(),
            most_ids: None,
            deleting_for: Duration::ZERO,
            dry_run_code: false,
            answered: 0,
            rates: Rates::default(),
            hooks: Hooks::default(),
        }
    }
}

/// A request whose sender is known.
struct Call<'a> {
    region: &'a str,
    asked: &'a Parameters,
    now: DateTime<Utc>,
}

/// Why a request is refused, in the provider's code.
#[derive(Debug)]
struct Failure {
    code: &'static str,
    message: String,
}

impl Failure {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// An operation: its name, its service, the parameters that it takes, and the function that does it.
type Operation = (&'static str, &'static str, &'static str, fn(&mut Cvm, &Call<'_>) -> Result<Value, Failure>);

const OPERATIONS: [Operation; 9] = [
    ("DescribeImages", "cvm", "ImageIds Filters Offset Limit InstanceType", Cvm::describe_images),
    ("DeleteImages", "cvm", "ImageIds DeleteBindedSnap DryRun", Cvm::delete_images),
    ("DescribeImageQuota", "cvm", "", Cvm::describe_quota),
    ("DescribeImageSharePermission", "cvm", "ImageId", Cvm::describe_sharing),
    ("ModifyImageSharePermission", "cvm", "ImageId AccountIds Permission", Cvm::modify_sharing),
    ("DescribeInstances", "cvm", "InstanceIds Filters Offset Limit", Cvm::describe_instances),
    ("DescribeLaunchTemplates", "cvm", "LaunchTemplateIds Filters Offset Limit", Cvm::describe_templates),
    (
        "DescribeLaunchTemplateVersions",
        "cvm",
        "LaunchTemplateId LaunchTemplateVersions MinVersion MaxVersion DefaultVersion Offset Limit",
        Cvm::describe_template_versions,
    ),
    ("DescribeLaunchConfigurations", "as", "LaunchConfigurationIds Filters Offset Limit", Cvm::describe_configurations),
];

/// <https://www.tencentcloud.com/document/api/213/33277>
/// <https://www.tencentcloud.com/document/api/377/30981>
fn version(service: &str) -> Option<&'static str> {
    match service {
        "cvm" => Some("2017-03-12"),
        "as" => Some("2018-04-19"),
        _ => None,
    }
}

/// The most calls a second that an operation's own page allows, in each region; the others are not limited here.
/// <https://www.tencentcloud.com/document/api/213/33255>
fn most_calls(operation: &str) -> Option<u32> {
    match operation {
        "DescribeImages" => Some(40),
        "DeleteImages" | "DescribeImageQuota" | "DescribeImageSharePermission" | "ModifyImageSharePermission" => {
            Some(10)
        }
        _ => None,
    }
}

impl Hooked for Cvm {
    fn hooks(&mut self) -> &mut Hooks<Self> {
        &mut self.hooks
    }
}

impl Cvm {
    /// A region, made if there was nothing in it yet.
    pub fn region(&mut self, name: &str) -> &mut Region {
        self.regions.entry(name.to_owned()).or_default()
    }

    fn handle(&mut self, request: &Received) -> Result<Value, Failure> {
        let service = verify::verify(self, request)?;
        let Some(version) = version(service) else {
            return Err(Failure::new("NoSuchProduct", "There is no such product."));
        };
        let (given, action) = (request.header("x-tc-version"), request.header("x-tc-action"));
        if given != version {
            return Err(Failure::new("NoSuchVersion", format!("There is no version `{given}`.")));
        }
        let (name, _, known, run) = OPERATIONS
            .into_iter()
            .find(|(name, of, ..)| *name == action && *of == service)
            .ok_or_else(|| Failure::new("InvalidAction", format!("There is no action `{action}`.")))?;
        let region = match request.header("x-tc-region") {
            "" => return Err(parameters::missing("Region")),
            region => region,
        };
        if !REGIONS.split(' ').any(|known| known == region) && !self.regions.contains_key(region) {
            return Err(Failure::new("UnsupportedRegion", format!("There is no region `{region}`.")));
        }
        let now = request.now;
        if !self.rates.admits(format!("{name} in {region}"), most_calls(name), now) {
            return Err(too_many());
        }
        let asked = &Parameters::read(&request.body, known)?;
        self.region(region).settle(now);
        self.run_hooks(name);
        run(self, &Call { region, asked, now })
    }
}

fn too_many() -> Failure {
    Failure::new("RequestLimitExceeded", "The request rate exceeds the limit.")
}

fn reply(outcome: Result<Value, Failure>, answered: u64) -> Reply {
    let mut content =
        outcome.unwrap_or_else(|failure| json!({ "Error": { "Code": failure.code, "Message": failure.message } }));
    content["RequestId"] = json!(format!("5a4db0c5-0000-4000-8000-{answered:012x}"));
    Reply {
        status: 200,
        headers: vec![("content-type".into(), "application/json".into())],
        body: json!({ "Response": content }).to_string().into_bytes(),
    }
}

impl Service for Cvm {
    fn operation(&self, request: &Received) -> Option<String> {
        let action = request.header("x-tc-action");
        let ours = !action.is_empty() || request.header("authorization").starts_with("TC3-");
        ours.then(|| action.to_owned())
    }

    fn items(&self, request: &Received) -> Vec<String> {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let one = body["ImageId"].as_str();
        let many = body["ImageIds"].as_array().into_iter().flatten();
        one.into_iter().chain(many.filter_map(Value::as_str)).map(Into::into).collect()
    }

    fn operations(&self) -> Vec<&'static str> {
        OPERATIONS.iter().map(|(name, ..)| *name).collect()
    }

    fn answer(&mut self, request: &Received) -> Reply {
        self.answered += 1;
        let outcome = self.handle(request);
        reply(outcome, self.answered)
    }

    fn throttled(&self) -> Reply {
        reply(Err(too_many()), self.answered)
    }

    /// The service itself always answers with 200. Another status comes from a gateway, which has no codes.
    fn broken(&self, status: u16) -> Reply {
        Reply {
            status,
            headers: vec![("content-type".into(), "text/html".into())],
            body: format!("<html><body><h1>{status}</h1></body></html>").into_bytes(),
        }
    }

    fn environment(&self, url: &str) -> Vec<(&'static str, String)> {
        let token = self.token.clone().unwrap_or_default();
        vec![
            ("IMGCTL_CVM_ENDPOINT", url.into()),
            ("IMGCTL_AS_ENDPOINT", url.into()),
            ("IMGCTL_TENCENT_METADATA_ENDPOINT", "off".into()),
            ("TENCENTCLOUD_SECRET_ID", self.secret_id.clone()),
            ("TENCENTCLOUD_SECRET_KEY", self.secret_key.clone()),
            ("TENCENTCLOUD_REGION", REGION.into()),
            // An empty variable counts as not set. The values of the user belong to other keys.
            ("TENCENTCLOUD_TOKEN", token),
            ("TENCENTCLOUD_SECURITY_TOKEN", String::new()),
            ("TENCENTCLOUD_SESSION_TOKEN", String::new()),
            ("TENCENTCLOUD_ROLE_ARN", String::new()),
        ]
    }
}
