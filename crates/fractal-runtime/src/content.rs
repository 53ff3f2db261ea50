//! Artifact bytes for a pass: straight from the registry, verified on the way.

use bytes::Bytes;
use fractal_core::Fault;
use fractal_core::artifact::{Descriptor, Reference};
use fractal_core::reconcile::{BoxFuture, ByteStream, Content};
use fractal_registry::{BlobStream, Registry};

/// Content from a registry.
#[derive(Debug, Clone)]
pub struct RegistryContent(pub(crate) Registry);

impl RegistryContent {
    /// Content through `registry`.
    #[must_use]
    pub const fn new(registry: Registry) -> Self {
        Self(registry)
    }
}

struct Verified(BlobStream);

impl Content for RegistryContent {
    fn open<'a>(
        &'a self,
        from: &'a Reference,
        what: &'a Descriptor,
    ) -> BoxFuture<'a, Result<Box<dyn ByteStream>, Fault>> {
        Box::pin(async move {
            let stream = self.0.blob(from, what).await.map_err(Fault::from)?;
            Ok(Box::new(Verified(stream)) as Box<dyn ByteStream>)
        })
    }
}

impl ByteStream for Verified {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, Fault>> {
        Box::pin(async move { self.0.next().await.transpose().map_err(Fault::from) })
    }
}
