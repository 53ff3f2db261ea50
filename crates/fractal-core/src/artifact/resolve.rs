//! From an abstract coordinate to a concrete registry: a pure choice that explains itself.

use std::collections::BTreeMap;

use super::reference::{ArtifactUri, Reference, ReferenceError, RegistryHost, Repository};
use crate::fault::Reason;

/// There is no registry to look an abstract coordinate up in.
pub const REGISTRY_UNRESOLVED: Reason = Reason::new("RegistryUnresolved");

/// Where one provider's artifacts live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryPrefix {
    host: RegistryHost,
    prefix: Option<Repository>,
}

impl std::str::FromStr for RegistryPrefix {
    type Err = ReferenceError;

    /// Reads `host[/prefix]`.
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let text = text
            .strip_prefix("oci://")
            .unwrap_or(text)
            .trim_end_matches('/');
        let (host, prefix) = text
            .split_once('/')
            .map_or((text, None), |(host, prefix)| (host, Some(prefix)));
        Ok(Self {
            host: host.parse()?,
            prefix: prefix.map(str::parse).transpose()?,
        })
    }
}

impl RegistryPrefix {
    /// The registry, without the prefix.
    #[must_use]
    pub const fn host(&self) -> &RegistryHost {
        &self.host
    }
}

impl std::fmt::Display for RegistryPrefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.host.fmt(f)?;
        self.prefix
            .as_ref()
            .map_or(Ok(()), |prefix| write!(f, "/{prefix}"))
    }
}

/// `environment.parameters.registries`: provider to registry. Providers compare without case, and keep the spelling they have there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegistryMap(BTreeMap<String, (String, RegistryPrefix)>);

impl RegistryMap {
    /// Adds one provider's registry.
    pub fn insert(&mut self, provider: &str, registry: RegistryPrefix) {
        let key = provider.to_ascii_lowercase();
        self.0.insert(key, (provider.to_owned(), registry));
    }

    /// A provider's registry.
    #[must_use]
    pub fn get(&self, provider: &str) -> Option<&RegistryPrefix> {
        self.entry(provider).map(|(_, registry)| registry)
    }

    /// The providers that are mapped.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(|(provider, _)| provider.as_str())
    }

    fn entry(&self, provider: &str) -> Option<&(String, RegistryPrefix)> {
        self.0.get(&provider.to_ascii_lowercase())
    }
}

/// A resolved reference, and why it is this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The concrete reference.
    pub reference: Reference,
    /// Where the choice comes from, for people.
    pub because: String,
}

/// Why there is no concrete registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// Neither environment nor agent names a registry for the provider.
    #[error("`{coordinate}` names no registry, and none is mapped for {provider}{known}")]
    NoRegistry {
        /// The abstract coordinate.
        coordinate: String,
        /// The provider asked for.
        provider: String,
        /// Providers that are mapped, for people.
        known: String,
    },
    /// Prefix and repository together are no repository name.
    #[error("the registry prefix and the coordinate do not join to a repository name")]
    Join(#[source] ReferenceError),
    /// A local layout where a registry is needed.
    #[error("`{0}` is a local layout, which no cloud can pull")]
    Layout(String),
}

/// Resolves `uri` for `provider`: a reference with a host stays as it is, an abstract one is looked up in the
/// environment's map and then in the agent's own registry.
///
/// # Errors
/// Where no registry is mapped, the names do not join, or the artifact is a local layout.
pub fn resolve(
    uri: &ArtifactUri,
    provider: &str,
    environment: &RegistryMap,
    agent: Option<&RegistryPrefix>,
) -> Result<Resolution, ResolveError> {
    let coordinate = match uri {
        ArtifactUri::Registry(reference) => {
            return Ok(Resolution {
                reference: reference.clone(),
                because: "the reference names its registry".into(),
            });
        }
        ArtifactUri::Layout(layout) => return Err(ResolveError::Layout(layout.to_string())),
        ArtifactUri::Abstract(coordinate) => coordinate,
    };
    let (registry, because) = match (environment.entry(provider), agent) {
        (Some((key, registry)), _) => {
            (registry, format!("environment.parameters.registries.{key}"))
        }
        (None, Some(registry)) => (registry, "the agent's --registry".to_owned()),
        (None, None) => {
            let known: Vec<&str> = environment.providers().collect();
            let known = if known.is_empty() {
                String::new()
            } else {
                format!(" (mapped: {})", known.join(", "))
            };
            return Err(ResolveError::NoRegistry {
                coordinate: coordinate.to_string(),
                provider: provider.into(),
                known,
            });
        }
    };
    let reference = coordinate
        .at(registry.host.clone(), registry.prefix.as_ref())
        .map_err(ResolveError::Join)?;
    Ok(Resolution { reference, because })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> RegistryMap {
        let mut map = RegistryMap::default();
        map.insert(
            "AWS",
            "1.dkr.ecr.eu-central-1.amazonaws.com".parse().unwrap(),
        );
        map.insert("Azure", "acr.azurecr.io/team".parse().unwrap());
        map
    }

    #[test]
    fn the_environment_decides_before_the_agent() {
        let agent = "agent.example.com".parse().unwrap();
        let check = |provider, expected: &str| {
            let resolution =
                resolve(&"orders:1".parse().unwrap(), provider, &map(), Some(&agent)).unwrap();
            assert_eq!(resolution.reference.to_string(), expected);
        };
        check("aws", "1.dkr.ecr.eu-central-1.amazonaws.com/orders:1");
        check("Azure", "acr.azurecr.io/team/orders:1");
        check("GCP", "agent.example.com/orders:1");
    }

    #[test]
    fn a_reference_with_a_host_is_used_as_it_is() {
        let resolution = resolve(&"h.io/x:1".parse().unwrap(), "AWS", &map(), None).unwrap();
        assert_eq!(resolution.reference.to_string(), "h.io/x:1");
    }

    #[test]
    fn an_unmapped_provider_says_which_are_mapped() {
        let error = resolve(&"orders:1".parse().unwrap(), "GCP", &map(), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`orders:1` names no registry, and none is mapped for GCP (mapped: AWS, Azure)"
        );
    }
}
