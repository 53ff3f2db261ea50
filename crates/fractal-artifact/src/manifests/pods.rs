//! Where an object holds the specification of pods.

use serde_json::Value;

use super::object::Object;

/// Ways from an object to a pod's specification: pods, pod templates, cron jobs, and everything that has a template.
const PATHS: [&[&str]; 4] = [
    &["spec"],
    &["spec", "template", "spec"],
    &["spec", "jobTemplate", "spec", "template", "spec"],
    &["template", "spec"],
];

/// The pod specifications of an object, custom resources with a pod template at the usual places included.
pub(super) fn pods(object: &Object) -> impl Iterator<Item = &Value> {
    PATHS.into_iter().filter_map(|path| {
        let pod = path
            .iter()
            .try_fold(object.value(), |value, field| value.get(field))?;
        pod.get("containers")
            .is_some_and(Value::is_array)
            .then_some(pod)
    })
}

/// A pod's containers, init containers first.
pub(super) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers"]
        .into_iter()
        .filter_map(|field| pod.get(field)?.as_array())
        .flatten()
}

/// A field of a value as text.
pub(super) fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field).and_then(Value::as_str)
}
