//! Our marks on an object: metadata only, never a pod template or a selector, so that no mark ever restarts a pod.

use fractal_core::Fingerprint;
use fractal_core::artifact::Digest;
use fractal_core::reconcile::{InstallationId, Owner};
use serde_json::{Map, Value};

use crate::place::Place;

/// Annotation: whose it is, `<installation>/<hash of the component's key>`.
pub const OWNER: &str = "fractal.cloud/owner";
/// Annotation: the namespace whose inventory lists it. A component that moved takes its objects along by it.
pub const PLACE: &str = "fractal.cloud/place";
/// Annotation on the workload: the digest of the image it runs.
pub const DIGEST: &str = "fractal.cloud/digest";
/// Annotation on work that runs once: the hash of what it was started with.
pub const RUN: &str = "fractal.cloud/run";
/// Annotation a manifest sets to `true` on what is otherwise kept: it goes with its component.
pub const PRUNE: &str = "fractal.cloud/prune";
/// Label: whose installation made it. As a selector it finds every object of ours.
pub(crate) const INSTALLATION: &str = "fractal.cloud/installation";
/// Longest value of a label, in characters.
const LABEL_MAX: usize = 63;

/// Writes the marks into an object.
pub(crate) fn mark(
    object: &mut Value,
    (owner, place): (&Owner, &Place),
    digest: Option<&Digest>,
    run: Option<&Fingerprint>,
) {
    let annotations = [
        Some((OWNER, owner.marker())),
        Some((PLACE, place.namespace.clone())),
        digest.map(|digest| (DIGEST, digest.to_string())),
        run.map(|run| (RUN, run.to_string())),
    ];
    for (key, value) in annotations.into_iter().flatten() {
        set(object, "annotations", key, value);
    }
    set(
        object,
        "labels",
        INSTALLATION,
        installation(&owner.installation),
    );
}

/// An annotation of an object.
pub(crate) fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations")?.get(key)?.as_str()
}

/// As a label's value: an id that does not fit is hashed.
fn installation(id: &InstallationId) -> String {
    let text = id.to_string();
    let edge = |c: char| c.is_ascii_alphanumeric();
    if text.len() <= LABEL_MAX && text.starts_with(edge) && text.ends_with(edge) {
        return text;
    }
    Digest::sha256(text).hex().chars().take(40).collect()
}

fn set(object: &mut Value, map: &str, key: &str, value: String) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    let map = metadata
        .entry(map)
        .or_insert_with(|| Value::Object(Map::new()));
    if let Some(map) = map.as_object_mut() {
        map.insert(key.to_owned(), value.into());
    }
}
