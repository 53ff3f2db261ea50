//! What is desired: bodies first, then the one flip of the live system's document, then the components follow it.

use std::collections::BTreeSet;

use fractal_core::artifact::Digest;
use fractal_core::contract::{Component, ComponentKey, LiveSystemId};
use fractal_core::fault::Fault;
use fractal_core::fingerprint::canonical_json;

use super::{Edit, Queue, gather};
use crate::document::key;
use crate::document::live_system::LiveSystemDocument;
use crate::error::QueueError;
use crate::store::{DOCUMENT_MAX, Expected, StoreError};

impl Queue {
    /// Wants a component as it is. The same body again is the same generation, and no write.
    ///
    /// # Errors
    /// Where the store fails or refuses the body for its size.
    pub async fn put(&self, component: &Component) -> Result<u64, QueueError> {
        let known = self.live_system(&component.live_system).await?;
        let body = self
            .put_bodies(std::iter::once(component), known.as_ref())
            .await?;
        let body = body
            .into_iter()
            .next()
            .ok_or_else(|| QueueError::NotFound {
                what: "body".into(),
            })?;
        let generation = self
            .flip(&component.live_system, |known, base| {
                let fresh = || {
                    LiveSystemDocument::new(
                        component.live_system.clone(),
                        String::new(),
                        component.environment.id.clone(),
                    )
                };
                let mut document = known.unwrap_or_else(fresh);
                let before = document.clone();
                let next = document.generation.max(base) + 1;
                let generation = document.set(component, &body, next);
                document.removed = false;
                if generation == next || before.removed {
                    document.generation = next;
                }
                Ok((document, generation))
            })
            .await?;
        Ok(generation)
    }

    /// Wants a component no more. What is known of it stays until an agent confirms that nothing is left.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn remove(&self, key: &ComponentKey) -> Result<(), QueueError> {
        if self.live_system(&key.live_system).await?.is_none() {
            return self.follow(&key.live_system).await;
        }
        self.flip(&key.live_system, |known, base| {
            let fresh = || {
                LiveSystemDocument::new(
                    key.live_system.clone(),
                    String::new(),
                    key.environment.clone(),
                )
            };
            let mut document = known.unwrap_or_else(fresh);
            if document.entry(key).is_some() {
                document.components.remove(&key.component);
                document.generation = document.generation.max(base) + 1;
            }
            document.removed |= document.components.is_empty();
            Ok((document, ()))
        })
        .await
    }

    /// Wants nothing of a live system any more. Its document goes when its last component is gone.
    ///
    /// # Errors
    /// Where the store fails, or there is no such live system.
    pub async fn remove_live_system(&self, id: &LiveSystemId) -> Result<(), QueueError> {
        self.change(
            &key::live_system(id),
            |known: Option<LiveSystemDocument>| {
                let mut document = known.ok_or_else(|| QueueError::NotFound {
                    what: format!("live system {id}"),
                })?;
                if document.removed && document.components.is_empty() {
                    return Ok(Edit::Keep(()));
                }
                document.removed = true;
                document.held = None;
                document.components.clear();
                document.generation += 1;
                Ok(Edit::Put(document, ()))
            },
        )
        .await?;
        self.follow(id).await
    }

    /// Marks a live system as held: its last submission was not taken.
    pub(crate) async fn hold(&self, id: &LiveSystemId, fault: &Fault) -> Result<(), QueueError> {
        self.change(
            &key::live_system(id),
            |known: Option<LiveSystemDocument>| {
                Ok(match known {
                    Some(document) if document.held.as_ref() != Some(fault) => Edit::Put(
                        LiveSystemDocument {
                            held: Some(fault.clone()),
                            ..document
                        },
                        (),
                    ),
                    _ => Edit::Keep(()),
                })
            },
        )
        .await
    }

    /// Writes a live system's document where `edit` changes it, then lets its components follow.
    ///
    /// `edit` gets what there is and the highest generation any of its components ever had.
    pub(crate) async fn flip<T: Send>(
        &self,
        id: &LiveSystemId,
        mut edit: impl FnMut(
            Option<LiveSystemDocument>,
            u64,
        ) -> Result<(LiveSystemDocument, T), QueueError>
        + Send,
    ) -> Result<T, QueueError> {
        // Components may outlive a document that was lost: a new one must not count below them.
        let base = self
            .components(id)
            .await?
            .iter()
            .map(|document| document.generation)
            .max()
            .unwrap_or_default();
        let result = self
            .change(
                &key::live_system(id),
                |known: Option<LiveSystemDocument>| {
                    let (document, wanted) = edit(known.clone(), base)?;
                    Ok(if known.as_ref() == Some(&document) {
                        Edit::Keep(wanted)
                    } else {
                        Edit::Put(document, wanted)
                    })
                },
            )
            .await?;
        self.follow(id).await?;
        Ok(result)
    }

    /// Writes a body under its digest. One that is there is written again: its new revision keeps it from being swept.
    pub(crate) async fn put_body(&self, body: Body) -> Result<Digest, QueueError> {
        let key = key::body(&body.digest);
        let known = self.store().get(&key).await?;
        let expected = known.map_or(Expected::Absent, |known| Expected::At(known.revision));
        match self.store().put(&key, expected, body.bytes).await {
            // Whoever was faster wrote the same bytes.
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(body.digest),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes those bodies that no component of `known` has yet, or none of them where one does not fit.
    pub(crate) async fn put_bodies<'a>(
        &self,
        components: impl Iterator<Item = &'a Component> + Send,
        known: Option<&LiveSystemDocument>,
    ) -> Result<Vec<Digest>, QueueError> {
        let present: BTreeSet<&Digest> = known
            .into_iter()
            .flat_map(|known| known.components.values().map(|entry| &entry.body))
            .collect();
        let bodies: Vec<Body> = components.map(Body::of).collect::<Result<_, _>>()?;
        let digests = bodies.iter().map(|body| body.digest.clone()).collect();
        let missing = bodies
            .into_iter()
            .filter(|body| !present.contains(&body.digest));
        gather(missing.map(|body| self.put_body(body))).await?;
        Ok(digests)
    }
}

/// A component's body as it is stored: canonical JSON under its digest.
pub(crate) struct Body {
    digest: Digest,
    bytes: Vec<u8>,
}

impl Body {
    /// # Errors
    /// Where it does not fit into the store.
    pub(crate) fn of(component: &Component) -> Result<Self, QueueError> {
        let key = component.key().to_string();
        let bytes = canonical_json(component).map_err(|source| QueueError::Document {
            key: key.clone(),
            source,
        })?;
        if bytes.len() > DOCUMENT_MAX {
            return Err(StoreError::TooLarge {
                key,
                found: bytes.len(),
            }
            .into());
        }
        Ok(Self {
            digest: Digest::sha256(&bytes),
            bytes,
        })
    }
}
