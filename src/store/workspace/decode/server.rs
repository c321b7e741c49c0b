//! Converts image servers as the service describes them. Every field may be absent, empty or the word `null`.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::{
    error::{Error, Kind},
    image::ImageId,
    store::{Hold, Image, LeftBehind, plausible},
};

/// An image server: the machine that an image is built on, and what belongs to it.
#[derive(Debug, Default, Deserialize)]
pub struct Server {
    pub id: String,
    name: Option<String>,
    description: Option<String>,
    status: Option<String>,
    image_ref: Option<Source>,
    /// The image that was built on it.
    image_id: Option<String>,
    server_group_id: Option<String>,
    app_group_id: Option<String>,
    server_id: Option<String>,
    instance_id: Option<String>,
    create_time: Option<String>,
    update_time: Option<String>,
    enterprise_project_id: Option<String>,
}

/// The image that it was made from. imgctl never deletes that one.
#[derive(Debug, Deserialize)]
struct Source {
    id: Option<String>,
    image_type: Option<String>,
}

impl Server {
    /// `recursive`: a deletion in this run also deletes the groups and machines.
    pub fn into_image(self, recursive: bool, request_id: Option<String>) -> Image {
        let state = said(self.status).map(|status| status.to_lowercase());
        let hold = state.as_deref().and_then(|state| hold(state, request_id.clone()));
        let (source, image_type) = match self.image_ref {
            Some(source) => (said(source.id), said(source.image_type)),
            None => (None, None),
        };
        let mut image = Image {
            hold,
            state,
            request_id,
            name: said(self.name),
            description: said(self.description),
            created_at: time(self.create_time),
            updated_at: time(self.update_time),
            image_type,
            product_image: said(self.image_id),
            source_image: source,
            server_group: said(self.server_group_id),
            app_group: said(self.app_group_id),
            server: said(self.server_id),
            instance: said(self.instance_id),
            enterprise_project: said(self.enterprise_project_id),
            id: Some(ImageId::Named(self.id)),
            ..Image::default()
        };
        image.leaves_behind = product(&image);
        let around = around(&image);
        match recursive {
            true => image.takes_along = around,
            false => image.leaves_behind.extend(around),
        }
        image
    }
}

/// The service refuses servers that are being created or built, and with them the whole batch. The documents name no
/// code for that, so the hold has none.
/// <https://support.huaweicloud.com/intl/en-us/api-workspace/BatchDeleteImageServer.html>
fn hold(state: &str, request_id: Option<String>) -> Option<Hold> {
    let refused = |why: &str| {
        let error = Error::new(Kind::WrongState, why).request_id(request_id);
        Some(Hold::Refused(error.hint("wait until it is done").into()))
    };
    match state {
        "creating" => refused("the image server cannot be deleted while it is being created"),
        "building" => refused("the image server cannot be deleted while its image is being built"),
        "deleting" => Some(Hold::Going),
        "active" | "built" | "error" => None,
        _ => Some(Hold::Unsure),
    }
}

/// The image that was built on a server. A deletion keeps it.
fn product(image: &Image) -> Vec<LeftBehind> {
    named([("ims_image", &image.product_image)])
}

/// The machine and the groups of a server. Only a recursive deletion deletes them.
/// <https://registry.terraform.io/providers/huaweicloud/huaweicloud/latest/docs/resources/workspace_app_image_server>
fn around(image: &Image) -> Vec<LeftBehind> {
    named([("server_group", &image.server_group), ("app_group", &image.app_group), ("instance", &image.instance)])
}

fn named<const N: usize>(things: [(&str, &Option<String>); N]) -> Vec<LeftBehind> {
    let there = things.into_iter().filter_map(|(kind, id)| Some((kind, id.clone()?)));
    there.map(|(kind, id)| LeftBehind { kind: kind.into(), id, bytes: None }).collect()
}

fn said(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty() && !text.eq_ignore_ascii_case("null"))
}

