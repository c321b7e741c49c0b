//! Selectors in `list`: they judge each image by itself. Only `prune` knows which images are needed, protected or in use.

use super::{
    Selection, Stock,
    graph::Graph,
    keep::{Rank, ranked, releases},
    select::{Judgement, Surroundings},
};

/// Which images of a stock the selectors match. One page of a listing is enough, unless [`Selection::needs_all`].
pub fn listed(stock: &Stock, selection: &Selection) -> Vec<bool> {
    let graph = Graph::of(stock);
    let (provider, images) = (stock.store.provider, stock.images());
    let fits = |place: usize| {
        let image = &images[place];
        let around = Surroundings { provider, pulled: image.pulled_at, orphan_of: graph.orphan_of(place) };
        let fits = matches!(selection.judge(image, around), Judgement::Fits(_));
        fits && selection.excluded(&stock.store, image).is_none()
    };
    let mut shown: Vec<bool> = (0..images.len()).map(fits).collect();
    if selection.keep_semver {
        releases(provider, images, |place| !graph.is_referrer(place)).keys().for_each(|place| shown[*place] = false);
    }
    if selection.keeps_newest() {
        // Like in `prune`, --keep does not count referrers, and only --orphans selects them.
        let (referrers, going): (Vec<usize>, Vec<usize>) =
            (0..images.len()).filter(|place| shown[*place]).partition(|place| graph.is_referrer(*place));
        referrers.into_iter().for_each(|place| shown[place] = selection.orphans);
        for (place, rank, _) in ranked(selection, provider, images, going) {
            shown[place] = matches!(rank, Rank::Beyond(_));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::prune::{
        Selectors,
        sample::{Shelf, cosign, now},
    };

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        selectors: Selectors,
    }

    fn shown(shelf: Shelf, flags: &[&str]) -> Vec<usize> {
        let stock = shelf.stock();
        let flags = Flags::try_parse_from([&["list"], flags].concat()).unwrap();
        let shown = listed(&stock, &flags.selectors.compile(now()).unwrap());
        (0..shown.len()).filter(|place| shown[*place]).map(|place| place + 1).collect()
    }

    #[test]
    fn a_listing_shows_what_the_selectors_match() {
        let shelf = || {
            Shelf::new().index(1, &["v1.0.0"], 9, &[2]).image(2, &[], 9).image(3, &["v1.0.1"], 8).image(
                4,
                &[&cosign(70, ".sig")],
                8,
            )
        };
        assert_eq!(shown(shelf(), &[]), [1, 2, 3, 4]);
        assert_eq!(shown(shelf(), &["--untagged"]), [2]);
        assert_eq!(shown(shelf(), &["--keep-semver", "--tag", "v*"]), [1]);
        assert_eq!(shown(shelf(), &["--tag", "*", "--keep", "1"]), [1]);
        assert_eq!(shown(shelf(), &["--orphans"]), [4]);
        assert_eq!(shown(shelf(), &["--exclude", "v1.0.0"]), [2, 3, 4]);
    }
}
