//! The files of Tencent Cloud's own tools: tccli's JSON (`PROFILE.credential`, `PROFILE.configure`) and the SDKs'
//! INI. Parsing only: which file is read, and what beats what, is decided above. What is wrong with a file is said
//! without its contents.

use std::path::Path;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::Value;

use super::Credentials;
use crate::{
    error::{Error, Kind, Result},
    settings::ini,
};

/// What a profile of tccli says its credentials are.
pub(super) enum Profile {
    Keys(Credentials),
    /// Those of the role that the machine itself has.
    MachineRole,
}

/// What is of use here in a profile's settings.
#[derive(Default)]
pub(super) struct Configure {
    pub region: Option<String>,
    pub endpoints: serde_json::Map<String, Value>,
}

/// A file that is there and cannot be used.
pub(super) fn broken(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::new(Kind::Config, format!("{} {what}", path.display()))
}

/// Reads `PROFILE.credential`.
pub(super) fn credential(path: &Path, text: &str) -> Result<Profile> {
    let file = object(path, text)?;
    if field(path, &file, "type")? == Some("cvm-role") {
        return Ok(Profile::MachineRole);
    }
    // Using the keys alone would act as someone else.
    if field(path, &file, "role-arn")?.is_some() {
        return Err(broken(path, "asks for a role to be assumed, which imgctl does not do")
            .hint("give the role's temporary keys: TENCENTCLOUD_SECRET_ID, _SECRET_KEY and _TOKEN"));
    }
    let [secret_id, secret_key] = ["secretId", "secretKey"]
        .map(|name| field(path, &file, name)?.ok_or_else(|| broken(path, format!("has no \"{name}\""))));
    Ok(Profile::Keys(Credentials {
        secret_id: secret_id?.into(),
        secret_key: SecretString::from(secret_key?),
        token: field(path, &file, "token")?.map(SecretString::from),
        expires_at: expiry(path, &file)?,
    }))
}

/// Logins that run out carry their end in seconds.
fn expiry(path: &Path, file: &serde_json::Map<String, Value>) -> Result<Option<DateTime<Utc>>> {
    match file.get("expiresAt") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_i64()
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
            .map(Some)
            .ok_or_else(|| broken(path, "has an \"expiresAt\" that is not a time in seconds")),
    }
}

/// Reads `PROFILE.configure`.
pub(super) fn configure(path: &Path, text: &str) -> Result<Configure> {
    let file = object(path, text)?;
    let system = match file.get("_sys_param") {
        Some(Value::Object(system)) => field(path, system, "region")?,
        _ => None,
    };
    // Where old versions of tccli kept it.
    let region = match system {
        None => field(path, &file, "region")?,
        found => found,
    };
    Ok(Configure {
        region: region.map(Into::into),
        endpoints: file
            .iter()
            .filter_map(|(service, entry)| Some((service.clone(), entry.get("endpoint")?.clone())))
            .collect(),
    })
}

fn object(path: &Path, text: &str) -> Result<serde_json::Map<String, Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(broken(path, "is not a JSON object")),
        Err(error) => Err(broken(path, format!("is not JSON (line {}, column {})", error.line(), error.column()))),
    }
}

/// A text that is there and not empty.
fn field<'a>(path: &Path, object: &'a serde_json::Map<String, Value>, name: &str) -> Result<Option<&'a str>> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(broken(path, format!("has a \"{name}\" that is not text"))),
    }
}

