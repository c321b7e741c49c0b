//! Tencent Cloud CVM custom images: the calls, and what their answers mean for each image. The service accepts or
//! refuses a deletion as a whole, and does not say when it is done.
//! <https://www.tencentcloud.com/document/api/213/33255>

mod call;
mod decode;
mod errors;
pub(super) mod examine;
mod sign;
#[cfg(test)]
mod tests;
mod users;

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use chrono::{TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Deletion, Image, ImageStore, Limit, Op, Page, Receipt, Shared, Source};
use crate::{
    checkup::{Subject, tell},
    error::{Error, Kind, Result},
    http::Http,
    image::{ImageId, StoreRef},
    settings::{
        Settings, shortened, shown,
        tencent::{Keys, Tencent},
    },
};
use call::Api;
#[cfg(any(test, fuzzing))]
pub use decode::any_answer;
use decode::{Described, Told};

/// Points this store at another host.
pub const ENDPOINT: &str = "IMGCTL_CVM_ENDPOINT";

/// The same for auto scaling, whose launch configurations name images.
pub const SCALING_ENDPOINT: &str = "IMGCTL_AS_ENDPOINT";

/// The most that `DescribeImages` gives at once.
/// <https://www.tencentcloud.com/document/api/213/33253>
const PAGE: usize = 100;

/// The most images in one deletion. The documents mention a limit without a number; the engine halves a refused call.
const DELETED_AT_ONCE: usize = 10;

/// Credentials: all regions share them.
pub type Clients = Shared<(), Arc<Keys>>;

/// A region's custom images.
pub struct Cvm {
    api: Arc<Api>,
    scaling: Arc<Api>,
    home: Arc<StoreRef>,
    caller: String,
    delete_snapshots: bool,
    /// The kinds of images that a listing shows.
    listed: Vec<&'static str>,
}

/// Opens the store of a region: that of the reference, of `--region`, or of the provider's own settings.
pub async fn open(settings: &Settings, clients: &Clients, store: &StoreRef) -> Result<Cvm> {
    let tencent = Tencent::load(settings)?;
    let found = tencent.region(store.region.as_deref())?;
    tell(Subject::Region, &found.value, &found.source);
    let region = found.value;
    let found = tencent.endpoint("cvm", ENDPOINT, &region)?;
    tell(Subject::Endpoint, shown(&found.value), &found.source);
    let endpoint = found.value;
    let scaling = tencent.endpoint("as", SCALING_ENDPOINT, &region)?.value;
    let now = Utc::now();
    let keys = clients.get((), async { tencent.keys(now).await.map(Arc::new) }).await?;
    let caller = shortened(&keys.at(now).await?.secret_id);
    tell(Subject::Credentials, &caller, keys.found());
    let http = Http::new(&endpoint, settings.timeout)?;
    let kinds = settings.options.kinds;
    let others = [(kinds.shared, "SHARED_IMAGE"), (kinds.public, "PUBLIC_IMAGE")];
    Ok(Cvm {
        home: Arc::new(StoreRef { region: Some(region.clone()), ..store.clone() }),
        scaling: Arc::new(Api::new(call::SCALING, http.clone(), scaling, &region, Arc::clone(&keys))),
        api: Arc::new(Api::new(call::CVM, http, endpoint, &region, keys)),
        caller,
        delete_snapshots: settings.options.deletion.delete_snapshots,
        listed: [(true, "PRIVATE_IMAGE")]
            .into_iter()
            .chain(others)
            .filter_map(|(wanted, kind)| wanted.then_some(kind))
            .collect(),
    })
}

#[async_trait]
impl ImageStore for Cvm {
    fn home(&self) -> Arc<StoreRef> {
        Arc::clone(&self.home)
    }

    fn clock_ahead(&self) -> Option<TimeDelta> {
        self.api.clock_ahead()
    }

    fn limit(&self, op: Op) -> Option<Limit> {
        let limit = |call, batch, per_second| Some(Limit { call, batch, per_second, in_flight: 10 });
        match op {
            // https://www.tencentcloud.com/document/api/213/33255
            Op::Delete => limit("DeleteImages", DELETED_AT_ONCE, 10),
            // https://www.tencentcloud.com/document/api/213/33253
            Op::Get | Op::List => limit("DescribeImages", PAGE, 40),
            // https://www.tencentcloud.com/document/api/213/33254
            Op::Sharing => limit("DescribeImageSharePermission", 1, 10),
            Op::Manifests
            | Op::Layers
            | Op::Poll
            | Op::Registry
            | Op::Rules
            | Op::Put
            | Op::StorageClass
            | Op::Details
            | Op::Referrers => None,
        }
    }

    fn all_or_nothing(&self) -> bool {
        true
    }

    fn caller(&self) -> Option<String> {
        Some(self.caller.clone())
    }

    fn endpoint(&self) -> Option<String> {
        Some(self.api.endpoint().into())
    }

    async fn delete(&self, ids: &[ImageId]) -> Result<Receipt<Answer<ImageId, Deletion>>> {
        let request_id = self.delete_images(ids, false).await?;
        // Success means that the service accepted the request; it deletes the image later.
        Ok(Receipt::new(Answer::All(Deletion::Requested), Some(request_id)))
    }

    fn rehearses(&self) -> bool {
        true
    }

