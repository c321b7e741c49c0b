//! What a dry run and a question tell of named images beyond a look at each: which of them an index that stays still
//! needs. A registry refuses those.

use std::collections::{HashMap, HashSet};

use futures_util::future::join_all;

use super::order::{Order, StoreOrder};
use crate::{
    context::Context,
    engine::{Verdict, tags_going},
    error::{Error, Kind, Result},
    image::Digest,
    prune::{Foreseen, foresee},
    store::Image,
    survey::{self, Cache},
};

/// Targets that go as whole images: the place of each, and its digest.
type Whole = Vec<(usize, Digest)>;

/// A manifest that is not an index. What an index without a tag holds, only that index tells.
const ANY: &str = "application/vnd.oci.image.manifest.v1+json";

impl Order<'_> {
    /// Lists the stores of named images, reads their indexes, and refuses what one that stays needs. It only warns where
    /// that fails: the registry refuses these images itself.
    pub(super) async fn foresee(&mut self, context: &Context) {
        let cache = Cache::new(context.settings.env.cache());
        let mut attached = 0;
        let foreseen = join_all(self.stores.iter().map(|of| of.foreseen(context, &cache))).await;
        for (of, foreseen) in self.stores.iter_mut().zip(foreseen) {
            match foreseen {
                Ok(Some((whole, foreseen))) => {
                    attached += foreseen.attached;
                    of.refuse(whole, &foreseen.needed);
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
        let cache = Cache::new(context.settings.env.cache());
        let mut stores: Vec<_> = self.stores.iter_mut().filter(|of| !of.session.store.protects_parts()).collect();
        let foreseen = join_all(stores.iter().map(|of| of.foreseen(context, &cache))).await;
        for (of, foreseen) in stores.iter_mut().zip(foreseen) {
            match foreseen {
                Ok(Some((whole, foreseen))) => of.refuse(whole, &foreseen.needed),
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
    /// Lists the store, unless no index can need anything that goes: rules know their indexes already. Returns what goes,
    /// and what that means.
    async fn foreseen(&self, context: &Context, cache: &Cache) -> Result<Option<(Whole, Foreseen)>> {
        let whole = self.whole();
        let parts = whole.iter().any(|(place, _)| !self.goes[*place].target.is_index());
        if self.chosen.is_some() || !parts || !self.session.store.home().provider.has_containers() {
            return Ok(None);
        }
        let progress = &context.printer.progress;
        progress.doing("looking for indexes", None);
        // A permission that is missing here must not stop the deletion.
        let aside = self.session.aside();
        let stock = survey::bonds(&aside, cache, |images| progress.seen(images)).await?;
        let unlisted = whole.iter().map(|(_, digest)| {
            let digest = Some(digest.to_string());
            Image { digest, media_type: Some(ANY.into()), ..Image::default() }
        });
        let stock = stock.with(unlisted);
        let foreseen = foresee(&stock, whole.iter().map(|(_, digest)| digest));
        Ok(Some((whole, foreseen)))
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

    fn refuse(&mut self, whole: Whole, needed: &HashMap<String, String>) {
        for (place, digest) in whole {
            if let Some(why) = needed.get(&digest.to_string()) {
                let error = Error::new(Kind::InUse, why.clone()).code("ImageReferencedByManifestList");
                let error = error.hint("delete the index that needs it first, or together with it");
                self.goes[place].refused = Some(Box::new(Verdict::failed(error)));
            }
        }
    }
}
