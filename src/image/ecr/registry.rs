//! The host names of ECR registries: account, region and variant, read from a host and put together again. Which suffix
//! belongs to which region is AWS's partition.

use crate::image::{
    place::{ParseError, Part},
    read::region,
    reference::StoreRef,
};

/// The variants of a registry's host name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct HostKind {
    pub fips: bool,
    pub dual_stack: bool,
}

/// A group of regions whose hosts end alike.
struct Partition {
    regions: &'static [&'static str],
    suffix: &'static str,
    /// The suffix of hosts that also answer over IPv6, where AWS's own credential helper knows one.
    dual_stack: Option<&'static str>,
}

/// The suffixes that AWS's credential helper accepts; which regions each is for is in the SDK's partition table.
/// <https://github.com/awslabs/amazon-ecr-credential-helper/blob/main/ecr-login/api/client.go>
const PARTITIONS: [Partition; 7] = [
    Partition { regions: &["cn-"], suffix: "amazonaws.com.cn", dual_stack: Some("on.amazonwebservices.com.cn") },
    Partition { regions: &["eusc-"], suffix: "amazonaws.eu", dual_stack: None },
    Partition { regions: &["us-iso-"], suffix: "c2s.ic.gov", dual_stack: None },
    Partition { regions: &["us-isob-"], suffix: "sc2s.sgov.gov", dual_stack: None },
    Partition { regions: &["eu-isoe-"], suffix: "cloud.adc-e.uk", dual_stack: None },
    Partition { regions: &["us-isof-", "eu-isof-"], suffix: "csp.hci.ic.gov", dual_stack: None },
    // Every other region.
    Partition { regions: &[""], suffix: "amazonaws.com", dual_stack: Some("on.aws") },
];

fn partition(region: &str) -> &'static Partition {
    let [.., commercial] = &PARTITIONS;
    PARTITIONS.iter().find(|partition| partition.regions.iter().any(|at| region.starts_with(at))).unwrap_or(commercial)
}

/// How the hosts of AWS's services in a region end.
pub fn suffix(region: &str) -> &'static str {
    partition(region).suffix
}

/// One account's registry in one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    pub account: String,
    pub region: String,
    pub host: HostKind,
}

/// Reads an AWS account's number.
pub fn account(part: Part) -> Result<String, ParseError> {
    let text = part.as_str();
    if text.len() != 12 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(part.wrong("an AWS account is a number of 12 digits"));
    }
    Ok(text.into())
}

const SHAPE: &str = "a registry's host looks like 123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// Tells whether a host means to be an ECR registry, right or wrong.
pub fn is_meant(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    [".dkr.ecr", ".dkr-ecr"].iter().any(|part| host.contains(part))
}

/// Account and region of a host in text of any kind. Looser than [`Registry::read`]: every variant counts.
pub fn locate(host: &str) -> Option<(&str, &str)> {
    // In any case, as hosts are.
    fn after<'h>(host: &'h str, start: &str) -> Option<&'h str> {
        host.get(..start.len()).filter(|begins| begins.eq_ignore_ascii_case(start)).map(|_| &host[start.len()..])
    }
    let (account, rest) = host.split_once('.')?;
    let rest = after(rest, "dkr.ecr").or_else(|| after(rest, "dkr-ecr"))?;
    let rest = after(rest, "-fips").unwrap_or(rest).strip_prefix('.')?;
    let (region, _) = rest.split_once('.')?;
    (account.len() == 12).then_some((account, region))
}

impl HostKind {
    /// The kind of host that a store was named by; the usual one has no label there.
    pub fn of(store: &StoreRef) -> Self {
        let label = store.host.as_deref().unwrap_or_default();
        Self { fips: label.ends_with("-fips"), dual_stack: label.starts_with("dkr-ecr") }
    }

    /// What stands for it between account and region: `dkr-ecr-fips`.
    pub fn label(self) -> &'static str {
        match (self.dual_stack, self.fips) {
            (false, false) => "dkr.ecr",
            (false, true) => "dkr.ecr-fips",
            (true, false) => "dkr-ecr",
            (true, true) => "dkr-ecr-fips",
        }
    }
}

