//! Taking a live system in: read, checked as a whole, then written in one flip. A refused one leaves nothing changed.

use std::collections::BTreeMap;

use fractal_core::artifact::Digest;
use fractal_core::contract::wire::{self, WireError};
use fractal_core::contract::{ComponentId, ComponentKey, LiveSystem, LiveSystemId};
use fractal_core::fault::{Fault, Reason};
use serde_json::Value;

use crate::document::live_system::LiveSystemDocument;
use crate::error::QueueError;
use crate::queue::Queue;

mod check;

/// Dependencies form a circle.
pub const DEPENDENCY_CYCLE: Reason = Reason::new("DependencyCycle");
/// A dependency is not part of the live system.
pub const DEPENDENCY_UNKNOWN: Reason = Reason::new("DependencyUnknown");
/// More than half of the components would go.
pub const LARGE_SHRINK: Reason = Reason::new("LargeShrink");

/// From this many components on, removing more than half of them needs a word of its own.
pub const SHRINK_FROM: usize = 10;

/// Whether a submission may remove more than half of ten or more components.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shrink {
    /// It is held.
    #[default]
    Hold,
    /// It may.
    Allow,
}

/// Why a live system was not taken. Nothing was written, but for a mark that it is held.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntakeError {
    /// The body is malformed.
    #[error("the live system is malformed")]
    Wire(#[from] WireError),
    /// Dependencies form a circle.
    #[error("dependencies form a circle: {}", path(.cycle))]
    Cycle {
        /// It, the first component repeated at the end.
        cycle: Vec<ComponentId>,
    },
    /// A dependency is not part of the live system.
    #[error("component {component} depends on {dependency}, which is not part of the live system")]
    UnknownDependency {
        /// The component.
        component: ComponentId,
        /// What it names.
        dependency: ComponentId,
    },
    /// More than half of the components would go.
    #[error("{removed} of {known} components would be removed")]
    LargeShrink {
        /// How many would go.
        removed: usize,
        /// How many there are.
        known: usize,
    },
}

fn path(cycle: &[ComponentId]) -> String {
    let ids: Vec<&str> = cycle.iter().map(ComponentId::as_str).collect();
    ids.join(" -> ")
}

impl From<&IntakeError> for Fault {
    fn from(error: &IntakeError) -> Self {
        let what = fractal_core::fault::chain(error);
        match error {
            IntakeError::Wire(WireError::Alias { component, .. }) => {
                Self::terminal(wire::ALIAS_CONFLICT, what).at(format!("$.blueprintMap.{component}")).next("keep one of the two names")
            }
            IntakeError::Wire(_) => {
                Self::terminal(wire::LIVE_SYSTEM_INVALID, what).next("correct the document and submit it again; nothing was changed")
            }
            IntakeError::Cycle { cycle } => {
                let place = cycle.first().map(|first| format!("$.blueprintMap.{first}.dependencies")).unwrap_or_default();
                Self::terminal(DEPENDENCY_CYCLE, what).at(place).next("take one of these dependencies out")
            }
            IntakeError::UnknownDependency { component, dependency } => Self::terminal(DEPENDENCY_UNKNOWN, what)
                .at(format!("$.blueprintMap.{component}.dependencies"))
                .next(format!("add {dependency}, or give its outputs under environment.parameters.provided.{dependency}")),
            IntakeError::LargeShrink { .. } => Self::blocked(LARGE_SHRINK, what)
                .at("$.blueprintMap")
                .next("submit it again and allow the shrink, if these components are really to be deleted"),
        }
    }
}

/// What a submission did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The live system.
    pub id: LiveSystemId,
    /// Its generation now.
    pub generation: u64,
    /// Each component's generation.
    pub components: BTreeMap<ComponentId, u64>,
    /// Components that were made or changed.
    pub changed: Vec<ComponentId>,
    /// Components that were as they are.
    pub unchanged: Vec<ComponentId>,
    /// Keys that are being removed now, those under an old offer or environment included.
    pub removed: Vec<ComponentKey>,
}

impl Queue {
    /// Takes a live system's body in, as SDKs post it. A component that it lacks is deleted: that is what SDKs mean.
    ///
    /// # Errors
    /// [`QueueError::Intake`] where it is refused or held, and where the store fails.
    pub async fn submit(
        &self,
        body: &[u8],
        blueprint: Option<&Value>,
        shrink: Shrink,
    ) -> Result<Receipt, QueueError> {
        let system = wire::live_system(body, blueprint).map_err(IntakeError::from)?;
        self.submit_parsed(&system, shrink).await
    }

    /// The same for a live system that was read already.
    ///
    /// # Errors
    /// As [`Queue::submit`].
    pub async fn submit_parsed(
        &self,
        system: &LiveSystem,
        shrink: Shrink,
    ) -> Result<Receipt, QueueError> {
        check::dependencies(system)?;
        let known = self.live_system(&system.id).await?;
        let bodies = self
            .put_bodies(system.components.values(), known.as_ref())
            .await?;
        let flipped = self
            .flip(&system.id, |known, base| {
                Ok(next(system, &bodies, known, base, shrink)?)
            })
            .await;
        if let Err(QueueError::Intake(error @ IntakeError::LargeShrink { .. })) = &flipped {
            self.hold(&system.id, &Fault::from(error)).await?;
        }
        flipped
    }
}

/// The document after the submission, and what it does.
fn next(
    system: &LiveSystem,
    bodies: &[Digest],
    known: Option<LiveSystemDocument>,
    base: u64,
    shrink: Shrink,
) -> Result<(LiveSystemDocument, Receipt), IntakeError> {
    let fresh = || {
        LiveSystemDocument::new(
            system.id.clone(),
            system.fractal_id.clone(),
            system.environment.id.clone(),
        )
    };
    let before = known.unwrap_or_else(fresh);
    check::shrink(&before, system, shrink)?;
    let generation = before.generation.max(base) + 1;
    let mut after = LiveSystemDocument::new(
        system.id.clone(),
        system.fractal_id.clone(),
        system.environment.id.clone(),
    );
    for (component, body) in system.components.values().zip(bodies) {
        let known = before
            .entry(&component.key())
            .filter(|entry| entry.body == *body)
            .map(|entry| entry.generation);
        after.set(component, body, known.unwrap_or(generation));
    }
    let keys = before
        .components
        .iter()
        .map(|(id, entry)| before.key(id, entry));
    let removed: Vec<ComponentKey> = keys.filter(|key| after.entry(key).is_none()).collect();
    let components: BTreeMap<ComponentId, u64> = after
        .components
        .iter()
        .map(|(id, entry)| (id.clone(), entry.generation))
        .collect();
    let (changed, unchanged): (Vec<_>, Vec<_>) = components
        .keys()
        .cloned()
        .partition(|id| components.get(id) == Some(&generation));
    let same = changed.is_empty() && removed.is_empty() && !before.removed && before.generation > 0;
    after.generation = if same { before.generation } else { generation };
    let receipt = Receipt {
        id: system.id.clone(),
        generation: after.generation,
        components,
        changed,
        unchanged,
        removed,
    };
    Ok((after, receipt))
}
