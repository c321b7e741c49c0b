//! What is told of named images beyond a look at each: which of them an index that stays still needs, because a registry
//! refuses those, and what stays though it is attached to them.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use futures_util::future::join_all;

use super::order::{Order, StoreOrder};
use crate::{
    context::Context,
    engine::{Verdict, tags_going},
    error::{Error, Kind, Result},
    image::Digest,
    output::human,
    prune::{Foreseen, foresee},
    store::{Image, Op, Outlook},
    survey,
};

/// Targets that go as whole images: the place of each, and its digest.
type Whole = Vec<(usize, Digest)>;

/// A manifest that is not an index. What an index without a tag holds, only that index tells.
const ANY: &str = "application/vnd.oci.image.manifest.v1+json";

impl Order<'_> {
    /// Lists the stores of named images, reads their indexes, and refuses what one that stays needs. It only warns where
    /// that fails: the registry refuses these images itself.
    pub(super) async fn foresee(&mut self, context: &Context) {
        let mut attached = 0;
        let foreseen = join_all(self.stores.iter().map(|of| of.foreseen(context))).await;
        for (of, foreseen) in self.stores.iter_mut().zip(foreseen) {
            match foreseen {
                Ok(Some((whole, foreseen))) => {
                    attached += foreseen.attached;
                    of.heed(whole, &foreseen);
                }
                Ok(None) => {}
                Err(error) => {
                    let store = of.session.store.home();
                    context.printer.warn(&format!("cannot tell which images of {store} an index needs: {error}"));
                }
            }
        }
        if attached > 0 {
            let (are, image) =
                if attached == 1 { ("is a signature", "an image") } else { ("are signatures", "images") };
            context.printer.warn(&format!(
                "{attached} of these {are} or another referrer of {image} that will stay; `imgctl prune` keeps those"
            ));
        }
    }
}

impl Order<'_> {
    /// The same right before images are sent, for stores that do not refuse these images themselves. What cannot be known
    /// is not sent.
    pub(super) async fn protect(&mut self, context: &Context) {
        let mut stores: Vec<_> = self.stores.iter_mut().filter(|of| !of.session.store.protects_parts()).collect();
        let foreseen = join_all(stores.iter().map(|of| of.foreseen(context))).await;
        for (of, foreseen) in stores.iter_mut().zip(foreseen) {
            match foreseen {
                Ok(Some((whole, foreseen))) => of.heed(whole, &foreseen),
                Ok(None) => {}
                Err(error) => {
                    let verdict = Box::new(Verdict::not_sent(error));
                    of.goes.iter_mut().for_each(|going| going.refused = Some(verdict.clone()));
                }
            }
        }
    }
}

impl StoreOrder<'_> {
    /// Refuses what the store is known to refuse, and says what only an attempt shows.
    pub(super) async fn look_out(&mut self, context: &Context) {
        let mut open: BTreeMap<&'static str, usize> = BTreeMap::new();
        let store = Arc::clone(&self.session.store);
        for going in self.goes.iter_mut().filter(|going| going.refused.is_none() && !going.leaving) {
            match store.outlook(&going.target.id).await {
                Ok(Outlook::Open) => {}
                Ok(Outlook::Depends(why)) => *open.entry(why).or_default() += 1,
                Ok(Outlook::Refused(error)) => {
                    going.refused = Some(Box::new(Verdict::failed(going.target.with_others(error))));
                }
                Err(error) => {
                    let home = store.home();
                    return context.printer.warn(&format!("cannot tell what {home} would refuse: {error}"));
                }
            }
        }
        for (why, targets) in open {
            let tags = human::count(targets, "tag");
            context.printer.warn(&format!("not certain for {tags} of {}: {why}", store.home()));
        }
    }

    /// Lists the store, unless no index can need anything that goes: rules know their indexes already. Returns what goes,
    /// and what that means.
    async fn foreseen(&self, context: &Context) -> Result<Option<(Whole, Foreseen)>> {
        let whole = self.whole();
        let parts = whole.iter().any(|(place, _)| !self.goes[*place].target.is_index());
        let leaves_referrers = !whole.is_empty() && self.session.store.limit(Op::Referrers).is_some();
        let matters = parts || leaves_referrers;
        if self.chosen.is_some() || !matters || !self.session.store.home().provider.has_containers() {
            return Ok(None);
        }
        match self.foreseen_of(context, &whole).await {
            Ok(mut foreseen) => {
                if !leaves_referrers {
                    foreseen.left.clear();
                }
                Ok(Some((whole, foreseen)))
            }
            // No index can need what goes.
            Err(error) if !parts && !error.kind.not_tried() => {
                let store = self.session.store.home();
                context.printer.warn(&format!("cannot tell what is attached to these images of {store}: {error}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn foreseen_of(&self, context: &Context, whole: &Whole) -> Result<Foreseen> {
        let progress = &context.printer.progress;
        progress.doing("looking for indexes", None);
        // A permission that is missing here must not stop the deletion.
        let aside = self.session.aside();
        let mut stock = survey::bonds(&aside, &context.cache, |images| progress.seen(images)).await?;
        stock.add_unlisted(whole.iter().map(|(place, digest)| {
            let seen = self.goes[*place].target.seen.as_deref();
            let subject = seen.and_then(|image| image.subject.clone());
            Image { digest: Some(digest.to_string()), subject, media_type: Some(ANY.into()), ..Image::default() }
        }));
        let places: Vec<usize> = whole.iter().filter_map(|(_, digest)| stock.place(&digest.to_string())).collect();
        survey::find_all_unlisted(&aside, &context.cache, &mut stock, places.clone()).await?;
        if let Some(what) = places.iter().find_map(|place| stock.doubt_about(&stock.images()[*place])) {
            context.printer.warn(&format!("of images of {}: {what}", stock.store));
        }
        Ok(foresee(&stock, whole.iter().map(|(_, digest)| digest)))
    }

    /// The targets that go as whole images, by place, with their digests.
    fn whole(&self) -> Whole {
        let going = tags_going(self.goes.iter().map(|going| &going.target));
        let nothing = HashSet::new();
        let whole = self.goes.iter().enumerate().filter_map(|(place, of)| {
            let digest = of.target.digest()?;
            let takes = of.target.takes_image(going.get(&digest).unwrap_or(&nothing));
            (takes && of.refused.is_none() && !of.leaving).then_some((place, digest))
        });
        whole.collect()
    }

    fn heed(&mut self, whole: Whole, foreseen: &Foreseen) {
        let cascades = self.session.store.cascades();
        for (place, digest) in whole {
            let (going, digest) = (&mut self.goes[place], digest.to_string());
            if let Some(why) = foreseen.needed.get(&digest) {
                let error = Error::new(Kind::InUse, why.clone()).code("ImageReferencedByManifestList");
                let error = error.hint("delete the index that needs it first, or together with it");
                going.refused = Some(Box::new(Verdict::failed(error)));
            }
            match cascades {
                true => going.takes = foreseen.taken.get(&digest).cloned().unwrap_or_default(),
                false => going.leaves = foreseen.left.get(&digest).cloned().unwrap_or_default(),
            }
        }
    }
}
