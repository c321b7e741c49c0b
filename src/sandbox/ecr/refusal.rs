//! ECR's refusals, in the service's codes and wording, and the checks of parameters that every operation
//! shares.

use serde_json::{Value, json};

use crate::sandbox::{Reply, sigv4::Distrust};

/// An error answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub status: u16,
    pub code: &'static str,
    pub message: String,
    /// Members beside the message that some exceptions have.
    pub more: Value,
}

impl Refusal {
    /// The service's modelled exceptions, and what its front door says, are all 400.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into(), more: json!({}) }
    }

    /// The common error of an HTTP status.
    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html>
    pub fn of_status(status: u16) -> Self {
        let (code, message) = match status {
            400 => ("ValidationException", "The input fails to satisfy the constraints."),
            401 => ("NotAuthorized", "You do not have permission to perform this action."),
            403 => ("AccessDeniedException", "You do not have sufficient access to perform this action."),
            404 => ("UnknownOperationException", "The action or operation requested is invalid."),
            408 => ("RequestTimeoutException", "The request took too long."),
            413 => ("RequestEntityTooLargeException", "The request is too large."),
            429 => ("TooManyRequestsException", "Too many requests."),
            503 => ("ServiceUnavailable", "The request has failed due to a temporary failure of the server."),
            500.. => ("ServerException", "These errors are usually caused by a server-side issue."),
            _ => ("ClientException", "The request is wrong."),
        };
        Self { status, ..Self::new(code, message) }
    }

    pub fn reply(&self) -> Reply {
        let mut body = self.more.clone();
        body["__type"] = self.code.into();
        body["message"] = self.message.clone().into();
        let mut reply = json_reply(self.status, &body);
        reply.headers.push(("x-amzn-errortype".into(), self.code.into()));
        reply
    }
}

pub fn json_reply(status: u16, body: &Value) -> Reply {
    Reply {
        status,
        headers: vec![("content-type".into(), "application/x-amz-json-1.1".into())],
        body: body.to_string().into_bytes(),
    }
}

impl From<Distrust> for Refusal {
    fn from(distrust: Distrust) -> Self {
        match distrust {
            Distrust::Missing => Self::new("MissingAuthenticationTokenException", "Missing Authentication Token"),
            Distrust::Incomplete(why) => Self::new("IncompleteSignatureException", why),
            Distrust::Unknown => {
                Self::new("UnrecognizedClientException", "The security token included in the request is invalid.")
            }
            Distrust::Expired => {
                Self::new("ExpiredTokenException", "The security token included in the request is expired")
            }
            Distrust::Invalid(why) => Self::new("InvalidSignatureException", why),
        }
    }
}

pub fn throttled() -> Refusal {
    Refusal::new("ThrottlingException", "Rate exceeded")
}

/// REST services refuse with 403 where the others say 400.
pub fn at_rest(refusal: Refusal) -> Refusal {
    match refusal.code {
        "AccessDeniedException" | "UnrecognizedClientException" | "InvalidSignatureException" => {
            Refusal { status: 403, ..refusal }
        }
        _ => refusal,
    }
}

pub fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterException", message)
}

/// A parameter that breaks a rule of the service model.
pub fn breaks(parameter: &str, rule: impl std::fmt::Display) -> Refusal {
    invalid(format!("Invalid parameter at '{parameter}' failed to satisfy constraint: '{rule}'"))
}

pub fn required<T>(value: Option<T>, parameter: &str) -> Result<T, Refusal> {
    value.ok_or_else(|| breaks(parameter, "Member must not be null"))
}

/// A list of one to `most` members.
pub fn listed<T>(list: Option<Vec<T>>, parameter: &str, most: usize) -> Result<Vec<T>, Refusal> {
    let list = required(list, parameter)?;
    if list.is_empty() {
        return Err(breaks(parameter, "Member must have length greater than or equal to 1"));
    }
    if list.len() > most {
        let rule = format!("Member must have length less than or equal to {most}");
        return Err(breaks(parameter, rule));
    }
    Ok(list)
}

/// A page size of one to `most`.
pub fn page_size(given: Option<i64>, default: usize, most: i64) -> Result<usize, Refusal> {
    match given {
        None => Ok(default),
        Some(size) if size < 1 => Err(breaks("maxResults", "Member must have value greater than or equal to 1")),
        Some(size) if size > most => {
            let rule = format!("Member must have value less than or equal to {most}");
            Err(breaks("maxResults", rule))
        }
        Some(size) => Ok(usize::try_from(size).unwrap_or(default)),
    }
}
