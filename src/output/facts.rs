//! What the reasons of several lines have in common, said once above them. Pure.

/// The facts that every reason names. A reason separates them by commas.
pub struct Facts {
    pub common: Vec<String>,
}

impl Facts {
    pub fn of(reasons: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut reasons = reasons.into_iter();
        let Some(first) = reasons.next() else { return Self { common: Vec::new() } };
        let mut common: Vec<String> = facts(first.as_ref()).map(Into::into).collect();
        let mut several = false;
        for reason in reasons {
            several = true;
            common.retain(|fact| facts(reason.as_ref()).any(|other| other == fact));
        }
        if !several {
            common.clear();
        }
        Self { common }
    }

    /// What a reason says besides.
    pub fn rest(&self, reason: &str) -> String {
        facts(reason).filter(|fact| !self.common.iter().any(|common| common == fact)).collect::<Vec<_>>().join(", ")
    }
}

fn facts(reason: &str) -> impl Iterator<Item = &str> {
    reason.split(", ").filter(|fact| !fact.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_say_is_said_once() {
        let reasons = ["pushed 61 days ago, older than 60d", "pushed 99 days ago, older than 60d"];
        let facts = Facts::of(reasons);
        assert_eq!(facts.common, ["older than 60d"]);
        assert_eq!(facts.rest(reasons[0]), "pushed 61 days ago");
        assert!(Facts::of(["", "a"]).common.is_empty() && Facts::of(["a"]).common.is_empty());
        assert_eq!(Facts::of(["a"]).rest("a"), "a");
    }
}
