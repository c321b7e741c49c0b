//! Finds what is attached to images where a listing shows only images with tags: signatures and SBOMs often have none.

use futures_util::future::join_all;

use super::{look::BY_NAME, pace::Op, pages::Progress, read::Refused, session::Session};
use crate::{
    error::{Error, Kind, Result},
    image::{Digest, ImageId},
    store::Image,
};

impl Session {
    /// What is attached to each of these images, as its own manifest says; `None` where only tags tell.
    pub async fn referrers(&self, subjects: &[Digest]) -> Vec<Result<Option<Vec<Image>>>> {
        // A right that is missing here must not stop the store, and one refusal is enough.
        let aside = &self.aside();
        let ask = |subject| async move {
            match aside.all_referrers(subject).await? {
                Some(listed) => Ok(Some(aside.attached_to(subject, listed).await)),
                None => Ok(None),
            }
        };
        let answers = join_all(subjects.iter().map(ask)).await.into_iter();
        // What stopped the others says more than that they were not tried.
        let cause = |error: Error| match aside.halted() {
            Some(cause) if error.kind == Kind::StoreStopped => cause.clone(),
            _ => error,
        };
        answers.map(|answer| answer.map_err(cause)).collect()
    }

    async fn all_referrers(&self, subject: &Digest) -> Result<Option<Vec<Image>>> {
        let mut progress = Progress::default();
        let mut referrers = Vec::new();
        while !progress.ended {
            let ask = || self.store.referrers(subject, progress.next.as_deref());
            let Some(page) = self.ask(Op::Referrers, ask).await? else { return Ok(None) };
            referrers.extend(progress.turn(page, |_, _| None)?);
        }
        Ok(Some(referrers))
    }

    /// Of some images, those whose own manifest names this subject. A list may be wrong; a manifest cannot be, because
    /// its digest is checked.
    pub async fn attached_to(&self, subject: &Digest, images: Vec<Image>) -> Vec<Image> {
        let subject = subject.to_string();
        let described = self.described(images.into_iter().map(Ok).collect()).await;
        described.into_iter().flatten().filter(|image| image.subject.as_ref() == Some(&subject)).collect()
    }

    /// Looks at images by name, as far as the name tells: beside the listing, which may leave them out.
    pub async fn look_beside(&self, ids: &[ImageId]) -> Vec<Result<Image>> {
        let aside = self.aside();
        aside.described(aside.each(Op::Get, ids, BY_NAME, Refused::Halve).await).await
    }
}
