//! Component documents follow their live system's document, level-triggered: whoever finds a mismatch mends it.
//!
//! Every write is guarded by generations, so that a follower that slept over a newer flip changes nothing.

use fractal_core::contract::{ComponentKey, LiveSystemId};

use super::{Edit, Queue, by_key, gate, gather};
use crate::document::component::{ComponentDocument, Wanted};
use crate::document::key;
use crate::document::live_system::LiveSystemDocument;
use crate::error::QueueError;
use crate::store::StoreError;

/// Flips that may happen meanwhile before it is left to whoever flipped last.
const ROUNDS_MAX: u32 = 100;

/// One difference between a live system's document and a component's.
enum Mend {
    Want { key: ComponentKey, wanted: Wanted },
    Unwant { key: ComponentKey, generation: u64 },
}

impl Queue {
    /// Lets the components of every live system follow it: run once at start, in case a process died in between.
    ///
    /// # Errors
    /// Where the store fails or a document cannot be read.
    pub async fn follow_all(&self) -> Result<(), QueueError> {
        let systems = self.live_systems().await?;
        let follow = |system: LiveSystemDocument| async move { self.follow(&system.id).await };
        gather(systems.into_iter().map(follow)).await.map(drop)
    }

    /// Lets the components of one live system follow it.
    ///
    /// # Errors
    /// Where the store fails or a document cannot be read.
    pub async fn follow(&self, id: &LiveSystemId) -> Result<(), QueueError> {
        let system_key = key::live_system(id);
        for _ in 0..ROUNDS_MAX {
            let found = self.read::<LiveSystemDocument>(&system_key).await?;
            let (revision, system) = found.map_or((None, None), |(revision, system)| {
                (Some(revision), Some(system))
            });
            self.follow_as(id, system.as_ref()).await?;
            let now = self
                .store()
                .get(&system_key)
                .await?
                .map(|stored| stored.revision);
            if now != revision {
                continue;
            }
            let Some(revision) = revision.filter(|_| system.is_some_and(|system| system.removed))
            else {
                return Ok(());
            };
            if !self.store().list(&key::components_of(id)).await?.is_empty() {
                return Ok(());
            }
            match self.store().delete(&system_key, revision).await {
                Err(StoreError::Conflict { .. }) => {}
                result => return result.map(|_| ()).map_err(QueueError::from),
            }
        }
        Err(QueueError::Contended { key: system_key })
    }

    /// Mends what differs from `system` as it was read, and wakes what waits for something that has come.
    async fn follow_as(
        &self,
        id: &LiveSystemId,
        system: Option<&LiveSystemDocument>,
    ) -> Result<(), QueueError> {
        let documents = self.components(id).await?;
        // Whoever settles a component wakes those that wait for it. It may have died in between.
        let now = self.clock().wall();
        let overslept: Vec<ComponentKey> = documents
            .iter()
            .filter(|document| document.is_waiting(now) && gate::is_free(document, &documents))
            .map(|document| document.key.clone())
            .collect();
        let mends = differences(system, documents);
        gather(mends.into_iter().map(|mend| self.mend(mend))).await?;
        self.wake_keys(overslept.into_iter(), "Overslept")
            .await
            .map(drop)
    }

    async fn mend(&self, mend: Mend) -> Result<(), QueueError> {
        let now = self.clock().wall();
        match mend {
            Mend::Want { key, wanted } => {
                self.change(&key::component(&key), |found: Option<ComponentDocument>| {
                    Ok(match found {
                        None => {
                            Edit::Put(ComponentDocument::new(key.clone(), wanted.clone(), now), ())
                        }
                        Some(mut document) => {
                            if document.want(wanted.clone(), now) {
                                Edit::Put(document, ())
                            } else {
                                Edit::Keep(())
                            }
                        }
                    })
                })
                .await
            }
            Mend::Unwant { key, generation } => {
                self.change(&key::component(&key), |found: Option<ComponentDocument>| {
                    let Some(mut document) = found else {
                        return Ok(Edit::Keep(()));
                    };
                    let newer = document.generation > generation;
                    if document.is_untouched() && !newer {
                        return Ok(Edit::Delete(()));
                    }
                    Ok(if document.unwant(generation, now) {
                        Edit::Put(document, ())
                    } else {
                        Edit::Keep(())
                    })
                })
                .await
            }
        }
    }
}

fn differences(
    system: Option<&LiveSystemDocument>,
    documents: Vec<ComponentDocument>,
) -> Vec<Mend> {
    let known = by_key(documents);
    let mut mends = Vec::new();
    for (component, entry) in system.into_iter().flat_map(|system| {
        system
            .components
            .iter()
            .map(move |(id, entry)| (system.key(id, entry), entry))
    }) {
        if known
            .get(&component)
            .is_none_or(|document| document.generation < entry.generation)
        {
            let wanted = Wanted {
                generation: entry.generation,
                body: entry.body.clone(),
                dependencies: entry.dependencies.clone(),
            };
            mends.push(Mend::Want {
                key: component,
                wanted,
            });
        }
    }
    for document in known.into_values() {
        let wanted = system.is_some_and(|system| system.entry(&document.key).is_some());
        // Without a live system there is nothing newer that could still want it.
        let generation = system.map_or(document.generation, |system| system.generation);
        if !wanted && !document.tombstone && document.generation <= generation {
            mends.push(Mend::Unwant {
                key: document.key,
                generation,
            });
        }
    }
    mends
}
