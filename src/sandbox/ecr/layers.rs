//! Layers: pushing them in parts, and asking whether they are there. What is pushed is kept in memory.

use std::collections::BTreeSet;

use aws_smithy_types::base64;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    MissingLayer,
    digest::{Digest, well_formed},
    refusal::{Refusal, breaks, invalid, listed, required},
    repository::Content,
    request::{Place, Request},
};

/// Every part but the last has at least so many bytes, and none has more than the second.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UploadLayerPart.html>
const SMALLEST_PART: u64 = 5 << 20;
const LARGEST_PART: usize = 20_971_520;
/// The part size that the service proposes.
const PART: u64 = 10 << 20;

/// A layer that is being pushed.
pub struct Upload {
    repository: String,
    bytes: Vec<u8>,
    /// A part below the least size came; nothing may follow it.
    small: bool,
}

pub fn initiate_layer_upload(mut request: Request) -> Result<Value, Refusal> {
    let place = request.place()?;
    request.repository(&place)?;
    let id = format!("00000000-0000-4000-9000-{:012x}", request.number);
    let upload = Upload { repository: place.name, bytes: Vec::new(), small: false };
    request.registry.uploads.insert(id.clone(), upload);
    Ok(json!({"uploadId": id, "partSize": PART}))
}

impl Request<'_> {
    fn upload(&mut self, place: &Place, id: &str) -> Result<&mut Upload, Refusal> {
        self.repository(place)?;
        let upload = self.registry.uploads.get_mut(id);
        upload.filter(|upload| upload.repository == place.name).ok_or_else(|| {
            let message = format!("Upload with id '{id}' could not be found for {}", place.in_words());
            Refusal::new("UploadNotFoundException", message)
        })
    }
}

pub fn upload_layer_part(mut request: Request) -> Result<Value, Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Parameters {
        upload_id: Option<String>,
        part_first_byte: Option<u64>,
        part_last_byte: Option<u64>,
        layer_part_blob: Option<String>,
    }
    let place = request.place()?;
    let parameters: Parameters = request.parameters()?;
    let id = required(parameters.upload_id, "uploadId")?;
    let first = required(parameters.part_first_byte, "partFirstByte")?;
    let last = required(parameters.part_last_byte, "partLastByte")?;
    let part = base64::decode(required(parameters.layer_part_blob, "layerPartBlob")?)
        .map_err(|error| Refusal::new("SerializationException", error.to_string()))?;
    if part.len() > LARGEST_PART {
        let rule = format!("Member must have length less than or equal to {LARGEST_PART}");
        return Err(breaks("layerPartBlob", rule));
    }
    let upload = request.upload(&place, &id)?;
    let length = part.len() as u64;
    if first != upload.bytes.len() as u64 || length == 0 || last.checked_add(1) != first.checked_add(length) {
        let mut refusal = Refusal::new(
            "InvalidLayerPartException",
            format!("Invalid layer part upload for upload with id '{id}' in {}", place.in_words()),
        );
        let received = upload.bytes.len().saturating_sub(1);
        refusal.more = place.answer(json!({"uploadId": id, "lastValidByteReceived": received}));
        return Err(refusal);
    }
    if upload.small {
        return Err(too_small(&id));
    }
    upload.bytes.extend(part);
    upload.small = length < SMALLEST_PART;
    Ok(place.answer(json!({"uploadId": id, "lastByteReceived": last})))
}

fn too_small(id: &str) -> Refusal {
    let message = format!("A part of upload '{id}' that is not its last is smaller than {SMALLEST_PART} bytes");
    Refusal::new("LayerPartTooSmallException", message)
}

pub fn complete_layer_upload(mut request: Request) -> Result<Value, Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Parameters {
        upload_id: Option<String>,
        layer_digests: Option<Vec<String>>,
    }
    let place = request.place()?;
    let parameters: Parameters = request.parameters()?;
    let id = required(parameters.upload_id, "uploadId")?;
    let given = listed(parameters.layer_digests, "layerDigests", 100)?;
    let upload = request.upload(&place, &id)?;
    if upload.bytes.is_empty() {
        let message = format!("Upload with id '{id}' does not contain any layer parts");
        return Err(Refusal::new("EmptyUploadException", message));
    }
    let bytes = upload.bytes.clone();
    let (digest, size) = (Digest::of(&bytes), bytes.len() as u64);
    if given.iter().any(|given| *given != digest.to_string()) {
        let message = format!("The digests '{given:?}' do not match the calculated layer digest '{digest}'");
        return Err(Refusal::new("InvalidLayerException", message));
    }
    let repository = request.repository(&place)?;
    if repository.layer(&digest).is_some() {
        let message = format!("Layer with digest '{digest}' already exists in {}", place.in_words());
        return Err(Refusal::new("LayerAlreadyExistsException", message));
    }
    repository.fill_layer(digest, size, Content::Pushed(bytes.into()));
    request.registry.uploads.remove(&id);
    Ok(place.answer(json!({"uploadId": id, "layerDigest": digest})))
}

pub fn batch_check_layer_availability(mut request: Request) -> Result<Value, Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Parameters {
        layer_digests: Option<Vec<String>>,
    }
    let place = request.place()?;
    let digests = listed(request.parameters::<Parameters>()?.layer_digests, "layerDigests", 100)?;
    if digests.iter().any(|digest| digest.chars().count() > 1000) {
        return Err(invalid(
            "Invalid parameter at 'layerDigests' failed to satisfy constraint: 'Member must have length less than or equal to 1000'",
        ));
    }
    let missing = request.quirks.missing_layer;
    let repository = request.repository(&place)?;
    let (mut layers, mut failures) = (Vec::new(), Vec::new());
    let mut fail = |digest: &str, code: &str, reason: String| {
        failures.push(json!({"layerDigest": digest, "failureCode": code, "failureReason": reason}));
    };
    // Each once, and not in the order asked: nothing says that answers keep it.
    for text in digests.iter().collect::<BTreeSet<_>>() {
        if text.is_empty() {
            fail(text, "MissingLayerDigest", "Invalid request parameters: layer digest cannot be empty".into());
        } else if !well_formed(text) {
            fail(text, "InvalidLayerDigest", format!("Invalid layer digest '{text}'"));
        } else if let Some(layer) = text.parse().ok().and_then(|digest| repository.layer(&digest)) {
            let state = if layer.archived() { "ARCHIVED" } else { "AVAILABLE" };
            let mut entry = json!({"layerDigest": text, "layerAvailability": state, "layerSize": layer.size});
            if let Some(media_type) = &layer.media_type {
                entry["mediaType"] = media_type.as_ref().into();
            }
            layers.push(entry);
        } else {
            match missing {
                MissingLayer::Unavailable => {
                    layers.push(json!({"layerDigest": text, "layerAvailability": "UNAVAILABLE"}))
                }
                MissingLayer::Failure => {
                    fail(text, "MissingLayerDigest", format!("Layer digest '{text}' could not be found"))
                }
            }
        }
    }
    Ok(json!({"layers": layers, "failures": failures}))
}
