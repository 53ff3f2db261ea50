//! What is likely a mistake in a bundle, and no reason to refuse it.

use std::fmt;

use serde::Serialize;

use super::error::shown;
use super::object::{Identity, Object};
use super::parameters::Parameters;
use super::{pods, secrets};

/// What is likely a mistake. Values of parameters are never part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(
    tag = "warning",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[non_exhaustive]
pub enum Warning {
    /// A parameter looks like a secret in clear text. Everyone who may pull the bundle can read it.
    CleartextSecret {
        /// The entry of the parameters file.
        environment: String,
        /// The parameter.
        parameter: String,
    },
    /// An image whose tag moves: `latest`, or none at all.
    MovingTag {
        /// The object.
        object: Identity,
        /// The container.
        container: String,
    },
    /// The SDK's replicas were left out, since an autoscaler of the bundle sets them.
    ReplicasLeft {
        /// The autoscaler.
        autoscaler: Identity,
    },
}

impl Warning {
    /// What its reader does next.
    #[must_use]
    pub const fn next(&self) -> &'static str {
        match self {
            Self::CleartextSecret { .. } => {
                "keep it in a Kubernetes Secret and refer to it by `valueFrom.secretKeyRef`"
            }
            Self::MovingTag { .. } => "name a digest, or a tag that never moves",
            Self::ReplicasLeft { .. } => {
                "set the autoscaler's bounds, or remove it from the bundle"
            }
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CleartextSecret {
                environment,
                parameter,
            } => write!(
                f,
                "parameter {} of the environment {} looks like a secret in clear text",
                shown(parameter),
                shown(environment)
            ),
            Self::MovingTag { object, container } => write!(
                f,
                "container {} of {object} runs an image whose tag moves",
                shown(container)
            ),
            Self::ReplicasLeft { autoscaler } => {
                write!(f, "the component's replicas are left to {autoscaler}")
            }
        }
    }
}

/// Warns of secrets in every environment's entry: the whole file lies in the registry.
pub(super) fn secrets(parameters: &Parameters<'_>, warnings: &mut Vec<Warning>) {
    for entry in parameters.entries() {
        let suspicious = entry.values.iter().filter(|(name, value)| {
            secrets::looks_secret(name, value.as_str().unwrap_or_default())
        });
        warnings.extend(suspicious.map(|(name, _)| Warning::CleartextSecret {
            environment: entry.environment.clone(),
            parameter: name.clone(),
        }));
    }
}

pub(super) fn moving_tags(objects: &[Object], warnings: &mut Vec<Warning>) {
    for object in objects {
        let containers = pods::pods(object).flat_map(pods::containers);
        let moving = containers.filter(|container| {
            pods::text(container, "image").is_some_and(|image| tag(image) == Some("latest"))
        });
        warnings.extend(moving.map(|container| Warning::MovingTag {
            object: object.identity(),
            container: pods::text(container, "name").unwrap_or_default().to_owned(),
        }));
    }
}

/// The tag that decides what runs: none where a digest does.
pub(super) fn tag(image: &str) -> Option<&str> {
    if image.contains('@') {
        return None;
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    Some(last.split_once(':').map_or("latest", |(_, tag)| tag))
}