/// Reads the section `[default]` of the SDKs' file, as they do: its two keys and nothing else.
pub(super) fn ini(path: &Path, text: &str) -> Result<Credentials> {
    let mut sections = ini::sections(text).map_err(|why| broken(path, why))?;
    let mut section = sections.remove("default").unwrap_or_default();
    let mut given = |name: &str| {
        let value = section.remove(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| broken(path, format!("has no {name} in a section [default]")))
    };
    Ok(Credentials {
        secret_id: given("secret_id")?,
        secret_key: given("secret_key")?.into(),
        token: None,
        expires_at: None,
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    const PATH: &str = "/home/me/the-file";

    fn keys(text: &str) -> Result<Credentials> {
        match credential(Path::new(PATH), text)? {
            Profile::Keys(keys) => Ok(keys),
            Profile::MachineRole => panic!("a role"),
        }
    }

    #[test]
    fn every_kind_of_login_that_tccli_stores_is_read() {
        let plain = keys(r#"{"secretId": "I", "secretKey": "K"}"#).unwrap();
        assert_eq!(plain.secret_id, "I");
        assert_eq!(plain.secret_key.expose_secret(), "K");
        assert!(plain.token.is_none() && plain.expires_at.is_none());
        for text in [
            r#"{"type":"oauth","secretId":"I","secretKey":"K","token":"T","expiresAt":1700000000,"oauth":{"openId":"o","expiresAt":1}}"#,
            r#"{"type":"sso","secretId":"I","secretKey":"K","token":"T","expiresAt":1700000000,"sso":{"uin":"1"}}"#,
        ] {
            let login = keys(text).unwrap();
            assert_eq!(login.token.unwrap().expose_secret(), "T");
            assert_eq!(login.expires_at.unwrap().timestamp(), 1_700_000_000);
        }
        let role = credential(Path::new(PATH), r#"{"type":"cvm-role"}"#);
        assert!(matches!(role, Ok(Profile::MachineRole)));
        let emptied = keys(r#"{"type":"default","secretId":"I","secretKey":"K","token":null}"#);
        assert!(emptied.unwrap().token.is_none());
    }

    #[test]
    fn a_broken_file_is_named_with_what_is_wrong_and_without_its_contents() {
        type Parser = fn(&str) -> Option<Error>;
        let json: Parser = |text| keys(text).err();
        let sdk: Parser = |text| ini(Path::new(PATH), text).err();
        for (parse, text, why) in [
            (json, "hunter2", "is not JSON (line 1, column 1)"),
            (json, r#"["hunter2"]"#, "is not a JSON object"),
            (json, r#"{"secretId": "hunter2"}"#, "has no \"secretKey\""),
            (json, r#"{"secretKey": "hunter2"}"#, "has no \"secretId\""),
            (json, r#"{"secretId": "", "secretKey": "hunter2"}"#, "has no \"secretId\""),
            (json, r#"{"secretId": 1, "secretKey": "hunter2"}"#, "a \"secretId\" that is not text"),
            (
                json,
                r#"{"secretId":"I","secretKey":"hunter2","expiresAt":"hunter2"}"#,
                "an \"expiresAt\" that is not a time",
            ),
            (
                json,
                r#"{"secretId":"I","secretKey":"hunter2","role-arn":"qcs::cam::uin/1:roleName/r"}"#,
                "asks for a role to be assumed",
            ),
            (sdk, "", "no secret_id in a section [default]"),
            (sdk, "[default]\nsecret_id = I\nhunter2", "line 3 that is neither"),
            (sdk, "[default", "line 1 that is neither"),
            (sdk, "[default]\nsecret_key = hunter2", "has no secret_id"),
            (sdk, "[default]\nsecret_id = I", "has no secret_key"),
            (sdk, "[other]\nsecret_id = I\nsecret_key = hunter2", "has no secret_id"),
            (sdk, "secret_id = I\nsecret_key = hunter2", "line 1 that is neither"),
        ] {
            let error = parse(text).unwrap();
            assert_eq!(error.kind, Kind::Config, "{text}");
            assert!(error.message.contains(PATH) && error.message.contains(why), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn the_sdks_file_gives_the_keys_of_its_default_section() {
        let text = "; mine\n[other]\nsecret_id = no\n\n[ default ]\n# keys\nsecret_id = I\nsecret_key: K=1\n";
        let keys = ini(Path::new(PATH), text).unwrap();
        assert_eq!((keys.secret_id.as_str(), keys.secret_key.expose_secret()), ("I", "K=1"));
    }

    #[test]
    fn the_region_is_found_at_its_old_place_too() {
        for (text, region) in [
            (r#"{"_sys_param":{"region":"ap-a"},"region":"ap-b"}"#, Some("ap-a")),
            (r#"{"region":"ap-b","_sys_param":{}}"#, Some("ap-b")),
            (r#"{"region":"ap-b"}"#, Some("ap-b")),
            (r#"{"_sys_param":{"region":""}}"#, None),
            (r#"{"cvm":{"endpoint":"x"}}"#, None),
        ] {
            let found = configure(Path::new(PATH), text).unwrap();
            assert_eq!(found.region.as_deref(), region, "{text}");
        }
    }
}
