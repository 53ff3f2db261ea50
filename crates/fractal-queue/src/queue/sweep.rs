//! What nobody refers to any more goes: bodies, questions nobody fetched, presences of the dead.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::Queue;
use crate::document::ask::Ask;
use crate::document::component::ComponentDocument;
use crate::document::key;
use crate::document::live_system::LiveSystemDocument;
use crate::error::QueueError;
use crate::store::{Revision, StoreError};

/// A body must have been unused for this long, as far as this process saw: it is written before anything refers to it.
const UNUSED_FOR: Duration = Duration::from_secs(3600);
/// Questions older than this were asked by a process that died, in milliseconds.
const ASK_AGE_MILLIS: u64 = 3600 * 1000;

/// What a sweeper remembers from one sweep to the next. One per process, swept about hourly.
#[derive(Debug, Default)]
pub struct Sweeper {
    unused: HashMap<String, (Revision, Duration)>,
}

impl Queue {
    /// Deletes what nobody refers to. Says how many bodies went.
    ///
    /// # Errors
    /// Where the store fails or a document cannot be read: nothing is deleted then that might be needed.
    pub async fn sweep(&self, sweeper: &mut Sweeper) -> Result<usize, QueueError> {
        self.sweep_agents().await?;
        self.sweep_asks().await?;
        // Bodies first: one that is written after this list is not looked at.
        let bodies = self.store().list(key::BODIES).await?;
        let used = self.used_bodies().await?;
        let now = self.clock().monotonic();
        let mut unused = HashMap::new();
        let mut swept = 0;
        for body in bodies.into_iter().filter(|body| !used.contains(&body.key)) {
            let since = sweeper
                .unused
                .get(&body.key)
                .filter(|(revision, _)| *revision == body.revision)
                .map_or(now, |(_, since)| *since);
            if now.saturating_sub(since) < UNUSED_FOR {
                unused.insert(body.key, (body.revision, since));
                continue;
            }
            match self.store().delete(&body.key, body.revision).await {
                Ok(_) => swept += 1,
                // Somebody is about to use it.
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        sweeper.unused = unused;
        Ok(swept)
    }

    async fn used_bodies(&self) -> Result<BTreeSet<String>, QueueError> {
        let systems: Vec<LiveSystemDocument> = self.live_systems().await?;
        let components: Vec<ComponentDocument> = self.read_all(key::COMPONENTS).await?;
        let asks: Vec<Ask> = self.read_all(key::ASKS).await?;
        let wanted = systems.iter().flat_map(|system| {
            system
                .components
                .values()
                .map(|entry| key::body(&entry.body))
        });
        let known = components.iter().map(|document| key::body(&document.body));
        let asked = asks.iter().filter_map(|ask| match &ask.question {
            crate::document::ask::Question::PlanOf(digest) => Some(key::body(digest)),
            crate::document::ask::Question::Plan => None,
        });
        Ok(wanted.chain(known).chain(asked).collect())
    }

    async fn sweep_asks(&self) -> Result<(), QueueError> {
        let before = self
            .clock()
            .wall()
            .unix_millis()
            .saturating_sub(ASK_AGE_MILLIS);
        let asks: Vec<Ask> = self.read_all(key::ASKS).await?;
        for ask in asks.iter().filter(|ask| ask.at.unix_millis() < before) {
            self.change(&key::ask(&ask.id), |_: Option<Ask>| {
                Ok(super::Edit::Delete(()))
            })
            .await?;
        }
        Ok(())
    }
}
