//! What was made for a component, kept in the cluster beside it: a ConfigMap that lists every object.
//!
//! It names an object before that is made and until its deletion is confirmed, so nothing is ever lost.

use std::cmp::Ordering;
use std::fmt;

use fractal_core::reconcile::Owner;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::place::Place;

/// The label every inventory has, beside the marks of all our objects.
pub(crate) const LABEL: &str = "fractal.cloud/inventory";
/// The annotation that names the component.
const COMPONENT: &str = "fractal.cloud/component-id";
const KEY: &str = "objects.json";

/// One object. Two entries are the same object whatever version of its group they are written in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// `group/version`, or `v1`.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// The namespace, of namespaced kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl Entry {
    /// The API group; empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or("", |(group, _)| group)
    }

    fn key(&self) -> (&str, &str, Option<&str>, &str) {
        (
            self.group(),
            &self.kind,
            self.namespace.as_deref(),
            &self.name,
        )
    }

    /// Of an object as it is written; `namespace` is where objects go that name none.
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        let text = |pointer| value.pointer(pointer).and_then(Value::as_str);
        Some(Self {
            api_version: text("/apiVersion")?.to_owned(),
            kind: text("/kind")?.to_owned(),
            namespace: text("/metadata/namespace").map(str::to_owned),
            name: text("/metadata/name")?.to_owned(),
        })
    }

    /// Whether it is a kind of Kubernetes' own: what such a kind takes is the same in every cluster.
    #[must_use]
    pub fn is_builtin(&self) -> bool {
        let group = self.group();
        !group.contains('.') || group.ends_with(".k8s.io")
    }

    /// Whether it stays when the component goes, unless its manifest asks for its end: what holds data, and what others live in.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        matches!(
            (self.group(), self.kind.as_str()),
            (
                "",
                "Namespace" | "PersistentVolumeClaim" | "PersistentVolume"
            ) | ("apiextensions.k8s.io", "CustomResourceDefinition")
        )
    }

    /// Whether several components may rely on it: it is made where it is missing, and left alone where someone else made it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(
            (self.group(), self.kind.as_str()),
            ("", "Namespace") | ("apiextensions.k8s.io", "CustomResourceDefinition")
        )
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.group() {
            "" => write!(f, "{} ", self.kind)?,
            group => write!(f, "{group}/{} ", self.kind)?,
        }
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(&self.name)
    }
}

/// The inventory's own name.
pub(crate) fn name(owner: &Owner) -> String {
    format!("fractal-{}", owner.component.hash())
}

/// Whether an object is named like an inventory: a bundle that held one would fight with it.
pub(crate) fn is_name(entry: &Entry) -> bool {
    let hash = entry.name.strip_prefix("fractal-");
    let hash = hash.is_some_and(|it| it.len() == 32 && it.bytes().all(|b| b.is_ascii_hexdigit()));
    hash && entry.group().is_empty() && entry.kind == "ConfigMap"
}

/// The ConfigMap that lists `entries`, without marks.
pub(crate) fn object(owner: &Owner, place: &Place, entries: &[Entry]) -> Value {
    let mut entries: Vec<&Entry> = entries.iter().collect();
    entries.sort();
    let list = serde_json::to_string(&entries).unwrap_or_default();
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": name(owner), "namespace": place.namespace,
            "labels": { LABEL: "true" },
            "annotations": { COMPONENT: place.component },
        },
        "data": { KEY: list },
    })
}

/// The entries of an inventory. One that cannot be read counts as empty only where it has no list at all.
pub(crate) fn entries(object: &Value) -> Result<Vec<Entry>, String> {
    let Some(list) = object.pointer("/data").and_then(|data| data.get(KEY)) else {
        return Ok(Vec::new());
    };
    let text = list.as_str().unwrap_or_default();
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// The place an inventory is of.
pub(crate) fn place(object: &Value) -> Option<Place> {
    let annotations = object.pointer("/metadata/annotations")?;
    let namespace = object.pointer("/metadata/namespace")?.as_str()?;
    let name = object.pointer("/metadata/name")?.as_str()?;
    Some(Place {
        namespace: namespace.to_owned(),
        component: annotations.get(COMPONENT)?.as_str()?.to_owned(),
        key: name.strip_prefix("fractal-")?.to_owned(),
    })
}
