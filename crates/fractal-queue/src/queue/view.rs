//! What is shown of components and live systems, in the words of the Fractal API.

use std::collections::BTreeMap;

use fractal_core::Timestamp;
use fractal_core::contract::{ComponentId, ComponentKey, LiveSystemId};
use fractal_core::fault::{Fault, Reason};
use fractal_core::status::{ComponentPhase, LiveSystemPhase, Status};

use super::presence::{Agent, unserved};
use super::{Queue, gate, gather};
use crate::document::component::ComponentDocument;
use crate::document::live_system::LiveSystemDocument;
use crate::error::QueueError;

/// A component killed its workers and is worked on no more.
pub const SET_ASIDE: Reason = Reason::new("SetAside");

/// What is shown of a component.
#[derive(Debug, Clone, PartialEq)]
pub struct ComponentView {
    /// Its key.
    pub key: ComponentKey,
    /// The desired generation.
    pub generation: u64,
    /// Its phase.
    pub phase: ComponentPhase,
    /// Its status, with what only the queue knows: that nobody serves it, that it is set aside.
    pub status: Status,
    /// Its fault is terminal, or has blocked it for longer than a while, its removal included.
    stuck: bool,
}

/// What is shown of a live system.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveSystemView {
    /// Its id.
    pub id: LiveSystemId,
    /// The desired generation.
    pub generation: u64,
    /// Its phase.
    pub phase: LiveSystemPhase,
    /// Why its last submission is held back.
    pub held: Option<Fault>,
    /// Its components, those being removed included.
    pub components: Vec<ComponentView>,
    /// A component that the submission names is not in the list yet.
    behind: bool,
}

impl LiveSystemView {
    /// Whether nothing changes any more without somebody's help: every component is active, or stuck.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        !self.behind
            && self
                .components
                .iter()
                .all(|view| view.stuck || view.phase == ComponentPhase::Active)
    }
}

impl Queue {
    /// What is shown of a live system.
    ///
    /// # Errors
    /// Where the store fails or a document cannot be read.
    pub async fn view(&self, id: &LiveSystemId) -> Result<Option<LiveSystemView>, QueueError> {
        let Some(system) = self.live_system(id).await? else {
            return Ok(None);
        };
        let documents = self.components(id).await?;
        let agents = self.agents().await?;
        let now = self.clock().wall();
        let mut provided = BTreeMap::new();
        for outputs in gather(
            documents
                .iter()
                .filter(|document| document.is_untouched())
                .map(|document| self.provided(document)),
        )
        .await?
        {
            provided.extend(outputs);
        }
        let show = |document: &ComponentDocument| {
            show(
                document,
                provided.get(&document.key.component),
                &agents,
                now,
            )
        };
        let components: Vec<ComponentView> = documents.iter().map(show).collect();
        Ok(Some(fold(&system, components)))
    }

    async fn provided(
        &self,
        document: &ComponentDocument,
    ) -> Result<Option<(ComponentId, BTreeMap<String, String>)>, QueueError> {
        // One unreadable body is no reason to show nothing at all.
        let Ok(body) = self.body(document).await else {
            return Ok(None);
        };
        let outputs = gate::provided(
            &body,
            document.key.component.as_str(),
            Some(document.key.offer.as_str()),
        );
        Ok(outputs.map(|outputs| (document.key.component.clone(), outputs)))
    }
}

fn fold(system: &LiveSystemDocument, components: Vec<ComponentView>) -> LiveSystemView {
    // A component the document names and the list lacks has not followed yet.
    let behind = system
        .components
        .keys()
        .any(|id| !components.iter().any(|view| view.key.component == *id));
    let late = behind.then_some(ComponentPhase::Instantiating);
    let folded = LiveSystemPhase::fold(
        components.iter().map(|view| view.phase).chain(late),
        system.removed,
    );
    let phase = if system.held.is_some() && !system.removed {
        LiveSystemPhase::FailedMutation
    } else {
        folded
    };
    LiveSystemView {
        id: system.id.clone(),
        generation: system.generation,
        phase,
        held: system.held.clone(),
        components,
        behind,
    }
}

fn show(
    document: &ComponentDocument,
    provided: Option<&BTreeMap<String, String>>,
    agents: &[Agent],
    now: Timestamp,
) -> ComponentView {
    let (key, generation) = (document.key.clone(), document.generation);
    let mut status = document.status.clone();
    if let Some(outputs) = provided.filter(|_| !document.tombstone) {
        status.outputs.clone_from(outputs);
        return ComponentView {
            key,
            generation,
            phase: ComponentPhase::Active,
            status,
            stuck: false,
        };
    }
    if let Some(aside) = &document.set_aside {
        let fault = Fault::terminal(SET_ASIDE, "the component is set aside").because(&aside.reason);
        status.fault = Some(
            fault
                .at(&key)
                .next("find out what kills the agent, then retry the component"),
        );
        status.observed_generation = generation;
    } else if status.observed_generation != generation
        && let Some(fault) = unserved(&key, agents)
    {
        status.fault = Some(fault);
        status.observed_generation = generation;
        status.waiting_since.get_or_insert(document.due);
    }
    ComponentView {
        // A removal's phase is `Deleting` whatever stands in its way.
        stuck: status.phase(generation, false, now) == ComponentPhase::Failed,
        phase: status.phase(generation, document.tombstone, now),
        key,
        generation,
        status,
    }
}
