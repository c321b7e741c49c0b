//! Reads successful answers: one image server, a page of them, a job.

mod job;
mod server;

use serde::{Deserialize, de::DeserializeOwned};

pub use self::{
    job::{JobReport, SubJob},
    server::Server,
};
use super::{call::Call, errors};
use crate::{error::Result, http::Response};

/// Reads the body of a successful answer.
pub fn read<T: DeserializeOwned>(call: &Call<'_>, answer: &Response) -> Result<T> {
    serde_json::from_slice(&answer.body).map_err(|error| errors::unreadable(call.operation, answer, error))
}

/// One page of a listing.
#[derive(Debug, Deserialize)]
pub struct Listed {
    /// A hint: how many there are in all.
    pub count: Option<usize>,
    pub items: Vec<Server>,
}

/// Reads any text as a listing and as a job.
#[cfg(any(test, fuzzing))]
pub fn any_answer(text: &[u8]) {
    if let Ok(listed) = serde_json::from_slice::<Listed>(text) {
        listed.items.into_iter().for_each(|server| drop(server.into_image(true, None)));
    }
    if let Ok(job) = serde_json::from_slice::<JobReport>(text) {
        let _ = job.verdict(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz;

    #[test]
    fn a_broken_answer_is_read_or_refused() {
        let server = r#"{"id":"1","name":"n","image_ref":{"id":"i","image_type":"gold"},"image_id":"","status":"BUILT",
            "create_time":"2024-05-20T10:39:49.61Z","server_group_id":"g","instance_id":"m"}"#;
        let list = format!(r#"{{"count":1,"items":[{server}]}}"#);
        let job = r#"{"id":"j","job_type":"DELETE_SERVER","status":"FAILED","sub_jobs":[{"job_type":"DELETE_SERVER",
            "status":"SUCCESS","job_resource_info":{"resource_id":"1"},"job_execute_info":{"error_code":"E"}}]}"#;
        fuzz::each(&[&list, job, server], any_answer);
    }
}
