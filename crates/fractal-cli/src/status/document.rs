//! The status as a JSON document: the fields scripts may rely on.

use fractal_core::Fault;
use fractal_core::contract::{ComponentId, LiveSystemId, Offer};
use fractal_core::status::{ComponentPhase, LiveSystemPhase, Status};
use fractal_queue::{ComponentView, LiveSystemView};
use serde::Serialize;

/// A live system.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SystemStatus<'a> {
    live_system: &'a LiveSystemId,
    phase: LiveSystemPhase,
    generation: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<&'a Fault>,
    components: Vec<ComponentStatus<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ComponentStatus<'a> {
    component: &'a ComponentId,
    offer: &'a Offer,
    environment: String,
    phase: ComponentPhase,
    generation: u64,
    status: &'a Status,
}

impl<'a> From<&'a LiveSystemView> for SystemStatus<'a> {
    fn from(view: &'a LiveSystemView) -> Self {
        Self {
            live_system: &view.id,
            phase: view.phase,
            generation: view.generation,
            held: view.held.as_ref(),
            components: view.components.iter().map(ComponentStatus::from).collect(),
        }
    }
}

impl<'a> From<&'a ComponentView> for ComponentStatus<'a> {
    fn from(view: &'a ComponentView) -> Self {
        Self {
            component: &view.key.component,
            offer: &view.key.offer,
            environment: view.key.environment.path(),
            phase: view.phase,
            generation: view.generation,
            status: &view.status,
        }
    }
}
