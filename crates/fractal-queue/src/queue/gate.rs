//! Dependencies: they gate the first creation and changed inputs, and deletion waits for dependents.
//!
//! A component that is in sync is never gated: a dependency that fails does not stop the repair of drift.

use std::collections::{BTreeMap, BTreeSet};

use fractal_core::contract::{Component, ComponentId};
use serde_json::Value;

use super::{Queue, presence};
use crate::document::component::ComponentDocument;
use crate::document::key;
use crate::error::QueueError;

/// Outputs of a component's dependencies, by their ids.
pub type DependencyOutputs = BTreeMap<ComponentId, BTreeMap<String, String>>;

/// Whether a component may be worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// It may; these are its dependencies' outputs, those of unready ones absent.
    Ready(DependencyOutputs),
    /// It may not yet.
    Waiting {
        /// The component waited for.
        on: ComponentId,
        /// What it lacks, for people.
        why: String,
    },
}

impl Queue {
    /// Whether a component may be worked on. `body` is its desired body, `None` where it is being removed.
    ///
    /// # Errors
    /// Where the store fails or a document cannot be read.
    pub async fn gate(
        &self,
        document: &ComponentDocument,
        body: Option<&Component>,
    ) -> Result<Gate, QueueError> {
        let id = &document.key.live_system;
        let Some(body) = body else {
            return Ok(deletion(document, &self.components(id).await?));
        };
        let mut siblings = Vec::new();
        for dependency in &body.dependencies {
            siblings.extend(self.read_all(&key::component_of(id, dependency)).await?);
        }
        let settled = document.synced == document.generation;
        let mut outputs = DependencyOutputs::new();
        for id in &body.dependencies {
            match look(id, &siblings, body) {
                Found::Outputs(found) => drop(outputs.insert(id.clone(), found)),
                Found::NotYet(_) if settled => {}
                Found::NotYet(why) => {
                    let why = self.unserved_instead(id, &siblings).await?.unwrap_or(why);
                    return Ok(Gate::Waiting {
                        on: id.clone(),
                        why,
                    });
                }
            }
        }
        Ok(Gate::Ready(outputs))
    }

    async fn unserved_instead(
        &self,
        id: &ComponentId,
        siblings: &[ComponentDocument],
    ) -> Result<Option<String>, QueueError> {
        let Some(dependency) = wanted(id, siblings) else {
            return Ok(None);
        };
        Ok(presence::unserved(&dependency.key, &self.agents().await?)
            .map(|fault| fault.to_string()))
    }
}

enum Found {
    Outputs(BTreeMap<String, String>),
    NotYet(String),
}

fn wanted<'a>(
    id: &ComponentId,
    siblings: &'a [ComponentDocument],
) -> Option<&'a ComponentDocument> {
    siblings
        .iter()
        .find(|sibling| sibling.key.component == *id && !sibling.tombstone)
}

fn look(id: &ComponentId, siblings: &[ComponentDocument], body: &Component) -> Found {
    let dependency = wanted(id, siblings);
    let offer = dependency.map(|dependency| dependency.key.offer.as_str());
    if let Some(outputs) = provided(body, id.as_str(), offer) {
        return Found::Outputs(outputs);
    }
    let Some(dependency) = dependency else {
        let why = format!(
            "component {id} does not exist; give its outputs under environment.parameters.provided.{id}"
        );
        return Found::NotYet(why);
    };
    if is_ready(dependency) {
        return Found::Outputs(dependency.status.outputs.clone());
    }
    let fault = dependency
        .status
        .fault
        .as_ref()
        .map(|fault| format!("component {id} is not ready: {}", fault.what));
    Found::NotYet(fault.unwrap_or_else(|| format!("component {id} is not ready yet")))
}

/// What the operator says about something no agent makes: its outputs, by component id or by offer.
pub(crate) fn provided(
    component: &Component,
    id: &str,
    offer: Option<&str>,
) -> Option<BTreeMap<String, String>> {
    let all = component
        .environment
        .parameters
        .get("provided")?
        .as_object()?;
    let outputs = all.get(id).or_else(|| all.get(offer?))?.as_object()?;
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    Some(
        outputs
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect(),
    )
}

fn deletion(document: &ComponentDocument, siblings: &[ComponentDocument]) -> Gate {
    let replaced = wanted(&document.key.component, siblings).is_some();
    let blocker = siblings.iter().find(|other| {
        let depends =
            other.key != document.key && other.dependencies.contains(&document.key.component);
        // Bodies of different generations can depend on each other in a circle: its smallest key goes first.
        depends && !(document.key < other.key && reaches(document, other, siblings))
    });
    match blocker.filter(|_| !replaced) {
        None => Gate::Ready(DependencyOutputs::new()),
        Some(other) => {
            let id = &other.key.component;
            let why = if other.tombstone {
                format!("component {id} depends on it and is not gone yet")
            } else {
                format!("component {id} still depends on it")
            };
            Gate::Waiting {
                on: id.clone(),
                why,
            }
        }
    }
}

/// Whether all that a component waits for is there; what only its operator can provide counts as there.
pub(super) fn is_free(document: &ComponentDocument, siblings: &[ComponentDocument]) -> bool {
    if document.tombstone {
        return matches!(deletion(document, siblings), Gate::Ready(_));
    }
    let is_there = |id: &ComponentId| wanted(id, siblings).is_none_or(is_ready);
    !document.dependencies.is_empty() && document.dependencies.iter().all(is_there)
}

fn is_ready(document: &ComponentDocument) -> bool {
    document.status.is_ready(document.generation) && document.status.fault.is_none()
}

fn reaches(
    from: &ComponentDocument,
    to: &ComponentDocument,
    siblings: &[ComponentDocument],
) -> bool {
    let mut seen: BTreeSet<&ComponentId> = BTreeSet::new();
    let mut open: Vec<&ComponentId> = from.dependencies.iter().collect();
    while let Some(id) = open.pop() {
        if *id == to.key.component {
            return true;
        }
        if seen.insert(id) {
            open.extend(
                siblings
                    .iter()
                    .filter(|sibling| sibling.key.component == *id)
                    .flat_map(|sibling| &sibling.dependencies),
            );
        }
    }
    false
}
