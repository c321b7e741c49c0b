//! Answers that are not as they should be: what a fault makes of an answer after the work is done.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::Reply;

/// How an answer is spoiled. The status is 200 whatever the service said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoil {
    /// HTML.
    Garble,
    /// `{}`.
    Empty,
    /// Every text and number is null.
    Null,
    /// Every text is a number, and every other value a text.
    Retype,
    /// Every list holds its members twice.
    Twice,
    /// Every id is one that the request did not name.
    Stranger,
    /// Lists within lists, very deep.
    Deep,
    /// The last answer to another operation of the service.
    Other,
    /// The answer to the first such call.
    Repeat,
    /// The same, as a page that more pages follow.
    Endless,
    /// Gzip, a gibibyte when it is unpacked.
    Bomb,
}

/// The header that says what a registry's answer to HEAD has no body for.
const DIGEST: &str = "docker-content-digest";

/// The members that hold ids, in every service.
const IDS: [&str; 9] =
    ["imageDigest", "imageTag", "imageTags", "layerDigest", "digest", "tags", "ImageId", "id", "resource_id"];

/// What is longer is a layer, which nothing repeats.
const LARGEST: usize = 8 << 20;

/// The good answers so far, by service and operation: the first and the last.
#[derive(Default)]
pub(super) struct Memory(HashMap<(String, String), [Vec<u8>; 2]>, usize);

impl Memory {
    pub fn keep(&mut self, service: &str, operation: &str, reply: &Reply) {
        if reply.status == 200 && reply.body.len() <= LARGEST {
            let key = (service.to_owned(), operation.to_owned());
            let kept = self.0.entry(key).or_insert_with(|| [reply.body.clone(), Vec::new()]);
            kept[1].clone_from(&reply.body);
        }
    }

    pub fn spoil(&mut self, spoil: Spoil, service: &str, operation: &str, reply: &mut Reply) {
        let first = |memory: &Self| memory.0.get(&(service.into(), operation.into())).map(|kept| kept[0].clone());
        let value = || serde_json::from_slice(&reply.body).unwrap_or_default();
        let body = match spoil {
            Spoil::Garble => b"<html><body>It works!".into(),
            Spoil::Empty => b"{}".into(),
            Spoil::Null => changed(value(), &|_, _| Value::Null),
            Spoil::Retype => changed(value(), &|_, value| if value.is_string() { json!(7) } else { json!("seven") }),
            Spoil::Stranger => changed(value(), &stranger),
            Spoil::Twice => {
                let mut value = value();
                double(&mut value);
                value.to_string().into()
            }
            Spoil::Deep => [b"[".repeat(200_000), b"]".repeat(200_000)].concat(),
            Spoil::Other => {
                let mut others = self.0.iter().filter(|((of, is), _)| of == service && is != operation);
                others.next().map_or(b"{}".into(), |(_, kept)| kept[1].clone())
            }
            Spoil::Repeat => first(self).unwrap_or_else(|| reply.body.clone()),
            Spoil::Endless => {
                self.1 += 1;
                let first = first(self).unwrap_or_else(|| reply.body.clone());
                more(serde_json::from_slice(&first).unwrap_or_default(), self.1)
            }
            Spoil::Bomb => {
                reply.headers.push(("content-encoding".into(), "gzip".into()));
                bomb()
            }
        };
        self.keep(service, operation, reply);
        spoil_digest(spoil, reply);
        if spoil == Spoil::Endless {
            let next = format!("<?last=more-{}>; rel=\"next\"", self.1);
            reply.headers.retain(|(name, _)| name != "link");
            reply.headers.push(("link".into(), next));
        }
        replace(reply, body);
    }
}

/// Spoils the digest that an answer of a registry names in its head.
fn spoil_digest(spoil: Spoil, reply: &mut Reply) {
    match spoil {
        Spoil::Garble | Spoil::Empty | Spoil::Null | Spoil::Other => reply.headers.retain(|(name, _)| name != DIGEST),
        Spoil::Retype => reply.headers.iter_mut().filter(|(name, _)| name == DIGEST).for_each(|it| it.1 = "7".into()),
        Spoil::Stranger => {
            for (_, digest) in reply.headers.iter_mut().filter(|(name, _)| name == DIGEST) {
                let spoiled = stranger("digest", &json!(digest.as_str()));
                *digest = spoiled.as_str().unwrap_or_default().into();
            }
        }
        _ => {}
    }
}

/// Puts another body into an answer, and makes it a success without a code.
fn replace(reply: &mut Reply, body: Vec<u8>) {
    reply.status = 200;
    reply.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("x-amzn-errortype"));
    reply.body = body;
}

