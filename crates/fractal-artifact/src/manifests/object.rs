//! One Kubernetes object of a bundle, and what makes it one that can be applied by name.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use serde::Serialize;
use serde_json::Value;

use super::error::{ManifestError, Problem, shown};
use super::yaml::Document;

/// Largest object taken, in bytes of JSON: etcd refuses requests of 1.5 MiB, and the server adds its own fields.
pub const OBJECT_MAX: usize = 1024 * 1024;
/// Most bytes of all annotations of an object, keys and values: the API server's own limit.
pub const ANNOTATIONS_MAX: usize = 256 * 1024;
/// Fields that only the cluster sets; server-side apply refuses or misreads an object that brings them.
const SERVER_FIELDS: [&str; 3] = ["managedFields", "resourceVersion", "uid"];

/// One object as it is to be applied. It has `apiVersion`, `kind` and `metadata.name`, all of them texts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Object {
    value: Value,
    #[serde(skip)]
    line: usize,
}

/// What tells objects apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Identity {
    /// The API group, empty for the core group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The namespace as the object says it: none for cluster-scoped objects, and where the default one is meant.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.group.is_empty() {
            write!(f, "{}/", self.group.escape_debug())?;
        }
        write!(f, "{} ", self.kind.escape_debug())?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{}/", namespace.escape_debug())?;
        }
        write!(f, "{}", self.name.escape_debug())
    }
}

impl Object {
    pub(super) fn new(file: &str, document: Document) -> Result<Self, ManifestError> {
        let Document { value, line } = document;
        match problem(&value) {
            None => Ok(Self { value, line }),
            Some(problem) => Err(ManifestError::Object {
                file: file.to_owned(),
                line,
                object: label(&value),
                problem,
            }),
        }
    }

    /// The `apiVersion`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        text(&self.value, "apiVersion")
    }

    /// The `kind`.
    #[must_use]
    pub fn kind(&self) -> &str {
        text(&self.value, "kind")
    }

    /// The API group, empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version()
            .split_once('/')
            .map_or("", |(group, _)| group)
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.value
            .get("metadata")
            .map_or("", |metadata| text(metadata, "name"))
    }

    /// The namespace, where the object says one.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.value.get("metadata")?.get("namespace")?.as_str()
    }

    /// What tells it apart.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity {
            group: self.group().to_owned(),
            kind: self.kind().to_owned(),
            namespace: self.namespace().map(str::to_owned),
            name: self.name().to_owned(),
        }
    }

    /// The object itself.
    #[must_use]
    pub const fn value(&self) -> &Value {
        &self.value
    }

    /// The object itself.
    #[must_use]
    pub fn into_value(self) -> Value {
        self.value
    }

    /// Where its document begins in the manifest, from 1, after substitution.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }

    pub(super) const fn value_mut(&mut self) -> &mut Value {
        &mut self.value
    }

    /// Group, kind, namespace and name, borrowed.
    fn key(&self) -> (&str, &str, Option<&str>, &str) {
        (self.group(), self.kind(), self.namespace(), self.name())
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// How an object is called before it is known to be one.
fn label(value: &Value) -> String {
    let kind = text(value, "kind");
    let name = value
        .get("metadata")
        .map_or("", |metadata| text(metadata, "name"));
    match (kind, name) {
        ("", _) => "a document".into(),
        (kind, "") => format!("a document of kind {}", shown(kind)),
        (kind, name) => format!("{} {}", shown(kind), shown(name)),
    }
}

fn problem(value: &Value) -> Option<Problem> {
    let Value::Object(root) = value else {
        return Some(Problem::NoMapping);
    };
    if text(value, "kind").ends_with("List") && root.get("items").is_some_and(Value::is_array) {
        return Some(Problem::List);
    }
    for field in ["apiVersion", "kind"] {
        match root.get(field).and_then(Value::as_str) {
            None | Some("") => return Some(Problem::Field(field)),
            Some(text) if !is_type_name(text, field) => return Some(Problem::Path(field)),
            Some(_) => {}
        }
    }
    root.get("metadata")
        .map_or(Some(Problem::Field("metadata.name")), metadata_problem)
}

fn metadata_problem(metadata: &Value) -> Option<Problem> {
    let field = |name: &str| metadata.get(name).filter(|value| !value.is_null());
    match field("name").map(Value::as_str) {
        None if field("generateName").is_some() => return Some(Problem::GeneratedName),
        None | Some(None | Some("")) => return Some(Problem::Field("metadata.name")),
        Some(Some(name)) if !is_segment(name) => return Some(Problem::Path("metadata.name")),
        Some(Some(_)) => {}
    }
    match field("namespace").map(Value::as_str) {
        None => {}
        Some(None | Some("")) => return Some(Problem::Field("metadata.namespace")),
        Some(Some(namespace)) if !is_segment(namespace) => {
            return Some(Problem::Path("metadata.namespace"));
        }
        Some(Some(_)) => {}
    }
    SERVER_FIELDS
        .into_iter()
        .find(|name| field(name).is_some())
        .map(Problem::ServerField)
}

/// `group/version`, `version` or a kind: letters, digits, dots and dashes.
fn is_type_name(text: &str, field: &str) -> bool {
    const LENGTH_MAX: usize = 317;
    let slashes = usize::from(field == "apiVersion");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    text.len() <= LENGTH_MAX
        && text.matches('/').count() <= slashes
        && text
            .split('/')
            .all(|part| is_segment(part) && part.bytes().all(plain))
}

/// What Kubernetes takes as one segment of an API path; the rules of each kind are the API server's.
fn is_segment(text: &str) -> bool {
    const LENGTH_MAX: usize = 253;
    !matches!(text, "" | "." | "..")
        && text.len() <= LENGTH_MAX
        && !text.contains(['/', '%'])
        && !text.contains(char::is_control)
}

/// Refuses two documents that are one and the same object. An object's version plays no part: the API server stores one of them.
pub(super) fn check_distinct(file: &str, objects: &[Object]) -> Result<(), ManifestError> {
    let mut seen = BTreeMap::new();
    for object in objects {
        if let Some(first) = seen.insert(object.key(), object.line) {
            return Err(ManifestError::Object {
                file: file.to_owned(),
                line: object.line,
                object: object.identity().to_string(),
                problem: Problem::Twice { first },
            });
        }
    }
    Ok(())
}

/// Refuses objects larger than the API server stores.
pub(super) fn check_sizes(objects: &[Object]) -> Result<(), ManifestError> {
    objects.iter().try_for_each(|object| {
        let found = annotations_size(&object.value);
        if found > ANNOTATIONS_MAX {
            return Err(too_large(object, found, ANNOTATIONS_MAX));
        }
        match json_size(&object.value) {
            found if found > OBJECT_MAX => Err(too_large(object, found, OBJECT_MAX)),
            _ => Ok(()),
        }
    })
}

fn too_large(object: &Object, found: usize, max: usize) -> ManifestError {
    ManifestError::TooLarge {
        object: object.identity(),
        found,
        max,
    }
}

fn annotations_size(value: &Value) -> usize {
    let annotations = value
        .get("metadata")
        .and_then(|metadata| metadata.get("annotations"))
        .and_then(Value::as_object);
    annotations
        .into_iter()
        .flatten()
        .fold(0, |size, (key, value)| {
            size + key.len() + value.as_str().map_or(0, str::len)
        })
}

/// Bytes of a value as compact JSON.
fn json_size(value: &Value) -> usize {
    let mut count = Count(0);
    match serde_json::to_writer(&mut count, value) {
        Ok(()) => count.0,
        Err(_) => usize::MAX,
    }
}

struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
