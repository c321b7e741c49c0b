//! The caller's identity: STS GetCallerIdentity, which tools call first, and ECR's own login.

use aws_smithy_types::base64;
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    docker::password,
    refusal::{Refusal, listed},
    request::{Request, registry_host, seconds},
};
use crate::sandbox::{Received, Reply, sigv4::Distrust};

/// The STS operation that a form asks for, if this is one.
pub fn action(request: &Received) -> Option<String> {
    let form = request.header("content-type").starts_with("application/x-www-form-urlencoded");
    let body = std::str::from_utf8(&request.body).ok()?;
    let signed_for_sts = request.header("authorization").contains("/sts/aws4_request");
    let action = body.split('&').find_map(|field| field.strip_prefix("Action="))?;
    (form && signed_for_sts).then(|| action.into())
}

pub fn caller_identity(account: &str, key_id: &str, request_id: &str) -> Reply {
    let answer =
        format!("<Arn>arn:aws:iam::{account}:user/sandbox</Arn><UserId>{key_id}</UserId><Account>{account}</Account>");
    xml(
        200,
        &format!(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <GetCallerIdentityResult>{answer}</GetCallerIdentityResult>\
             <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
        ),
    )
}

/// STS has its own codes, and answers 403 where ECR answers 400.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>
pub fn distrusted(distrust: Distrust, request_id: &str) -> Reply {
    let (code, message) = match distrust {
        Distrust::Missing => ("MissingAuthenticationToken", "Request is missing Authentication Token".into()),
        Distrust::Incomplete(why) => ("IncompleteSignature", why),
        Distrust::Unknown => ("InvalidClientTokenId", "The security token included in the request is invalid.".into()),
        Distrust::Expired => ("ExpiredToken", "The security token included in the request is expired".into()),
        Distrust::Invalid(why) => ("SignatureDoesNotMatch", why),
    };
    failed(403, code, &message, request_id)
}

pub fn failed(status: u16, code: &str, message: &str, request_id: &str) -> Reply {
    xml(
        status,
        &format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
             <Code>{code}</Code><Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        ),
    )
}

fn xml(status: u16, body: &str) -> Reply {
    Reply { status, headers: vec![("content-type".into(), "text/xml".into())], body: body.into() }
}

/// A token for `docker login`.
pub fn get_authorization_token(request: Request) -> Result<Value, Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Parameters {
        registry_ids: Option<Vec<String>>,
    }
    let registries = request
        .parameters::<Parameters>()?
        .registry_ids
        .map_or(Ok(vec![request.account.into()]), |ids| listed(Some(ids), "registryIds", 10))?;
    let tokens: Vec<_> = registries
        .iter()
        .map(|account| {
            json!({
                "authorizationToken": base64::encode(format!("AWS:{}", password(account))),
                // https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
                "expiresAt": seconds(request.now + TimeDelta::hours(12)),
                "proxyEndpoint": format!("https://{}", registry_host(account, request.region)),
            })
        })
        .collect();
    Ok(json!({"authorizationData": tokens}))
}
