//! AWS Lambda as far as it tells what functions are made from: read only.
//! <https://docs.aws.amazon.com/lambda/latest/api/welcome.html>

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

const PATH: &str = "/2015-03-31/functions";

/// The service: one account, all regions.
#[derive(Serialize, Deserialize)]
#[serde(default)]
pub struct Lambda {
    /// Functions by region and name.
    regions: BTreeMap<String, BTreeMap<String, Function>>,
    #[serde(skip, default = "door")]
    pub door: Door,
}

/// A function, with its versions: the first is `$LATEST`, the others were published.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Function {
    pub versions: Vec<Code>,
    /// Aliases, and the version that each leads to.
    pub aliases: BTreeMap<String, String>,
}

/// What a version runs: an image, or a zip file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Code {
    /// As it was deployed, and what that was resolved to.
    Image(String, String),
    Zip,
}

fn door() -> Door {
    Door::of("lambda")
}

impl Default for Lambda {
    fn default() -> Self {
        Self { regions: BTreeMap::new(), door: door() }
    }
}

impl Lambda {
    pub fn functions(&mut self, region: &str) -> &mut BTreeMap<String, Function> {
        self.regions.entry(region.into()).or_default()
    }

    fn perform(&self, request: &Received, region: &str) -> Result<Value, Refusal> {
        let empty = BTreeMap::new();
        let functions = self.regions.get(region).unwrap_or(&empty);
        let rest = request.path.trim_start_matches(PATH).trim_matches('/');
        let parameter = |name: &str| request.parameter(name);
        match rest.split('/').collect::<Vec<_>>()[..] {
            [""] => {
                let all = parameter("FunctionVersion").as_deref() == Some("ALL");
                let versions = functions.iter().flat_map(|(name, function)| {
                    let shown = if all { function.versions.len() } else { function.versions.len().min(1) };
                    (0..shown)
                        .map(move |place| (format!("{name} {place:06}"), configuration(region, name, function, place)))
                });
                let versions: Vec<(String, Value)> = versions.collect();
                // 50 at most, whatever is asked for.
                let size = parameter("MaxItems").and_then(|size| size.parse().ok()).unwrap_or(50).min(50);
                let all = versions.iter().map(|(key, value)| (key.as_str(), value.clone()));
                let page = page(all, parameter("Marker").as_deref(), self.door.size(size));
                Ok(paged("Functions", page, "NextMarker"))
            }
            [name] => {
                let function = functions.get(name).ok_or_else(|| missing(region, name))?;
                let qualifier = parameter("Qualifier").unwrap_or_else(|| "$LATEST".into());
                let place = place_of(&qualifier).filter(|place| *place < function.versions.len());
                let place = place.ok_or_else(|| missing(region, &format!("{name}:{qualifier}")))?;
                let code = match &function.versions[place] {
                    Code::Image(uri, resolved) => {
                        json!({ "RepositoryType": "ECR", "ImageUri": uri, "ResolvedImageUri": resolved })
                    }
                    Code::Zip => {
                        json!({ "RepositoryType": "S3", "Location": "https://example.com/?signature=hunter2" })
                    }
                };
                let mut configuration = configuration(region, name, function, place);
                configuration["Environment"] = json!({ "Variables": { "PASSWORD": "hunter2" } });
                Ok(json!({ "Configuration": configuration, "Code": code }))
            }
            [name, "aliases"] => {
                let function = functions.get(name).ok_or_else(|| missing(region, name))?;
                let aliases = function.aliases.iter().map(|(alias, version)| {
                    let arn = format!("{}:{alias}", arn(region, name));
                    (alias.as_str(), json!({ "AliasArn": arn, "Name": alias, "FunctionVersion": version }))
                });
                Ok(paged("Aliases", page(aliases, parameter("Marker").as_deref(), self.door.size(50)), "NextMarker"))
            }
            _ => Err(Refusal { status: 404, ..Refusal::new("UnknownOperationException", "Unknown operation") }),
        }
    }
}

fn arn(region: &str, name: &str) -> String {
    format!("arn:aws:lambda:{region}:{ACCOUNT}:function:{name}")
}

fn missing(region: &str, name: &str) -> Refusal {
    let message = format!("Function not found: {}", arn(region, name));
    Refusal { status: 404, ..Refusal::new("ResourceNotFoundException", message) }
}

fn version(place: usize) -> String {
    if place == 0 { "$LATEST".into() } else { place.to_string() }
}

fn place_of(qualifier: &str) -> Option<usize> {
    if qualifier == "$LATEST" { Some(0) } else { qualifier.parse().ok().filter(|place| *place > 0) }
}

fn configuration(region: &str, name: &str, function: &Function, place: usize) -> Value {
    let (kind, hash) = match &function.versions[place] {
        Code::Image(_, resolved) => ("Image", resolved.rsplit(':').next().unwrap_or_default()),
        Code::Zip => ("Zip", "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="),
    };
    json!({
        "FunctionName": name,
        "FunctionArn": format!("{}:{}", arn(region, name), version(place)),
        "Version": version(place),
        "PackageType": kind,
        "CodeSha256": hash,
        "RevisionId": format!("00000000-0000-4000-a000-{place:012}"),
    })
}

impl Service for Lambda {
    fn operation(&self, request: &Received) -> Option<String> {
        let rest = request.path.strip_prefix(PATH).filter(|_| request.method == "GET")?.trim_matches('/');
        Some(match rest.split_once('/') {
            None if rest.is_empty() => "ListFunctions".into(),
            None => "GetFunction".into(),
            Some((_, "aliases")) => "ListAliases".into(),
            Some((_, other)) => format!("GET {other}"),
        })
    }

    fn operations(&self) -> Vec<&'static str> {
        vec!["ListFunctions", "GetFunction", "ListAliases"]
    }

    fn answer(&mut self, request: &Received) -> Reply {
        let operation = self.operation(request).unwrap_or_default();
        let admitted = self.door.admit(request, &operation).map_err(refusal::at_rest);
        let answer = admitted.and_then(|region| self.perform(request, &region));
        self.door.reply(answer)
    }

    fn throttled(&self) -> Reply {
        let refusal = Refusal { status: 429, ..Refusal::new("TooManyRequestsException", "Rate exceeded") };
        self.door.refuse(&refusal)
    }

    fn broken(&self, status: u16) -> Reply {
        self.door.refuse(&refusal::Refusal::of_status(status))
    }

    fn environment(&self, url: &str) -> Vec<(&'static str, String)> {
        vec![("AWS_ENDPOINT_URL_LAMBDA", url.into())]
    }
}
