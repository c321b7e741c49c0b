//! Finds out who uses a store's images, with calls side by side. If one call fails, the whole answer is worthless: it
//! might have named the image that matters.

use futures_util::{StreamExt, stream::FuturesUnordered};

use super::{pace::Op, session::Session};
use crate::{
    error::Result,
    store::{Scan, User},
};

impl Session {
    pub async fn users(&self) -> Result<Vec<User>> {
        let ask = |scan: Scan| async move { self.ask(Op::Users, || self.store.scan(&scan)).await };
        let mut calls: FuturesUnordered<_> = self.store.scans().into_iter().map(ask).collect();
        let mut users = Vec::new();
        while let Some(answer) = calls.next().await {
            let answer = answer?;
            users.extend(answer.users);
            calls.extend(answer.more.into_iter().map(ask));
        }
        Ok(users)
    }
}
