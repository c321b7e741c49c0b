//! Describes where AWS credentials come from, and which ones are not used.

use aws_credential_types::{Credentials, credential_feature::AwsCredentialFeature};

use super::{
    super::{Env, Settings},
    profile::Profile,
};
use crate::checkup::Checkup;

const KEYS: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";
const PROFILE: &str = "AWS_PROFILE";

/// Variables for credentials of pods, containers and tasks.
const ROLES: [&str; 3] =
    ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];

/// Keys that give a profile credentials.
const OF_PROFILE: [&str; 8] = [
    "aws_access_key_id",
    "role_arn",
    "web_identity_token_file",
    "sso_session",
    "sso_start_url",
    "credential_process",
    "credential_source",
    "login_session",
];

/// Whether this machine has any credentials configured, valid or not.
pub(super) fn any(settings: &Settings, profile: &Profile) -> bool {
    let variables = [&KEYS[..], &ROLES[..], &[PROFILE]].concat();
    settings.profile.is_some()
        || settings.env.first(&variables).is_some()
        || OF_PROFILE.iter().any(|key| profile.get(key).is_some())
}

/// Whether the SDK calls other services of AWS to get credentials.
pub(super) fn calls_aws(settings: &Settings, profile: &Profile) -> bool {
    let keys = ["role_arn", "web_identity_token_file", "sso_session", "sso_start_url"];
    settings.env.get(ROLES[0]).is_some() || keys.iter().any(|key| profile.get(key).is_some())
}

/// Records what is set but not used.
pub(super) fn note_unused(settings: &Settings, checkup: &mut Checkup) {
    let set = |name: &&&str| settings.env.get(name).is_some();
    if settings.profile.is_some() {
        let all = [&KEYS[..1], &ROLES[..], &[PROFILE]].concat();
        for name in all.iter().filter(set) {
            checkup.unused(name, "--profile names other credentials");
        }
    } else if settings.env.get(KEYS[0]).is_some() && settings.env.get(PROFILE).is_some() {
        let why = format!("not used because of {}; its settings count", KEYS[0]);
        checkup.unused(PROFILE, &why);
    }
}

/// Where the SDK found these. It marks credentials with features, and lists the last of several steps first.
pub(super) fn of(credentials: &Credentials, env: &Env, profile: &Profile) -> String {
    use AwsCredentialFeature::*;
    let features = credentials.get_property::<Vec<AwsCredentialFeature>>();
    let has = |feature| features.is_some_and(|features| features.contains(&feature));
    let name = profile.name();
    if has(CredentialsStsAssumeRole) {
        match profile.get("role_arn") {
            Some(role) => format!("{role} of the AWS profile {name}"),
            None => format!("the role of the AWS profile {name}"),
        }
    } else if has(CredentialsProfileStsWebIdToken) || has(CredentialsEnvVarsStsWebIdToken) {
        "web identity".into()
    } else if has(CredentialsSso) {
        format!("the SSO login of the AWS profile {name}")
    } else if has(CredentialsProcess) {
        format!("credential_process of the AWS profile {name}")
    } else if has(CredentialsImds) {
        "the machine's role".into()
    } else if has(CredentialsHttp) {
        "the container's role".into()
    } else if has(CredentialsEnvVars) {
        match env.get(SESSION_TOKEN) {
            Some(_) => format!("{}, {} and {SESSION_TOKEN}", KEYS[0], KEYS[1]),
            None => KEYS.join(" and "),
        }
    } else if has(CredentialsProfile) {
        format!("the AWS profile {name}")
    } else {
        "the AWS SDK".into()
    }
}
