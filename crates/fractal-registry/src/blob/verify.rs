//! The check every blob byte passes: counted, hashed, and the last of them held back until both hold.

use std::sync::Arc;

use bytes::Bytes;
use fractal_core::artifact::{Descriptor, Digest, Hasher};

use crate::error::RegistryError;

pub(super) struct Verifier {
    at: Arc<str>,
    digest: Digest,
    size: u64,
    hasher: Option<Hasher>,
    received: u64,
    given_out: u64,
    held: Option<Bytes>,
}

/// What became of a chunk.
pub(super) enum Verdict {
    /// May be used.
    Give(Bytes),
    /// Nothing to give yet.
    More,
    /// All bytes are here and right; the last chunk is held until the body is seen to end.
    Complete,
}

impl Verifier {
    pub(super) fn new(at: Arc<str>, descriptor: &Descriptor) -> Self {
        let hasher = Some(Hasher::new(descriptor.digest.algorithm()));
        Self {
            at,
            digest: descriptor.digest.clone(),
            size: descriptor.size,
            hasher,
            received: 0,
            given_out: 0,
            held: None,
        }
    }

    pub(super) const fn at(&self) -> &Arc<str> {
        &self.at
    }

    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    pub(super) const fn received(&self) -> u64 {
        self.received
    }

    /// Bytes that the reader has yet to get.
    pub(super) const fn left(&self) -> u64 {
        self.size - self.given_out
    }

    pub(super) const fn is_complete(&self) -> bool {
        self.received == self.size
    }

    /// Begins again, where nothing has been given out yet.
    pub(super) fn restart(&mut self) -> bool {
        if self.given_out > 0 {
            return false;
        }
        self.hasher = Some(Hasher::new(self.digest.algorithm()));
        self.received = 0;
        self.held = None;
        true
    }

    pub(super) fn take(&mut self, chunk: Bytes) -> Result<Verdict, RegistryError> {
        if chunk.is_empty() {
            return Ok(Verdict::More);
        }
        self.received = self.received.saturating_add(chunk.len() as u64);
        if self.received > self.size {
            return Err(self.wrong_size("more came".into()));
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&chunk);
        }
        if self.received < self.size {
            self.given_out += chunk.len() as u64;
            return Ok(Verdict::Give(chunk));
        }
        self.held = Some(chunk);
        self.check()?;
        Ok(Verdict::Complete)
    }

    /// Compares the digest, once all bytes are here.
    pub(super) fn check(&mut self) -> Result<(), RegistryError> {
        let Some(hasher) = self.hasher.take() else {
            return Ok(());
        };
        let found = hasher.finish();
        if found == self.digest {
            return Ok(());
        }
        self.held = None;
        Err(RegistryError::DigestMismatch {
            at: self.at.clone(),
            expected: self.digest.clone(),
            found,
        })
    }

    /// The last chunk, after the body has ended where it should.
    pub(super) fn release(&mut self) -> Option<Bytes> {
        let last = self.held.take()?;
        self.given_out += last.len() as u64;
        Some(last)
    }

    pub(super) fn wrong_size(&self, found: Arc<str>) -> RegistryError {
        RegistryError::SizeMismatch {
            at: self.at.clone(),
            expected: self.size,
            found,
        }
    }
}
