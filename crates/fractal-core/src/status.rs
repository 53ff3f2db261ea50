//! One status model for every cloud, and how it folds into the statuses Fractal clients know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::artifact::agreement::Pinned;
use crate::artifact::{Digest, Reference};
use crate::fault::{Class, Fault};
use crate::reconcile::Notice;
use crate::timestamp::Timestamp;

/// The steps a component goes through, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ConditionType {
    /// The reference is resolved to a digest, and the artifact is one this target can run.
    Resolved,
    /// What the target needs from us before it is written (a staged zip) is there.
    Staged,
    /// The target's settings and code are the desired ones.
    Applied,
    /// The target says that it runs.
    Ready,
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Not known yet.
    Unknown,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Which.
    #[serde(rename = "type")]
    pub kind: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// A stable PascalCase word.
    pub reason: String,
    /// For people: what, where and why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// For people: the next step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The generation it was observed at.
    pub observed_generation: u64,
    /// Since when it has this status.
    pub since: Timestamp,
}

/// The artifact behind a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactStatus {
    /// The concrete reference it was resolved from.
    pub reference: Reference,
    /// What the reference resolved to: a manifest's or an index's digest.
    pub desired: Digest,
    /// Of an index, the one image that is deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Digest>,
    /// Artifacts that say how it runs, a manifest bundle for one: what their references resolved to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Reference>,
    /// What runs, once it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<Digest>,
    /// What the coordinates that name no registry meant here: the same everywhere, or it is not deployed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coordinates: Vec<Pinned>,
}

/// A component's status.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The generation this status is about.
    pub observed_generation: u64,
    /// Conditions, each type once, in order.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// The artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<ArtifactStatus>,
    /// What the component offers to others: `url`, `arn`, ...
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
    /// What people should know though it stands in nobody's way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
    /// The fault that stands in the way, whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// Failed attempts in a row.
    #[serde(default)]
    pub attempts: u32,
    /// Since when it has been waiting or failing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<Timestamp>,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt: Option<Timestamp>,
    /// Name and version of the agent that wrote this.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub agent: String,
}

/// A component's status in the words of the Fractal API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ComponentPhase {
    /// Being made for the first time.
    Instantiating,
    /// Being changed.
    Mutating,
    /// As desired.
    Active,
    /// Stuck: someone must act.
    Failed,
    /// Being removed.
    Deleting,
}

/// A live system's status in the words of the Fractal API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LiveSystemPhase {
    /// Something is being made, changed or retried.
    Mutating,
    /// Everything is as desired.
    Active,
    /// Something is stuck.
    FailedMutation,
    /// Being removed.
    Deleting,
}

/// How long a component may be blocked before it counts as failed, in milliseconds.
/// Short waits (a role that was just made, an artifact pushed a moment later) are no failure.
pub const BLOCKED_GRACE_MILLIS: u64 = 60_000;

impl Status {
    /// One condition.
    #[must_use]
    pub fn condition(&self, kind: ConditionType) -> Option<&Condition> {
        self.conditions
            .iter()
            .find(|condition| condition.kind == kind)
    }

    /// Sets a condition; `since` moves only when its status or reason does.
    pub fn set(&mut self, condition: Condition) {
        let known = self
            .conditions
            .iter_mut()
            .find(|known| known.kind == condition.kind);
        match known {
            Some(known) => {
                let same = known.status == condition.status && known.reason == condition.reason;
                let since = if same { known.since } else { condition.since };
                *known = Condition { since, ..condition };
            }
            None => {
                self.conditions.push(condition);
                self.conditions.sort_by_key(|condition| condition.kind);
            }
        }
    }

    /// Whether the target said that it runs, at generation `generation`.
    #[must_use]
    pub fn is_ready(&self, generation: u64) -> bool {
        let ready = self.condition(ConditionType::Ready);
        self.observed_generation == generation
            && ready.is_some_and(|ready| ready.status == ConditionStatus::True)
    }

    /// Folds into the Fractal API's word: an older generation is still changing, and blocked counts as failed only after a while.
    #[must_use]
    pub fn phase(&self, generation: u64, deleted: bool, now: Timestamp) -> ComponentPhase {
        let changing = if self.outputs.is_empty() {
            ComponentPhase::Instantiating
        } else {
            ComponentPhase::Mutating
        };
        if deleted {
            return ComponentPhase::Deleting;
        }
        if self.observed_generation != generation {
            return changing;
        }
        match &self.fault {
            Some(fault) if self.is_stuck(fault.class, now) => ComponentPhase::Failed,
            Some(_) => changing,
            None if self.is_ready(generation) => ComponentPhase::Active,
            None => changing,
        }
    }

    fn is_stuck(&self, class: Class, now: Timestamp) -> bool {
        let waited = self.waiting_since.map_or(0, |since| {
            now.unix_millis().saturating_sub(since.unix_millis())
        });
        match class {
            Class::Terminal => true,
            Class::Blocked => waited >= BLOCKED_GRACE_MILLIS,
            Class::Transient { .. } => false,
        }
    }
}

impl LiveSystemPhase {
    /// A live system's phase from its components'.
    #[must_use]
    pub fn fold(phases: impl IntoIterator<Item = ComponentPhase>, deleted: bool) -> Self {
        if deleted {
            return Self::Deleting;
        }
        phases
            .into_iter()
            .fold(Self::Active, |all, phase| match (all, phase) {
                (Self::FailedMutation, _) | (_, ComponentPhase::Failed) => Self::FailedMutation,
                (Self::Active, ComponentPhase::Active) => Self::Active,
                _ => Self::Mutating,
            })
    }
}
