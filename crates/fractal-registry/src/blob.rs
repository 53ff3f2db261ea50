//! Blobs: streams in constant memory whose last chunk is given out only when size and digest hold.

use std::fmt;

use bytes::{Bytes, BytesMut};
use fractal_core::artifact::{Descriptor, Reference};

use crate::auth::credentials::BoxFuture;
use crate::client::Registry;
use crate::endpoint::RepositoryRef;
use crate::error::RegistryError;

mod open;
mod stream;
mod supply;
mod verify;

pub use stream::BlobStream;
pub(crate) use stream::Waits;

/// Something a blob can be read from, any number of times: an upload that breaks off begins again.
pub trait BlobSource: fmt::Debug + Send + Sync {
    /// Opens a new verified stream of the blob.
    fn open<'a>(
        &'a self,
        descriptor: &'a Descriptor,
    ) -> BoxFuture<'a, Result<BlobStream, RegistryError>>;
}

impl BlobSource for Bytes {
    fn open<'a>(
        &'a self,
        descriptor: &'a Descriptor,
    ) -> BoxFuture<'a, Result<BlobStream, RegistryError>> {
        Box::pin(std::future::ready(Ok(BlobStream::of_bytes(
            self.clone(),
            descriptor,
        ))))
    }
}

/// A file on this machine.
impl BlobSource for std::path::PathBuf {
    fn open<'a>(
        &'a self,
        descriptor: &'a Descriptor,
    ) -> BoxFuture<'a, Result<BlobStream, RegistryError>> {
        Box::pin(BlobStream::of_file(self, descriptor))
    }
}

/// A blob in a repository.
#[derive(Debug, Clone)]
pub(crate) struct RemoteBlob {
    pub(crate) registry: Registry,
    pub(crate) repository: RepositoryRef,
}

impl BlobSource for RemoteBlob {
    fn open<'a>(
        &'a self,
        descriptor: &'a Descriptor,
    ) -> BoxFuture<'a, Result<BlobStream, RegistryError>> {
        Box::pin(self.registry.blob_in(&self.repository, descriptor))
    }
}

impl Registry {
    /// Opens the blob that `descriptor` names. The descriptor's `urls` are never read.
    ///
    /// # Errors
    /// Where the blob does not exist (asked again before that is believed), may not be read, or is said to have another size.
    pub async fn blob(
        &self,
        reference: &Reference,
        descriptor: &Descriptor,
    ) -> Result<BlobStream, RegistryError> {
        self.blob_in(&reference.into(), descriptor).await
    }

    pub(crate) async fn blob_in(
        &self,
        repository: &RepositoryRef,
        descriptor: &Descriptor,
    ) -> Result<BlobStream, RegistryError> {
        let supply = open::HttpSupply::new(self.clone(), repository.clone(), descriptor.clone());
        BlobStream::open(
            Box::new(supply),
            descriptor,
            Waits::of(&self.options().timeouts),
        )
        .await
    }

    /// The whole blob in memory, verified; a mismatch is read once more before it is believed.
    ///
    /// # Errors
    /// As [`Self::blob`], and where the descriptor declares more than `max` bytes.
    pub async fn blob_bytes(
        &self,
        reference: &Reference,
        descriptor: &Descriptor,
        max: u64,
    ) -> Result<Bytes, RegistryError> {
        let repository = reference.into();
        match self.blob_bytes_once(&repository, descriptor, max).await {
            Err(RegistryError::DigestMismatch { .. }) => {
                self.blob_bytes_once(&repository, descriptor, max).await
            }
            other => other,
        }
    }

    async fn blob_bytes_once(
        &self,
        repository: &RepositoryRef,
        descriptor: &Descriptor,
        max: u64,
    ) -> Result<Bytes, RegistryError> {
        if descriptor.size > max {
            let found = format!("at most {max} are read into memory");
            return Err(RegistryError::SizeMismatch {
                at: repository.to_string().into(),
                expected: descriptor.size,
                found: found.into(),
            });
        }
        self.blob_in(repository, descriptor).await?.collect().await
    }

    /// The first `length` bytes of a blob, fewer where it has fewer. **Not verified**: for telling what it is, never for use.
    ///
    /// # Errors
    /// As [`Self::blob`].
    pub async fn blob_prefix(
        &self,
        reference: &Reference,
        descriptor: &Descriptor,
        length: usize,
    ) -> Result<Bytes, RegistryError> {
        let wanted = descriptor.size.min(length as u64);
        if wanted == 0 {
            return Ok(Bytes::new());
        }
        let supply = open::HttpSupply::new(self.clone(), reference.into(), descriptor.clone());
        supply.prefix(wanted).await
    }
}

impl BlobStream {
    /// Everything that is left, in memory: for blobs whose declared size the caller has bounded.
    ///
    /// # Errors
    /// As reading does.
    pub async fn collect(mut self) -> Result<Bytes, RegistryError> {
        let mut all = BytesMut::new();
        while let Some(chunk) = self.next().await {
            all.extend_from_slice(&chunk?);
        }
        Ok(all.freeze())
    }
}
