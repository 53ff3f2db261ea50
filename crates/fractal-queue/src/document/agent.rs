//! An agent's presence: what it serves and how it is configured, so that an offer nobody serves is known, and a second
//! agent that disagrees is seen.

use std::collections::BTreeSet;

use fractal_core::Timestamp;
use fractal_core::contract::{ComponentKey, EnvironmentId, Offer};
use serde::{Deserialize, Serialize};

use super::{Kind, VERSION};

/// The environments an agent works in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Environments {
    /// All of them.
    #[default]
    All,
    /// These.
    Only(BTreeSet<EnvironmentId>),
}

/// What an agent takes from the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Where.
    pub environments: Environments,
    /// Which offers; empty means every offer.
    pub offers: BTreeSet<Offer>,
}

impl Scope {
    /// Everything.
    #[must_use]
    pub const fn everything() -> Self {
        Self {
            environments: Environments::All,
            offers: BTreeSet::new(),
        }
    }

    /// Whether it covers a component.
    #[must_use]
    pub fn covers(&self, key: &ComponentKey) -> bool {
        let here = match &self.environments {
            Environments::All => true,
            Environments::Only(some) => some.contains(&key.environment),
        };
        here && (self.offers.is_empty() || self.offers.contains(&key.offer))
    }

    fn overlaps(&self, other: &Self) -> bool {
        let here = match (&self.environments, &other.environments) {
            (Environments::Only(ours), Environments::Only(theirs)) => !ours.is_disjoint(theirs),
            _ => true,
        };
        here && (self.offers.is_empty()
            || other.offers.is_empty()
            || !self.offers.is_disjoint(&other.offers))
    }
}

/// One agent process, as it announces itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Presence {
    pub(crate) version: u32,
    /// The process: the holder of its leases.
    pub id: String,
    /// Its program's name and version.
    pub agent: String,
    /// The installation it marks cloud objects with.
    pub installation: String,
    /// What it takes.
    pub scope: Scope,
    /// The fingerprint of its static settings.
    pub config: String,
    /// How often it announces itself, in milliseconds.
    pub beat_ms: u64,
    /// Grows with every announcement.
    pub beat: u64,
    /// When it last did, by its own clock: for people.
    pub at: Timestamp,
}

impl Kind for Presence {
    fn version(&self) -> u32 {
        self.version
    }
}

impl Presence {
    /// A process that announces itself for the first time.
    #[must_use]
    pub fn new(
        id: impl Into<String>,
        agent: impl Into<String>,
        installation: impl Into<String>,
        scope: Scope,
    ) -> Self {
        Self {
            version: VERSION,
            id: id.into(),
            agent: agent.into(),
            installation: installation.into(),
            scope,
            config: String::new(),
            beat_ms: 30_000,
            beat: 0,
            at: Timestamp::from_unix_millis(0),
        }
    }

    /// With the fingerprint of its static settings.
    #[must_use]
    pub fn with_config(mut self, fingerprint: impl Into<String>) -> Self {
        self.config = fingerprint.into();
        self
    }

    /// Whether two agents on one scope would undo each other's work: another installation, or other settings.
    #[must_use]
    pub fn conflicts_with(&self, other: &Self) -> bool {
        self.id != other.id
            && self.scope.overlaps(&other.scope)
            && (self.installation != other.installation || self.config != other.config)
    }
}