/// The text of an answer whose leaves are changed, each with the name of the member that it is in.
fn changed(mut value: Value, change: &dyn Fn(&str, &Value) -> Value) -> Vec<u8> {
    fn walk(name: &str, value: &mut Value, change: &dyn Fn(&str, &Value) -> Value) {
        match value {
            Value::Array(list) => list.iter_mut().for_each(|value| walk(name, value, change)),
            Value::Object(members) => members.iter_mut().for_each(|(name, value)| walk(name, value, change)),
            leaf => *leaf = change(name, leaf),
        }
    }
    walk("", &mut value, change);
    value.to_string().into()
}

/// A digest stays a digest.
fn stranger(name: &str, value: &Value) -> Value {
    match value.as_str().filter(|_| IDS.contains(&name)) {
        Some(digest) if digest.starts_with("sha256:") => {
            let (before, last) = digest.split_at(digest.len() - 1);
            json!(format!("{before}{}", if last == "0" { "1" } else { "0" }))
        }
        Some(id) => json!(format!("{id}9")),
        None => value.clone(),
    }
}

fn double(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.iter_mut().for_each(double);
            list.extend(list.clone());
        }
        Value::Object(members) => members.values_mut().for_each(double),
        _ => {}
    }
}

/// Says in each provider's way that more pages follow.
fn more(mut page: Value, number: usize) -> Vec<u8> {
    for total in ["/TotalCount", "/Response/TotalCount", "/count"] {
        if let Some(total) = page.pointer_mut(total) {
            *total = json!(1_000_000);
        }
    }
    if page.is_object() {
        page["nextToken"] = json!(format!("more-{number}"));
    }
    page.to_string().into()
}

/// Spaces: one as it is, then four million copies of 258 of the spaces before.
/// <https://www.rfc-editor.org/rfc/rfc1951#section-3.2.6>
fn bomb() -> Vec<u8> {
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    // The last block, of fixed codes; a space; a length of 258 at a distance of 1. Eight of these are 13 bytes.
    let bits = "110".to_owned() + "01010000" + &"1100010100000".repeat(9);
    let byte = |byte: &[u8]| byte.iter().rev().fold(0, |all, bit| all << 1 | (bit - b'0'));
    let bytes: Vec<u8> = bits.as_bytes().chunks_exact(8).map(byte).collect();
    [&header[..], &bytes[..2], &bytes[2..15].repeat(1 << 19)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoiled(memory: &mut Memory, spoil: Spoil, body: &str) -> String {
        let mut reply = Reply { status: 200, headers: Vec::new(), body: body.into() };
        memory.spoil(spoil, "ecr", "ListImages", &mut reply);
        String::from_utf8_lossy(&reply.body).into_owned()
    }

    #[test]
    fn each_kind_spoils_an_answer_in_its_way() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let body = json!({"imageIds": [{"imageDigest": digest, "imageTag": "v1"}], "count": 1}).to_string();
        let mut memory = Memory::default();
        let mut spoil = |spoil| spoiled(&mut memory, spoil, &body);
        assert_eq!(spoil(Spoil::Null), r#"{"count":null,"imageIds":[{"imageDigest":null,"imageTag":null}]}"#);
        assert_eq!(spoil(Spoil::Retype), r#"{"count":"seven","imageIds":[{"imageDigest":7,"imageTag":7}]}"#);
        let stranger = spoil(Spoil::Stranger);
        assert!(stranger.contains("\"v19\"") && stranger.contains("a0\"") && !stranger.contains(&digest), "{stranger}");
        assert_eq!(spoil(Spoil::Twice).matches("v1").count(), 2);
        assert_eq!(spoil(Spoil::Other), "{}");
        let pages = [spoil(Spoil::Endless), spoil(Spoil::Endless)];
        assert!(pages[0].contains("more-1") && pages[1].contains("more-2") && pages[0].contains("1000000"));
        let mut head = Reply::of(200).with(DIGEST, &digest);
        memory.spoil(Spoil::Stranger, "oci", "HEAD manifest", &mut head);
        assert!(head.headers[0].1.starts_with("sha256:") && head.headers[0].1 != digest, "{head:?}");
        memory.spoil(Spoil::Empty, "oci", "HEAD manifest", &mut head);
        assert!(head.headers.is_empty(), "{head:?}");
        let mut reply = Reply { status: 200, headers: Vec::new(), body: b"{\"imageIds\":[]}".into() };
        memory.spoil(Spoil::Repeat, "ecr", "ListImages", &mut reply);
        assert_eq!(reply.body, body.as_bytes());
        memory.keep("ecr", "DescribeImages", &Reply { body: b"{\"other\":1}".into(), ..reply.clone() });
        memory.spoil(Spoil::Other, "ecr", "ListImages", &mut reply);
        assert_eq!(reply.body, b"{\"other\":1}");
    }
}
