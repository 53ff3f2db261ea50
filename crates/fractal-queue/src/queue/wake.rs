//! Wake-ups: a tag moved, a watch saw something, a person asks again. They carry no payload and may be repeated freely.

use fractal_core::contract::{ComponentKey, EnvironmentId, LiveSystemId, Offer};

use super::{Edit, Queue, gather};
use crate::document::component::ComponentDocument;
use crate::document::key;
use crate::error::QueueError;

/// Which components are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// This one.
    Component(ComponentKey),
    /// All of a live system.
    LiveSystem(LiveSystemId),
    /// All of an environment.
    Environment(EnvironmentId),
    /// All of an offer.
    Offer(Offer),
    /// All.
    Everything,
}

impl Queue {
    /// Makes components due now, and takes back that they were set aside. Says how many were not so already.
    ///
    /// # Errors
    /// Where the store fails or a document cannot be read.
    pub async fn wake(&self, selector: &Selector, reason: &str) -> Result<usize, QueueError> {
        let keys = self.select(selector).await?;
        self.wake_keys(keys.into_iter(), reason).await
    }

    /// Consents to the replacements of one plan of a component, and makes it due.
    ///
    /// # Errors
    /// Where the store fails, or there is no such component.
    pub async fn approve(&self, key: &ComponentKey, plan_hash: &str) -> Result<(), QueueError> {
        let now = self.clock().wall();
        self.change(&key::component(key), |found: Option<ComponentDocument>| {
            let mut document = found.ok_or_else(|| QueueError::NotFound {
                what: format!("component {key}"),
            })?;
            let known = document.approval.replace(plan_hash.into());
            let woken = document.wake("Approved", now);
            Ok(if woken || known.as_deref() != Some(plan_hash) {
                Edit::Put(document, ())
            } else {
                Edit::Keep(())
            })
        })
        .await
    }

    /// Drops a removed component without an agent's word: what it left in a cloud stays there.
    ///
    /// # Errors
    /// Where the store fails, or there is no such component, or it is still wanted.
    pub async fn forget(&self, key: &ComponentKey) -> Result<(), QueueError> {
        self.change(&key::component(key), |found: Option<ComponentDocument>| {
            let removed = found.filter(|document| document.tombstone);
            removed
                .map(|_| Edit::Delete(()))
                .ok_or_else(|| QueueError::NotFound {
                    what: format!("removed component {key}"),
                })
        })
        .await?;
        self.follow(&key.live_system).await
    }

    pub(super) async fn wake_keys(
        &self,
        keys: impl Iterator<Item = ComponentKey> + Send,
        reason: &str,
    ) -> Result<usize, QueueError> {
        let woken = gather(keys.map(|key| self.wake_one(key, reason))).await?;
        Ok(woken.into_iter().filter(|woken| *woken).count())
    }

    async fn wake_one(&self, key: ComponentKey, reason: &str) -> Result<bool, QueueError> {
        let now = self.clock().wall();
        self.change(&key::component(&key), |found: Option<ComponentDocument>| {
            let Some(mut document) = found else {
                return Ok(Edit::Keep(false));
            };
            Ok(if document.wake(reason, now) {
                Edit::Put(document, true)
            } else {
                Edit::Keep(false)
            })
        })
        .await
    }

    async fn select(&self, selector: &Selector) -> Result<Vec<ComponentKey>, QueueError> {
        let prefix = match selector {
            Selector::Component(key) => return Ok(vec![key.clone()]),
            Selector::LiveSystem(id) => key::components_of(id),
            Selector::Environment(_) | Selector::Offer(_) | Selector::Everything => {
                key::COMPONENTS.into()
            }
        };
        let offer = if let Selector::Offer(offer) = selector {
            Some(key::encoded_offer(offer))
        } else {
            None
        };
        let environment = if let Selector::Environment(id) = selector {
            Some(key::encoded_environment(id))
        } else {
            None
        };
        let mut stored = self.store().list(&prefix).await?;
        stored.retain(|stored| key::is_of(&stored.key, offer.as_deref(), environment.as_deref()));
        stored
            .iter()
            .map(|stored| {
                Ok(crate::document::read::<ComponentDocument>(&stored.key, &stored.body)?.key)
            })
            .collect()
    }
}
