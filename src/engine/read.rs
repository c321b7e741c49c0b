//! Asking about many items in as few calls as can be. Each item gets its own answer, in the order asked, even where
//! the provider refuses a whole call for one bad item.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream};

use super::{pace::Op, session::Session};
use crate::{
    error::{Error, Kind, Result},
    image::{Digest, ImageId},
    store::{Answer, Image, ImageStore, LayerState, Manifest},
};

/// One call about some items.
type Ask<I, T> = for<'a> fn(&'a dyn ImageStore, &'a [I]) -> BoxFuture<'a, Result<Answer<I, T>>>;

impl Session {
    /// What the provider says of each of these distinct images now.
    pub async fn get(&self, ids: &[ImageId]) -> Vec<Result<Image>> {
        let mut listed = self.list_instead(ids).await;
        let rest: Vec<_> = ids
            .iter()
            .filter(|id| !listed.contains_key(id))
            .cloned()
            .collect();
        let mut answers = self
            .each(Op::Get, &rest, |store, ids| store.get(ids))
            .await
            .into_iter();
        ids.iter()
            .map(|id| {
                listed
                    .remove(id)
                    .map(Ok)
                    .or_else(|| answers.next())
                    .expect("an answer an id")
            })
            .collect()
    }

    pub async fn manifests(&self, ids: &[ImageId]) -> Vec<Result<Manifest>> {
        self.each(Op::Manifests, ids, |store, ids| store.manifests(ids))
            .await
    }

    pub async fn layers(&self, digests: &[Digest]) -> Vec<Result<LayerState>> {
        self.each(Op::Layers, digests, |store, ids| store.check_layers(ids))
            .await
    }

    /// Whether the provider itself would delete these.
    pub async fn rehearse(&self, ids: &[ImageId]) -> Vec<Result<()>> {
        self.each(Op::Delete, ids, |store, ids| store.rehearse(ids))
            .await
    }

    /// A store that reads one image a call is listed instead, for as long as that is fewer calls. What the listing
    /// does not show is not proven absent; the caller asks for it by name.
    async fn list_instead(&self, ids: &[ImageId]) -> HashMap<ImageId, Image> {
        let mut found = HashMap::new();
        if self.limit(Op::Get).batch > 1 || ids.len() < 2 {
            return found;
        }
        let wanted: HashSet<_> = ids.iter().collect();
        let page_size = self.limit(Op::List).batch;
        let mut after: Option<String> = None;
        for pages in 1.. {
            let Ok(page) = self
                .ask(Op::List, || self.store.list(after.as_deref()))
                .await
            else {
                break;
            };
            let more = page
                .total
                .map_or(0, |total| total.div_ceil(page_size).saturating_sub(pages));
            let images = page
                .items
                .into_iter()
                .filter_map(|image| Some((image.id.clone()?, image)));
            found.extend(images.filter(|(id, _)| wanted.contains(id)));
            let left = ids.len() - found.len();
            match page.next {
                Some(next) if left > 0 && more < left && after.as_ref() != Some(&next) => {
                    after = Some(next)
                }
                _ => break,
            }
        }
        found
    }

    async fn each<I, T>(&self, op: Op, ids: &[I], ask: Ask<I, T>) -> Vec<Result<T>>
    where
        I: Clone + Eq + Hash + Send + Sync,
        T: Clone + Send + 'static,
    {
        let limit = self.limit(op);
        let calls: Vec<_> = ids
            .chunks(limit.batch.max(1))
            .map(|batch| self.batch(op, batch, ask))
            .collect();
        stream::iter(calls)
            .buffered(limit.in_flight.max(1))
            .concat()
            .await
    }

    fn batch<'f, I, T>(
        &'f self,
        op: Op,
        ids: &'f [I],
        ask: Ask<I, T>,
    ) -> BoxFuture<'f, Vec<Result<T>>>
    where
        I: Clone + Eq + Hash + Send + Sync,
        T: Clone + Send + 'static,
    {
        async move {
            match self.ask(op, || ask(&*self.store, ids)).await {
                Ok(Answer::All(answer)) => vec![Ok(answer); ids.len()],
                Ok(Answer::Each(answers)) => in_order(ids, answers),
                Err(error) if error.kind.splits() && ids.len() > 1 => {
                    let (left, right) = ids.split_at(ids.len() / 2);
                    let mut answers = self.batch(op, left, ask).await;
                    answers.extend(self.batch(op, right, ask).await);
                    answers
                }
                Err(error) => vec![Err(error); ids.len()],
            }
        }
        .boxed()
    }
}

/// Maps answers to what was asked. An item that the answer leaves out, or speaks of in two ways, has no answer.
pub(super) fn in_order<I: Eq + Hash, T: Clone>(
    ids: &[I],
    answers: Vec<(I, Result<T>)>,
) -> Vec<Result<T>> {
    let mut said: HashMap<I, Result<T>> = HashMap::with_capacity(answers.len());
    for (id, answer) in answers {
        match said.get(&id) {
            Some(other) if other.is_ok() != answer.is_ok() => {
                said.insert(
                    id,
                    Err(Error::new(
                        Kind::Lost,
                        "the answer says two things of this item",
                    )),
                );
            }
            _ => drop(said.insert(id, answer)),
        }
    }
    let silence = || {
        Err(Error::new(
            Kind::Lost,
            "the answer says nothing of this item",
        ))
    };
    ids.iter()
        .map(|id| said.get(id).cloned().unwrap_or_else(silence))
        .collect()
}
