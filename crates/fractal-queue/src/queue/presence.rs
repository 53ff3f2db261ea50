//! Who is there: agents announce themselves, so that an offer nobody serves and a second, differing agent are seen.

use std::time::Duration;

use fractal_core::Timestamp;
use fractal_core::contract::ComponentKey;
use fractal_core::fault::{Fault, Reason};

use super::sight::Beat;
use super::{Edit, Queue};
use crate::document::agent::Presence;
use crate::document::key;
use crate::error::QueueError;

/// No agent serves this offer in this environment.
pub const NO_AGENT_FOR_OFFER: Reason = Reason::new("NoAgentForOffer");

/// Beats that may be missed before an agent counts as gone.
const MISSED_MAX: u32 = 3;
/// The same for a process that sees a presence for the first time, and has only the wall clock: clocks differ.
const MISSED_AT_FIRST: u64 = 10;

/// An agent's presence, and whether it still is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// What it says of itself.
    pub presence: Presence,
    /// Whether it announced itself lately.
    pub alive: bool,
}

impl Queue {
    /// Announces this process. To be repeated every `beat_ms`.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn announce(&self, presence: &Presence) -> Result<(), QueueError> {
        let at = self.clock().wall();
        self.change(&key::agent(&presence.id), |found: Option<Presence>| {
            let beat = found.map_or(0, |found| found.beat) + 1;
            Ok(Edit::Put(
                Presence {
                    beat,
                    at,
                    ..presence.clone()
                },
                (),
            ))
        })
        .await
    }

    /// Says that this process ends.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn leave(&self, id: &str) -> Result<(), QueueError> {
        self.change(&key::agent(id), |_: Option<Presence>| Ok(Edit::Delete(())))
            .await
    }

    /// All agents that announced themselves and did not leave.
    ///
    /// # Errors
    /// Where the store fails or a document cannot be read.
    pub async fn agents(&self) -> Result<Vec<Agent>, QueueError> {
        let all: Vec<Presence> = self.read_all(key::AGENTS).await?;
        let wall = self.clock().wall();
        Ok(all
            .into_iter()
            .map(|presence| Agent {
                alive: self.is_alive(&presence, wall),
                presence,
            })
            .collect())
    }

    /// Drops the presences of processes that died: of those that are not alive and are a day old.
    pub(super) async fn sweep_agents(&self) -> Result<(), QueueError> {
        const OLD_MILLIS: u64 = 24 * 3600 * 1000;
        let before = self.clock().wall().unix_millis().saturating_sub(OLD_MILLIS);
        for agent in self.agents().await? {
            if !agent.alive && agent.presence.at.unix_millis() < before {
                self.leave(&agent.presence.id).await?;
            }
        }
        Ok(())
    }

    fn is_alive(&self, presence: &Presence, wall: Timestamp) -> bool {
        let beat = Beat {
            token: 0,
            count: presence.beat,
        };
        let still =
            self.inner
                .sightings
                .look(&key::agent(&presence.id), beat, self.clock().monotonic());
        let interval = Duration::from_millis(presence.beat_ms);
        let age = wall.unix_millis().saturating_sub(presence.at.unix_millis());
        still <= interval * MISSED_MAX && age <= presence.beat_ms.saturating_mul(MISSED_AT_FIRST)
    }
}

/// What stands in the way of a component that no agent takes.
pub(super) fn unserved(key: &ComponentKey, agents: &[Agent]) -> Option<Fault> {
    if agents
        .iter()
        .any(|agent| agent.alive && agent.presence.scope.covers(key))
    {
        return None;
    }
    let what = format!(
        "no agent serves offer {} in environment {}",
        key.offer, key.environment
    );
    let next = format!(
        "start an agent that serves {}, or give its outputs under environment.parameters.provided",
        key.offer
    );
    Some(Fault::blocked(NO_AGENT_FOR_OFFER, what).at(key).next(next))
}
