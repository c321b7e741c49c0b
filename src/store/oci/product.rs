//! What a registry is, and what it can do beyond the protocol. That is found once a run: by the host where it is certain,
//! else by calls that change nothing and that no other product answers. An unknown registry can do what the protocol says.

use std::sync::atomic::Ordering;

use reqwest::Method;
use serde::Deserialize;

use super::{
    Opened,
    call::{Api, Call},
    challenge::{self, Challenge},
    errors::About,
};
use crate::{
    error::{Error, Result},
    http::Response,
    store::Fact,
};

/// Registries that can do more, or less, than the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    Acr,
    /// Artifact Registry and gcr.io.
    Google,
    Harbor,
    Zot,
    Github,
    Hub,
    /// Nothing more is known.
    Plain,
}

/// Whether a registry removes one tag of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untags {
    Yes,
    No,
    /// Only an attempt shows it, which changes nothing where the answer is no.
    Depends,
}

/// What a registry was found to be.
#[derive(Clone, Debug)]
pub struct Found {
    pub product: Product,
    /// How it was found.
    pub source: &'static str,
    /// The calls that this took.
    pub calls: usize,
    /// Why it may be more than that.
    pub doubt: Option<Error>,
}

impl Product {
    /// The product behind a host, where its name says it.
    pub fn of_host(host: &str) -> Option<Self> {
        let below = |domains: &[&str]| domains.iter().any(|domain| host.ends_with(domain));
        match host {
            "ghcr.io" => Some(Self::Github),
            "docker.io" => Some(Self::Hub),
            "gcr.io" => Some(Self::Google),
            _ if below(&[".azurecr.io", ".azurecr.cn", ".azurecr.us"]) => Some(Self::Acr),
            _ if below(&["-docker.pkg.dev", ".gcr.io"]) => Some(Self::Google),
            _ => None,
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Acr => "Azure Container Registry",
            Self::Google => "Artifact Registry",
            Self::Harbor => "Harbor",
            Self::Zot => "zot",
            Self::Github => "GitHub",
            Self::Hub => "Docker Hub",
            Self::Plain => "an OCI registry",
        }
    }

    /// Whether its listing says this of images. Every image says itself when it was built.
    pub fn tells(self, fact: Fact) -> bool {
        match fact {
            Fact::Built => true,
            Fact::Age => matches!(self, Self::Acr | Self::Google | Self::Harbor | Self::Zot),
            Fact::Untagged => matches!(self, Self::Acr | Self::Google | Self::Harbor),
            Fact::Pull => matches!(self, Self::Harbor | Self::Zot),
        }
    }

    pub fn untags(self) -> Untags {
        match self {
            Self::Acr | Self::Google | Self::Harbor | Self::Zot => Untags::Yes,
            Self::Github | Self::Hub => Untags::No,
            Self::Plain => Untags::Depends,
        }
    }

    /// Whether an API of its own lists images.
    pub fn has_listing(self) -> bool {
        matches!(self, Self::Acr | Self::Harbor | Self::Zot)
    }

    /// Whether it deletes with an image what is attached to it, and what only that image holds.
    /// <https://github.com/goharbor/harbor/blob/main/src/controller/artifact/controller.go>
    pub fn cascades(self) -> bool {
        self == Self::Harbor
    }

    /// The API that removes a tag where the protocol's call is refused.
    pub fn untagging_api(self) -> Option<Api> {
        match self {
            Self::Acr => Some(Api::Acr),
            Self::Harbor => Some(Api::Harbor),
            _ => None,
        }
    }

    /// What it can do, for people.
    pub fn abilities(self) -> String {
        let facts = [(Fact::Age, "push dates"), (Fact::Pull, "pull dates"), (Fact::Untagged, "untagged images")];
        let told: Vec<&str> = facts.iter().filter(|(fact, _)| self.tells(*fact)).map(|(_, what)| *what).collect();
        let lists = match told.as_slice() {
            [] => "lists tags only".into(),
            [one] => format!("lists {one}"),
            [rest @ .., last] => format!("lists {} and {last}", rest.join(", ")),
        };
        let removes = match (self.untags(), self.untagging_api()) {
            (Untags::Yes, None) => "removes single tags",
            (Untags::Yes, Some(_)) => "removes single tags by its own API",
            (Untags::No, _) => "removes no single tags",
            (Untags::Depends, _) => "whether it removes single tags shows only an attempt",
        };
        format!("{lists}; {removes}")
    }
}

impl Opened {
    /// What this registry is, asked once.
    pub async fn product(&self) -> Result<Product> {
        Ok(self.found().await?.product)
    }

    pub async fn found(&self) -> Result<&Found> {
        self.found.get_or_try_init(|| self.find()).await
    }

    /// Whether it removes single tags, as far as it is known.
    pub async fn untags(&self) -> Result<Untags> {
        Ok(match self.whole_only.load(Ordering::Relaxed) {
            true => Untags::No,
            false => self.product().await?.untags(),
        })
    }

