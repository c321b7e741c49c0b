//! Regions that are known by name, with their places. They only serve hints and completion: providers open new regions
//! every year, so imgctl sends calls to any region.

use super::{nature::Images, provider::Provider, reference::StoreRef};
use crate::error::{Error, Kind};

type Known = &'static [(&'static str, &'static str)];

/// As botocore names them: `botocore/data/endpoints.json`.
const AWS: Known = &[
    ("us-east-1", "N. Virginia"),
    ("us-east-2", "Ohio"),
    ("us-west-1", "N. California"),
    ("us-west-2", "Oregon"),
    ("eu-central-1", "Frankfurt"),
    ("eu-central-2", "Zurich"),
    ("eu-west-1", "Ireland"),
    ("eu-west-2", "London"),
    ("eu-west-3", "Paris"),
    ("eu-north-1", "Stockholm"),
    ("eu-south-1", "Milan"),
    ("eu-south-2", "Spain"),
    ("ap-east-1", "Hong Kong"),
    ("ap-east-2", "Taipei"),
    ("ap-northeast-1", "Tokyo"),
    ("ap-northeast-2", "Seoul"),
    ("ap-northeast-3", "Osaka"),
    ("ap-south-1", "Mumbai"),
    ("ap-south-2", "Hyderabad"),
    ("ap-southeast-1", "Singapore"),
    ("ap-southeast-2", "Sydney"),
    ("ap-southeast-3", "Jakarta"),
    ("ap-southeast-4", "Melbourne"),
    ("ap-southeast-5", "Malaysia"),
    ("ap-southeast-6", "New Zealand"),
    ("ap-southeast-7", "Thailand"),
    ("ca-central-1", "Central Canada"),
    ("ca-west-1", "Calgary"),
    ("mx-central-1", "Mexico"),
    ("sa-east-1", "São Paulo"),
    ("af-south-1", "Cape Town"),
    ("me-central-1", "UAE"),
    ("me-south-1", "Bahrain"),
    ("il-central-1", "Tel Aviv"),
    ("us-gov-east-1", "GovCloud East"),
    ("us-gov-west-1", "GovCloud West"),
    ("cn-north-1", "Beijing"),
    ("cn-northwest-1", "Ningxia"),
    ("eusc-de-east-1", "Brandenburg"),
];

/// Each is named in `tencentcloud-sdk-python`.
const TENCENT: Known = &[
    ("ap-guangzhou", "Guangzhou"),
    ("ap-shanghai", "Shanghai"),
    ("ap-nanjing", "Nanjing"),
    ("ap-beijing", "Beijing"),
    ("ap-chengdu", "Chengdu"),
    ("ap-chongqing", "Chongqing"),
    ("ap-shenzhen-fsi", "Shenzhen Finance"),
    ("ap-shanghai-fsi", "Shanghai Finance"),
    ("ap-beijing-fsi", "Beijing Finance"),
    ("ap-hongkong", "Hong Kong"),
    ("ap-singapore", "Singapore"),
    ("ap-jakarta", "Jakarta"),
    ("ap-seoul", "Seoul"),
    ("ap-tokyo", "Tokyo"),
    ("ap-mumbai", "Mumbai"),
    ("ap-bangkok", "Bangkok"),
    ("na-siliconvalley", "Silicon Valley"),
    ("na-ashburn", "Virginia"),
    ("na-toronto", "Toronto"),
    ("sa-saopaulo", "São Paulo"),
    ("eu-frankfurt", "Frankfurt"),
    ("eu-moscow", "Moscow"),
];

/// Those of `huaweicloudsdkworkspaceapp`, where their place is known.
const HUAWEI: Known = &[
    ("cn-north-4", "Beijing"),
    ("cn-north-9", "Ulanqab"),
    ("cn-east-3", "Shanghai"),
    ("cn-east-5", "Qingdao"),
    ("cn-south-1", "Guangzhou"),
    ("cn-southwest-2", "Guiyang"),
    ("ap-southeast-1", "Hong Kong"),
    ("ap-southeast-2", "Bangkok"),
    ("ap-southeast-3", "Singapore"),
    ("af-north-1", "Cairo"),
    ("af-south-1", "Johannesburg"),
    ("la-north-2", "Mexico City"),
    ("la-south-2", "Santiago"),
    ("sa-brazil-1", "São Paulo"),
    ("tr-west-1", "Istanbul"),
    ("me-east-1", "Riyadh"),
];

/// More would not help to choose.
const MOST: usize = 4;

