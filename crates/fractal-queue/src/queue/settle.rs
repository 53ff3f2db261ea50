//! Settling: the end of a claim. Status, record, due time and the lease's end are one write.

use std::time::Duration;

use fractal_core::Timestamp;
use fractal_core::artifact::agreement::{CROSS_REGISTRY, Pinned};
use fractal_core::contract::ComponentKey;
use fractal_core::status::Status;

use super::Queue;
use super::claim::Claim;
use crate::document::component::{ComponentDocument, Record};
use crate::document::key;
use crate::error::QueueError;

/// Why others are woken.
const DEPENDENCY_CHANGED: &str = "DependencyChanged";
const DEPENDENT_GONE: &str = "DependentGone";
const ARTIFACT_CHANGED: &str = "ArtifactChanged";

/// When a component is worked on again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextDue {
    /// At this time.
    At(Timestamp),
    /// After this long.
    In(Duration),
    /// Only when it is changed or woken.
    WhenWoken,
}

/// How a claim ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The cloud is as desired.
    InSync,
    /// The cloud is at work, or a dependency is.
    Waiting,
    /// It failed; the status says why.
    Failed,
    /// Nothing is left of a component that is to be removed: its document goes.
    Gone,
}

/// What a worker says at the end.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// What is shown.
    pub status: Status,
    /// What has to be remembered; `None` keeps what was noted last.
    pub record: Option<Record>,
    /// When it is due again. Something newer that is desired makes it due at once.
    pub due: NextDue,
    /// How it ended.
    pub outcome: Outcome,
}

impl Queue {
    /// Ends a claim. Settlements that wait together share one sync.
    ///
    /// # Errors
    /// [`QueueError::Lost`] where the claim is another worker's: nothing is written. Where the store fails it is unknown
    /// whether it was settled; if it was not, the component is taken again and found converged.
    pub async fn settle(&self, mut claim: Claim, settlement: Settlement) -> Result<(), QueueError> {
        let generation = claim.generation;
        if settlement.outcome == Outcome::Gone {
            let confirmed = |document: &ComponentDocument| {
                document.tombstone && document.generation == generation
            };
            if self.retire(&claim, confirmed).await? {
                return self.after_gone(&claim).await;
            }
        }
        let before = claim.document.clone();
        let now = self.clock().wall();
        self.fenced(&mut claim, |document| {
            apply(document, &settlement, generation, now)
        })
        .await?;
        let after = &claim.document;
        let news =
            !before.status.is_ready(generation) || before.status.outputs != after.status.outputs;
        if settlement.outcome == Outcome::InSync && news {
            self.wake_dependents(&claim.key).await?;
        }
        if coordinates(&before) != coordinates(after) {
            self.wake_differing(after).await?;
        }
        Ok(())
    }

    /// Whoever has another artifact under the same coordinate looks again: its registry may have the new one by now, or it may
    /// have waited for this one.
    async fn wake_differing(&self, settled: &ComponentDocument) -> Result<(), QueueError> {
        let mine = coordinates(settled);
        if mine.is_empty() {
            return Ok(());
        }
        let mut others = self.components(&settled.key.live_system).await?;
        others.retain(|other| {
            let differs = |theirs: &Pinned| {
                mine.iter().any(|mine| {
                    mine.coordinate == theirs.coordinate && mine.digest != theirs.digest
                })
            };
            let waits = |other: &ComponentDocument| {
                let fault = other.status.fault.as_ref();
                fault.is_some_and(|fault| fault.reason == CROSS_REGISTRY)
            };
            let known = coordinates(other);
            other.key != settled.key
                && !other.tombstone
                && (known.iter().any(differs) || waits(other))
        });
        let keys = others.into_iter().map(|other| other.key);
        self.wake_keys(keys, ARTIFACT_CHANGED).await.map(drop)
    }

    async fn wake_dependents(&self, key: &ComponentKey) -> Result<(), QueueError> {
        let Some(system) = self.system(&key.live_system).await? else {
            return Ok(());
        };
        self.wake_keys(system.dependents(&key.component), DEPENDENCY_CHANGED)
            .await
            .map(drop)
    }

    async fn after_gone(&self, claim: &Claim) -> Result<(), QueueError> {
        let id = &claim.key.live_system;
        for dependency in &claim.document.dependencies {
            let mut waiting: Vec<ComponentDocument> =
                self.read_all(&key::component_of(id, dependency)).await?;
            waiting.retain(|document| document.tombstone);
            self.wake_keys(
                waiting.into_iter().map(|document| document.key),
                DEPENDENT_GONE,
            )
            .await?;
        }
        // The live system's document goes with its last component.
        let last = self.system(id).await?.is_none_or(|system| system.removed)
            && self.store().list(&key::components_of(id)).await?.is_empty();
        if last { self.follow(id).await } else { Ok(()) }
    }
}

fn coordinates(document: &ComponentDocument) -> &[Pinned] {
    let artifact = document.status.artifact.as_ref();
    artifact.map_or(&[], |artifact| &artifact.coordinates)
}

fn apply(
    document: &mut ComponentDocument,
    settlement: &Settlement,
    generation: u64,
    now: Timestamp,
) {
    let seen = document.lease.take().map_or(0, |lease| lease.wakes_seen);
    document.wakes.retain(|wake| wake.serial > seen);
    document.deaths = 0;
    document.deaths_alone = 0;
    document.status = settlement.status.clone();
    if let Some(record) = &settlement.record {
        document.record = Some(record.clone());
    }
    if settlement.outcome != Outcome::Failed {
        document.attempts = 0;
    }
    if settlement.outcome == Outcome::InSync {
        document.synced = generation;
        document.taken_over = false;
        document.approval = None;
    }
    let newer = document.generation != generation || !document.wakes.is_empty();
    document.due = if newer {
        document.due.min(now)
    } else {
        settlement.due.at(now)
    };
}

impl NextDue {
    fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::In(delay) => {
                now.plus_millis(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX))
            }
            // The last moment that can be written: 9999-12-31.
            Self::WhenWoken => Timestamp::from_unix_millis(253_402_300_799_000),
        }
    }
}
