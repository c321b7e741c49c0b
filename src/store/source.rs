//! Who uses images. A [`Source`] is a service that can be asked: the machines of a cloud, the tasks of a cluster, functions.
//! It makes its calls through an [`Asker`], which paces, counts and retries them.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use clap::ValueEnum;
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Limit;
use crate::{
    cache::Cache,
    error::{Error, Kind, Result},
};

/// A service that knows what uses images.
#[async_trait]
pub trait Source: Send + Sync {
    /// The service and the place that it is asked about: `ECS in eu-west-1`. A run asks sources of the same name once.
    fn name(&self) -> String;

    /// Finds everything that uses an image. An error makes the whole answer worthless.
    async fn users(&self, asker: &dyn Asker) -> Result<Found>;

    /// Tries each kind of call once, about things that do not exist: the permission that it needs, and what was said.
    async fn permissions(&self) -> Vec<Permission> {
        Vec::new()
    }
}

/// A permission that `doctor` tried: `ecs:ListTasks`.
pub struct Permission {
    pub name: &'static str,
    pub answer: Result<()>,
}

impl Permission {
    /// Of the answer to a call about something that does not exist.
    pub fn of<T>(name: &'static str, answer: Result<T>) -> Self {
        let answer = match answer {
            // The service looked at the permission first.
            Err(error) if matches!(error.kind, Kind::NotFound | Kind::Invalid | Kind::Unsupported | Kind::NoStore) => {
                Ok(())
            }
            other => other.map(drop),
        };
        Self { name, answer }
    }
}

/// What a source found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub users: Vec<User>,
    /// How many things of each kind it looked at, and what one and several of them are called.
    pub seen: Vec<(usize, [&'static str; 2])>,
    /// The account that the answers are about, if they name it.
    pub account: Option<String>,
    /// What may use an image and does not say which. A person must know it.
    pub doubts: Vec<String>,
}

/// Something that uses an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct User {
    /// `instance ins-1 was made from it`
    pub who: String,
    pub uses: Uses,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Uses {
    /// The image of the asked store with this id.
    Image(String),
    /// The newest image of a family when the instance starts.
    Family(String),
    /// A container image as its user names it, in any registry: `HOST/REPOSITORY[:TAG][@DIGEST]`.
    Named(String),
    /// Every image with this digest.
    Digest(String),
}

/// Makes the calls of a source.
#[async_trait]
pub trait Asker: Send + Sync {
    /// Makes a call that changes nothing, in its turn, and retries it as long as that may help. `asked` is what sources
    /// use.
    async fn turn(&self, limit: Limit, call: &(dyn Fn() -> BoxFuture<'_, Result<()>> + Send + Sync)) -> Result<()>;

    /// Answers that never change, from earlier runs too.
    fn kept(&self) -> &Cache;
}

/// Makes a call through an asker, and returns its answer.
pub async fn asked<T, F>(asker: &dyn Asker, limit: Limit, call: impl Fn() -> F + Send + Sync) -> Result<T>
where
    T: Send,
    F: Future<Output = Result<T>> + Send,
{
    let answer = Mutex::new(None);
    let put = |told| *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
    asker
        .turn(limit, &|| {
            let (call, put) = (call(), &put);
            Box::pin(async move {
                put(call.await?);
                Ok(())
            })
        })
        .await?;
    let answer = answer.into_inner().unwrap_or_else(PoisonError::into_inner);
    answer.ok_or_else(|| Error::new(Kind::Unreadable, "a call ended without an answer"))
}

/// A service that can be asked who uses container images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// AWS ECS: running tasks, services, schedules, task definitions
    Ecs,
    /// AWS Lambda: functions and their versions
    Lambda,
    /// Amazon Inspector: images it saw in ECS tasks and EKS pods
    Inspector,
}

/// Which services to ask, and about what. A saved plan records it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ask {
    pub services: Vec<Service>,
    /// Regions to ask about besides those of the stores.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// Unless the usual number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revisions: Option<Revisions>,
}

/// How many of the newest revisions of each task definition family are in use, whoever names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Revisions {
    Newest(usize),
    All,
}

impl Revisions {
    pub fn most(self) -> usize {
        match self {
            Self::Newest(count) => count,
            Self::All => usize::MAX,
        }
    }
}

impl Default for Revisions {
    /// Deployment tools keep about as many.
    fn default() -> Self {
        Self::Newest(5)
    }
}

impl fmt::Display for Revisions {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Newest(count) => write!(f, "{count}"),
            Self::All => f.write_str("all"),
        }
    }
}

impl std::str::FromStr for Revisions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self::All);
        }
        text.parse().map(Self::Newest).map_err(|_| "give a number, or all".into())
    }
}

impl Ask {
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// Asks these services too.
    pub fn of(mut self, services: &[Service]) -> Self {
        self.services.extend(services);
        self.services.sort_unstable();
        self.services.dedup();
        self
    }

    /// Everything that one of them asks.
    pub fn and(self, other: &Self) -> Self {
        let mut both = self.of(&other.services);
        both.regions.extend(other.regions.iter().cloned());
        both.revisions = both.revisions.or(other.revisions);
        both.regions.sort_unstable();
        both.regions.dedup();
        both
    }
}
