//! The operations on repositories themselves.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    paging::{self, Entry},
    refusal::{Refusal, breaks, invalid, listed, page_size, required},
    repository::{Mutability, Repository},
    request::{Request, check_name},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TagRules {
    image_tag_mutability: Option<String>,
    image_tag_mutability_exclusion_filters: Option<Vec<ExclusionFilter>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExclusionFilter {
    filter: Option<String>,
}

impl TagRules {
    fn read(self) -> Result<(Mutability, Vec<String>), Refusal> {
        let name = "imageTagMutability";
        let mutability = match self.image_tag_mutability {
            None => Mutability::default(),
            Some(word) => {
                serde_json::from_value(word.into()).map_err(|_| breaks(name, "Member must satisfy enum value set"))?
            }
        };
        let filters = self.image_tag_mutability_exclusion_filters;
        use Mutability::{ImmutableWithExclusion, MutableWithExclusion};
        if !matches!(mutability, ImmutableWithExclusion | MutableWithExclusion) {
            return match filters {
                None => Ok((mutability, Vec::new())),
                Some(_) => Err(invalid("Exclusion filters need a mutability with exclusion")),
            };
        }
        let name = "imageTagMutabilityExclusionFilters";
        // https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImageTagMutability.html
        let filters = listed(filters, name, 5)?
            .into_iter()
            .map(|filter| {
                let filter = required(filter.filter, name)?;
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._*-".contains(&byte);
                match filter.len() {
                    1..=128 if filter.bytes().all(plain) => Ok(filter),
                    _ => Err(breaks(name, "must satisfy regular expression '^[0-9a-zA-Z._*-]{1,128}$'")),
                }
            })
            .collect::<Result<_, _>>()?;
        Ok((mutability, filters))
    }
}

pub fn create(mut request: Request) -> Result<Value, Refusal> {
    let place = request.place()?;
    let (mutability, exclusions) = request.parameters::<TagRules>()?.read()?;
    if request.repository(&place).is_ok() {
        return Err(Refusal::new(
            "RepositoryAlreadyExistsException",
            format!(
                "The repository with name '{}' already exists in the registry with id '{}'",
                place.name, place.account
            ),
        ));
    }
    let mut repository = Repository::new(request.now);
    (repository.mutability, repository.exclusions) = (mutability, exclusions);
    let description = place.describe(&repository);
    request.registry.repositories.insert(place.name, repository);
    Ok(json!({"repository": description}))
}

pub fn delete(mut request: Request) -> Result<Value, Refusal> {
    #[derive(Deserialize)]
    struct Parameters {
        #[serde(default)]
        force: bool,
    }
    let place = request.place()?;
    let force = request.parameters::<Parameters>()?.force;
    let repository = request.repository(&place)?;
    if !repository.is_empty() && !force {
        return Err(Refusal::new(
            "RepositoryNotEmptyException",
            format!(
                "The repository with name '{}' in registry with id '{}' cannot be deleted because it still contains images",
                place.name, place.account
            ),
        ));
    }
    let description = place.describe(repository);
    request.registry.repositories.remove(&place.name);
    Ok(json!({"repository": description}))
}

pub fn describe(mut request: Request) -> Result<Value, Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Parameters {
        repository_names: Option<Vec<String>>,
        next_token: Option<String>,
        max_results: Option<i64>,
    }
    let account = request.registry_id()?;
    let parameters: Parameters = request.parameters()?;
    if let Some(names) = parameters.repository_names {
        if parameters.next_token.is_some() || parameters.max_results.is_some() {
            return Err(invalid("nextToken and maxResults cannot be used with repositoryNames"));
        }
        let described = listed(Some(names), "repositoryNames", 100)?
            .into_iter()
            .map(|name| {
                check_name(&name)?;
                let place = request.place_of(account.clone(), name);
                Ok(place.describe(request.repository(&place)?))
            })
            .collect::<Result<Vec<_>, Refusal>>()?;
        return Ok(json!({"repositories": described}));
    }
    let size = page_size(parameters.max_results, 100, 1000)?;
    if account != request.account {
        return Err(Refusal::new(
            "AccessDeniedException",
            format!("No resource-based policy of account {account} allows the ecr:DescribeRepositories action"),
        ));
    }
    let after = paging::after(parameters.next_token, "repositories")?;
    let all = request.registry.repositories.iter();
    let entries = all.filter(|(name, _)| after.as_ref().is_none_or(|after| *name > after)).map(|(name, repository)| {
        let place = request.place_of(account.clone(), name.clone());
        Entry { key: name.clone(), shown: Some(place.describe(repository)) }
    });
    let (repositories, next) = paging::page(entries, size, "repositories", request.quirks);
    Ok(paging::answer(json!({"repositories": repositories}), next))
}

pub fn put_tag_mutability(mut request: Request) -> Result<Value, Refusal> {
    let place = request.place()?;
    let rules: TagRules = request.parameters()?;
    if rules.image_tag_mutability.is_none() {
        return Err(breaks("imageTagMutability", "Member must not be null"));
    }
    let (mutability, exclusions) = rules.read()?;
    let repository = request.repository(&place)?;
    (repository.mutability, repository.exclusions) = (mutability, exclusions);
    let description = place.describe(repository);
    let names = ["imageTagMutability", "imageTagMutabilityExclusionFilters"];
    let mut answer = json!({});
    for name in names.into_iter().filter(|name| !description[*name].is_null()) {
        answer[name] = description[name].clone();
    }
    Ok(place.answer(answer))
}

pub fn get_lifecycle_policy(mut request: Request) -> Result<Value, Refusal> {
    let place = request.place()?;
    let now = request.now;
    match &request.repository(&place)?.lifecycle_policy {
        Some(text) => Ok(place.answer(json!({
            "lifecyclePolicyText": text,
            "lastEvaluatedAt": super::request::seconds(now),
        }))),
        None => Err(Refusal::new(
            "LifecyclePolicyNotFoundException",
            format!("Lifecycle policy does not exist for {}", place.in_words()),
        )),
    }
}
