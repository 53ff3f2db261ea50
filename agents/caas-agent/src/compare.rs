//! An object as it is, against what applying would make of it.

use fractal_artifact::manifests::looks_secret;
use fractal_core::artifact::Digest;
use serde_json::{Map, Value};

use crate::api::MANAGER;
use crate::observed::Change;

/// Metadata that the API server sets by itself.
const SERVER: [&str; 7] = [
    "managedFields",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "uid",
    "selfLink",
    "deletionTimestamp",
];
/// Annotation that the Deployment controller sets by itself, at any moment.
const REVISION: &str = "deployment.kubernetes.io/revision";
/// Longest value shown of a field, in characters.
const SHOWN: usize = 120;

/// What would change; empty where applying changes nothing. Fields that would only change hands count too.
pub(crate) fn changes(live: &Value, dry: &Value) -> Vec<Change> {
    let secret = live.get("kind").and_then(Value::as_str) == Some("Secret");
    let mut changes = Vec::new();
    for key in keys(live, dry) {
        if key == "status" {
            continue;
        }
        let path = Path {
            text: key.clone(),
            secret: secret && (key == "data" || key == "metadata"),
        };
        compare(&path, live.get(&key), dry.get(&key), &mut changes);
    }
    if changes.is_empty() && owned(live) != owned(dry) {
        changes.push(Change {
            path: "metadata.managedFields".to_owned(),
            from: None,
            to: Some("the fields this agent manages".to_owned()),
        });
    }
    changes
}

/// Whether a dry run started from the very version that was read: it answers with the version that is stored.
pub(crate) fn is_same_version(live: &Value, dry: &Value) -> bool {
    let version = |object: &Value| object.pointer("/metadata/resourceVersion").cloned();
    version(live) == version(dry)
}

/// The fields this agent manages, as the API server remembers them.
pub(crate) fn owned(object: &Value) -> Option<&Value> {
    managers(object)
        .find(|entry| is(entry, "manager", MANAGER) && is(entry, "operation", "Apply"))
        .and_then(|entry| entry.get("fieldsV1"))
}

/// Whether this agent has applied it.
pub(crate) fn is_managed(object: &Value) -> bool {
    owned(object).is_some()
}

/// Whether this agent alone manages `spec.replicas`: taken out of what it applies, the count would fall to its default.
pub(crate) fn alone_sets_replicas(object: &Value) -> bool {
    let holds = |entry: &Value| entry.pointer("/fieldsV1/f:spec/f:replicas").is_some();
    let mut holders = managers(object).filter(|entry| holds(entry)).peekable();
    holders.peek().is_some()
        && holders.all(|entry| is(entry, "manager", MANAGER) && is(entry, "operation", "Apply"))
}

/// Whether every field of `manager` was written by an update: by hand, mostly. What was applied is wanted by someone.
pub(crate) fn only_updates(object: &Value, manager: &str) -> bool {
    let mut theirs = managers(object).filter(|entry| is(entry, "manager", manager));
    theirs.all(|entry| is(entry, "operation", "Update"))
}

fn managers(object: &Value) -> impl Iterator<Item = &Value> {
    let entries = object.pointer("/metadata/managedFields");
    entries.and_then(Value::as_array).into_iter().flatten()
}

fn is(entry: &Value, key: &str, value: &str) -> bool {
    entry.get(key).and_then(Value::as_str) == Some(value)
}

/// A mark of an object that its status, and what controllers note down beside it, leave alone.
pub(crate) fn mark(object: &Value) -> String {
    let mut object = object.clone();
    if let Some(object) = object.as_object_mut() {
        // Items of a list say neither kind nor version.
        for key in ["status", "kind", "apiVersion"] {
            object.remove(key);
        }
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for key in SERVER.iter().filter(|key| **key != "uid") {
            metadata.remove(*key);
        }
        if let Some(annotations) = metadata
            .get_mut("annotations")
            .and_then(Value::as_object_mut)
        {
            annotations.remove(REVISION);
        }
    }
    let digest = Digest::sha256(object.to_string());
    digest.hex().chars().take(32).collect()
}

#[derive(Clone)]
struct Path {
    text: String,
    secret: bool,
}

impl Path {
    fn key(&self, key: &str) -> Self {
        let text = if key.contains('.') || key.contains('/') {
            format!("{}[{key}]", self.text)
        } else {
            format!("{}.{key}", self.text)
        };
        Self {
            text,
            secret: self.secret,
        }
    }

