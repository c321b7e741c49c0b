//! The calls that the emulator received and answered: one record a request, for tests and for `--log`.
//! Nothing secret is kept: no body and no header but the user agent, only names, ids and codes.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
};

use serde::Serialize;
use serde_json::Value;

use super::Reply;

/// One request, as the emulator saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Call {
    /// The service that took it; empty if none did.
    pub service: String,
    /// Its operation, or method and path where no service took it.
    pub operation: String,
    /// The ids that it named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
    /// The HTTP status that went out; absent where no answer did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The error code in the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// How the client named itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user_agent: String,
    /// The fault that was played on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// How many calls were answered when it came. Calls that were answered later ran side by side with it.
    #[serde(skip)]
    pub after: usize,
}

/// The record of a sandbox: kept in memory, and written to a file where one was asked for.
pub(super) struct Record {
    calls: Vec<Call>,
    file: Option<File>,
}

impl Record {
    pub fn new(path: Option<&Path>) -> io::Result<Self> {
        let file = path.map(|path| OpenOptions::new().create(true).append(true).open(path)).transpose()?;
        Ok(Self { calls: Vec::new(), file })
    }

    pub fn add(&mut self, call: Call) {
        if let Some(file) = &mut self.file
            && let Ok(mut line) = serde_json::to_vec(&call)
        {
            line.push(b'\n');
            // A full disk must not change what the emulator answers.
            let _ = file.write_all(&line);
        }
        self.calls.push(call);
    }

    /// How many calls were answered so far.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    pub fn calls(&self) -> Vec<Call> {
        self.calls.clone()
    }
}

/// The error code in an answer, wherever its provider puts it.
pub(super) fn code(reply: &Reply) -> Option<String> {
    let header = reply.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-amzn-errortype"));
    if let Some((_, code)) = header {
        return Some(code.clone());
    }
    let body: Value = serde_json::from_slice(&reply.body).ok()?;
    // Tencent; Huawei's services, its gateway, and its IAM; registries.
    ["/Response/Error/Code", "/error_code", "/errorCode", "/error/code", "/errors/0/code"].iter().find_map(|place| {
        match body.pointer(place)? {
            Value::String(code) => Some(code.clone()),
            Value::Number(code) => Some(code.to_string()),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_an_answer_is_found_where_each_provider_puts_it() {
        for (body, expected) in [
            (r#"{"Response":{"Error":{"Code":"A","Message":""},"RequestId":""}}"#, Some("A")),
            (r#"{"error_code":"B","error_msg":""}"#, Some("B")),
            (r#"{"error":{"code":401,"message":""}}"#, Some("401")),
            (r#"{"errors":[{"code":"D","message":""}]}"#, Some("D")),
            (r#"{"Response":{"RequestId":""}}"#, None),
            ("not JSON", None),
        ] {
            let reply = Reply { status: 200, headers: Vec::new(), body: body.into() };
            assert_eq!(code(&reply).as_deref(), expected, "{body}");
        }
    }
}
