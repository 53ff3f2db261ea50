//! A component's inputs: everything `desired` is a function of, read from the queue.

use fractal_core::Fault;
use fractal_core::contract::{Component, ComponentId};
use fractal_core::reconcile::{Inputs, Outputs, Peer};
use fractal_queue::{ComponentDocument, Queue};
use std::collections::BTreeMap;

use crate::secrets::Secrets;

/// The inputs of `body`, whose dependencies offer `dependencies`.
pub(crate) async fn inputs(
    queue: &Queue,
    secrets: &Secrets,
    body: &Component,
    dependencies: BTreeMap<ComponentId, Outputs>,
) -> Result<Inputs, Fault> {
    let parameters = serde_json::Value::Object(body.parameters.as_map().clone());
    Ok(Inputs {
        component: body.id.clone(),
        offer: body.offer.clone(),
        environment: body.environment.clone(),
        parameters: body.parameters.clone(),
        dependencies,
        links: peers(queue, body).await?,
        secrets: secrets.referred(&body.environment.id, &parameters)?,
    })
}

async fn peers(queue: &Queue, body: &Component) -> Result<Vec<Peer>, Fault> {
    if body.links.is_empty() {
        return Ok(Vec::new());
    }
    let siblings = queue
        .components(&body.live_system)
        .await
        .map_err(|error| Fault::from(&error))?;
    let outputs = |id: &ComponentId| {
        let found = siblings.iter().find(|sibling: &&ComponentDocument| {
            sibling.key.component == *id && !sibling.tombstone
        });
        found
            .map(|sibling| sibling.status.outputs.clone())
            .unwrap_or_default()
    };
    let peer = |link: &fractal_core::contract::Link| Peer {
        component: link.component_id.clone(),
        settings: link.settings.clone(),
        outputs: outputs(&link.component_id),
    };
    Ok(body.links.iter().map(peer).collect())
}
