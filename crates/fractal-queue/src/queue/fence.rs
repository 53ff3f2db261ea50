//! Writing under a claim: notes, beats, the hand-back. Each is fenced by the claim's token and merges what others changed.

use super::claim::Claim;
use super::{Edit, Queue};
use crate::document::component::{ComponentDocument, Record};
use crate::document::{self, key};
use crate::error::QueueError;
use crate::store::{Expected, StoreError};

impl Queue {
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
