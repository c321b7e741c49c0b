//! What a deletion waits for before it sends anything, and whom it tells each verdict.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::target::Verdict;
use crate::error::Result;

/// Follows one deletion. Places are those of its targets.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Whether [`Journal::prepare`] asks the service. Then batches are prepared while others are sent.
    fn reads(&self) -> bool;

    /// Reads what [`Journal::before`] needs to know of a batch. If services count that as a pull of its images: the time
    /// up to which a pull may be this one.
    async fn prepare(&self, batch: &[usize]) -> Option<DateTime<Utc>>;

    /// Writes down what is about to be sent. If that fails, it is not sent, and neither is anything after it.
    async fn before(&self, batch: &[usize]) -> Result<()>;

    /// Receives the provider's id of a call about a batch that it answered. Errors have their own.
    fn answered(&self, batch: &[usize], request_id: &str);

    /// Receives the one verdict on a target, as soon as it is known.
    fn ended(&self, place: usize, verdict: Verdict);
}

/// For tests of the engine that look at the verdicts alone.
#[cfg(test)]
#[async_trait]
impl<F: Fn(usize, Verdict) + Send + Sync> Journal for F {
    fn reads(&self) -> bool {
        false
    }

    async fn prepare(&self, _batch: &[usize]) -> Option<DateTime<Utc>> {
        None
    }

    async fn before(&self, _batch: &[usize]) -> Result<()> {
        Ok(())
    }

    fn answered(&self, _batch: &[usize], _request_id: &str) {}

    fn ended(&self, place: usize, verdict: Verdict) {
        self(place, verdict);
    }
}
