//! The operator's policy for bundles: which kinds, namespaces and service accounts one may name.
//!
//! Without a policy a bundle may hold whatever the agent's own role may write. A policy narrows that, and never widens it.
//! It is compared with what objects say, not with the cluster: whether a custom kind has namespaces is not known here.

mod accounts;
mod pattern;
mod scope;

use fractal_core::fault::chain;
use serde::Serialize;
use serde_json::{Map, Value};

use super::error::ManifestError;
use super::object::Object;
use super::warning::Warning;
use super::yaml::{self, Scalars, YamlError};
use accounts::Account;
use pattern::Pattern;
use scope::is_cluster_wide;

/// Most patterns in one list.
const PATTERNS_MAX: usize = 256;
/// Most offenders that are listed.
const OFFENDERS_MAX: usize = 256;

/// What a policy says of secrets in clear text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CleartextSecrets {
    /// They are a warning.
    #[default]
    Warn,
    /// The bundle is refused.
    Refuse,
}

/// What bundles may hold. The default allows everything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    #[serde(skip_serializing_if = "Option::is_none")]
    kinds: Option<Vec<Pattern>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespaces: Option<Vec<Pattern>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_accounts: Option<Vec<Pattern>>,
    cleartext_secrets: CleartextSecrets,
}

impl Policy {
    /// Reads a policy file: `kinds`, `namespaces` and `serviceAccounts` are lists of names with `*` for any characters,
    /// `cleartextSecrets` is `warn` or `refuse`. A list that is not there narrows nothing; an empty one allows nothing.
    ///
    /// # Errors
    /// Where it is no such file. A key that is not known is an error: a misspelt one would narrow nothing.
    pub fn parse(yaml: &str) -> Result<Self, ManifestError> {
        let documents = yaml::text(yaml)
            .and_then(|text| yaml::documents(text, Scalars::Verbatim))
            .map_err(unreadable)?;
        let mut documents = documents.into_iter();
        match (documents.next().map(|it| it.value), documents.next()) {
            (None, _) => Ok(Self::default()),
            (Some(Value::Object(root)), None) => Self::from_map(root),
            _ => Err(invalid("it must be one mapping")),
        }
    }

    fn from_map(root: Map<String, Value>) -> Result<Self, ManifestError> {
        let mut policy = Self::default();
        for (key, value) in root {
            match key.as_str() {
                "kinds" => policy.kinds = Some(patterns("kinds", value)?),
                "namespaces" => policy.namespaces = Some(patterns("namespaces", value)?),
                "serviceAccounts" => {
                    policy.service_accounts = Some(patterns("serviceAccounts", value)?);
                }
                "cleartextSecrets" => policy.cleartext_secrets = cleartext(&value)?,
                _ => {
                    return Err(invalid(&format!(
                        "it has an unknown key `{}`",
                        key.escape_debug()
                    )));
                }
            }
        }
        Ok(policy)
    }

    /// Checks a whole bundle before anything of it is applied.
    ///
    /// Objects without a namespace are taken to be meant for `default_namespace`, unless their kind is known to have none.
    ///
    /// # Errors
    /// Where anything is not allowed; every offender is listed, up to 256.
    pub fn check(
        &self,
        objects: &[Object],
        default_namespace: &str,
        warnings: &[Warning],
    ) -> Result<(), ManifestError> {
        let mut offenders = Vec::new();
        for object in objects {
            self.kind(object, &mut offenders);
            self.namespace(object, default_namespace, &mut offenders);
            self.accounts(object, default_namespace, &mut offenders);
        }
        self.secrets(warnings, &mut offenders);
        offenders.truncate(OFFENDERS_MAX);
        if offenders.is_empty() {
            Ok(())
        } else {
            Err(ManifestError::Denied { offenders })
        }
    }

    fn kind(&self, object: &Object, offenders: &mut Vec<String>) {
        let Some(kinds) = &self.kinds else { return };
        if !kinds.iter().any(|pattern| pattern.matches_kind(object)) {
            offenders.push(format!("{} (kind)", object.identity()));
        }
    }

