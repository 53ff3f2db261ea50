//! The service accounts that an object names, wherever it names them.
//!
//! Pods run as one, bindings grant rights to one, and a Secret can ask for the token of one.
//! Custom resources hand a name on to the pods they make, so the fields count anywhere in an object that is no plain data.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use super::super::object::Object;
use super::super::pods::{self, text};

/// The account of pods that name none.
const DEFAULT: &str = "default";
/// Fields that name an account by a text.
const FIELDS: [&str; 2] = ["serviceAccountName", "serviceAccount"];
/// What asks for an account's token.
const TOKEN_ANNOTATION: &str = "kubernetes.io/service-account.name";

/// A service account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Account {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}",
            self.namespace.escape_debug(),
            self.name.escape_debug()
        )
    }
}

/// The accounts that an object in `namespace` names.
pub(super) fn named(object: &Object, namespace: &str) -> BTreeSet<Account> {
    let mut found = Found {
        namespace,
        accounts: BTreeSet::new(),
    };
    match (object.group(), object.kind()) {
        ("", "ConfigMap") => {}
        ("", "Secret") => found.token(object.value()),
        ("rbac.authorization.k8s.io", _) => found.subjects(object.value()),
        _ => {
            found.fields(object.value());
            for pod in pods::pods(object) {
                if FIELDS
                    .iter()
                    .all(|field| text(pod, field).is_none_or(str::is_empty))
                {
                    found.add(DEFAULT);
                }
            }
        }
    }
    found.accounts
}

struct Found<'a> {
    namespace: &'a str,
    accounts: BTreeSet<Account>,
}

impl Found<'_> {
    fn add(&mut self, name: &str) {
        self.accounts.insert(Account {
            namespace: self.namespace.to_owned(),
            name: name.to_owned(),
        });
    }

    fn fields(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.fields(item)),
            Value::Object(map) => {
                for field in FIELDS {
                    if let Some(name) = text(value, field).filter(|name| !name.is_empty()) {
                        self.add(name);
                    }
                }
                map.values().for_each(|value| self.fields(value));
            }
            _ => {}
        }
    }

    fn token(&mut self, secret: &Value) {
        let annotations = secret
            .get("metadata")
            .and_then(|metadata| metadata.get("annotations"));
        if let Some(name) = annotations.and_then(|it| text(it, TOKEN_ANNOTATION)) {
            self.add(name);
        }
    }

    fn subjects(&mut self, binding: &Value) {
        let subjects = binding.get("subjects").and_then(Value::as_array);
        for subject in subjects.into_iter().flatten() {
            if let ("ServiceAccount", Some(name)) = (
                text(subject, "kind").unwrap_or_default(),
                text(subject, "name"),
            ) {
                let namespace = text(subject, "namespace").unwrap_or(self.namespace);
                self.accounts.insert(Account {
                    namespace: namespace.to_owned(),
                    name: name.to_owned(),
                });
            }
        }
    }
}
