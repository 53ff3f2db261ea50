//! Environments: where a live system is deployed, and what an operator says about that place.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::component::{IdError, plain_id};
use super::params::Params;
use crate::artifact::resolve::REGISTRY_UNRESOLVED;
use crate::artifact::{ReferenceError, RegistryMap};
use crate::fault::{Fault, chain};

/// Longest part of an environment's id, in characters.
const PART_MAX: usize = 128;

/// An environment's id: owner type, owner, short name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawId", into = "RawId")]
pub struct EnvironmentId {
    owner_type: Box<str>,
    owner_id: Box<str>,
    short_name: Box<str>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawId {
    #[serde(rename = "type")]
    owner_type: Option<String>,
    owner_id: Option<String>,
    short_name: String,
}

impl EnvironmentId {
    /// Checks the parts: letters, digits, `-`, `_` and `.` only, since they end up in paths.
    ///
    /// # Errors
    /// Where a part is empty, too long or holds another character.
    pub fn new(owner_type: &str, owner_id: &str, short_name: &str) -> Result<Self, IdError> {
        plain_id("environment type", owner_type, PART_MAX)?;
        if !owner_id.is_empty() {
            plain_id("environment owner id", owner_id, PART_MAX)?;
        }
        plain_id("environment short name", short_name, PART_MAX)?;
        Ok(Self {
            owner_type: owner_type.into(),
            owner_id: owner_id.into(),
            short_name: short_name.into(),
        })
    }

    /// The short name.
    #[must_use]
    pub fn short_name(&self) -> &str {
        &self.short_name
    }

    /// `type/ownerId/shortName`.
    #[must_use]
    pub fn path(&self) -> String {
        self.to_string()
    }
}

impl TryFrom<RawId> for EnvironmentId {
    type Error = IdError;

    /// A missing type means `Personal` and a missing owner is empty: that is how clients read it.
    fn try_from(raw: RawId) -> Result<Self, IdError> {
        Self::new(
            raw.owner_type.as_deref().unwrap_or("Personal"),
            raw.owner_id.as_deref().unwrap_or_default(),
            &raw.short_name,
        )
    }
}

impl From<EnvironmentId> for RawId {
    fn from(id: EnvironmentId) -> Self {
        Self {
            owner_type: Some(id.owner_type.into()),
            owner_id: Some(id.owner_id.into()),
            short_name: id.short_name.into(),
        }
    }
}

impl fmt::Display for EnvironmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}/{}",
            self.owner_type, self.owner_id, self.short_name
        )
    }
}

/// An environment as a live system carries it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Its id.
    pub id: EnvironmentId,
    /// What the operator says: `registries`, `provided`, `lambdaRoleArn`, ...
    #[serde(default)]
    pub parameters: Params,
}

impl Environment {
    /// `parameters.registries`: which registry each provider's artifacts are in.
    ///
    /// # Errors
    /// Where it is no map of texts, or one of them is no `host[/prefix]`.
    pub fn registries(&self) -> Result<RegistryMap, Fault> {
        let mut map = RegistryMap::default();
        for (provider, registry) in self.parameters.text_map("registries")? {
            let prefix = registry.parse().map_err(|error: ReferenceError| {
                let provider = provider.escape_debug();
                Fault::blocked(
                    REGISTRY_UNRESOLVED,
                    "a registry of the environment cannot be read",
                )
                .at(format!("environment.parameters.registries.{provider}"))
                .because(chain(&error))
                .next("write it as host or host/prefix")
            })?;
            if map.get(&provider).is_some_and(|known| *known != prefix) {
                let what = "two registries are mapped for one provider";
                let provider = provider.escape_debug();
                return Err(Fault::blocked(REGISTRY_UNRESOLVED, what)
                    .at(format!("environment.parameters.registries.{provider}"))
                    .because("providers are compared without case")
                    .next("keep one of them"));
            }
            map.insert(&provider, prefix);
        }
        Ok(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registries(map: serde_json::Value) -> Result<RegistryMap, Fault> {
        let id = serde_json::json!({"shortName": "dev"});
        let environment = serde_json::json!({"id": id, "parameters": {"registries": map}});
        let environment: Environment = serde_json::from_value(environment).unwrap();
        environment.registries()
    }

    #[test]
    fn registries_are_read_and_what_cannot_be_is_named() {
        let map = registries(serde_json::json!({"AWS": "a.example", "Azure": "b.example/x"}));
        assert_eq!(
            map.unwrap().get("azure").unwrap().to_string(),
            "b.example/x"
        );
        let same = serde_json::json!({"AWS": "a.example", "aws": "a.example"});
        assert!(registries(same).is_ok());
        let two = serde_json::json!({"AWS": "a.example", "aws": "b.example"});
        let fault = registries(two).unwrap_err();
        assert_eq!(fault.what, "two registries are mapped for one provider");
        let fault = registries(serde_json::json!({"AWS": "no host"})).unwrap_err();
        let place = "environment.parameters.registries.AWS";
        assert_eq!(fault.place.as_deref(), Some(place));
        assert!(registries(serde_json::json!({"AWS": []})).is_err());
    }
}