    /// Whether the last name on the way is a secret's: of `env[DB_PASSWORD].value` the variable's.
    fn looks_secret(&self, value: &Value) -> bool {
        let way = self.text.strip_suffix(".value").unwrap_or(&self.text);
        let name = way.rsplit(['.', '[']).next().unwrap_or_default();
        let name = name.trim_end_matches(']');
        let last_applied = name.contains("last-applied-configuration");
        last_applied || looks_secret(name, value.as_str().unwrap_or_default())
    }

    fn item(&self, index: usize, item: Option<&Value>) -> Self {
        let name = item
            .and_then(|item| item.get("name"))
            .and_then(Value::as_str);
        let text = name.map_or_else(
            || format!("{}[{index}]", self.text),
            |name| format!("{}[{name}]", self.text),
        );
        Self {
            text,
            secret: self.secret,
        }
    }
}

fn compare(path: &Path, from: Option<&Value>, to: Option<&Value>, changes: &mut Vec<Change>) {
    if from == to {
        return;
    }
    match (from, to) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => maps(path, a, b, changes),
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for index in 0..a.len().max(b.len()) {
                let (a, b) = (a.get(index), b.get(index));
                compare(&path.item(index, b.or(a)), a, b, changes);
            }
        }
        (from, to) => changes.push(Change {
            path: path.text.clone(),
            from: from.map(|value| shown(path, value)),
            to: to.map(|value| shown(path, value)),
        }),
    }
}

fn maps(path: &Path, a: &Map<String, Value>, b: &Map<String, Value>, changes: &mut Vec<Change>) {
    let skipped = |key: &str| match path.text.as_str() {
        "metadata" => SERVER.contains(&key),
        "metadata.annotations" => key == REVISION,
        _ => false,
    };
    let names = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
    for key in names.filter(|key| !skipped(key.as_str())) {
        compare(&path.key(key), a.get(key), b.get(key), changes);
    }
}

fn keys(a: &Value, b: &Value) -> Vec<String> {
    let of = |value: &Value| -> Vec<String> {
        value
            .as_object()
            .map(|map| map.keys().cloned().collect())
            .unwrap_or_default()
    };
    let mut all = of(a);
    all.extend(of(b).into_iter().filter(|key| a.get(key).is_none()));
    all
}

/// A value as people see it: what a Secret holds never, nor what is called like a secret.
fn shown(path: &Path, value: &Value) -> String {
    if path.secret || path.looks_secret(value) {
        return "<secret>".to_owned();
    }
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(live: &Value, dry: &Value) -> Vec<String> {
        changes(live, dry).into_iter().map(|it| it.path).collect()
    }

    #[test]
    fn status_and_the_servers_own_metadata_are_no_change() {
        let live = json!({ "kind": "Service", "metadata": { "name": "a", "resourceVersion": "1", "uid": "x" }, "status": { "a": 1 } });
        let dry = json!({ "kind": "Service", "metadata": { "name": "a", "resourceVersion": "1", "uid": "x", "generation": 2 } });
        assert_eq!(changes(&live, &dry), []);
    }

    #[test]
    fn a_change_says_where_by_the_containers_name() {
        let of = |image| json!({ "spec": { "containers": [{ "name": "app", "image": image }], "replicas": 1 } });
        let mut dry = of("b");
        dry["metadata"] = json!({ "labels": { "a.b/c": "d" } });
        assert_eq!(
            paths(&of("a"), &dry),
            ["spec.containers[app].image", "metadata"]
        );
    }

    #[test]
    fn what_the_deployment_controller_notes_down_is_no_change() {
        let of = |annotations: Value| json!({ "metadata": { "annotations": annotations } });
        let live = of(json!({ "a": "b" }));
        assert_eq!(changes(&live, &of(json!({ "a": "b", REVISION: "1" }))), []);
        assert!(!is_same_version(
            &json!({ "metadata": { "resourceVersion": "1" } }),
            &json!({ "metadata": { "resourceVersion": "2" } })
        ));
    }

    #[test]
    fn a_secrets_data_is_never_shown() {
        let of = |value| json!({ "kind": "Secret", "data": { "password": value } });
        let changes = changes(&of("aHVudGVyMg=="), &of("aHVudGVyMw=="));
        let shown = format!("{changes:?}");
        assert!(
            shown.contains("data.password") && !shown.contains("aHVud"),
            "{shown}"
        );
    }

    #[test]
    fn fields_that_change_hands_are_a_change() {
        let of = |fields: Value| json!({ "metadata": { "managedFields": [{ "manager": MANAGER, "operation": "Apply", "fieldsV1": fields }] } });
        let (live, dry) = (of(json!({ "f:spec": { "f:replicas": {} } })), of(json!({})));
        assert_eq!(paths(&live, &dry), ["metadata.managedFields"]);
        assert!(alone_sets_replicas(&live) && !alone_sets_replicas(&dry));
    }
}
