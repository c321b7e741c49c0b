//! What each part of a reference may be, as the providers document it, and what is said where it is not. No list of
//! regions is kept: new ones come every year.

use super::place::{ParseError, Part};
use crate::image::patterns::Pattern;

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>
const REPOSITORY: std::ops::RangeInclusive<usize> = 2..=256;

/// ECR takes longer tags than Docker, which stops at 128: what is there must be deletable.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageIdentifier.html>
const LONGEST_TAG: usize = 300;

/// A region becomes a label of a host name, which has at most 63 characters: RFC 1035, section 2.3.4.
const LONGEST_REGION: usize = 63;

/// Far beyond any id that CVM or Workspace is known to give.
const LONGEST_ID: usize = 128;

/// Huawei documents 64 as the longest project id.
const LONGEST_PROJECT: usize = 64;

/// Room for alternatives in braces; what they match is shorter.
const LONGEST_PATTERN: usize = 1024;

/// An AWS account's number.
pub(super) fn account(part: Part) -> Result<String, ParseError> {
    let text = part.as_str();
    if text.len() != 12 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(part.wrong("an AWS account is a number of 12 digits"));
    }
    Ok(text.into())
}

/// A region of any cloud. It is part of a host name, so its case does not matter.
pub(super) fn region(part: Part) -> Result<String, ParseError> {
    const SHAPE: &str = "a region looks like eu-west-1 or ap-guangzhou";
    if part.is_empty() {
        return Err(part.wrong("the region is empty").or(SHAPE));
    }
    if let Some((_, place)) = part.first(|c| !c.is_ascii_alphanumeric() && c != '-') {
        return Err(place.wrong("this cannot be in a region's name").or(SHAPE));
    }
    let text = part.as_str();
    if text.len() > LONGEST_REGION {
        return Err(part.wrong("this is too long for a region").or(SHAPE));
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Err(part.wrong("a region neither begins nor ends with -").or(SHAPE));
    }
    Ok(text.to_ascii_lowercase())
}

/// A Huawei Cloud project id.
pub(super) fn project(part: Part) -> Result<String, ParseError> {
    if part.is_empty() {
        return Err(part.wrong("the project id before @ is empty"));
    }
    if let Some((_, place)) = part.first(|c| !c.is_ascii_alphanumeric() && !"-_".contains(c)) {
        return Err(place.wrong("this cannot be in a project id"));
    }
    if part.as_str().len() > LONGEST_PROJECT {
        return Err(part.wrong(format!("a project id has at most {LONGEST_PROJECT} characters")));
    }
    Ok(part.as_str().into())
}

/// An ECR repository: lower-case words, joined by `.`, `_`, `__` or hyphens, in parts between slashes.
pub(super) fn repository(name: Part) -> Result<String, ParseError> {
    if name.is_empty() {
        return Err(name.wrong("the repository's name is missing"));
    }
    if let Some((found, place)) = name.first(|c| !matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-' | '/')) {
        return Err(if found.is_ascii_uppercase() {
            let lower = name.as_str().to_ascii_lowercase();
            place.wrong("repository names are in lower case").or(format!("perhaps {lower}"))
        } else {
            place.wrong(format!("`{found}` cannot be in a repository's name"))
        });
    }
    let mut rest = Some(name);
    while let Some(part) = rest {
        let (part, next) = match part.split_once('/') {
            Some((part, next)) => (part, Some(next)),
            None => (part, None),
        };
        component(part)?;
        rest = next;
    }
    if !REPOSITORY.contains(&name.as_str().len()) {
        return Err(name.wrong(format!(
            "a repository's name has {} to {} characters, this one has {}",
            REPOSITORY.start(),
            REPOSITORY.end(),
            name.as_str().len()
        )));
    }
    Ok(name.as_str().into())
}

/// One part of a repository's name between slashes.
fn component(part: Part) -> Result<(), ParseError> {
    const SHAPE: &str = "each part between slashes begins and ends with a letter or digit";
    let joint = |c: char| matches!(c, '.' | '_' | '-');
    let text = part.as_str();
    if text.is_empty() {
        return Err(part.wrong("a part of the repository's name is empty").or(SHAPE));
    }
    if text.starts_with(joint) {
        return Err(part.slice(0..1).wrong("a part of the name begins with this").or(SHAPE));
    }
    if text.ends_with(joint) {
        let last = part.slice(text.len() - 1..text.len());
        return Err(last.wrong("a part of the name ends with this").or(SHAPE));
    }
    for joints in text.split(|c| !joint(c)).filter(|joints| !joints.is_empty()) {
        if !matches!(joints, "." | "_" | "__") && joints.contains(['.', '_']) {
            let at = text.find(joints).unwrap_or(0);
            return Err(part.slice(at..at + joints.len()).wrong("words are joined by one of . _ __ or by hyphens"));
        }
    }
    Ok(())
}

/// A pattern for repositories.
pub(super) fn pattern(name: Part) -> Result<String, ParseError> {
    if let Some((found, place)) = name.first(
        |c| !matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-' | '/' | '*' | '?' | '[' | ']' | '{' | '}' | ',' | '!'),
    ) {
        return Err(place.wrong(format!("`{found}` cannot be in a pattern for repositories")));
    }
    if name.as_str().len() > LONGEST_PATTERN {
        return Err(name.wrong(format!("a pattern has at most {LONGEST_PATTERN} characters")));
    }
    match name.as_str().parse::<Pattern>() {
        Ok(_) => Ok(name.as_str().into()),
        Err(wrong) => Err(name.wrong(wrong)),
    }
}

pub(super) fn tag(part: Part) -> Result<String, ParseError> {
    if part.is_empty() {
        return Err(part.wrong("the tag after : is empty"));
    }
    if let Some((found, place)) = part.first(|c| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-')) {
        return Err(place
            .wrong(format!("`{found}` cannot be in a tag"))
            .or("a tag has letters, digits, dots, hyphens and underscores"));
    }
    if part.as_str().starts_with(['.', '-']) {
        return Err(part.slice(0..1).wrong("a tag begins with a letter, a digit or an underscore"));
    }
    if part.as_str().len() > LONGEST_TAG {
        return Err(part.wrong(format!("a tag has at most {LONGEST_TAG} characters")));
    }
    Ok(part.as_str().into())
}

/// A CVM image's id.
pub(super) fn cvm_image(part: Part) -> Result<String, ParseError> {
    const SHAPE: &str = "an image's id looks like img-6pb6lrmy";
    let Some(rest) = part.strip_prefix("img-") else {
        return Err(part.wrong("this is no id of a CVM image").or(SHAPE));
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

/// A Workspace image server's id. Nothing is known of its form but that it is a path segment of the API, so it may
/// hold what RFC 3986 leaves unreserved, and is no `.` or `..`.
pub(super) fn workspace_server(part: Part) -> Result<String, ParseError> {
    if let Some((_, place)) = part.first(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.' | '_' | '~')) {
        return Err(place.wrong("this cannot be in an image server's id").or("an id looks like 697612196993040384"));
    }
    let text = part.as_str();
    if text.bytes().all(|byte| byte == b'.') {
        return Err(part.wrong("this is no id"));
    }
    if text.len() > LONGEST_ID {
        return Err(part.wrong(format!("an id has at most {LONGEST_ID} characters")));
    }
    Ok(text.into())
}
