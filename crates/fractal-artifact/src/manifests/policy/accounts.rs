//! The service accounts that an object names, wherever it names them.
//!
//! Pods run as one, bindings grant rights to one, and a Secret can ask for the token of one.
//! Custom resources hand a name on to the pods they make, so the fields count anywhere in an object that is no plain data.
//! Bindings name accounts as users and by groups too. Users and groups of another kind are none of it.

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
/// Stands for every name. A pattern with anything but stars does not match it.
const EVERY: &str = "*";
/// Before `namespace:name`, an account's name as a user.
const USER: &str = "system:serviceaccount:";
/// Before a namespace, the group of its accounts.
const GROUP: &str = "system:serviceaccounts:";
/// Groups that every account is in, that need no account at all, or that may act as any.
const GROUPS: [&str; 4] = [
    "system:serviceaccounts",
    "system:authenticated",
    "system:unauthenticated",
    "system:masters",
];

/// A service account, or [`EVERY`] one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Account {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Account {
    fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

/// An account, and how an object names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    pub(super) account: Account,
    /// Whether rights are bound to it, which can be done from any namespace.
    pub(super) is_subject: bool,
    group: Option<String>,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Account { namespace, name } = &self.account;
        write!(f, "{}/{}", namespace.escape_debug(), name.escape_debug())?;
        match &self.group {
            Some(group) => write!(f, " by the group {}", group.escape_debug()),
            None => Ok(()),
        }
    }
}

/// The accounts that an object in `namespace` names.
pub(super) fn named(object: &Object, namespace: &str) -> BTreeSet<Named> {
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
    accounts: BTreeSet<Named>,
}

impl Found<'_> {
    fn add(&mut self, name: &str) {
        self.accounts.insert(Named {
            account: Account::new(self.namespace, name),
            is_subject: false,
            group: None,
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
            self.accounts.extend(bound(subject, self.namespace));
        }
    }
}

/// The account that a binding's subject is, where it is one, or every account of a group.
fn bound(subject: &Value, namespace: &str) -> Option<Named> {
    let name = text(subject, "name")?;
    let kind = text(subject, "kind")?;
    let account = match kind {
        "ServiceAccount" => Account::new(text(subject, "namespace").unwrap_or(namespace), name),
        "User" => {
            let (namespace, name) = name.strip_prefix(USER)?.split_once(':')?;
            Account::new(namespace, name)
        }
        "Group" if GROUPS.contains(&name) => Account::new(EVERY, EVERY),
        "Group" => Account::new(name.strip_prefix(GROUP)?, EVERY),
        _ => return None,
    };
    Some(Named {
        account,
        is_subject: true,
        group: (kind == "Group").then(|| name.to_owned()),
    })
}
