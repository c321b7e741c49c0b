//! What BatchCheckLayerAvailability says.

use std::collections::{HashMap, HashSet};

use aws_sdk_ecr::types::{Layer, LayerFailure};

use super::{Each, Named, errors, only};
use crate::{error::Result, image::Digest, store::LayerState};

/// The entries of an answer about each digest.
type ByDigest<'e, T> = HashMap<Option<&'e str>, Vec<&'e T>>;

/// What BatchCheckLayerAvailability says of each layer.
pub fn layers(
    asked: &[Digest],
    layers: &[Layer],
    failures: &[LayerFailure],
    request: Option<&str>,
) -> Result<Each<Digest, LayerState>> {
    let digests: HashSet<String> = asked.iter().map(ToString::to_string).collect();
    let named = layers.iter().map(Layer::layer_digest).chain(failures.iter().map(LayerFailure::layer_digest));
    let asked_for = |(_, digest): Named| digest.is_some_and(|digest| digests.contains(digest));
    only(asked_for, named.map(|digest| (None, digest)), request)?;
    let (mut by_digest, mut failed): (ByDigest<Layer>, ByDigest<LayerFailure>) = Default::default();
    layers.iter().for_each(|layer| by_digest.entry(layer.layer_digest()).or_default().push(layer));
    failures.iter().for_each(|failure| failed.entry(failure.layer_digest()).or_default().push(failure));
    let mut answers = Vec::with_capacity(asked.len());
    for digest in asked {
        let text = digest.to_string();
        for layer in by_digest.get(&Some(&*text)).into_iter().flatten() {
            let state = layer.layer_availability().map(|state| state.as_str().to_ascii_lowercase());
            let known = state.map(|state| LayerState {
                state,
                bytes: layer.layer_size().and_then(|bytes| u64::try_from(bytes).ok()),
                media_type: layer.media_type().map(str::to_owned),
            });
            answers.extend(known.map(|state| (digest.clone(), Ok(state))));
        }
        for failure in failed.get(&Some(&*text)).into_iter().flatten() {
            answers.push((digest.clone(), Err(errors::of_layer(failure, request))));
        }
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecr::types::{LayerAvailability, LayerFailureCode};

    use super::{
        super::tests::{digest, hex},
        *,
    };
    use crate::error::Kind;

    #[test]
    fn a_layer_has_the_state_of_the_answer_and_both_forms_of_missing_are_reported() {
        let layer = |of, state| Layer::builder().layer_digest(hex(of)).layer_availability(state).build();
        let failed = |of, code: &str| {
            LayerFailure::builder().layer_digest(hex(of)).failure_code(LayerFailureCode::from(code)).build()
        };
        let asked = ['a', 'b', 'c', 'd', 'e', 'f'].map(digest);
        let there = [
            layer('c', LayerAvailability::Archived),
            layer('a', LayerAvailability::Available),
            layer('b', LayerAvailability::Unavailable),
        ];
        let answers =
            layers(&asked, &there, &[failed('d', "MissingLayerDigest"), failed('e', "InvalidLayerDigest")], None)
                .unwrap();
        let words: Vec<_> = answers
            .iter()
            .map(|(_, answer)| match answer {
                Ok(layer) => layer.state.clone(),
                Err(error) => format!("{:?}", error.kind),
            })
            .collect();
        assert_eq!(words, ["available", "unavailable", "archived", "NotFound", "Invalid"], "and nothing of the last");
        let stranger = layers(&asked[..1], &there, &[], None);
        assert_eq!(stranger.unwrap_err().kind, Kind::Unreadable);
    }
}
