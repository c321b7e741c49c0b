//! Tencent Cloud CVM: machine images in a region, by ids that the service gives.

use super::{
    machines::{self, LONGEST_ID},
    nature::{Images, Nature},
    place::{ParseError, Part},
    provider::Provider,
};

pub(super) const NATURE: Nature = Nature {
    title: "Tencent Cloud CVM",
    owner_word: "account",
    aliases: &["tencent", "tencentcloud", "qcloud"],
    undo: None,
    race: None,
    archive: None,
    images: Images::Machines { sample: "img-ID", may_be_id: |word| word.starts_with("img-"), is_id },
    owner: None,
    read: |rest| machines::read(Provider::Cvm, None, id, rest),
    hosts: None,
};

/// Ids as the service gives them today: `img-` and 8 letters or digits.
/// <https://www.tencentcloud.com/document/product/213/33272>
fn is_id(word: &str) -> bool {
    let rest = word.strip_prefix("img-");
    rest.is_some_and(|rest| rest.len() == 8 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Reads an image's id. Old ones may have another length.
fn id(part: Part) -> Result<String, ParseError> {
    const SHAPE: &str = "an image's id looks like img-6pb6lrmy";
    let Some(rest) = part.strip_prefix("img-") else {
        return Err(part.wrong("this is not the id of a CVM image").or(SHAPE));
    };
    if rest.is_empty() {
        return Err(rest.wrong("the id is not complete").or(SHAPE));
    }
    if let Some((_, place)) = rest.first(|c| !matches!(c, 'a'..='z' | '0'..='9')) {
        return Err(place.wrong("this cannot be in a CVM image's id").or(SHAPE));
    }
    if part.as_str().len() > LONGEST_ID {
        return Err(part.wrong("this is too long for an id").or(SHAPE));
    }
    Ok(part.as_str().into())
}