    async fn rehearse(&self, ids: &[ImageId]) -> Result<Answer<ImageId, ()>> {
        match self.delete_images(ids, true).await {
            // The documents show a plain success for "yes", and also a code for it.
            Err(error) if error.code.as_deref() != Some(errors::DRY_RUN) => Err(error),
            _ => Ok(Answer::All(())),
        }
    }

    async fn get(&self, ids: &[ImageId]) -> Result<Answer<ImageId, Image>> {
        let body = json!({ "ImageIds": names(ids)?, "Limit": PAGE });
        let told = self.describe(ids.len(), &body).await?;
        let (request_id, total) = (told.request_id.clone(), told.content.total_count);
        let found: HashMap<_, _> = self.images(told).filter_map(|image| Some((image.id.clone()?, image))).collect();
        if let Some(other) = found.keys().find(|id| !ids.contains(id)) {
            let message = format!("CVM described {other}, which was not asked for");
            return Err(Error::new(Kind::Unreadable, message).request_id(Some(request_id)));
        }
        // An answer that counts more images than it shows proves of none that it is not there.
        let complete = total.is_none_or(|total| total <= found.len());
        let answers = ids.iter().filter_map(|id| match found.get(id) {
            Some(image) => Some((id.clone(), Ok(image.clone()))),
            None if complete => Some((id.clone(), Err(self.missing(id, &request_id)))),
            None => None,
        });
        Ok(Answer::Each(answers.collect()))
    }

    async fn list(&self, after: Option<&str>) -> Result<Page<Image>> {
        let offset: usize = after
            .map_or(Ok(0), |token| token.parse())
            .map_err(|_| Error::new(Kind::Usage, "not a valid page token for CVM images"))?;
        let body = json!({
            "Filters": [{ "Name": "image-type", "Values": self.listed }],
            "Offset": offset,
            "Limit": PAGE,
        });
        let told = self.describe(0, &body).await?;
        let (total, request_id) = (told.content.total_count, told.request_id.clone());
        let items: Vec<_> = self.images(told).collect();
        let seen = offset + items.len();
        if items.is_empty() && total.is_some_and(|total| offset < total) {
            let message = format!("CVM counts {} images but lists only {offset}", total.unwrap_or_default());
            return Err(Error::new(Kind::Unreadable, message).request_id(Some(request_id)));
        }
        let more = total.map_or(items.len() >= PAGE, |total| seen < total);
        Ok(Page {
            // A short page is not always the last one.
            next: (more && !items.is_empty()).then(|| seen.to_string()),
            total,
            items,
        })
    }

    fn users(&self) -> Option<Arc<dyn Source>> {
        Some(Arc::new(users::Machines { cvm: Arc::clone(&self.api), scaling: Arc::clone(&self.scaling) }))
    }

    async fn add_sharing(&self, image: &mut Image) -> Result<()> {
        let Some(ImageId::Named(id)) = &image.id else {
            return Ok(());
        };
        let told: Told<Sharing> = self.api.call("DescribeImageSharePermission", 1, &json!({ "ImageId": id })).await?;
        let accounts: Vec<_> =
            told.content.share_permission_set.into_iter().map(|permission| permission.account_id).collect();
        if !accounts.is_empty() && image.hold.is_none() {
            let message = match accounts.len() {
                1 => "this image is shared with another account".to_owned(),
                many => format!("this image is shared with {many} other accounts"),
            };
            let hold = decode::refused(errors::SHARED_OUT, &message, &told.request_id);
            image.hold = Some(hold);
        }
        image.shared_with = Some(accounts);
        Ok(())
    }
}

impl Cvm {
    /// Tells the id of the call.
    async fn delete_images(&self, ids: &[ImageId], dry_run: bool) -> Result<String> {
        let mut body = json!({ "ImageIds": names(ids)? });
        for (name, wanted) in [("DeleteBindedSnap", self.delete_snapshots), ("DryRun", dry_run)] {
            if wanted {
                body[name] = Value::Bool(true);
            }
        }
        let told: Told<Done> = self.api.call("DeleteImages", ids.len(), &body).await?;
        Ok(told.request_id)
    }

    async fn describe(&self, ids: usize, body: &Value) -> Result<Told<Images>> {
        self.api.call("DescribeImages", ids, body).await
    }

    fn images(&self, told: Told<Images>) -> impl Iterator<Item = Image> {
        let Told { content, request_id } = told;
        let images = content.image_set.into_iter();
        images.map(move |image| image.into_image(self.delete_snapshots, &request_id))
    }

    /// The service leaves out images that do not exist.
    fn missing(&self, id: &ImageId, request_id: &str) -> Error {
        let name = match id {
            ImageId::Named(name) => name,
            _ => "",
        };
        let message = format!("there is no image {name} in {}", self.api.region());
        Error::new(Kind::NotFound, message).code(errors::NOT_FOUND).request_id(Some(request_id))
    }
}

fn names(ids: &[ImageId]) -> Result<Vec<&str>> {
    ids.iter()
        .map(|id| match id {
            ImageId::Named(name) => Ok(name.as_str()),
            _ => Err(Error::new(Kind::Usage, "CVM images have ids, neither tags nor digests")),
        })
        .collect()
}

/// The answer to a deletion has only a request id.
#[derive(Deserialize)]
struct Done {}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Images {
    total_count: Option<usize>,
    image_set: Vec<Described>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sharing {
    share_permission_set: Vec<Permission>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Permission {
    account_id: String,
}