    async fn find(&self) -> Result<Found> {
        if let Some(product) = Product::of_host(&self.registry.host) {
            return Ok(Found { product, source: "its host", calls: 0, doubt: None });
        }
        let (zot, harbor, acr) = tokio::join!(self.is_zot(), self.is_harbor(), self.is_acr());
        let asked = [(Product::Zot, zot?), (Product::Harbor, harbor?), (Product::Acr, acr?)];
        let product = asked.iter().find(|(_, answer)| matches!(answer, Answered::Yes)).map(|(product, _)| *product);
        let doubt = asked.into_iter().find_map(|(_, answer)| match answer {
            Answered::Unclear(error) => Some(error),
            Answered::Yes | Answered::No => None,
        });
        let doubt = doubt.filter(|_| product.is_none());
        Ok(Found { product: product.unwrap_or(Product::Plain), source: "its answers", calls: 3, doubt })
    }

    /// zot names its search among its extensions.
    /// <https://github.com/project-zot/zot/blob/main/pkg/extensions/get_extensions.go>
    async fn is_zot(&self) -> Result<Answered> {
        #[derive(Deserialize)]
        struct Extensions {
            extensions: Vec<Extension>,
        }
        #[derive(Deserialize)]
        struct Extension {
            name: String,
            #[serde(default)]
            endpoints: Vec<String>,
        }
        let call = Call::new("GET extensions", About::Images, Method::GET, "", "_oci/ext/discover".into());
        let answer = self.registry.ask(&call).await?;
        self.read(&answer, |answer| {
            let named: Extensions = serde_json::from_slice(&answer.body).ok()?;
            let searches = |endpoint: &String| endpoint.trim_end_matches('/') == "/v2/_zot/ext/search";
            let zot = |one: &Extension| one.name == "_zot" && one.endpoints.iter().any(searches);
            named.extensions.iter().any(zot).then_some(())
        })
    }

    /// Harbor answers anybody with one word.
    /// <https://github.com/goharbor/harbor/blob/main/src/server/v2.0/handler/ping.go>
    async fn is_harbor(&self) -> Result<Answered> {
        let call = Call::new("GET ping", About::Images, Method::GET, "", "ping".into());
        let answer = self.registry.ask_as_nobody(&Call { api: Api::Harbor, ..call }).await?;
        self.read(&answer, |answer| (answer.body.trim_ascii() == b"Pong").then_some(()))
    }

    /// Azure's registry wants a token of its own kind for its own list of repositories.
    /// <https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md>
    async fn is_acr(&self) -> Result<Answered> {
        let call = Call::new("GET acr-catalog", About::Images, Method::GET, "", "_catalog?n=1".into());
        let answer = self.registry.ask_as_nobody(&Call { api: Api::Acr, ..call }).await?;
        let headers = answer.headers.get_all("www-authenticate").iter().filter_map(|value| value.to_str().ok());
        let own = match challenge::best(headers) {
            Some(Challenge::Bearer { realm, .. }) => realm.ends_with("/oauth2/token"),
            _ => false,
        };
        match answer.status {
            401 if own => Ok(Answered::Yes),
            // Any registry may want to know first who calls.
            200 | 401 => Ok(Answered::No),
            _ => self.read(&answer, |_| None),
        }
    }

    /// Reads an answer that shows a product.
    fn read(&self, answer: &Response, shows: impl FnOnce(&Response) -> Option<()>) -> Result<Answered> {
        Ok(match answer.status {
            200 if shows(answer).is_some() => Answered::Yes,
            429 => return Err(self.registry.refused(About::Images, answer)),
            200..=400 | 404 | 405 | 410 => Answered::No,
            _ => Answered::Unclear(self.registry.refused(About::Images, answer)),
        })
    }
}

/// Whether an answer shows a product.
enum Answered {
    Yes,
    No,
    /// It could be, behind an error.
    Unclear(Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_product_only_where_its_end_is_certain() {
        for (host, product) in [
            ("europe-docker.pkg.dev", Some(Product::Google)),
            ("gcr.io", Some(Product::Google)),
            ("eu.gcr.io", Some(Product::Google)),
            ("example.azurecr.io", Some(Product::Acr)),
            ("example.azurecr.cn", Some(Product::Acr)),
            ("ghcr.io", Some(Product::Github)),
            ("docker.io", Some(Product::Hub)),
            ("gcr.io.example.com", None),
            ("mygcr.io", None),
            ("pkg.dev", None),
            ("azurecr.io", None),
            ("example.azurecr.io:5000", None),
            ("harbor.example.com", None),
        ] {
            assert_eq!(Product::of_host(host), product, "{host}");
        }
    }

    #[test]
    fn abilities_are_one_sentence() {
        let said = "lists push dates, pull dates and untagged images; removes single tags by its own API";
        assert_eq!(Product::Harbor.abilities(), said);
        assert_eq!(Product::Zot.abilities(), "lists push dates and pull dates; removes single tags");
        assert!(Product::Plain.abilities().starts_with("lists tags only; "));
    }
}
