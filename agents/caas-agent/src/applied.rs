//! An object as it is sent to the API server: in its namespace, with our marks.

use fractal_core::reconcile::At;
use serde_json::Value;

use crate::desired::Wanted;
use crate::inventory::Entry;
use crate::marks;
use crate::place::{Memo, Place};

/// Ways to a pod's specification in Kubernetes' own kinds.
const PODS: [&str; 3] = [
    "/spec/template/spec",
    "/spec/jobTemplate/spec/template/spec",
    "/spec",
];

/// The object as it is applied.
pub(crate) fn applied(wanted: &Wanted, entry: &Entry, at: &At<Place, Memo>) -> Value {
    let mut object = wanted.object.clone();
    if let (Some(namespace), Some(metadata)) = (
        &entry.namespace,
        object.get_mut("metadata").and_then(Value::as_object_mut),
    ) {
        metadata.insert("namespace".to_owned(), namespace.clone().into());
    }
    if matches!(entry.group(), "" | "apps" | "batch") {
        both_account_names(&mut object);
    }
    marks::mark(
        &mut object,
        (&at.owner, &at.place),
        wanted.digest.as_ref(),
        wanted.run.as_ref(),
    );
    object
}

/// The object without a replica count: an autoscaler has it.
pub(crate) fn without_replicas(object: &mut Value) {
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("replicas");
    }
}

/// The API server copies `serviceAccountName` into the older `serviceAccount`, and back where only that is left: a name that is
/// dropped later goes only if both fields were applied.
fn both_account_names(object: &mut Value) {
    for path in PODS {
        let Some(pod) = object.pointer_mut(path).and_then(Value::as_object_mut) else {
            continue;
        };
        if !pod.contains_key("containers") || pod.contains_key("serviceAccount") {
            continue;
        }
        if let Some(name) = pod.get("serviceAccountName").cloned() {
            pod.insert("serviceAccount".to_owned(), name);
        }
    }
}
