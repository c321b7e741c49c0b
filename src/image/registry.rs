//! Host names of ECR registries: which account, region and variant they name, and back. Pure.

use super::HostKind;

/// Domains of the partitions, by the beginning of their regions' names.
/// <https://docs.aws.amazon.com/general/latest/gr/ecr.html> and the credential helper of ECR.
const DOMAINS: [(&str, &str); 6] = [
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("us-iso-", "c2s.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
];

/// What a registry's host name says.
#[derive(Debug, PartialEq, Eq)]
pub struct Registry {
    pub account: String,
    pub region: String,
    pub kind: HostKind,
}

/// Why a host is no registry of ECR.
#[derive(Debug, PartialEq, Eq)]
pub enum NotEcr {
    /// Another service altogether.
    Other,
    /// It looks like one; the domain is not its region's. Holds the right host.
    WrongDomain(String),
}

impl Registry {
    /// Reads a host name, in lower case.
    pub fn parse(host: &str) -> Result<Self, NotEcr> {
        let (account, rest) = host.split_once('.').ok_or(NotEcr::Other)?;
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotEcr::Other);
        }
        let (rest, dashed) = match rest.strip_prefix("dkr.ecr") {
            Some(rest) => (rest, false),
            None => (rest.strip_prefix("dkr-ecr").ok_or(NotEcr::Other)?, true),
        };
        let (rest, fips) = rest
            .strip_prefix("-fips")
            .map_or((rest, false), |rest| (rest, true));
        let (region, domain) = rest
            .strip_prefix('.')
            .and_then(|rest| rest.split_once('.'))
            .ok_or(NotEcr::Other)?;
        if !is_region(region) {
            return Err(NotEcr::Other);
        }
        let kind = HostKind {
            fips,
            dual_stack: dashed,
        };
        let registry = Self {
            account: account.into(),
            region: region.into(),
            kind,
        };
        let known = DOMAINS.iter().map(|(_, domain)| *domain).chain([
            "amazonaws.com",
            "on.aws",
            DUAL_STACK_CN,
        ]);
        match registry.host() == host {
            true => Ok(registry),
            false if known.clone().any(|known| known == domain) => {
                Err(NotEcr::WrongDomain(registry.host()))
            }
            false => Err(NotEcr::Other),
        }
    }

    /// The host name, the inverse of `parse`.
    pub fn host(&self) -> String {
        let Self {
            account,
            region,
            kind,
        } = self;
        let fips = if kind.fips { "-fips" } else { "" };
        if kind.dual_stack {
            let domain = if region.starts_with("cn-") {
                DUAL_STACK_CN
            } else {
                "on.aws"
            };
            return format!("{account}.dkr-ecr{fips}.{region}.{domain}");
        }
        let special = DOMAINS.iter().find(|(start, _)| region.starts_with(start));
        let domain = special.map_or("amazonaws.com", |(_, domain)| domain);
        format!("{account}.dkr.ecr{fips}.{region}.{domain}")
    }
}

const DUAL_STACK_CN: &str = "on.amazonwebservices.com.cn";

/// A region's name, of any provider: no list, because new ones appear all the time.
pub fn is_region(text: &str) -> bool {
    let bytes = text.as_bytes();
    (2..=64).contains(&bytes.len())
        && bytes[0].is_ascii_lowercase()
        && bytes[bytes.len() - 1] != b'-'
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
}
