//! Artifact bytes from memory, for tests that have no registry. Nothing is verified: the bytes are the test's own.

use std::collections::BTreeMap;

use bytes::Bytes;
use fractal_core::artifact::{Descriptor, Digest, Reference};
use fractal_core::reconcile::{BoxFuture, ByteStream, Content};
use fractal_core::{Fault, Reason};

/// Largest piece a stream gives out, in bytes.
const PIECE: usize = 64 << 10;

/// Blobs by digest.
#[derive(Debug, Clone, Default)]
pub struct MemoryContent(BTreeMap<Digest, Bytes>);

impl MemoryContent {
    /// Adds a blob and gives its digest.
    pub fn add(&mut self, blob: impl Into<Bytes>) -> Digest {
        let blob = blob.into();
        let digest = Digest::sha256(&blob);
        self.0.insert(digest.clone(), blob);
        digest
    }
}

impl Content for MemoryContent {
    fn open<'a>(
        &'a self,
        from: &'a Reference,
        what: &'a Descriptor,
    ) -> BoxFuture<'a, Result<Box<dyn ByteStream>, Fault>> {
        let blob = self.0.get(&what.digest).cloned();
        let opened = blob
            .map(|blob| Box::new(Pieces(blob)) as Box<dyn ByteStream>)
            .ok_or_else(|| {
                Fault::blocked(Reason::new("BlobMissing"), "there is no such blob").at(from)
            });
        Box::pin(std::future::ready(opened))
    }
}

struct Pieces(Bytes);

impl ByteStream for Pieces {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, Fault>> {
        let size = self.0.len().min(PIECE);
        let piece = (size > 0).then(|| self.0.split_to(size));
        Box::pin(std::future::ready(Ok(piece)))
    }
}