impl Registry {
    /// Reads a host that [`is_meant`] to be a registry.
    pub fn read(host: Part) -> Result<Self, ParseError> {
        let (number, rest) = host.split_once('.').ok_or_else(|| host.wrong(SHAPE))?;
        let account = account(number).map_err(|error| error.or(SHAPE))?;
        let lower = rest.as_str().to_ascii_lowercase();
        let kinds = [("dkr.ecr-fips.", true), ("dkr-ecr-fips.", true), ("dkr.ecr.", false), ("dkr-ecr.", false)];
        let Some((kind, fips)) = kinds.into_iter().find(|(kind, _)| lower.starts_with(kind)) else {
            return Err(rest.wrong("this is not the host of an ECR registry").or(SHAPE));
        };
        let rest = rest.slice(kind.len()..lower.len());
        let (label, suffix) =
            rest.split_once('.').ok_or_else(|| rest.after().wrong("the host is not complete").or(SHAPE))?;
        let mut registry = Self { account, region: region(label)?, host: HostKind { fips, dual_stack: false } };
        let partition = partition(&registry.region);
        let lower = suffix.as_str().to_ascii_lowercase();
        if partition.dual_stack == Some(&lower) {
            registry.host.dual_stack = true;
        } else if partition.suffix != lower {
            let right = registry.host().unwrap_or_default();
            return Err(suffix
                .wrong(format!("hosts of region {} do not end like this", registry.region))
                .or(format!("the registry's host is {right}")));
        }
        Ok(registry)
    }

    /// The host name, unless the region has none of this kind.
    pub fn host(&self) -> Option<String> {
        let partition = partition(&self.region);
        let suffix = if self.host.dual_stack { partition.dual_stack? } else { partition.suffix };
        Some(format!("{}.{}.{}.{suffix}", self.account, self.host.label(), self.region))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_host_is_read_and_put_together_again() {
        for (host, region, fips, dual_stack) in [
            ("dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1", false, false),
            ("dkr.ecr-fips.us-east-1.amazonaws.com", "us-east-1", true, false),
            ("dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1", true, false),
            ("dkr-ecr.eu-west-1.on.aws", "eu-west-1", false, true),
            ("dkr-ecr-fips.us-east-1.on.aws", "us-east-1", true, true),
            ("dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1", false, false),
            ("dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", "cn-north-1", false, true),
            ("dkr.ecr.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1", false, false),
            ("dkr.ecr.us-iso-east-1.c2s.ic.gov", "us-iso-east-1", false, false),
            ("dkr.ecr.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1", false, false),
            ("dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1", false, false),
            ("dkr.ecr.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1", false, false),
        ] {
            let host = format!("123456789012.{host}");
            let registry = Registry::read(Part::whole(&host)).unwrap();
            assert_eq!(registry.account, "123456789012");
            assert_eq!(registry.region, region);
            assert_eq!(registry.host, HostKind { fips, dual_stack }, "{host}");
            assert_eq!(registry.host().unwrap(), host);
            let shouted = host.to_ascii_uppercase();
            assert_eq!(Registry::read(Part::whole(&shouted)).unwrap(), registry);
        }
    }

    #[test]
    fn a_suffix_of_another_region_or_of_nobody_is_refused() {
        for (host, right) in [
            ("1.dkr.ecr.eu-west-1.amazonaws.com.cn", "1.dkr.ecr.eu-west-1.amazonaws.com"),
            ("1.dkr.ecr.cn-north-1.amazonaws.com", "1.dkr.ecr.cn-north-1.amazonaws.com.cn"),
            ("1.dkr.ecr.eusc-de-east-1.amazonaws.com", "1.dkr.ecr.eusc-de-east-1.amazonaws.eu"),
            ("1.dkr-ecr.cn-north-1.on.aws", "1.dkr.ecr.cn-north-1.amazonaws.com.cn"),
            ("1.dkr.ecr.eu-west-1.amazonaws.com.evil.com", "1.dkr.ecr.eu-west-1.amazonaws.com"),
            ("1.dkr.ecr.eu-west-1.amazonaws.com.", "1.dkr.ecr.eu-west-1.amazonaws.com"),
            ("1.dkr.ecr-fips.eu-west-1.evil.com", "1.dkr.ecr-fips.eu-west-1.amazonaws.com"),
        ] {
            let long = |host: &str| format!("1234567890{:0>2}{}", 12, &host[1..]);
            let error = Registry::read(Part::whole(&long(host))).unwrap_err();
            assert_eq!(error.right(), Some(format!("the registry's host is {}", long(right)).as_str()));
        }
    }

    #[test]
    fn a_host_that_is_nearly_one_is_pointed_at() {
        for (host, place) in [
            ("12345678901.dkr.ecr.eu-west-1.amazonaws.com", "12345678901"),
            ("my.dkr.ecr.eu-west-1.amazonaws.com", "my"),
            ("123456789012.dkr.ecrx.eu-west-1.amazonaws.com", "dkr.ecrx.eu-west-1.amazonaws.com"),
            ("123456789012.x.dkr.ecr.eu-west-1.amazonaws.com", "x.dkr.ecr.eu-west-1.amazonaws.com"),
            ("123456789012.dkr.ecr.eu_west.amazonaws.com", "_"),
            ("123456789012.dkr.ecr.eu-west-1", ""),
            ("123456789012.dkr.ecr..amazonaws.com", ""),
        ] {
            assert!(is_meant(host), "{host}");
            let error = Registry::read(Part::whole(host)).unwrap_err();
            assert_eq!(&host[error.span()], place, "{error}");
        }
    }
}
