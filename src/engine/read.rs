//! Asks about many items in as few calls as possible. Each item gets its own answer, in the order asked, even if the
//! provider refuses a whole call because of one bad item.

use std::{collections::HashMap, hash::Hash, sync::Mutex};

use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};

use super::{pace::Op, session::Session};
use crate::{
    error::{Error, Kind, Result},
    image::{Digest, ImageId},
    store::{Answer, ImageStore, LayerState, Manifest},
};

/// One call about some items.
pub(super) type Ask<I, T> = for<'a> fn(&'a dyn ImageStore, &'a [I]) -> BoxFuture<'a, Result<Answer<I, T>>>;

/// What to do when the provider refuses a whole call because of some of its items.
pub(super) enum Refused<'r, I> {
    /// Ask in ever smaller calls, down to the item.
    Halve,
    /// Leave it to the caller, who knows a cheaper way. Until then, all of its items have the call's error.
    Keep(&'r Mutex<Vec<I>>),
}

impl<I> Clone for Refused<'_, I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I> Copy for Refused<'_, I> {}

impl Session {
    pub async fn manifests(&self, ids: &[ImageId]) -> Vec<Result<Manifest>> {
        self.each(Op::Manifests, ids, |store, ids| store.manifests(ids), Refused::Halve).await
    }

    pub async fn layers(&self, digests: &[Digest]) -> Vec<Result<LayerState>> {
        self.each(Op::Layers, digests, |store, ids| store.check_layers(ids), Refused::Halve).await
    }

    /// Asks the provider whether it would delete these.
    pub async fn rehearse(&self, ids: &[ImageId]) -> Vec<Result<()>> {
        self.each(Op::Delete, ids, |store, ids| store.rehearse(ids), Refused::Halve).await
    }

    pub(super) async fn each<I, T>(&self, op: Op, ids: &[I], ask: Ask<I, T>, refused: Refused<'_, I>) -> Vec<Result<T>>
    where
        I: Clone + Eq + Hash + Send + Sync,
        T: Clone + Send + 'static,
    {
        let batches = ids.chunks(self.limit(op).batch.max(1));
        let answers = join_all(batches.map(|batch| self.batch(op, batch, ask, refused))).await;
        answers.into_iter().flatten().collect()
    }

    fn batch<'f, I, T>(
        &'f self,
        op: Op,
        ids: &'f [I],
        ask: Ask<I, T>,
        refused: Refused<'f, I>,
    ) -> BoxFuture<'f, Vec<Result<T>>>
    where
        I: Clone + Eq + Hash + Send + Sync,
        T: Clone + Send + 'static,
    {
        async move {
            match self.ask(op, || ask(&*self.store, ids)).await {
                Ok(Answer::All(answer)) => vec![Ok(answer); ids.len()],
                Ok(Answer::Each(answers)) => in_order(ids, answers),
                Err(error) if error.kind.splits() && ids.len() > 1 => match refused {
                    Refused::Halve => {
                        let (left, right) = ids.split_at(ids.len() / 2);
                        let mut answers = self.batch(op, left, ask, refused).await;
                        answers.extend(self.batch(op, right, ask, refused).await);
                        answers
                    }
                    Refused::Keep(kept) => {
                        kept.lock().expect("no holder of this lock panics").extend_from_slice(ids);
                        vec![Err(error); ids.len()]
                    }
                },
                Err(error) => vec![Err(error); ids.len()],
            }
        }
        .boxed()
    }
}

/// Maps answers to what was asked. An item that the answer leaves out or contradicts itself about has no answer.
pub(super) fn in_order<I: Eq + Hash, T: Clone>(ids: &[I], answers: Vec<(I, Result<T>)>) -> Vec<Result<T>> {
    let mut said: HashMap<I, Result<T>> = HashMap::with_capacity(answers.len());
    for (id, answer) in answers {
        match said.get(&id) {
            Some(other) if other.is_ok() != answer.is_ok() => {
                said.insert(id, Err(Error::new(Kind::Lost, "the answer contradicts itself about this item")));
            }
            _ => drop(said.insert(id, answer)),
        }
    }
    let silence = || Err(Error::new(Kind::Lost, "the answer leaves out this item"));
    ids.iter().map(|id| said.get(id).cloned().unwrap_or_else(silence)).collect()
}
