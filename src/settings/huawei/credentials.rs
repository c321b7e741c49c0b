//! Which credentials imgctl uses: a named profile, then variables (a token; a user and a password; access keys), then
//! the SDK's file. Half of a set is an error, because the next source would be another user.

use secrecy::SecretString;

use super::{Credentials, Domain, Keys, Login, Named, PROJECT_ID, Project, SDK_PROJECT_ID, files, project};
use crate::{
    checkup::Checkup,
    error::{Error, Kind, Result},
    settings::{Env, Settings},
};

const TOKEN: [&str; 2] = ["HW_AUTH_TOKEN", "OS_AUTH_TOKEN"];
const USER_NAME: [&str; 2] = ["HW_USER_NAME", "OS_USERNAME"];
const USER_ID: [&str; 2] = ["HW_USER_ID", "OS_USER_ID"];
const PASSWORD: [&str; 2] = ["HW_USER_PASSWORD", "OS_PASSWORD"];
const DOMAIN_NAME: [&str; 4] = ["HW_DOMAIN_NAME", "OS_DOMAIN_NAME", "OS_USER_DOMAIN_NAME", "OS_PROJECT_DOMAIN_NAME"];
const DOMAIN_ID: [&str; 4] = ["HW_DOMAIN_ID", "OS_DOMAIN_ID", "OS_USER_DOMAIN_ID", "OS_PROJECT_DOMAIN_ID"];

/// One family of variables for access keys. imgctl never mixes two families.
struct Family {
    access_key: &'static [&'static str],
    secret_key: &'static [&'static str],
    security_token: &'static str,
    project_id: &'static [&'static str],
}

const FAMILIES: [Family; 2] = [
    Family {
        access_key: &["HUAWEICLOUD_SDK_AK"],
        secret_key: &["HUAWEICLOUD_SDK_SK"],
        security_token: "HUAWEICLOUD_SDK_SECURITY_TOKEN",
        project_id: &[SDK_PROJECT_ID, PROJECT_ID[0], PROJECT_ID[1]],
    },
    Family {
        access_key: &["HW_ACCESS_KEY", "OS_ACCESS_KEY"],
        secret_key: &["HW_SECRET_KEY", "OS_SECRET_KEY"],
        security_token: "HW_SECURITY_TOKEN",
        project_id: &PROJECT_ID,
    },
];

pub(super) struct Found {
    pub credentials: Credentials,
    pub source: String,
    pub project: Project,
    /// The IAM endpoint that these credentials name, and where they name it.
    pub iam_endpoint: Option<(String, String)>,
}

/// The credentials of variables and files; the inner error says where imgctl looked.
pub(super) fn stored(settings: &Settings, region: &str) -> Result<Result<Found>> {
    let env = &settings.env;
    if let Some(profile) = &settings.profile {
        return files::profile(env, profile, region).map(Ok);
    }
    let of_variables = |(credentials, source, ids): (Credentials, String, &[&str])| Found {
        credentials,
        source,
        project: project(env, region, ids),
        iam_endpoint: None,
    };
    if let Some(found) = token(env) {
        return Ok(Ok(of_variables(found)));
    }
    if let Some(found) = password(env, region)? {
        return Ok(Ok(of_variables(found)));
    }
    for family in &FAMILIES {
        if let Some(found) = keys(env, family)? {
            return Ok(Ok(of_variables(found)));
        }
    }
    Ok(files::default(env, region)?.map_err(|looked| missing(env, &looked)))
}

/// Records which variables are set but not used.
pub(super) fn note_unused(settings: &Settings, in_force: &Credentials, source: &str, checkup: &mut Checkup) {
    let why = match settings.profile {
        Some(_) => "--profile names other credentials".to_owned(),
        None => format!("not used because of {source}"),
    };
    let families = FAMILIES.iter().map(|family| family.access_key);
    let groups: Vec<_> = [&TOKEN[..], &USER_NAME, &USER_ID].into_iter().chain(families).collect();
    for name in groups.iter().filter_map(|names| Some(settings.env.first(names)?.0)) {
        // Either the id or the name is enough to find a user.
        let of_user =
            matches!(in_force, Credentials::Password(_)) && [&USER_NAME[..], &USER_ID].concat().contains(&name);
        if settings.profile.is_some() || !(source.contains(name) || of_user) {
            checkup.unused(name, &why);
        }
    }
}

