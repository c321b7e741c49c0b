//! Rows for other programs: one line an image, with the same columns for every provider and whatever is known of it.
//! Nothing is shortened. Pure.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};

use super::safe;
use crate::report::Item;

/// What the columns hold, from the left. Scripts count them: a new one goes to the end.
pub const COLUMNS: [&str; 9] =
    ["reference", "state", "digest", "tags", "name", "bytes", "pushed or created", "last pulled", "error"];

/// The row of an item, with its line end.
pub fn row(item: &Item) -> String {
    let image = &item.image;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let cells: [String; COLUMNS.len()] = [
        item.reference.to_string(),
        item.word().to_owned(),
        text(&image.digest),
        // No tag has a comma.
        image.tags.join(","),
        text(&image.name),
        image.bytes.map(|bytes| bytes.to_string()).unwrap_or_default(),
        time(image.pushed_at.or(image.created_at)),
        time(image.pulled_at),
        item.error.as_ref().map(ToString::to_string).unwrap_or_default(),
    ];
    cells.each_ref().map(|cell| escaped(cell)).join("\t") + "\n"
}

fn time(time: Option<DateTime<Utc>>) -> String {
    time.map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default()
}

/// A cell in which no character ends a cell or a line, or moves a cursor.
fn escaped(cell: &str) -> Cow<'_, str> {
    if !cell.contains(['\\', '\t', '\n', '\r']) {
        return safe(cell);
    }
    let plain = cell.replace('\\', r"\\").replace('\t', r"\t").replace('\n', r"\n").replace('\r', r"\r");
    safe(&plain).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::{Error, Kind},
        image::ImageRef,
        report::State,
        store::Image,
    };

    fn item(reference: &str, image: Image) -> Item {
        Item::found(reference.parse::<ImageRef>().unwrap(), image)
    }

    #[test]
    fn the_help_names_the_columns_in_their_order() {
        let topic = include_str!("../help/json.txt");
        let places: Vec<_> =
            COLUMNS.iter().enumerate().map(|(n, name)| topic.find(&format!("{} {name}", n + 1))).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}");
        assert!(include_str!("../commands/list.rs").replace("\n/// ", " ").contains(&COLUMNS.join(", ")));
    }

    #[test]
    fn every_column_has_its_place_whatever_is_known() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let whole = Image {
            state: Some("active".into()),
            digest: Some(digest.clone()),
            tags: vec!["v1".into(), "latest".into()],
            name: Some("a\tname\nof \\ two\u{1b}[2J".into()),
            bytes: Some(5 << 30),
            pushed_at: Some(DateTime::UNIX_EPOCH),
            pulled_at: Some(DateTime::UNIX_EPOCH),
            ..Image::default()
        };
        let reference = format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/app@{digest}");
        let time = "1970-01-01T00:00:00Z";
        let name = r"a\tname\nof \\ two\u{1b}[2J";
        let row_of_all =
            [&*reference, "active", &digest, "v1,latest", name, "5368709120", time, time, ""].join("\t") + "\n";
        assert_eq!(row(&item(&reference, whole)), row_of_all);
        let machine = Image { created_at: Some(DateTime::UNIX_EPOCH), ..Image::default() };
        let row_of_machine = ["cvm://ap-guangzhou/img-1", "unknown", "", "", "", "", time, "", ""].join("\t") + "\n";
        assert_eq!(row(&item("cvm://ap-guangzhou/img-1", machine)), row_of_machine);
        let mut missing = item("cvm://ap-guangzhou/img-1", Image::default());
        missing.state = Some(State::Missing);
        missing.error = Some(Error::new(Kind::NotFound, "not\nthere"));
        assert_eq!(row(&missing), "cvm://ap-guangzhou/img-1\tmissing\t\t\t\t\t\t\tnot\\nthere\n");
    }
}
