//! In which order `list` shows images, and how many of them. Pure.

use std::cmp::{Ordering, Reverse};

use clap::ValueEnum;

use crate::{report::Item, store::Image};

/// What images are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// Pushed or created last first
    Pushed,
    /// Pulled last first; images without a recorded pull come last
    Pulled,
    /// Largest first
    Size,
    /// By name, tag and digest
    Name,
}

impl Sort {
    /// Which of two items comes first. What is not known comes last, and ties are settled by name.
    pub fn compare(self, one: &Item, other: &Item) -> Ordering {
        let born = |image: &Image| image.pushed_at.or(image.created_at);
        let by_value = match self {
            Self::Pushed => Reverse(born(&one.image)).cmp(&Reverse(born(&other.image))),
            Self::Pulled => Reverse(one.image.pulled_at).cmp(&Reverse(other.image.pulled_at)),
            Self::Size => Reverse(one.image.bytes).cmp(&Reverse(other.image.bytes)),
            Self::Name => Ordering::Equal,
        };
        by_value.then_with(|| name(one).cmp(&name(other)))
    }
}

fn name(item: &Item) -> impl Ord {
    let store = item.reference.store();
    // Images without a name or a tag come after those with one.
    let label = item.image.name.as_ref().or(item.image.tags.first());
    (store.name.clone(), label.is_none(), label.cloned(), item.reference.to_string())
}

/// Items that wait to be sorted.
#[derive(Default)]
pub struct Waiting {
    items: Vec<Item>,
}

impl Waiting {
    /// Adds an item. Of those, no more than the first `most` in this order will be asked for.
    pub fn add(&mut self, item: Item, sort: Sort, most: usize) {
        self.items.push(item);
        // Keeps memory in bounds: twice as many as are shown at the end.
        if self.items.len() >= most.saturating_mul(2).max(1000) {
            self.cut(sort, most);
        }
    }

    fn cut(&mut self, sort: Sort, most: usize) {
        self.items.sort_by(|one, other| sort.compare(one, other));
        self.items.truncate(most);
    }

    /// Takes the first `most` items, in order.
    pub fn take(&mut self, sort: Sort, most: usize) -> Vec<Item> {
        self.cut(sort, most);
        std::mem::take(&mut self.items)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::image::ImageRef;

    fn item(number: i64, bytes: Option<u64>) -> Item {
        let image = Image {
            bytes,
            pushed_at: DateTime::from_timestamp(number, 0),
            pulled_at: (number % 2 == 0).then(|| DateTime::from_timestamp(number, 0)).flatten(),
            ..Image::default()
        };
        Item::found(format!("ecr:app:v{number}").parse::<ImageRef>().unwrap(), image)
    }

    fn sorted(sort: Sort, most: usize) -> Vec<String> {
        let mut waiting = Waiting::default();
        for (number, bytes) in [(1, None), (4, Some(7)), (3, Some(9)), (2, Some(7))] {
            waiting.add(item(number, bytes), sort, most);
        }
        let items = waiting.take(sort, most);
        items.iter().map(|item| item.reference.to_string().replace("ecr:app:", "")).collect()
    }

    #[test]
    fn what_is_newest_or_largest_comes_first_and_what_is_not_known_last() {
        assert_eq!(sorted(Sort::Pushed, 9), ["v4", "v3", "v2", "v1"]);
        assert_eq!(sorted(Sort::Pulled, 9), ["v4", "v2", "v1", "v3"]);
        assert_eq!(sorted(Sort::Size, 9), ["v3", "v2", "v4", "v1"]);
        assert_eq!(sorted(Sort::Name, 9), ["v1", "v2", "v3", "v4"]);
        assert_eq!(sorted(Sort::Size, 2), ["v3", "v2"]);
    }

    #[test]
    fn no_more_items_wait_than_may_be_shown() {
        let mut waiting = Waiting::default();
        for number in 0..10_000 {
            waiting.add(item(number, None), Sort::Pushed, 10);
            assert!(waiting.items.len() <= 1000);
        }
        let items = waiting.take(Sort::Pushed, 10);
        assert_eq!(items.len(), 10);
        assert_eq!(items[0].reference.to_string(), "ecr:app:v9999");
    }
}