/// A known region may differ from what was typed by so many letters.
const SLIPS: usize = 2;

impl Provider {
    /// Regions with their places.
    pub fn known_regions(self) -> Known {
        match self {
            Self::Ecr => AWS,
            Self::Cvm => TENCENT,
            Self::Workspace => HUAWEI,
            // The place of a registry is its host.
            Self::Oci => &[],
        }
    }
}

impl StoreRef {
    /// Names the region as the likely cause of an error, if no known region is called so.
    pub fn blaming_region(&self, error: Error) -> Error {
        let known = self.provider.known_regions();
        let Some(region) = self.region.as_deref().filter(|_| !known.is_empty()) else { return error };
        let may_be = matches!(error.kind, Kind::Unreachable | Kind::Auth | Kind::Config);
        if !may_be || known.iter().any(|(name, _)| *name == region) {
            return error;
        }
        let message = format!("no known region of {} is called {region}: {}", self.provider.title(), error.message);
        Error { message, ..error }.hint(self.meant(region, known))
    }

    fn meant(&self, region: &str, known: Known) -> String {
        let near: Vec<_> = near(region, known).map(|(name, place)| format!("{name} ({place})")).collect();
        let containers = matches!(self.provider.nature().images, Images::Containers);
        match near.is_empty() {
            false => format!("did you mean {}?", near.join(", ")),
            // A repository's name begins where the region should be.
            true if containers && !region.contains('-') && !self.name.is_empty() => {
                format!("if the repository is {region}/{0}, write {1}:{region}/{0}", self.name, self.provider)
            }
            true => format!(
                "regions are {} and others",
                known[..MOST].iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
            ),
        }
    }
}

/// The known regions that a word may mean: by a part of the place's name, or by a few other letters.
fn near<'w>(word: &'w str, known: Known) -> impl Iterator<Item = (&'static str, &'static str)> + 'w {
    let plain = |text: &str| text.to_lowercase().replace(['-', ' ', '.'], "");
    let word = plain(word);
    let slips = |name: &str| strsim::damerau_levenshtein(&word, &plain(name));
    let in_place = |place: &str| word.len() > 2 && plain(place).contains(&word);
    let mut near: Vec<_> = known
        .iter()
        .map(|(name, place)| (if in_place(place) { 0 } else { slips(name).min(slips(place)) }, (*name, *place)))
        .filter(|(slips, _)| *slips <= SLIPS.min(word.len() / 3))
        .collect();
    near.sort_by_key(|(slips, _)| *slips);
    let least = near.first().map_or(0, |(slips, _)| *slips);
    near.into_iter().filter(move |(slips, _)| *slips == least).map(|(_, region)| region).take(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blamed(store: &str, kind: Kind) -> (String, Option<String>) {
        let store: StoreRef = store.parse().unwrap();
        let error = store.blaming_region(Error::new(kind, "it failed"));
        (error.message, error.hint)
    }

    #[test]
    fn an_unknown_region_is_named_as_the_culprit_with_near_ones() {
        for (store, hint) in [
            ("ecr://frankfurt/app", "did you mean eu-central-1 (Frankfurt)?"),
            ("ecr://eu-wset-1/app", "did you mean eu-west-1 (Ireland)?"),
            ("ecr://euwest1/app", "did you mean eu-west-1 (Ireland)?"),
            ("ecr://virginia/app", "did you mean us-east-1 (N. Virginia)?"),
            ("cvm://guangzhou/", "did you mean ap-guangzhou (Guangzhou)?"),
            ("workspace://cn-north4/", "did you mean cn-north-4 (Beijing)?"),
            ("ecr://base/alpine", "if the repository is base/alpine, write ecr:base/alpine"),
            ("cvm://nowhere/", "regions are ap-guangzhou, ap-shanghai, ap-nanjing, ap-beijing and others"),
        ] {
            let (message, said) = blamed(store, Kind::Unreachable);
            assert!(message.starts_with("no known region of "), "{message}");
            assert!(message.ends_with(": it failed"), "{message}");
            assert_eq!(said.as_deref(), Some(hint), "{store}");
        }
    }

    #[test]
    fn a_known_region_and_another_failure_are_left_alone() {
        assert_eq!(blamed("ecr://eu-west-1/app", Kind::Unreachable), ("it failed".into(), None));
        assert_eq!(blamed("ecr://frankfurt/app", Kind::Throttled), ("it failed".into(), None));
        assert_eq!(blamed("ecr:app", Kind::Auth), ("it failed".into(), None));
    }
}
