//! A live system's document: which components it has, at which generation, with which body. Writing it is the one atomic flip.

use std::collections::BTreeMap;

use fractal_core::artifact::Digest;
use fractal_core::contract::{
    Component, ComponentId, ComponentKey, EnvironmentId, LiveSystemId, Offer,
};
use fractal_core::fault::Fault;
use serde::{Deserialize, Serialize};

use super::{Kind, VERSION};

/// One live system in the queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveSystemDocument {
    pub(crate) version: u32,
    /// Its id.
    pub id: LiveSystemId,
    /// The fractal (blueprint) it is an instance of.
    #[serde(default)]
    pub fractal_id: String,
    /// Its environment.
    pub environment: EnvironmentId,
    /// Grows with every accepted change, and goes on where a removed one comes back.
    pub generation: u64,
    /// Whether it is being removed.
    #[serde(default)]
    pub removed: bool,
    /// What was last submitted and held back, with the reason. The components are those of the change before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Fault>,
    /// Its components.
    pub components: BTreeMap<ComponentId, Entry>,
}

/// One component of a live system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its offer.
    pub offer: Offer,
    /// Its environment, where it is not the live system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentId>,
    /// The content address of its body.
    pub body: Digest,
    /// The components it depends on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<ComponentId>,
    /// The live system's generation that last changed it.
    pub generation: u64,
}

impl Kind for LiveSystemDocument {
    fn version(&self) -> u32 {
        self.version
    }
}

impl LiveSystemDocument {
    pub(crate) const fn new(
        id: LiveSystemId,
        fractal_id: String,
        environment: EnvironmentId,
    ) -> Self {
        Self {
            version: VERSION,
            id,
            fractal_id,
            environment,
            generation: 0,
            removed: false,
            held: None,
            components: BTreeMap::new(),
        }
    }

    /// The key of one of its components.
    #[must_use]
    pub fn key(&self, component: &ComponentId, entry: &Entry) -> ComponentKey {
        ComponentKey {
            live_system: self.id.clone(),
            component: component.clone(),
            offer: entry.offer.clone(),
            environment: entry
                .environment
                .as_ref()
                .unwrap_or(&self.environment)
                .clone(),
        }
    }

    /// What it says about a key; `None` where that key is not wanted.
    #[must_use]
    pub fn entry(&self, key: &ComponentKey) -> Option<&Entry> {
        self.components
            .get(&key.component)
            .filter(|entry| self.key(&key.component, entry) == *key)
    }

    /// The components that depend on one of its components.
    pub(crate) fn dependents(&self, id: &ComponentId) -> impl Iterator<Item = ComponentKey> {
        self.components
            .iter()
            .filter(move |(_, entry)| entry.dependencies.contains(id))
            .map(|(id, entry)| self.key(id, entry))
    }

    /// Sets a component at `generation`, unless it is there already with this body. Gives its generation back.
    pub(crate) fn set(&mut self, component: &Component, body: &Digest, generation: u64) -> u64 {
        let key = component.key();
        if let Some(known) = self.entry(&key).filter(|known| known.body == *body) {
            return known.generation;
        }
        let environment = (key.environment != self.environment).then_some(key.environment);
        let entry = Entry {
            offer: key.offer,
            environment,
            body: body.clone(),
            dependencies: component.dependencies.clone(),
            generation,
        };
        self.components.insert(key.component, entry);
        generation
    }
}
