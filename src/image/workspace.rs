//! Huawei Cloud Workspace: image servers in a region's project, by ids that the service gives.

use super::{
    machines::{self, LONGEST_ID},
    nature::{Images, Nature},
    place::{ParseError, Part},
    provider::Provider,
};

/// Huawei documents 64 as the longest project id.
const LONGEST_PROJECT: usize = 64;

pub(super) const NATURE: Nature = Nature {
    title: "Huawei Cloud Workspace",
    owner_word: "project",
    aliases: &["huawei", "huaweicloud", "hw"],
    // An id could be any word. Those that are known are long numbers; so are many other things.
    undo: None,
    race: None,
    archive: None,
    images: Images::Machines {
        sample: "SERVER_ID",
        may_be_id: |word| word.len() > 12 && word.bytes().all(|byte| byte.is_ascii_digit()),
        is_id: |_| false,
    },
    owner: Some(project),
    read: |rest| machines::read(Provider::Workspace, Some(project), id, rest),
    hosts: None,
};

/// Reads a project's id.
fn project(part: Part) -> Result<String, ParseError> {
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

/// Reads an image server's id. Only this is known about its form: it is a path segment of the API. So it may hold what
/// RFC 3986 leaves unreserved, and is not `.` or `..`.
fn id(part: Part) -> Result<String, ParseError> {
    if let Some((_, place)) = part.first(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.' | '_' | '~')) {
        return Err(place.wrong("this cannot be in an image server's id").or("an id looks like 697612196993040384"));
    }
    let text = part.as_str();
    if text.bytes().all(|byte| byte == b'.') {
        return Err(part.wrong("this is not an id"));
    }
    if text.len() > LONGEST_ID {
        return Err(part.wrong(format!("an id has at most {LONGEST_ID} characters")));
    }
    Ok(text.into())
}
