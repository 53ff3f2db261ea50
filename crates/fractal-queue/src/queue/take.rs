//! Taking a claim: who may, what it replaces, and what a death counts.

use std::time::Duration;

use fractal_core::contract::ComponentKey;

use super::Queue;
use super::claim::{Claim, Company, Desired, Refusal, Take, Tenure};
use super::sight::Beat;
use crate::document::component::{ComponentDocument, LeaseState};
use crate::document::{self, key};
use crate::error::QueueError;
use crate::store::{Expected, Revision, StoreError};

/// What came of looking at a document for a claim.
enum Look {
    Taken(Box<(ComponentDocument, Revision)>),
    Refused(Refusal),
}

impl Queue {
    /// Claims a component, of one generation where `generation` says so. The attempt is counted here.
    ///
    /// A claim is needed to write. Steady passes read [`Queue::component`] and [`Queue::body`] and claim nothing.
    ///
    /// # Errors
    /// Where the store fails or a document cannot be read.
    pub async fn claim(
        &self,
        key: &ComponentKey,
        generation: Option<u64>,
        tenure: &Tenure,
    ) -> Result<Take, QueueError> {
        self.mend_before(key).await?;
        // Taken before the write: the lease is shorter for us than for any challenger.
        let now = self.clock().monotonic();
        let (document, revision) = match self.take(key, generation, tenure).await? {
            Look::Refused(refusal) => return Ok(Take::Refused(refusal)),
            Look::Taken(taken) => *taken,
        };
        let desired = self.desired(&document).await?;
        Ok(Take::Claimed(Box::new(Claim {
            key: key.clone(),
            token: document.token,
            generation: document.generation,
            revision,
            document,
            renewed: now,
            length: tenure.length,
            desired,
        })))
    }

    /// The desired body, or that there is none.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn desired(&self, document: &ComponentDocument) -> Result<Desired, QueueError> {
        if document.tombstone {
            return Ok(Desired::Absent);
        }
        match self.body(document).await {
            Ok(body) => Ok(Desired::Present(Box::new(body))),
            Err(QueueError::Store(error)) => Err(error.into()),
            Err(error) => Ok(Desired::Unreadable(fractal_core::fault::chain(&error))),
        }
    }

    /// Nothing is worked on that its live system does not say, even where a follower died or slept.
    async fn mend_before(&self, key: &ComponentKey) -> Result<(), QueueError> {
        let Some(document) = self.component(key).await? else {
            return Ok(());
        };
        let system = self.system(&key.live_system).await?;
        let wanted = system
            .as_ref()
            .and_then(|system| system.entry(key))
            .map(|entry| entry.generation);
        let same = if document.tombstone {
            wanted.is_none()
        } else {
            wanted == Some(document.generation)
        };
        if same {
            Ok(())
        } else {
            self.follow(&key.live_system).await
        }
    }

    async fn take(
        &self,
        key: &ComponentKey,
        generation: Option<u64>,
        tenure: &Tenure,
    ) -> Result<Look, QueueError> {
        let document_key = key::component(key);
        loop {
            let Some((revision, mut document)) =
                self.read::<ComponentDocument>(&document_key).await?
            else {
                return Ok(Look::Refused(Refusal::Gone));
            };
            if let Some(found) = generation
                .map(|_| document.generation)
                .filter(|found| Some(*found) != generation)
            {
                return Ok(Look::Refused(Refusal::Generation { found }));
            }
            if let Some(wait) = self.held_for(&document_key, &document) {
                let holder = document.lease.map(|lease| lease.holder).unwrap_or_default();
                return Ok(Look::Refused(Refusal::Leased { holder, wait }));
            }
            if document.set_aside.is_some() {
                return Ok(Look::Refused(Refusal::SetAside));
            }
            if document.must_be_alone(true) && tenure.company == Company::Shared {
                return Ok(Look::Refused(Refusal::MustBeAlone));
            }
            let refusal = self.occupy(&mut document, revision, tenure).err();
            let body = document::write(&document_key, &document)?;
            match self
                .store()
                .put(&document_key, Expected::At(revision), body)
                .await
            {
                Ok(revision) => {
                    self.inner.sightings.forget(&document_key);
                    return Ok(refusal.map_or_else(
                        || Look::Taken(Box::new((document, revision))),
                        Look::Refused,
                    ));
                }
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// For how long a lease still has to stand still; `None` where there is none, or it has.
    pub(super) fn held_for(
        &self,
        document_key: &str,
        document: &ComponentDocument,
    ) -> Option<Duration> {
        let Some(lease) = &document.lease else {
            self.inner.sightings.forget(document_key);
            return None;
        };
        let beat = Beat {
            token: lease.token,
            count: lease.beat,
        };
        let still = self
            .inner
            .sightings
            .look(document_key, beat, self.clock().monotonic());
        lease
            .length()
            .checked_sub(still)
            .filter(|left| !left.is_zero())
    }

    /// Enters us as the holder, unless the death of the holder before sets the component aside. Either is to be written.
    fn occupy(
        &self,
        document: &mut ComponentDocument,
        revision: Revision,
        tenure: &Tenure,
    ) -> Result<(), Refusal> {
        document.bury(self.clock().wall());
        if document.set_aside.is_some() {
            return Err(Refusal::SetAside);
        }
        document.attempts = document.attempts.saturating_add(1);
        // The revision that is replaced: store-wide unique and growing, even where the document was forgotten in between.
        document.token = revision.get();
        document.lease = Some(LeaseState {
            holder: tenure.holder.clone(),
            token: document.token,
            length_ms: u64::try_from(tenure.length.as_millis()).unwrap_or(u64::MAX),
            beat: 0,
            // Deaths count against a component only where it had to be alone: others happen to be.
            alone: document.must_be_alone(false),
            wakes_seen: document.wake_serial,
        });
        Ok(())
    }
}