fn time(text: Option<String>) -> Option<DateTime<Utc>> {
    plausible(text?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(json: &str, recursive: bool) -> Image {
        let server: Server = serde_json::from_str(json).unwrap();
        server.into_image(recursive, Some("req".into()))
    }

    const WHOLE: &str = r#"{"app_group_id":"ag-1","authorize_accounts":[{"account":"user0012","account_type":"USER"}],
        "create_time":"2024-05-07T07:54:21.009Z","description":"words","enterprise_project_id":"0",
        "id":"52071768982601303451","image_id":"ims-1","image_ref":{"id":"source-1","image_type":"gold",
        "product_id":"","spce_code":"90a6"},"instance_id":"ecs-1","name":"test_instance_1",
        "server_group_id":"sg-1","server_id":"wksapp-1","status":"BUILT","update_time":"2024-05-20T10:39:49.61Z"}"#;

    #[test]
    fn every_field_is_read() {
        let image = image(WHOLE, false);
        assert_eq!(image.id, Some(ImageId::Named("52071768982601303451".into())));
        let times = [image.created_at, image.updated_at].map(|time| time.unwrap().to_rfc3339());
        assert_eq!(times, ["2024-05-07T07:54:21.009+00:00", "2024-05-20T10:39:49.610+00:00"]);
        let texts = [
            (&image.state, "built"),
            (&image.name, "test_instance_1"),
            (&image.description, "words"),
            (&image.image_type, "gold"),
            (&image.product_image, "ims-1"),
            (&image.source_image, "source-1"),
            (&image.server_group, "sg-1"),
            (&image.app_group, "ag-1"),
            (&image.server, "wksapp-1"),
            (&image.instance, "ecs-1"),
            (&image.enterprise_project, "0"),
            (&image.request_id, "req"),
        ];
        for (read, expected) in texts {
            assert_eq!(read.as_deref(), Some(expected));
        }
        assert_eq!(image.hold, None);
    }

    #[test]
    fn what_the_service_does_not_say_is_absent() {
        for (json, time) in [
            (r#"{"id":"1"}"#, None),
            (r#"{"id":"1","name":"","status":"NULL","image_ref":null,"image_id":"null","create_time":""}"#, None),
        ] {
            let image = image(json, false);
            assert_eq!((image.name, image.state, image.product_image, image.created_at), (None, None, None, time));
            assert!(image.leaves_behind.is_empty());
        }
    }

    #[test]
    fn the_state_says_whether_it_can_be_deleted() {
        for (status, expected) in [
            ("CREATING", "refused"),
            ("BUILDING", "refused"),
            ("DELETING", "going"),
            ("ACTIVE", "free"),
            ("BUILT", "free"),
            ("ERROR", "free"),
            ("NEW_WORD", "unsure"),
            ("null", "free"),
        ] {
            let image = image(&format!(r#"{{"id":"1","status":"{status}"}}"#), false);
            let found = match image.hold {
                Some(Hold::Refused(error)) => {
                    assert_eq!(
                        (error.kind, error.request_id.as_deref(), error.code),
                        (Kind::WrongState, Some("req"), None)
                    );
                    "refused"
                }
                Some(Hold::Going) => "going",
                Some(Hold::Unsure) => "unsure",
                None => "free",
            };
            assert_eq!(found, expected, "{status}");
        }
    }

    #[test]
    fn the_built_image_stays_and_without_recursion_so_does_all_around_it() {
        let left = |recursive| -> Vec<_> {
            let left = image(WHOLE, recursive).leaves_behind;
            left.into_iter().map(|left| (left.kind, left.id)).collect()
        };
        let named = |all: &[(&str, &str)]| -> Vec<(String, String)> {
            all.iter().map(|(kind, id)| (kind.to_string(), id.to_string())).collect()
        };
        assert_eq!(left(true), named(&[("ims_image", "ims-1")]));
        assert_eq!(
            left(false),
            named(&[("ims_image", "ims-1"), ("server_group", "sg-1"), ("app_group", "ag-1"), ("instance", "ecs-1"),])
        );
    }
}
