//! Finds images that a listing does not show and that matter for images that may go: what is attached to those, and what
//! those are attached to.

use std::collections::{HashMap, HashSet};

use futures_util::future::join_all;

use super::{TOGETHER, read};
use crate::{
    cache::Cache,
    engine::Session,
    error::{Kind, Result},
    image::{Digest, ImageId},
    prune::{Stock, may_be_index},
    store::{Image, Op},
};

/// Completes a stock for images that may go; tells whether it learned anything. What cannot be found out keeps the images
/// that it is about.
pub async fn find_unlisted(session: &Session, cache: &Cache, stock: &mut Stock, candidates: &[usize]) -> Result<bool> {
    let lists_untagged = session.store.lists_untagged();
    if candidates.is_empty() || session.store.limit(Op::Referrers).is_none() {
        return Ok(false);
    }
    let mut open = stock.questions(candidates);
    if lists_untagged {
        // What such a listing does not show does not exist.
        open.lost.clear();
    }
    let kept_lists = open.kept_lists.iter().map(|(subject, listed)| {
        let listed = listed.iter().map(named).collect();
        session.attached_to(subject, listed)
    });
    let (referrers, kept_lists, lost) =
        tokio::join!(session.referrers(&open.subjects), join_all(kept_lists), look(session, &open.lost));
    let mut found: Vec<Image> = kept_lists.into_iter().flatten().collect();
    let mut doubts = false;
    for (subject, referrers) in open.subjects.iter().zip(referrers) {
        match tried(referrers)? {
            Ok(referrers) => found.extend(referrers.into_iter().flatten()),
            Err(error) => {
                stock.doubt(subject, format!("what is attached to it is unknown: {error}"));
                doubts = true;
            }
        }
    }
    for (subject, look) in open.lost.iter().zip(lost) {
        match tried(look)? {
            Ok(image) => found.push(image),
            Err(error) if error.kind == Kind::NotFound => {}
            Err(error) => {
                stock.doubt_referrers_of(subject, &error.to_string());
                doubts = true;
            }
        }
    }
    let indexes: Vec<Digest> = found.iter().filter(|image| may_be_index(image)).filter_map(Image::digest).collect();
    let any = stock.add_unlisted(found);
    let mut readings = HashMap::new();
    for indexes in indexes.chunks(TOGETHER) {
        read(session, cache, indexes, &mut readings).await?;
    }
    readings.into_iter().for_each(|(digest, reading)| stock.read(&digest.to_string(), reading));
    Ok(any || doubts)
}

/// Leaves out images that are attached to an image without a tag: a listing that shows only images with tags makes them
/// look like orphans.
pub async fn without_attached(session: &Session, images: Vec<Image>) -> Result<Vec<Image>> {
    if session.store.lists_untagged() {
        return Ok(images);
    }
    let mut stock = Stock::new(session.store.home(), images.clone());
    let all: Vec<usize> = (0..stock.images().len()).collect();
    let lost = stock.questions(&all).lost;
    let mut there = HashSet::new();
    for (subject, look) in lost.iter().zip(look(session, &lost).await) {
        match look {
            Err(error) if error.kind == Kind::NotFound => {}
            look => drop(look.map(|_| there.insert(subject.clone()))?),
        }
    }
    let attached = stock.attached_to_any(&there);
    Ok(images.into_iter().zip(attached).filter(|(_, attached)| !attached).map(|(image, _)| image).collect())
}

/// Completes a stock until nothing more is found: a signature may be signed itself.
pub async fn find_all_unlisted(
    session: &Session,
    cache: &Cache,
    stock: &mut Stock,
    candidates: Vec<usize>,
) -> Result<()> {
    let mut candidates = candidates;
    loop {
        let before = candidates.len();
        candidates.extend(stock.attached_to(&candidates));
        candidates.sort_unstable();
        candidates.dedup();
        let found = find_unlisted(session, cache, stock, &candidates).await?;
        if !found && candidates.len() == before {
            return Ok(());
        }
    }
}

/// After an interrupt, nothing more is decided.
fn tried<T>(answer: Result<T>) -> Result<Result<T>> {
    match answer {
        Err(error) if error.kind == Kind::Stopped => Err(error),
        answer => Ok(answer),
    }
}

async fn look(session: &Session, digests: &[Digest]) -> Vec<Result<Image>> {
    let ids: Vec<ImageId> = digests.iter().cloned().map(ImageId::Digest).collect();
    session.look_beside(&ids).await
}

fn named(digest: &Digest) -> Image {
    Image { id: Some(ImageId::Digest(digest.clone())), digest: Some(digest.to_string()), ..Image::default() }
}
