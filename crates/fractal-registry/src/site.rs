//! Where artifacts lie, in a registry, a layout or an archive: what copying needs of each.

use std::sync::Arc;

use bytes::Bytes;
use fractal_core::artifact::{Descriptor, Digest, Layout, Tag};

use crate::blob::{BlobSource, BlobStream, RemoteBlob};
use crate::client::Registry;
use crate::copy::Feed;
use crate::endpoint::RepositoryRef;
use crate::error::{Action, RegistryError};
use crate::layout::OciLayout;
use crate::manifest::{FetchedManifest, Resolved};
use crate::packed::Packed;

/// A place that holds artifacts.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Site {
    /// A repository in a registry.
    Registry(Registry, RepositoryRef),
    /// A local OCI layout.
    Layout(OciLayout),
    /// One artifact, packed here or in an archive. Nothing can be written to it.
    Packed(Arc<Packed>),
}

/// An artifact in a place: by digest, by tag, or the only one there.
#[derive(Debug, Clone)]
pub struct Located {
    /// The place.
    pub site: Site,
    /// Its tag.
    pub tag: Option<Tag>,
    /// Its digest; it wins over the tag.
    pub digest: Option<Digest>,
}

impl From<&Layout> for Located {
    fn from(layout: &Layout) -> Self {
        let site = Site::Layout(OciLayout::new(layout.path()));
        Self {
            site,
            tag: layout.tag().cloned(),
            digest: layout.digest().cloned(),
        }
    }
}

impl From<Packed> for Located {
    fn from(packed: Packed) -> Self {
        Self {
            site: Site::Packed(Arc::new(packed)),
            tag: None,
            digest: None,
        }
    }
}

impl Located {
    /// What it is now.
    ///
    /// # Errors
    /// Where there is no such artifact, or the place cannot be asked.
    pub async fn resolve(&self) -> Result<Resolved, RegistryError> {
        if let Some(digest) = &self.digest {
            return Ok(Resolved {
                digest: digest.clone(),
                media_type: None,
                size: None,
            });
        }
        match &self.site {
            Site::Registry(registry, repository) => {
                let version = self.tag.as_ref().map_or("latest", Tag::as_str);
                registry
                    .resolve_version(repository, version, Action::Pull)
                    .await
            }
            Site::Layout(layout) => layout.resolve(self.tag.as_ref()).await,
            Site::Packed(packed) => Ok(packed.resolved()),
        }
    }
}

impl Site {
    /// The manifest with `digest`, verified.
    ///
    /// # Errors
    /// As [`Registry::manifest`].
    pub async fn manifest(&self, digest: &Digest) -> Result<FetchedManifest, RegistryError> {
        match self {
            Self::Registry(registry, repository) => registry.manifest_in(repository, digest).await,
            Self::Layout(layout) => layout.manifest(digest).await,
            Self::Packed(packed) => packed.manifest(digest).await,
        }
    }

    /// A verified stream of a blob.
    ///
    /// # Errors
    /// As [`Registry::blob`].
    pub async fn blob(&self, descriptor: &Descriptor) -> Result<BlobStream, RegistryError> {
        self.blobs().open(descriptor).await
    }

    /// Something that opens this place's blobs.
    pub(crate) fn blobs(&self) -> Box<dyn BlobSource> {
        match self {
            Self::Registry(registry, repository) => Box::new(RemoteBlob {
                registry: registry.clone(),
                repository: repository.clone(),
            }),
            Self::Layout(layout) => Box::new(layout.clone()),
            Self::Packed(packed) => Box::new(packed.as_ref().clone()),
        }
    }

    /// Where, for people.
    pub(crate) fn shown(&self) -> Arc<str> {
        match self {
            Self::Registry(_, repository) => repository.to_string().into(),
            Self::Layout(layout) => layout.at(),
            Self::Packed(packed) => packed.at(),
        }
    }

    /// The repository it is, where it is one.
    pub(crate) const fn repository(&self) -> Option<&RepositoryRef> {
        match self {
            Self::Registry(_, repository) => Some(repository),
            _ => None,
        }
    }

    /// What a place on this machine lists, with the tags of it.
    pub(crate) async fn listed(&self) -> Result<Vec<(Descriptor, Option<Tag>)>, RegistryError> {
        match self {
            Self::Registry(..) => Ok(Vec::new()),
            Self::Layout(layout) => layout.listed().await,
            Self::Packed(packed) => {
                let beside = packed.beside().iter();
                let listed = beside.map(|entry| (entry.clone(), crate::layout::tag_of(entry)));
                Ok(listed.collect())
            }
        }
    }

    pub(crate) async fn has_manifest(&self, digest: &Digest) -> Result<bool, RegistryError> {
        match self {
            Self::Registry(registry, repository) => registry.has_manifest(repository, digest).await,
            Self::Layout(layout) => layout.has(digest).await,
            Self::Packed(_) => Err(self.read_only()),
        }
    }

    pub(crate) async fn has_blob(&self, blob: &Descriptor) -> Result<bool, RegistryError> {
        match self {
            Self::Registry(registry, repository) => registry.has_blob(repository, blob).await,
            Self::Layout(layout) => layout.has_blob(blob).await,
            Self::Packed(_) => Err(self.read_only()),
        }
    }

    /// Writes a blob where that needs no upload.
    pub(crate) async fn write_blob(
        &self,
        blob: &Descriptor,
        feed: Feed,
    ) -> Result<(), RegistryError> {
        match self {
            Self::Layout(layout) => layout.write_blob(blob, feed).await,
            _ => Err(self.read_only()),
        }
    }

    /// Writes a manifest and reads it back. `true` where the place needs no list of referrers kept for it.
    pub(crate) async fn push_manifest(
        &self,
        tag: Option<&Tag>,
        manifest: &FetchedManifest,
    ) -> Result<bool, RegistryError> {
        let bytes: Bytes = manifest.bytes.clone();
        match self {
            Self::Registry(registry, repository) => {
                registry.write_manifest(repository, tag, manifest).await
            }
            Self::Layout(layout) => {
                layout.write_manifest(&manifest.digest, bytes).await?;
                Ok(true)
            }
            Self::Packed(_) => Err(self.read_only()),
        }
    }

    fn read_only(&self) -> RegistryError {
        RegistryError::Setting {
            setting: "target",
            problem: format!("nothing can be written to the archive {}", self.shown()).into(),
        }
    }
}
