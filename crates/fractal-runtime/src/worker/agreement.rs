//! One live system, one artifact for each coordinate: what another cloud's registry gave its agent stops a release that differs.
//!
//! No registry is asked here, and none of another cloud could be: each agent writes down what its own registry gave it.

use fractal_core::Fault;
use fractal_core::artifact::agreement::{Candidate, Held, Pinned, agreed};
use fractal_core::contract::ComponentKey;
use fractal_core::reconcile::Platform;
use fractal_core::status::ArtifactStatus;
use fractal_queue::{ComponentDocument, Queue, QueueError};

use super::{Resolved, Worker};

impl<P: Platform> Worker<P> {
    /// Refuses to release what is another artifact for another component of the live system.
    ///
    /// What runs already is not held back: its drift is repaired whatever other registries have meanwhile. Components that no agent
    /// serves now are passed over, so that a cloud that is away does not stop the others.
    pub(super) async fn agree(
        &self,
        key: &ComponentKey,
        known: Option<&ArtifactStatus>,
        resolved: &Resolved,
    ) -> Result<(), Fault> {
        let is_running = known.is_some_and(|known| runs(known, resolved));
        if resolved.coordinates.is_empty() || is_running {
            return Ok(());
        }
        disagreement(&self.queue, key, &resolved.coordinates)
            .await
            .map_err(|error| Fault::from(&error))?
            .map_or(Ok(()), Err)
    }
}

fn runs(known: &ArtifactStatus, resolved: &Resolved) -> bool {
    known.running.as_ref() == Some(&resolved.target.digest)
        && known.beside == resolved.pinned_beside()
}

/// The first coordinate that means another artifact to another component.
async fn disagreement(
    queue: &Queue,
    key: &ComponentKey,
    coordinates: &[Pinned],
) -> Result<Option<Fault>, QueueError> {
    let mut others = queue.components(&key.live_system).await?;
    others.retain(|other| other.key != *key && !other.tombstone);
    let mut served = None;
    for mine in coordinates {
        for other in &others {
            for theirs in differing(other, mine) {
                let agents = match served.take() {
                    Some(agents) => agents,
                    None => queue.agents().await?,
                };
                let is_served = agents
                    .iter()
                    .any(|agent| agent.alive && agent.presence.scope.covers(&other.key));
                served = Some(agents);
                if is_served {
                    let verdict = agreed(&mine.coordinate, &both(key, mine, other, theirs));
                    return Ok(verdict.err().map(|fault| fault.at(&mine.reference)));
                }
            }
        }
    }
    Ok(None)
}

/// What `other` has for the coordinate of `mine`, where that is another artifact from another registry.
fn differing<'a>(
    other: &'a ComponentDocument,
    mine: &'a Pinned,
) -> impl Iterator<Item = &'a Pinned> {
    let known = other.status.artifact.iter();
    known
        .flat_map(|artifact| &artifact.coordinates)
        .filter(move |theirs| {
            theirs.coordinate == mine.coordinate
                && theirs.digest != mine.digest
                // A tag that moved in one registry: the other component looks again within its interval.
                && theirs.reference != mine.reference
        })
}

fn both(
    key: &ComponentKey,
    mine: &Pinned,
    other: &ComponentDocument,
    theirs: &Pinned,
) -> [Candidate; 2] {
    let candidate = |key: &ComponentKey, pinned: &Pinned| Candidate {
        who: format!("component {}", key.component),
        reference: pinned.reference.clone(),
        because: format!("offer {}", key.offer),
        held: Held::Artifact(pinned.digest.clone()),
    };
    [candidate(key, mine), candidate(&other.key, theirs)]
}
