//! Plans of small repositories.

use super::*;
use crate::{
    image::Provider,
    prune::sample::{Shelf, cosign, machine, planned, store},
};

#[test]
fn what_the_provider_holds_is_kept_with_its_reason() {
    let error = crate::error::Error::new(crate::error::Kind::Protected, "it is shared");
    let told = Shelf::new()
        .with(1, &["a"], 9, |image| image.hold = Some(Hold::Refused(error.into())))
        .with(2, &["b"], 9, |image| image.hold = Some(Hold::Going))
        .with(4, &["d"], 9, |image| (image.hold, image.state) = (Some(Hold::Unsure), Some("frozen".into())))
        .image(3, &["c"], 9)
        .prune(&["--older-than", "1d"]);
    assert_eq!(told.deleted(), [3]);
    assert_eq!(told.reason(1), "kept: the provider would refuse: it is shared");
    assert_eq!(told.reason(2), "kept: the provider is already deleting it");
}

#[test]
fn totals_add_up_over_stores() {
    let app =
        Shelf::new().index(1, &["a"], 9, &[2, 3]).image(2, &[], 9).image(3, &["b"], 1).image(4, &["c"], 9).stock();
    let machines =
        Stock::new(store(Provider::Cvm, ""), [machine("img-1", "web", None, 9), machine("img-2", "db", None, 1)]);
    let plan = planned(&[app, machines], &["--older-than", "5d"], &Evidence::default());
    let sum = plan.totals();
    assert_eq!((sum.images, sum.deleted, sum.kept, sum.tagged, sum.tagged_kept), (6, 4, 2, 3, 1));
    assert_eq!((sum.bytes, sum.unsized_images), (200, 1));
}

#[test]
fn images_that_only_belong_to_each_other_are_kept() {
    let told = Shelf::new()
        .image(1, &[&cosign(2, ".sig")], 9)
        .index(2, &[&cosign(1, ".sig")], 9, &[3])
        .image(3, &[], 9)
        .index(4, &["a"], 9, &[3])
        .prune(&["--older-than", "1d"]);
    assert_eq!(told.deleted(), [4]);
}
