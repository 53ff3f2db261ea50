//! An artifact that was packed here, or lies in an archive: manifests and blobs in memory or in parts of files.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use fractal_core::artifact::manifest::MANIFEST_MAX;
use fractal_core::artifact::{Descriptor, Digest};

use crate::auth::credentials::BoxFuture;
use crate::blob::{BlobSource, BlobStream};
use crate::error::{Flaw, RegistryError};
use crate::manifest::{FetchedManifest, Resolved, verified};

/// Where the bytes of one blob or manifest are.
#[derive(Debug, Clone)]
pub enum Piece {
    /// In memory.
    Bytes(Bytes),
    /// In a file.
    Part {
        /// The file.
        path: PathBuf,
        /// The first byte.
        start: u64,
        /// How many.
        size: u64,
    },
}

impl Piece {
    const fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Part { size, .. } => *size,
        }
    }
}

/// One artifact with everything it names, read through the same verification as a registry.
#[derive(Debug, Clone)]
pub struct Packed {
    name: Arc<str>,
    root: Descriptor,
    pieces: BTreeMap<Digest, Piece>,
    beside: Vec<Descriptor>,
}

impl Packed {
    /// The artifact whose manifest is `root`, among `pieces`. `name` says in errors where it is.
    #[must_use]
    pub fn new(name: &str, root: Descriptor, pieces: BTreeMap<Digest, Piece>) -> Self {
        Self {
            name: name.into(),
            root,
            pieces,
            beside: Vec::new(),
        }
    }

    /// With manifests that lie beside it, and may refer to it.
    #[must_use]
    pub fn with_beside(mut self, beside: Vec<Descriptor>) -> Self {
        self.beside = beside;
        self
    }

    pub(crate) fn at(&self) -> Arc<str> {
        self.name.clone()
    }

    pub(crate) fn beside(&self) -> &[Descriptor] {
        &self.beside
    }

    pub(crate) fn resolved(&self) -> Resolved {
        Resolved {
            digest: self.root.digest.clone(),
            media_type: Some(self.root.media_type.clone()),
            size: Some(self.root.size),
        }
    }

    /// A manifest, verified.
    pub(crate) async fn manifest(&self, digest: &Digest) -> Result<FetchedManifest, RegistryError> {
        let piece = self.piece(digest)?;
        if piece.size() > MANIFEST_MAX as u64 {
            return Err(RegistryError::ManifestTooLarge {
                at: self.at(),
                max: MANIFEST_MAX,
            });
        }
        let descriptor = Descriptor::new("", digest.clone(), piece.size());
        let bytes = self.open(&descriptor).await?.collect().await?;
        let is_root = *digest == self.root.digest && !self.root.media_type.is_empty();
        let served = is_root.then_some(self.root.media_type.as_str());
        verified(&self.name, digest, bytes, served).map_err(RegistryError::on_this_machine)
    }

    fn piece(&self, digest: &Digest) -> Result<&Piece, RegistryError> {
        let absent = || {
            let at = format!("{}@{digest}", self.name).into();
            RegistryError::missing_here(&at, "it holds nothing of this digest")
        };
        self.pieces.get(digest).ok_or_else(absent)
    }
}

impl BlobSource for Packed {
    fn open<'a>(
        &'a self,
        descriptor: &'a Descriptor,
    ) -> BoxFuture<'a, Result<BlobStream, RegistryError>> {
        Box::pin(async move {
            match self.piece(&descriptor.digest)? {
                Piece::Bytes(bytes) => Ok(BlobStream::of_bytes(bytes.clone(), descriptor)),
                Piece::Part { size, path, .. } if *size != descriptor.size => {
                    let problem = format!("it has {size} of {} bytes there", descriptor.size);
                    Err(RegistryError::Damaged {
                        at: path.display().to_string().into(),
                        flaw: Flaw::Size,
                        problem: problem.into(),
                    })
                }
                Piece::Part { path, start, .. } => {
                    let at: Arc<str> = path.display().to_string().into();
                    let missing = || RegistryError::missing_here(&at, "the file is gone");
                    crate::layout::length(path, &at)
                        .await?
                        .ok_or_else(missing)?;
                    BlobStream::of_part(path, *start, descriptor).await
                }
            }
        })
    }
}
