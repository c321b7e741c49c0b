//! Who uses container images in Lambda: every function and each of its published versions. Lambda pulls the image of a
//! version again whenever it starts it after a while, by the digest that it resolved when the version was deployed.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use futures_util::future::{try_join, try_join_all};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Paged, account,
    call::{Api, Call, NOTHING, Try},
    errors::Row,
    pages,
};
use crate::{
    error::{Error, Kind, Result},
    store::{Asker, Found, Limit, Permission, Source, User, Uses, source::asked},
};

const CODES: &[Row] = &[(&["ResourceNotFoundException"], Kind::NotFound, "")];

const VERSION: &str = "2015-03-31";

/// 100 a second for reading one function, and 15 for all other calls together; imgctl takes half of each.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const GET: Limit = Limit { call: "GetFunction", batch: 1, per_second: 50, in_flight: 8 };
const LIST: Limit = Limit { call: "ListFunctions", batch: 50, per_second: 7, in_flight: 4 };

pub struct Lambda {
    pub api: Api,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Functions {
    functions: Vec<Function>,
}

/// One version of a function.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Function {
    function_name: String,
    function_arn: String,
    version: String,
    package_type: Option<String>,
    code_sha256: Option<String>,
    revision_id: Option<String>,
}

/// Of an answer with much more in it, such as environment variables.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Got {
    configuration: Configuration,
    code: Code,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configuration {
    function_name: String,
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Code {
    image_uri: Option<String>,
    resolved_image_uri: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Aliases {
    aliases: Vec<Alias>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Alias {
    name: String,
    function_version: String,
    routing_config: Option<Routing>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Routing {
    #[serde(default)]
    additional_version_weights: BTreeMap<String, f64>,
}

/// The names of a function's aliases, by the version that they lead to.
type Names = BTreeMap<String, Vec<String>>;

#[async_trait]
impl Source for Lambda {
    fn name(&self) -> String {
        self.api.name()
    }

    async fn users(&self, asker: &dyn Asker) -> Result<Found> {
        let asking = Asking { api: &self.api, asker };
        let functions = asking.functions().await?;
        let account = functions.first().and_then(|function| account(&function.function_arn));
        let all: BTreeSet<&str> = functions.iter().map(|function| function.function_name.as_str()).collect();
        let of_images: Vec<&Function> = functions.iter().filter(|function| function.is_image()).collect();
        let names: BTreeSet<&str> = of_images.iter().map(|function| function.function_name.as_str()).collect();
        let (images, aliases) = try_join(asking.images(&of_images), asking.aliases(&names)).await?;
        let mut users = Vec::new();
        for (function, image) in of_images.iter().zip(images) {
            let who = function.who(aliases.get(function.function_name.as_str()));
            // Very probably the digest; if it is not, it keeps nothing.
            let same = function.code_digest().filter(|_| image.is_some()).map(Uses::Digest);
            users.extend(image.map(Uses::Named).into_iter().chain(same).map(|uses| User { who: who.clone(), uses }));
        }
        let seen = vec![
            (all.len(), ["function", "functions"]),
            (of_images.len(), ["version with an image", "versions with an image"]),
        ];
        Ok(Found { users, seen, account, ..Found::default() })
    }

    async fn permissions(&self) -> Vec<Permission> {
        let tries = [
            Try::Get("lambda:ListFunctions", &[VERSION, "functions", ""], &[]),
            Try::Get("lambda:GetFunction", &[VERSION, "functions", NOTHING], &[]),
            Try::Get("lambda:ListAliases", &[VERSION, "functions", NOTHING, "aliases"], &[]),
        ];
        self.api.permissions(CODES, &tries).await
    }
}

struct Asking<'a> {
    api: &'a Api,
    asker: &'a dyn Asker,
}

impl Asking<'_> {
    async fn pages<T: DeserializeOwned + Send>(
        &self,
        action: &'static str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Vec<T>> {
        let call = |marker: Option<String>| async move {
            let marker = marker.as_deref().map(|marker| ("Marker", marker));
            let query: Vec<_> = query.iter().copied().chain(marker).collect();
            self.api.get::<Paged<T>>(Call { action, ids: 0, own: CODES }, path, &query).await
        };
        pages(self.asker, LIST, call).await
    }

    /// Every version of every function. The service gives at most 50 at once.
    async fn functions(&self) -> Result<Vec<Function>> {
        let query = [("FunctionVersion", "ALL"), ("MaxItems", "50")];
        let pages: Vec<Functions> = self.pages("ListFunctions", &[VERSION, "functions", ""], &query).await?;
        Ok(pages.into_iter().flat_map(|page| page.functions).collect())
    }

    /// The image of each version; none, if the version was deleted meanwhile.
    async fn images(&self, versions: &[&Function]) -> Result<Vec<Option<String>>> {
        let names: Vec<_> = versions.iter().map(|function| self.api.named(&function.key())).collect();
        let known = self.asker.kept().answers(&names).await;
        let asked = versions.iter().zip(known).map(|(function, known)| async move {
            match known {
                Some(image) => Ok((Some(image), false)),
                None => Ok::<_, Error>((self.image(function).await?, true)),
            }
        });
        let images = try_join_all(asked).await?;
        let new = names.into_iter().zip(&images);
        let new = new.filter_map(|(name, (image, new))| Some((name, image.clone().filter(|_| *new)?)));
        self.asker.kept().put_answers(new.collect()).await;
        Ok(images.into_iter().map(|(image, _)| image).collect())
    }

    async fn image(&self, function: &Function) -> Result<Option<String>> {
        let path = [VERSION, "functions", &function.function_name];
        let query = [("Qualifier", function.version.as_str())];
        let call = Call { action: "GetFunction", ids: 1, own: CODES };
        let got: Result<Got> = asked(self.asker, GET, || self.api.get(call, &path, &query)).await;
        match got {
            Ok(Got { configuration, code }) => {
                let same =
                    configuration.function_name == function.function_name && configuration.version == function.version;
                code.resolved_image_uri.or(code.image_uri).filter(|_| same).map(Some).ok_or_else(|| {
                    let Function { function_name, version, .. } = function;
                    let message = format!("GetFunction names no image of {function_name}, version {version}");
                    Error::new(Kind::Unreadable, message)
                })
            }
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn aliases<'n>(&self, functions: &BTreeSet<&'n str>) -> Result<BTreeMap<&'n str, Names>> {
        let asked = functions.iter().map(|function| async move {
            let path = [VERSION, "functions", function, "aliases"];
            match self.pages::<Aliases>("ListAliases", &path, &[("MaxItems", "50")]).await {
                Ok(pages) => Ok((*function, by_version(pages.into_iter().flat_map(|page| page.aliases)))),
                Err(error) if error.kind == Kind::NotFound => Ok((*function, Names::new())),
                Err(error) => Err(error),
            }
        });
        Ok(try_join_all(asked).await?.into_iter().collect())
    }
}

fn by_version(aliases: impl Iterator<Item = Alias>) -> Names {
    let mut names = Names::new();
    for Alias { name, function_version, routing_config } in aliases {
        let weights = routing_config.into_iter().flat_map(|routing| routing.additional_version_weights.into_keys());
        for version in weights.chain([function_version]) {
            names.entry(version).or_default().push(name.clone());
        }
    }
    names
}

impl Function {
    fn is_image(&self) -> bool {
        self.package_type.as_deref() == Some("Image")
    }

    /// `Lambda function thumbs, version 7 (alias live)`
    fn who(&self, aliases: Option<&Names>) -> String {
        let version = match self.version.as_str() {
            "$LATEST" => "$LATEST".to_owned(),
            number => format!("version {number}"),
        };
        let names = aliases.and_then(|names| names.get(&self.version)).map(|names| names.join(", "));
        let names = names.map(|names| format!(" (alias {names})")).unwrap_or_default();
        format!("Lambda function {}, {version}{names}", self.function_name)
    }

    /// Everything that the image of a version depends on: a function that was deleted and made again counts anew.
    fn key(&self) -> String {
        let [code, revision] = [&self.code_sha256, &self.revision_id].map(|part| part.as_deref().unwrap_or_default());
        format!("function {} {} {code} {revision}", self.function_arn, self.version)
    }

    /// The digest that the hash of the code would be.
    fn code_digest(&self) -> Option<String> {
        let hash = self.code_sha256.as_deref()?;
        let is_hex = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| format!("sha256:{}", hash.to_ascii_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(version: &str) -> Function {
        let text = format!(
            r#"{{"FunctionName":"thumbs","FunctionArn":"arn:aws:lambda:eu-west-1:123456789012:function:thumbs:{version}",
            "Version":"{version}","PackageType":"Image","CodeSha256":"{}"}}"#,
            "A".repeat(64)
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_version_is_named_with_the_aliases_that_lead_to_it() {
        let aliases = r#"{"Aliases":[{"Name":"live","FunctionVersion":"7","RoutingConfig":{"AdditionalVersionWeights":{"8":0.1}}},
            {"Name":"next","FunctionVersion":"8"}]}"#;
        let page: Paged<Aliases> = serde_json::from_str(aliases).unwrap();
        let names = by_version(page.page.aliases.into_iter());
        for (version, who) in [
            ("7", "Lambda function thumbs, version 7 (alias live)"),
            ("8", "Lambda function thumbs, version 8 (alias live, next)"),
            ("9", "Lambda function thumbs, version 9"),
            ("$LATEST", "Lambda function thumbs, $LATEST"),
        ] {
            assert_eq!(function(version).who(Some(&names)), who);
        }
    }

    #[test]
    fn a_code_hash_is_a_digest_only_if_it_looks_like_one() {
        assert_eq!(function("1").code_digest(), Some(format!("sha256:{}", "a".repeat(64))));
        let base64 = Function { code_sha256: Some("x/4Hg=".into()), ..function("1") };
        assert_eq!(base64.code_digest(), None);
    }
}
