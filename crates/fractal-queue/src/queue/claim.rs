//! Claims: one worker at a time, fenced by a token that no other claim ever has.
//!
//! Leases need no common clock. A challenger takes over only what it has itself watched standing still for the lease's length.

use std::time::Duration;

use fractal_core::contract::{Component, ComponentKey};

use super::sight::Beat;
use super::{Edit, Queue};
use crate::document::component::{ComponentDocument, LeaseState, Record, Wake};
use crate::document::{self, key};
use crate::error::QueueError;
use crate::store::{Expected, Revision, StoreError};

/// Whether the worker has other claims in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Company {
    /// It has, or may have soon.
    Shared,
    /// It has none, and takes none until this one is settled.
    Alone,
}

/// How a worker wants to hold a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenure {
    /// The process: its presence's id, unique per process.
    pub holder: String,
    /// How long a claim may stand still before another worker takes it. Longer than the longest cloud call.
    pub length: Duration,
    /// What else the worker does.
    pub company: Company,
}

/// What a worker has to bring about.
#[derive(Debug, Clone, PartialEq)]
pub enum Desired {
    /// The component as this body says.
    Present(Box<Component>),
    /// Nothing.
    Absent,
    /// The body cannot be read, which keeps nobody from removing the component.
    Unreadable(String),
}

/// The right to work on one component, until it is settled, released or lost.
#[derive(Debug)]
pub struct Claim {
    pub(super) key: ComponentKey,
    pub(super) token: u64,
    pub(super) generation: u64,
    pub(super) revision: Revision,
    pub(super) document: ComponentDocument,
    pub(super) renewed: Duration,
    length: Duration,
    desired: Desired,
}

/// Why there is no claim.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such component any more.
    Gone,
    /// Another generation is desired than the one asked for.
    Generation {
        /// The one that is.
        found: u64,
    },
    /// Another worker holds it.
    Leased {
        /// The worker.
        holder: String,
        /// When to try again at the earliest, if it stands still until then.
        wait: Duration,
    },
    /// It killed workers: the next one must have nothing else in flight.
    MustBeAlone,
    /// It killed too many: it has to be woken or changed first.
    SetAside,
}

/// The answer to a claim.
#[derive(Debug)]
pub enum Take {
    /// It is ours.
    Claimed(Box<Claim>),
    /// It is not.
    Refused(Refusal),
}

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
        let system = self.live_system(&key.live_system).await?;
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

    /// Writes the record, durably, under the fence. Progress: attempts begin anew.
    ///
    /// A new desired generation does not cost the claim; [`Claim::superseded`] says so afterwards.
    ///
    /// # Errors
    /// [`QueueError::Lost`] where the claim is another worker's: issue no further write. Where the store fails it is unknown
    /// whether the note was taken; without one that was, no step may begin.
    pub async fn note(&self, claim: &mut Claim, record: Record) -> Result<(), QueueError> {
        self.fenced(claim, |document| {
            document.record = Some(record.clone());
            document.attempts = 0;
        })
        .await
    }

    /// Says that the worker is alive, and checks the fence. At least three times within the lease's length.
    ///
    /// # Errors
    /// As [`Queue::note`].
    pub async fn renew(&self, claim: &mut Claim) -> Result<(), QueueError> {
        self.fenced(claim, |_| {}).await
    }

    /// Hands a claim back unsettled, on shutdown for one: nobody died, and the next worker may take it at once.
    ///
    /// # Errors
    /// As [`Queue::note`].
    pub async fn release(&self, mut claim: Claim) -> Result<(), QueueError> {
        let now = self.clock().wall();
        self.fenced(&mut claim, |document| {
            document.lease = None;
            document.due = document.due.min(now);
            document.attempts = document.attempts.saturating_sub(1);
        })
        .await
    }

    /// Changes the document as long as the claim holds, merging with what others changed meanwhile.
    pub(super) async fn fenced(
        &self,
        claim: &mut Claim,
        edit: impl Fn(&mut ComponentDocument) + Send,
    ) -> Result<(), QueueError> {
        let document_key = key::component(&claim.key);
        let mut document = claim.document.clone();
        let mut revision = claim.revision;
        loop {
            let started = self.clock().monotonic();
            if let Some(lease) = &mut document.lease {
                lease.beat += 1;
            }
            edit(&mut document);
            match self
                .store()
                .put(
                    &document_key,
                    Expected::At(revision),
                    document::write(&document_key, &document)?,
                )
                .await
            {
                Ok(written) => {
                    claim.renewed = started;
                    claim.revision = written;
                    claim.document = document;
                    return Ok(());
                }
                Err(StoreError::Conflict { .. }) => {
                    let found = self.read::<ComponentDocument>(&document_key).await?;
                    (revision, document) = found
                        .filter(|(_, found)| claim.holds(found))
                        .ok_or_else(|| claim.lost())?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Deletes the document where `confirmed` still holds for it, under the fence. Says whether it did.
    pub(super) async fn retire(
        &self,
        claim: &Claim,
        confirmed: impl Fn(&ComponentDocument) -> bool + Send + Sync,
    ) -> Result<bool, QueueError> {
        self.change(
            &key::component(&claim.key),
            |found: Option<ComponentDocument>| {
                let document = found
                    .filter(|found| claim.holds(found))
                    .ok_or_else(|| claim.lost())?;
                Ok(if confirmed(&document) {
                    Edit::Delete(true)
                } else {
                    Edit::Keep(false)
                })
            },
        )
        .await
    }
}

impl Claim {
    /// The component.
    #[must_use]
    pub const fn key(&self) -> &ComponentKey {
        &self.key
    }

    /// The fencing token: grows from claim to claim.
    #[must_use]
    pub const fn token(&self) -> u64 {
        self.token
    }

    /// The generation it was claimed at, which is the one being worked on.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The document, as of our last write.
    #[must_use]
    pub const fn document(&self) -> &ComponentDocument {
        &self.document
    }

    /// What has to be brought about.
    #[must_use]
    pub const fn desired(&self) -> &Desired {
        &self.desired
    }

    /// Whether the worker before died, so that its last call may still be under way: a full pass has to run.
    #[must_use]
    pub const fn takeover(&self) -> bool {
        self.document.taken_over
    }

    /// The wake-ups it answers.
    #[must_use]
    pub fn wakes(&self) -> &[Wake] {
        &self.document.wakes
    }

    /// Whether something newer is desired, as far as our last write saw.
    #[must_use]
    pub const fn superseded(&self) -> bool {
        self.document.generation != self.generation
    }

    /// For how long nobody else can have taken it over, at `now` on the queue's monotonic clock. A call must end within.
    #[must_use]
    pub fn remaining(&self, now: Duration) -> Duration {
        self.length.saturating_sub(now.saturating_sub(self.renewed))
    }

    pub(super) fn holds(&self, document: &ComponentDocument) -> bool {
        let ours = self
            .document
            .lease
            .as_ref()
            .map(|lease| lease.holder.as_str());
        document
            .lease
            .as_ref()
            .is_some_and(|lease| lease.token == self.token && Some(lease.holder.as_str()) == ours)
    }

    fn lost(&self) -> QueueError {
        QueueError::Lost {
            component: self.key.to_string(),
        }
    }
}
