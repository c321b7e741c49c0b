//! What every parser is held to, whatever it reads: it may refuse a text, but it must not panic, and what it accepts must
//! be consistent. `cargo test` tries each with 20,000 broken texts, and `tests/fuzz` has a target for each.

#[cfg(test)]
mod broken;

#[cfg(test)]
pub use broken::each;

pub use crate::store::{cvm::any_answer as cvm_answer, workspace::any_answer as workspace_answer};
use crate::{
    image::{ImageRef, Provider, Reference, StoreRef},
    intake,
    prune::{self, Evidence, Known, Stock, import::import, rules::clauses, saved, scan},
    store::own_rules,
};

/// A reference is refused, or printed as it is read.
pub fn reference(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    match text.parse::<Reference>() {
        Ok(read) => assert_eq!(read.to_string().parse::<Reference>().as_ref(), Ok(&read)),
        Err(error) => {
            assert!(text.get(error.span()).is_some(), "{error}");
            assert!(!error.to_string().is_empty());
        }
    }
    let _ = (text.parse::<ImageRef>(), text.parse::<StoreRef>(), text.parse::<Provider>());
}

/// A list of references.
pub fn list(text: &[u8]) {
    match intake::read_source("list", text, intake::Empty::Allowed) {
        Ok(images) => images
            .references
            .iter()
            .for_each(|image| assert_eq!(image.to_string().parse::<ImageRef>().as_ref(), Ok(image))),
        Err(error) => assert!(!error.message.is_empty()),
    }
}

/// A saved plan.
pub fn plan(text: &[u8]) {
    saved::is_plan(text);
    if let Ok(plan) = saved::read("plan", text) {
        assert!(plan.head.stops.is_empty());
        let _ = plan.guards();
    }
}

/// A file of policies.
pub fn policy(text: &[u8]) {
    if let Ok(policies) = prune::policy::parse("policy.toml", &String::from_utf8_lossy(text)) {
        assert!(!policies.is_empty());
        let now = chrono::Utc::now();
        policies.values().for_each(|policy| drop((policy.guard.compile(), clauses(policy, now))));
    }
}

/// A registry's own lifecycle policy: what is imported of it is a policy.
pub fn lifecycle(text: &[u8]) {
    if let Ok((_, own)) = own_rules("policy.json", &String::from_utf8_lossy(text)) {
        let head = String::from("[policy.x]\nstores = [\"ecr:app\"]\n");
        let text = import(&own).iter().fold(head, |text, rule| text + &rule.toml("x"));
        let policies = prune::policy::parse("p", &text).unwrap_or_else(|error| panic!("{error} in {text}"));
        clauses(&policies["x"], chrono::Utc::now()).unwrap_or_else(|error| panic!("{error} in {text}"));
    }
}

/// A list of images in use.
pub fn in_use(text: &[u8]) {
    let stocks: [Stock; 0] = [];
    scan("list", text, &Known::of(&stocks), &mut Evidence::default()).expect("it is in memory");
}
