//! Puts images back: stores manifests and takes images out of the archive. A tag that points elsewhere is never moved.

use std::time::Duration;

use tokio::time::Instant;

use super::{pace::Op, session::Session};
use crate::{
    error::{Error, Kind, Result},
    image::{Digest, ImageId},
    store::{Image, Put, Storage, StorageClass},
};

/// How often to look for what was stored: a look may lag behind by seconds.
const LOOKS: u32 = 4;

/// The pause between two looks grows from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

impl Session {
    /// Stores a manifest. `Ok` if the service says so, with its id of the call, or if it was there. Right before each try
    /// imgctl looks where the tag points: services move tags without asking.
    pub async fn put(&self, put: &Put) -> Result<Option<String>> {
        let mut tries = self.tries(Op::Put);
        loop {
            if let Some(tag) = &put.tag {
                match self.get(&[ImageId::Tag(tag.clone())]).await.remove(0) {
                    Ok(image) if image.digest().as_ref() == Some(&put.manifest.digest) => return Ok(None),
                    Ok(image) => return Err(taken(tag, image.digest().as_ref())),
                    Err(error) if error.kind == Kind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            let error = match self.once(Op::Put, &tries, self.store.put(put)).await {
                Ok(receipt) => return Ok(receipt.request_id),
                Err(error) if error.kind == Kind::AlreadyThere => return Ok(None),
                Err(error) => error,
            };
            if error.kind.transient() && self.pause(Op::Put, &mut tries, &error).await.is_ok() {
                continue;
            }
            self.halt_on(&error);
            return Err(error);
        }
    }

    /// Begins to take an image out of the archive. `Ok` as for [`Session::put`].
    pub async fn activate(&self, id: &ImageId) -> Result<Option<String>> {
        let mut tries = self.tries(Op::StorageClass);
        loop {
            let call = self.store.set_storage_class(id, StorageClass::Standard);
            let error = match self.once(Op::StorageClass, &tries, call).await {
                Ok(receipt) => return Ok(receipt.request_id),
                Err(error) => error,
            };
            let again = error.kind.transient() && self.pause(Op::StorageClass, &mut tries, &error).await.is_ok();
            // An answer may have been lost, or another run was faster.
            if let Ok(image) = self.get(std::slice::from_ref(id)).await.remove(0)
                && image.storage != Storage::Archived
            {
                return Ok(None);
            }
            if !again {
                self.halt_on(&error);
                return Err(error);
            }
        }
    }

    /// Looks at images until each is out of the archive, or the time is up. An image that cannot be seen is not waited
    /// for.
    pub async fn wait_until_active(&self, images: &[Digest], most: Duration, waiting: impl Fn(usize)) {
        let (started, mut pause) = (Instant::now(), FIRST_PAUSE);
        let mut open: Vec<ImageId> = images.iter().cloned().map(ImageId::Digest).collect();
        loop {
            let found = self.get(&open).await;
            let on_their_way = open
                .into_iter()
                .zip(found)
                .filter(|(_, image)| image.as_ref().is_ok_and(|image| image.storage != Storage::Standard));
            open = on_their_way.map(|(id, _)| id).collect();
            waiting(open.len());
            let left = most.saturating_sub(started.elapsed());
            if open.is_empty() || left.is_zero() || self.stop.sleep(pause.min(left)).await.is_err() {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Looks at images that were stored, until each is as it should be or more looks would not help.
    pub async fn look_for_stored(
        &self,
        images: &[Digest],
        is_as_stored: impl Fn(usize, &Result<Image>) -> bool,
    ) -> Vec<Result<Image>> {
        let mut found: Vec<Option<Result<Image>>> = vec![None; images.len()];
        let mut pause = FIRST_PAUSE;
        for look in 1..=LOOKS {
            let open: Vec<usize> = (0..images.len())
                .filter(|place| found[*place].as_ref().is_none_or(|image| !is_as_stored(*place, image)))
                .collect();
            let ids: Vec<_> = open.iter().map(|place| ImageId::Digest(images[*place].clone())).collect();
            let answers = self.get(&ids).await;
            for (place, answer) in open.iter().zip(answers) {
                found[*place] = Some(answer);
            }
            let done = |place: &usize| found[*place].as_ref().is_some_and(|image| is_as_stored(*place, image));
            if open.iter().all(done) || look == LOOKS || self.stop.sleep(pause).await.is_err() {
                break;
            }
            pause *= 2;
        }
        found.into_iter().map(|image| image.expect("each was looked at")).collect()
    }
}

/// The tag stays where it is.
pub fn taken(tag: &str, on: Option<&Digest>) -> Error {
    let on = on.map_or("another image".into(), ToString::to_string);
    Error::new(Kind::TagTaken, format!("the tag {tag} points to {on} now, and was left there"))
        .code("TagTaken")
        .hint("pull the restored image by its digest; to move the tag, delete it first and restore again")
}
