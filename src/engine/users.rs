//! Asks a source who uses images. All its calls go through one [`Asking`], which gives each kind of call its pace.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use futures_util::future::BoxFuture;

use super::{
    calls::Calls,
    pace::{Pace, Wish},
};
use crate::{
    cache::Cache,
    error::Result,
    store::{Asker, Found, Limit, Source},
};

/// The calls to one source during one run.
pub struct Asking<'a> {
    calls: Calls,
    wish: Wish,
    cache: &'a Cache,
    paces: Mutex<HashMap<&'static str, Arc<Pace>>>,
    made: AtomicUsize,
}

impl<'a> Asking<'a> {
    pub fn new(calls: Calls, wish: Wish, cache: &'a Cache) -> Self {
        Self { calls, wish, cache, paces: Mutex::default(), made: AtomicUsize::new(0) }
    }

    /// Finds who uses images. If one call fails, the whole answer is worthless: it might have named the image that matters.
    pub async fn users(&self, source: &dyn Source) -> Result<Found> {
        let found = source.users(self).await;
        tracing::info!("asked {} with {} calls", source.name(), self.made.load(Ordering::Relaxed));
        found
    }

    /// Calls with the same name share one pace.
    fn pace(&self, limit: Limit) -> Arc<Pace> {
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(paces.entry(limit.call).or_insert_with(|| Arc::new(Pace::of(self.wish.over(limit), self.wish))))
    }
}

#[async_trait]
impl Asker for Asking<'_> {
    async fn turn(&self, limit: Limit, call: &(dyn Fn() -> BoxFuture<'_, Result<()>> + Send + Sync)) -> Result<()> {
        let pace = self.pace(limit);
        let counted = || {
            self.made.fetch_add(1, Ordering::Relaxed);
            call()
        };
        self.calls.ask(&pace, || None, counted).await
    }

    fn kept(&self) -> &Cache {
        self.cache
    }
}
