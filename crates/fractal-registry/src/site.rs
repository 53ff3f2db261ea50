//! Where artifacts lie, registry or layout alike: what copying needs of either.

use bytes::Bytes;
use fractal_core::artifact::{Descriptor, Digest, Layout, Repository, Tag};

use crate::blob::{BlobSource, RemoteBlob};
use crate::client::Registry;
use crate::endpoint::RepositoryRef;
use crate::error::{Action, RegistryError};
use crate::layout::OciLayout;
use crate::manifest::{FetchedManifest, Resolved};
use crate::push::Pushed;

/// A place that holds artifacts.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Site {
    /// A repository in a registry.
    Registry(Registry, RepositoryRef),
    /// A local OCI layout.
    Layout(OciLayout),
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
        }
    }

    /// Something that opens this place's blobs.
    pub(crate) fn blobs(&self) -> Box<dyn BlobSource> {
        match self {
            Self::Registry(registry, repository) => Box::new(RemoteBlob {
                registry: registry.clone(),
                repository: repository.clone(),
            }),
            Self::Layout(layout) => Box::new(layout.clone()),
        }
    }

    /// The repository blobs may be mounted from, where `target` is another repository of the same registry.
    pub(crate) fn mountable_for(&self, target: &Self) -> Option<&Repository> {
        match (self, target) {
            (Self::Registry(_, from), Self::Registry(_, to))
                if from.host == to.host && from.repository != to.repository =>
            {
                Some(&from.repository)
            }
            _ => None,
        }
    }

    pub(crate) async fn has_manifest(&self, digest: &Digest) -> Result<bool, RegistryError> {
        match self {
            Self::Registry(registry, repository) => registry.has_manifest(repository, digest).await,
            Self::Layout(layout) => layout.has(digest).await,
        }
    }

    pub(crate) async fn push_blob(
        &self,
        descriptor: &Descriptor,
        source: &dyn BlobSource,
        from: Option<&Repository>,
    ) -> Result<Pushed, RegistryError> {
        match self {
            Self::Registry(registry, repository) => {
                registry
                    .push_blob(repository, descriptor, source, from)
                    .await
            }
            Self::Layout(layout) => layout.write_blob(descriptor, source).await,
        }
    }

    pub(crate) async fn push_manifest(
        &self,
        tag: Option<&Tag>,
        manifest: &FetchedManifest,
    ) -> Result<(), RegistryError> {
        let bytes: Bytes = manifest.bytes.clone();
        match self {
            Self::Registry(registry, repository) => registry
                .push_manifest_in(
                    repository,
                    tag,
                    Some(&manifest.digest),
                    bytes,
                    &manifest.media_type,
                )
                .await
                .map(drop),
            Self::Layout(layout) => layout.write_manifest(&manifest.digest, bytes).await,
        }
    }
}
