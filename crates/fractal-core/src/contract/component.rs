//! Components and the names they go by.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::environment::{Environment, EnvironmentId};
use super::live_system::LiveSystemId;
use super::params::Params;
use crate::artifact::Digest;
use crate::fingerprint::canonical_json;

/// Longest component id, in characters.
const ID_MAX: usize = 128;
/// Longest offer type, in characters.
const OFFER_MAX: usize = 128;

/// Why a text is no id. Ids end up in file names, paths and cloud names, so their grammar is narrow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{shown}` {problem}")]
pub struct IdError {
    what: &'static str,
    shown: String,
    problem: String,
}

impl IdError {
    pub(super) fn new(what: &'static str, text: &str, problem: impl Into<String>) -> Self {
        let mut shown: String = text.chars().take(64).flat_map(char::escape_debug).collect();
        if text.chars().nth(64).is_some() {
            shown.push('…');
        }
        Self {
            what,
            shown,
            problem: problem.into(),
        }
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// It as text.
            #[must_use]
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> { $check(text)?; Ok(Self(text.into())) }
        }
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> { text.parse() }
        }
        impl From<$name> for String {
            fn from(id: $name) -> Self { id.0.into() }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
    };
}
pub(crate) use id;

id!(
    /// A component's id within its live system: letters, digits, `-`, `_` and `.`, beginning with a letter or digit.
    ComponentId, |text: &str| plain_id("component id", text, ID_MAX)
);
id!(
    /// An offer type, in its canonical spelling once it has passed [`super::wire`].
    Offer, |text: &str| plain_id("offer type", text, OFFER_MAX)
);

pub(crate) fn plain_id(what: &'static str, text: &str, max: usize) -> Result<(), IdError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() {
        return Err(IdError::new(what, text, "is empty"));
    }
    if text.len() > max {
        return Err(IdError::new(
            what,
            text,
            format!("has {} characters, at most {max} are allowed", text.len()),
        ));
    }
    if let Some((offset, c)) = text.char_indices().find(|(_, c)| !fits(*c)) {
        return Err(IdError::new(
            what,
            text,
            format!(
                "has `{}` at offset {offset}: letters, digits, `-`, `_` and `.` are allowed",
                c.escape_debug()
            ),
        ));
    }
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) || text.contains("..") {
        return Err(IdError::new(
            what,
            text,
            "must begin with a letter or digit and hold no `..`",
        ));
    }
    Ok(())
}

/// What the queue knows a component by. Changing its offer or environment makes another key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentKey {
    /// The live system it belongs to.
    pub live_system: LiveSystemId,
    /// Its id there.
    pub component: ComponentId,
    /// Its offer type.
    pub offer: Offer,
    /// The environment it is deployed into: the scope of an agent.
    pub environment: EnvironmentId,
}

impl ComponentKey {
    /// A short, stable name for the key: 32 hex digits.
    #[must_use]
    pub fn hash(&self) -> String {
        let parts = [
            self.live_system.as_str(),
            self.component.as_str(),
            self.offer.as_str(),
            &self.environment.path(),
        ];
        // Length-prefixed, so that no two keys join to the same text.
        let text: String = parts
            .iter()
            .map(|part| format!("{}:{part};", part.len()))
            .collect();
        Digest::sha256(text)
            .hex()
            .get(..32)
            .unwrap_or_default()
            .to_owned()
    }
}

impl fmt::Display for ComponentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.live_system, self.component)
    }
}

/// One component, everything an agent needs to know of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// The live system it belongs to.
    pub live_system: LiveSystemId,
    /// Its id.
    pub id: ComponentId,
    /// Its canonical offer type.
    pub offer: Offer,
    /// The type as the client sent it: statuses echo it.
    pub wire_type: String,
    /// The provider, where the offer names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Its parameters, under their canonical names.
    #[serde(default)]
    pub parameters: Params,
    /// Components that must exist before it.
    #[serde(default)]
    pub dependencies: Vec<ComponentId>,
    /// Links to other components.
    #[serde(default)]
    pub links: Vec<Link>,
    /// The environment, with its parameters.
    pub environment: Environment,
}

impl Component {
    /// Its key.
    #[must_use]
    pub fn key(&self) -> ComponentKey {
        ComponentKey {
            live_system: self.live_system.clone(),
            component: self.id.clone(),
            offer: self.offer.clone(),
            environment: self.environment.id.clone(),
        }
    }

    /// The digest of its canonical JSON: the address of its desired body in the store.
    ///
    /// # Errors
    /// Never for a component that was read from JSON.
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        Ok(Digest::sha256(canonical_json(self)?))
    }
}

/// A link to another component. Links say what is connected; they gate nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// The target.
    pub component_id: ComponentId,
    /// Free-form settings.
    #[serde(default)]
    pub settings: Params,
}
