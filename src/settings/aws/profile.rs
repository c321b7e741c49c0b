//! The AWS profile in use. A named profile must exist: without it the SDK would use other credentials, and imgctl would
//! delete images as someone else.

use aws_config::profile::{ProfileSet, load};
use aws_types::os_shim_internal::Fs;

use super::super::Settings;
use crate::{
    error::{Error, Kind, Result},
    words,
};

pub(super) struct Profile {
    set: ProfileSet,
    name: String,
}

impl Profile {
    pub async fn load(settings: &Settings) -> Result<Self> {
        let env = settings.env.to_sdk();
        let selected = settings.profile.clone().map(Into::into);
        let set = load(&Fs::real(), &env, &Default::default(), selected).await.map_err(|error| {
            let why = super::credentials::chain(&error);
            Error::new(Kind::Config, format!("cannot read the AWS profiles: {why}")).hint(files(settings))
        })?;
        let named = match &settings.profile {
            Some(name) => Some((name.as_str(), "--profile")),
            None => settings.env.get("AWS_PROFILE").map(|name| (name, "AWS_PROFILE")),
        };
        if let Some((name, from)) = named
            && set.get_profile(name).is_none()
        {
            return Err(absent(name, from, &set, settings));
        }
        let name = named.map_or("default", |(name, _)| name).to_owned();
        let profile = Self { set, name };
        profile.sources(settings)?;
        Ok(profile)
    }

    /// The profiles that this one takes its credentials from must exist for the same reason.
    fn sources(&self, settings: &Settings) -> Result<()> {
        let mut seen = vec![self.name.as_str()];
        let mut profile = self.set.get_profile(&self.name);
        while let Some(source) = profile.and_then(|profile| profile.get("source_profile")) {
            // The SDK reports a loop.
            if seen.contains(&source) {
                break;
            }
            let from = format!("source_profile of the AWS profile {}", seen[seen.len() - 1]);
            profile = self.set.get_profile(source);
            if profile.is_none() {
                return Err(absent(source, &from, &self.set, settings));
            }
            seen.push(source);
        }
        Ok(())
    }

    /// This profile, and those that it takes its credentials from.
    pub fn chain(&self) -> Vec<&str> {
        let mut names = vec![self.name.as_str()];
        let source = |name: &str| self.set.get_profile(name)?.get("source_profile");
        while let Some(name) = source(names[names.len() - 1]).filter(|name| !names.contains(name)) {
            names.push(name);
        }
        names
    }

    /// The endpoints of the profiles that this one takes its credentials from.
    pub fn endpoints_of_sources(&self) -> impl Iterator<Item = (&str, &str)> {
        let endpoint = |name| Some((name, self.set.get_profile(name)?.get("endpoint_url")?));
        self.chain().into_iter().skip(1).filter_map(endpoint)
    }

    /// The profile's keys that become part of a header.
    pub fn keys_of(&self, name: &str) -> [Option<&str>; 2] {
        ["aws_access_key_id", "aws_session_token"].map(|key| self.set.get_profile(name)?.get(key))
    }

    pub fn set(&self) -> &ProfileSet {
        &self.set
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells whether the files have it. The default profile does not need to exist.
    pub fn exists(&self) -> bool {
        self.set.get_profile(&self.name).is_some()
    }

    /// All profiles of the files.
    pub fn names(&self) -> Vec<String> {
        self.set.profiles().map(str::to_owned).collect()
    }

    /// The regions of all profiles, this one's first.
    pub fn regions(&self) -> Vec<String> {
        let mut others: Vec<_> = self.set.profiles().filter(|name| *name != self.name).collect();
        others.sort_unstable();
        let all = std::iter::once(self.name()).chain(others);
        let region = |name| self.set.get_profile(name)?.get("region").map(str::to_owned);
        all.filter_map(region).collect()
    }

    /// The profile's value for this key.
    pub fn get(&self, key: &str) -> Option<&str> {
        let value = self.set.get_profile(&self.name)?.get(key)?;
        Some(value).filter(|value| !value.is_empty())
    }
}

fn absent(name: &str, from: &str, set: &ProfileSet, settings: &Settings) -> Error {
    let mut known: Vec<_> = set.profiles().collect();
    known.sort_unstable();
    let meant =
        words::nearest(name, known.iter().copied()).map_or(String::new(), |meant| format!("did you mean {meant}? "));
    let known = if known.is_empty() { "there are none".into() } else { format!("there are {}", known.join(", ")) };
    Error::new(Kind::Config, format!("{from} names the AWS profile {name:?}, which does not exist"))
        .hint(format!("{meant}{known}, in {}", files(settings)))
}

/// The files with profiles.
fn files(settings: &Settings) -> String {
    let file = |variable, default: &str| settings.env.get(variable).unwrap_or(default).to_owned();
    format!(
        "{} and {}",
        file("AWS_CONFIG_FILE", "~/.aws/config"),
        file("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
    )
}
