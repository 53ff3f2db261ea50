//! What `desired` is a function of. Everything is resolved: no I/O stands behind any of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::value::Value;
use crate::artifact::{Digest, Facts, Reference};
use crate::contract::{ComponentId, Environment, Offer, ParamError, Params};
use crate::fault::{Fault, Reason};

/// A secret that a parameter refers to is not there.
pub const SECRET_MISSING: Reason = Reason::new("SecretMissing");

/// What a component offers to others, flat.
pub type Outputs = BTreeMap<String, String>;

/// A component's inputs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inputs {
    /// Its id.
    pub component: ComponentId,
    /// Its offer type.
    pub offer: Offer,
    /// The environment, with the operator's parameters.
    pub environment: Environment,
    /// The component's own parameters.
    pub parameters: Params,
    /// Outputs of the components it depends on.
    pub dependencies: BTreeMap<ComponentId, Outputs>,
    /// Components it links to. Their outputs may not be there yet.
    pub links: Vec<Peer>,
    /// Secrets that its parameters refer to, by name.
    pub secrets: BTreeMap<String, Value>,
}

/// The other end of a link.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Peer {
    /// Its id.
    pub component: ComponentId,
    /// The link's settings.
    pub settings: Params,
    /// What it offers, as far as it does already.
    pub outputs: Outputs,
}

impl Inputs {
    /// A parameter that maps names to values, each a text or `{"$envSecret": name}`.
    ///
    /// # Errors
    /// Where the parameter has another form (terminal) or a secret is missing (blocked).
    pub fn values(&self, name: &str) -> Result<BTreeMap<String, Value>, Fault> {
        let mut plain = self
            .parameters
            .object(name)?
            .unwrap_or_default()
            .as_map()
            .clone();
        let mut values = BTreeMap::new();
        let secrets: Vec<_> = plain
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), secret_name(value)?)))
            .collect();
        for (key, secret) in secrets {
            plain.remove(&key);
            values.insert(key.clone(), self.secret(name, &key, &secret)?);
        }
        let texts = Params::new(std::iter::once((name.to_owned(), plain.into())).collect())
            .text_map(name)?;
        values.extend(
            texts
                .into_iter()
                .map(|(key, text)| (key, Value::Plain(text))),
        );
        Ok(values)
    }

    fn secret(&self, parameter: &str, key: &str, secret: &str) -> Result<Value, Fault> {
        self.secrets.get(secret).cloned().ok_or_else(|| {
            Fault::blocked(
                SECRET_MISSING,
                format!("the environment has no secret `{}`", secret.escape_debug()),
            )
            .at(format!("parameters.{parameter}.{key}"))
            .next(format!(
                "add the secret `{}` to the environment, it is picked up by itself",
                secret.escape_debug()
            ))
        })
    }

    /// A fault without these inputs' secrets: a cloud may repeat what it was sent.
    #[must_use]
    pub fn hide(&self, fault: Fault) -> Fault {
        let sealed = self.secrets.values();
        fault.without(sealed.map(|secret| (secret.expose(), secret.to_string())))
    }

    /// A text parameter that has to be there.
    ///
    /// # Errors
    /// Where it is missing or no text.
    pub fn required_text(&self, name: &str) -> Result<&str, ParamError> {
        self.parameters
            .text(name)?
            .ok_or_else(|| ParamError::missing(name, "a text"))
    }
}

/// The name in `{"$envSecret": name}`.
fn secret_name(value: &serde_json::Value) -> Option<String> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    object.get("$envSecret")?.as_str().map(str::to_owned)
}

/// A resolved artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Where it was resolved from; a tag in it is for people only.
    pub reference: Reference,
    /// The digest it resolved to: a manifest's or an index's.
    pub digest: Digest,
}

impl Artifact {
    /// The repository pinned to the digest: what a cloud may be given.
    #[must_use]
    pub fn pinned(&self) -> Reference {
        self.reference.pinned(&self.digest)
    }
}

impl Serialize for Artifact {
    /// By digest only: a tag that moved without moving the digest changes nothing.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.pinned())
    }
}

/// An artifact, and what its bytes say.
#[derive(Debug, Clone)]
pub struct Release {
    /// The parameter that names it.
    pub parameter: &'static str,
    /// The artifact.
    pub artifact: Artifact,
    /// What was read out of it.
    pub facts: Arc<Facts>,
}

/// What is to run.
#[derive(Debug, Clone)]
pub struct Rollout {
    /// The release wanted.
    pub target: Release,
    /// What says how it runs, where that is an artifact of its own.
    pub beside: Vec<Release>,
}

impl Rollout {
    /// All releases.
    pub fn all(&self) -> impl Iterator<Item = &Release> {
        std::iter::once(&self.target).chain(&self.beside)
    }

    /// The release that a parameter names.
    #[must_use]
    pub fn of(&self, parameter: &str) -> Option<&Release> {
        self.all().find(|release| release.parameter == parameter)
    }

    /// All artifacts, in the order of the component's needs.
    #[must_use]
    pub fn artifacts(&self) -> Vec<&Artifact> {
        self.all().map(|release| &release.artifact).collect()
    }
}
