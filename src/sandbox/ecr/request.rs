//! One request of the API while it is worked on: who asks, where, with which parameters, and which repository it
//! means.

use chrono::{DateTime, Utc};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    Delays, Quirks, Registry,
    refusal::{Refusal, breaks, required},
    repository::Repository,
};

/// A request that has passed the front door.
pub struct Request<'a> {
    pub registry: &'a mut Registry,
    pub account: &'a str,
    pub region: &'a str,
    pub now: DateTime<Utc>,
    pub quirks: &'a Quirks,
    pub delays: &'a Delays,
    /// Counts the sandbox's requests, for ids that are unique but the same in every run.
    pub number: u64,
    pub body: &'a [u8],
}

/// A repository, named completely.
pub struct Place {
    pub account: String,
    pub region: String,
    pub name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    registry_id: Option<String>,
    repository_name: Option<String>,
}

impl Request<'_> {
    pub fn parameters<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(self.body).map_err(|error| Refusal::new("SerializationException", error.to_string()))
    }

    /// The account that the request is about, which is the caller's unless it says otherwise.
    pub fn registry_id(&self) -> Result<String, Refusal> {
        let target: Target = self.parameters()?;
        let id = target.registry_id.unwrap_or_else(|| self.account.into());
        if id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(id)
        } else {
            Err(breaks("registryId", "Member must satisfy regular expression pattern: [0-9]{12}"))
        }
    }

    /// The repository that the request names, which need not exist.
    pub fn place(&self) -> Result<Place, Refusal> {
        let account = self.registry_id()?;
        let name = required(self.parameters::<Target>()?.repository_name, "repositoryName")?;
        check_name(&name)?;
        Ok(self.place_of(account, name))
    }

    pub fn place_of(&self, account: String, name: String) -> Place {
        Place { account, region: self.region.into(), name }
    }

    /// The repository at that place, as it is by now.
    pub fn repository(&mut self, place: &Place) -> Result<&mut Repository, Refusal> {
        let found = self.registry.repositories.get_mut(&place.name);
        let repository = found.filter(|_| place.account == self.account).ok_or_else(|| place.not_found())?;
        repository.pass_time(self.now, self.delays);
        Ok(repository)
    }
}

impl Place {
    pub fn uri(&self) -> String {
        format!("{}/{}", registry_host(&self.account, &self.region), self.name)
    }

    pub fn arn(&self) -> String {
        let partition = match self.region.split('-').next() {
            Some("cn") => "aws-cn",
            _ if self.region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        format!("arn:{partition}:ecr:{}:{}:repository/{}", self.region, self.account, self.name)
    }

    pub fn not_found(&self) -> Refusal {
        Refusal::new(
            "RepositoryNotFoundException",
            format!(
                "The repository with name '{}' does not exist in the registry with id '{}'",
                self.name, self.account
            ),
        )
    }

    /// `in the repository with name … in the registry with id …`, as many of the service's sentences end.
    pub fn in_words(&self) -> String {
        format!("the repository with name '{}' in the registry with id '{}'", self.name, self.account)
    }

    /// An answer that begins with where it speaks of.
    pub fn answer(&self, mut rest: Value) -> Value {
        rest["registryId"] = self.account.clone().into();
        rest["repositoryName"] = self.name.clone().into();
        rest
    }

    /// How the API describes the repository that is here.
    pub fn describe(&self, repository: &Repository) -> Value {
        let mut description = json!({
            "repositoryArn": self.arn(),
            "repositoryUri": self.uri(),
            "createdAt": seconds(repository.created_at),
            "imageTagMutability": repository.mutability,
            "imageScanningConfiguration": {"scanOnPush": false},
            "encryptionConfiguration": {"encryptionType": "AES256"},
        });
        if !repository.exclusions.is_empty() {
            let filter = |filter| json!({"filterType": "WILDCARD", "filter": filter});
            description["imageTagMutabilityExclusionFilters"] = repository.exclusions.iter().map(filter).collect();
        }
        self.answer(description)
    }
}

/// The host of a registry, as images are pulled from it.
pub fn registry_host(account: &str, region: &str) -> String {
    let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("{account}.dkr.ecr.{region}.amazonaws.com{suffix}")
}

/// JSON 1.1 writes a time as seconds since 1970.
pub fn seconds(time: DateTime<Utc>) -> Value {
    (time.timestamp_millis() as f64 / 1000.0).into()
}

/// Whether a text is made of such parts, whatever its length.
pub fn is_path(text: &str) -> bool {
    let alphanumeric = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let separator = |text: &str| matches!(text, "" | "." | "_" | "__") || text.bytes().all(|byte| byte == b'-');
    let part = |part: &str| {
        part.starts_with(alphanumeric) && part.ends_with(alphanumeric) && part.split(alphanumeric).all(separator)
    };
    text.split('/').all(part)
}

/// Lower-case words joined by `.`, `_`, `__` or hyphens, in parts between slashes.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>
pub fn check_name(name: &str) -> Result<(), Refusal> {
    let pattern = r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*";
    match name.len() {
        0..2 => Err(breaks("repositoryName", "Member must have length greater than or equal to 2")),
        257.. => Err(breaks("repositoryName", "Member must have length less than or equal to 256")),
        _ if is_path(name) => Ok(()),
        _ => Err(breaks("repositoryName", format!("must satisfy regular expression '{pattern}'"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_names_are_words_joined_by_single_separators() {
        for good in ["ab", "team/app", "a.b_c__d-e---f/0", "a1/b2/c3"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        let long = "a".repeat(257);
        for bad in ["", "a", "Team/app", "a//b", "/ab", "ab/", "a..b", "a___b", "-ab", "ab-", "a.-b", "a b", &long] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