type Variables = (Credentials, String, &'static [&'static str]);

fn token(env: &Env) -> Option<Variables> {
    let (name, token) = env.first(&TOKEN)?;
    Some((Credentials::Token(token.into()), name.into(), &PROJECT_ID))
}

fn password(env: &Env, region: &str) -> Result<Option<Variables>> {
    let user = env.first(&USER_ID).or_else(|| env.first(&USER_NAME));
    let (user, password) = match (user, env.first(&PASSWORD)) {
        (None, None) => return Ok(None),
        (Some(user), Some(password)) => (user, password),
        (Some((name, _)), None) => return Err(half(name, &PASSWORD)),
        (None, Some((name, _))) => return Err(half(name, &USER_NAME)),
    };
    let domain = match (env.first(&DOMAIN_ID), env.first(&DOMAIN_NAME)) {
        (_, Some((_, name))) => Some(Domain::Name { name: name.into() }),
        (Some((_, id)), None) => Some(Domain::Id { id: id.into() }),
        (None, None) => None,
    };
    let within = |name: &str| -> Result<Named> {
        let domain = domain.clone().ok_or_else(|| half(user.0, &DOMAIN_NAME))?;
        Ok(Named::Name { name: name.to_owned(), domain })
    };
    let project = project(env, region, &PROJECT_ID);
    let login = Login {
        user: if USER_ID.contains(&user.0) { Named::Id { id: user.1.into() } } else { within(user.1)? },
        scope: match project.id {
            Some((id, _)) => Named::Id { id },
            None => within(&project.name)?,
        },
        password: password.1.into(),
    };
    let source = format!("{} and {}", user.0, password.0);
    Ok(Some((Credentials::Password(login), source, &PROJECT_ID)))
}

fn keys(env: &Env, family: &Family) -> Result<Option<Variables>> {
    let (access_key, secret_key) =
        match (env.first(family.access_key), env.first(family.secret_key), env.first(&[family.security_token])) {
            (Some(access_key), Some(secret_key), _) => (access_key, secret_key),
            (Some((name, _)), None, _) => return Err(half(name, family.secret_key)),
            (None, Some((name, _)), _) | (None, None, Some((name, _))) => {
                return Err(half(name, family.access_key));
            }
            (None, None, None) => return Ok(None),
        };
    let keys = Keys {
        access_key: access_key.1.into(),
        secret_key: secret_key.1.into(),
        security_token: env.get(family.security_token).map(SecretString::from),
    };
    let source = format!("{} and {}", access_key.0, secret_key.0);
    Ok(Some((Credentials::Keys(keys), source, family.project_id)))
}

fn half(set: &str, missing: &[&str]) -> Error {
    let missing = missing.join(" or ");
    Error::new(Kind::Auth, format!("{set} is set and {missing} is missing"))
        .hint("set both, or neither to use other credentials")
}

fn missing(env: &Env, file: &str) -> Error {
    let sets = [TOKEN, USER_NAME, PASSWORD].map(|names| names.join("/"));
    let families = FAMILIES.map(|family| {
        let [access_key, secret_key] = [family.access_key, family.secret_key].map(|names| names.join("/"));
        format!("{access_key} and {secret_key}")
    });
    let mut looked =
        vec![sets[0].clone(), format!("{} and {}", sets[1], sets[2]), families.join(", "), file.to_owned()];
    let mut hint = format!(
        "set {} and {}, or write ak and sk into [basic] of ~/.huaweicloud/credentials",
        FAMILIES[0].access_key[0], FAMILIES[0].secret_key[0]
    );
    if let Some(path) = env.home(".hcloud/config.json").filter(|path| path.is_file()) {
        looked.push(format!("{} (encrypted by KooCLI)", path.display()));
        hint.push_str(
            "; KooCLI encrypts its keys, and other tools cannot read them; give them to imgctl in one of these ways",
        );
    }
    let message = format!("no credentials for Huawei Cloud: looked at {}", looked.join("; "));
    Error::new(Kind::Auth, message).hint(hint)
}