    fn namespace(&self, object: &Object, default: &str, offenders: &mut Vec<String>) {
        let Some(namespaces) = &self.namespaces else {
            return;
        };
        let allowed = |namespace: &str| namespaces.iter().any(|it| it.matches(namespace));
        let fits = match (object.group(), object.kind()) {
            ("", "Namespace") => allowed(object.name()),
            (group, kind) if is_cluster_wide(group, kind) => self.names_exactly(object),
            _ => allowed(object.namespace().unwrap_or(default)),
        };
        if !fits {
            offenders.push(format!("{} (namespace)", object.identity()));
        }
    }

    /// Whether `kinds` has the object's kind by its full name, no `*` in it.
    fn names_exactly(&self, object: &Object) -> bool {
        let mut kinds = self.kinds.iter().flatten();
        kinds.any(|pattern| pattern.is_literal() && pattern.matches_kind(object))
    }

    fn accounts(&self, object: &Object, default: &str, offenders: &mut Vec<String>) {
        let namespace = object.namespace().unwrap_or(default);
        for named in accounts::named(object, namespace) {
            if !self.allows_account(&named.account) {
                offenders.push(format!("{} (service account {named})", object.identity()));
            } else if named.is_subject && !self.allows_namespace_of(&named.account) {
                offenders.push(format!(
                    "{} (namespace of the service account {named})",
                    object.identity()
                ));
            }
        }
    }

    fn allows_account(&self, account: &Account) -> bool {
        let allowed = self.service_accounts.as_deref();
        allowed.is_none_or(|it| it.iter().any(|it| it.matches_account(account)))
    }

    /// Rights may be bound to accounts of other namespaces only where `serviceAccounts` has them by their full name.
    fn allows_namespace_of(&self, account: &Account) -> bool {
        let namespaces = self.namespaces.as_deref();
        let mut accounts = self.service_accounts.iter().flatten();
        namespaces.is_none_or(|it| it.iter().any(|it| it.matches(&account.namespace)))
            || accounts.any(|it| it.is_full_account() && it.matches_account(account))
    }

    fn secrets(&self, warnings: &[Warning], offenders: &mut Vec<String>) {
        if self.cleartext_secrets == CleartextSecrets::Warn {
            return;
        }
        let secrets = warnings
            .iter()
            .filter(|warning| matches!(warning, Warning::CleartextSecret { .. }));
        offenders.extend(secrets.map(Warning::to_string));
    }
}

fn patterns(key: &str, value: Value) -> Result<Vec<Pattern>, ManifestError> {
    let Value::Array(items) = value else {
        return Err(invalid(&format!("`{key}` must be a list")));
    };
    if items.len() > PATTERNS_MAX {
        return Err(invalid(&format!(
            "`{key}` has more than {PATTERNS_MAX} entries"
        )));
    }
    let pattern = |item: Value| match item {
        Value::String(text) => Pattern::parse(text).map_err(|problem| invalid(&chain(&problem))),
        _ => Err(invalid(&format!("`{key}` must be a list of texts"))),
    };
    items.into_iter().map(pattern).collect()
}

fn cleartext(value: &Value) -> Result<CleartextSecrets, ManifestError> {
    match value.as_str() {
        Some("warn") => Ok(CleartextSecrets::Warn),
        Some("refuse") => Ok(CleartextSecrets::Refuse),
        _ => Err(invalid("`cleartextSecrets` must be `warn` or `refuse`")),
    }
}

fn invalid(problem: &str) -> ManifestError {
    ManifestError::Policy(problem.to_owned())
}

fn unreadable(source: YamlError) -> ManifestError {
    match source {
        YamlError::Budget { what, line, .. } => invalid(&format!("line {line} has {what}")),
        YamlError::Syntax {
            line,
            column,
            problem,
        } => invalid(&format!("line {line}, column {column}: {problem}")),
    }
}
