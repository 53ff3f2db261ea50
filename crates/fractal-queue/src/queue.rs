//! The queue's rules, once above any store. This file holds the handle and the one way documents are changed.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use fractal_core::contract::{Component, ComponentKey, LiveSystemId};

use crate::clock::Clock;
use crate::document::component::ComponentDocument;
use crate::document::live_system::LiveSystemDocument;
use crate::document::{self, Kind, key};
use crate::error::QueueError;
use crate::store::{Expected, Revision, Store, StoreError};

pub(crate) mod agenda;
pub(crate) mod ask;
pub(crate) mod changes;
pub(crate) mod claim;
pub(crate) mod desired;
mod fence;
mod follow;
pub(crate) mod gate;
mod gather;
pub(crate) mod presence;
pub(crate) mod settle;
mod sight;
pub(crate) mod sweep;
mod systems;
mod take;
pub(crate) mod view;
pub(crate) mod wake;

use gather::gather;
use sight::Sightings;
use systems::Systems;

/// Writers that were faster in a row before a change is given up. Each of them made progress.
const ATTEMPTS_MAX: u32 = 1000;

/// A handle on the queue. Clones share what they have seen.
#[derive(Clone)]
pub struct Queue {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    sightings: Sightings,
    systems: Systems,
}

/// What becomes of a document, and what the caller of [`Queue::change`] gets.
enum Edit<D, T> {
    Keep(T),
    Put(D, T),
    Delete(T),
}

impl Queue {
    /// A queue on a store. The clock is the only source of time.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                clock,
                sightings: Sightings::default(),
                systems: Systems::default(),
            }),
        }
    }

    /// The store underneath.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.inner.store
    }

    /// The clock it was made with.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.inner.clock
    }

    /// The installation's id, made when the first process asks for it. Cloud objects are marked with it.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn installation(&self) -> Result<String, QueueError> {
        let store = self.store();
        let made = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
        match store
            .put(
                key::INSTALLATION,
                Expected::Absent,
                made.clone().into_bytes(),
            )
            .await
        {
            Ok(_) => Ok(made),
            Err(StoreError::Conflict { .. }) => {
                let known = store.get(key::INSTALLATION).await?;
                let known = known.ok_or_else(|| QueueError::NotFound {
                    what: "installation id".into(),
                })?;
                Ok(String::from_utf8_lossy(&known.body).into_owned())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// One component's document.
    ///
    /// # Errors
    /// Where the store fails or the document cannot be read.
    pub async fn component(
        &self,
        key: &ComponentKey,
    ) -> Result<Option<ComponentDocument>, QueueError> {
        Ok(self
            .read(&key::component(key))
            .await?
            .map(|(_, document)| document))
    }

    /// All components of a live system, those being removed included.
    ///
    /// # Errors
    /// Where the store fails or a document cannot be read.
    pub async fn components(
        &self,
        id: &LiveSystemId,
    ) -> Result<Vec<ComponentDocument>, QueueError> {
        self.read_all(&key::components_of(id)).await
    }

    /// One live system's document.
    ///
    /// # Errors
    /// Where the store fails or the document cannot be read.
    pub async fn live_system(
        &self,
        id: &LiveSystemId,
    ) -> Result<Option<LiveSystemDocument>, QueueError> {
        Ok(self
            .read(&key::live_system(id))
            .await?
            .map(|(_, document)| document))
    }

    /// All live systems.
    ///
    /// # Errors
    /// Where the store fails or a document cannot be read.
    pub async fn live_systems(&self) -> Result<Vec<LiveSystemDocument>, QueueError> {
        self.read_all(key::LIVE_SYSTEMS).await
    }

    /// The desired body of a component's document.
    ///
    /// # Errors
    /// Where the store fails, or the body is missing or cannot be read.
    pub async fn body(&self, document: &ComponentDocument) -> Result<Component, QueueError> {
        self.body_at(&document.body, &document.key).await
    }

    pub(crate) async fn body_at(
        &self,
        digest: &fractal_core::artifact::Digest,
        owner: &ComponentKey,
    ) -> Result<Component, QueueError> {
        let key = key::body(digest);
        let missing = || QueueError::BodyMissing {
            digest: digest.to_string(),
            component: owner.to_string(),
        };
        let stored = self.store().get(&key).await?.ok_or_else(missing)?;
        serde_json::from_slice(&stored.body).map_err(|source| QueueError::Document { key, source })
    }

    async fn read<D: Kind>(&self, key: &str) -> Result<Option<(Revision, D)>, QueueError> {
        let Some(stored) = self.store().get(key).await? else {
            return Ok(None);
        };
        Ok(Some((stored.revision, document::read(key, &stored.body)?)))
    }

    async fn read_all<D: Kind>(&self, prefix: &str) -> Result<Vec<D>, QueueError> {
        let all = self.store().list(prefix).await?;
        all.iter()
            .map(|stored| document::read(&stored.key, &stored.body))
            .collect()
    }

    /// Changes one document: `edit` sees it as it is and says what becomes of it, again and again until nobody was faster.
    async fn change<D: Kind, T>(
        &self,
        key: &str,
        mut edit: impl FnMut(Option<D>) -> Result<Edit<D, T>, QueueError> + Send,
    ) -> Result<T, QueueError> {
        for _ in 0..ATTEMPTS_MAX {
            let found = self.read::<D>(key).await?;
            let revision = found.as_ref().map(|(revision, _)| *revision);
            let expected = revision.map_or(Expected::Absent, Expected::At);
            let (result, wanted) = match edit(found.map(|(_, document)| document))? {
                Edit::Keep(wanted) => return Ok(wanted),
                Edit::Put(document, wanted) => (
                    self.store()
                        .put(key, expected, document::write(key, &document)?)
                        .await,
                    wanted,
                ),
                Edit::Delete(wanted) => match revision {
                    Some(revision) => (self.store().delete(key, revision).await, wanted),
                    None => return Ok(wanted),
                },
            };
            match result {
                Ok(_) => return Ok(wanted),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(QueueError::Contended { key: key.into() })
    }
}

/// Documents by their keys, from one list.
fn by_key(documents: Vec<ComponentDocument>) -> HashMap<ComponentKey, ComponentDocument> {
    documents
        .into_iter()
        .map(|document| (document.key.clone(), document))
        .collect()
}
