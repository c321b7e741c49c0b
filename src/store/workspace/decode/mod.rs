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
