//! Copying an artifact between registries and layouts: children first, the manifest last, identical bytes throughout.

use std::collections::BTreeSet;

use fractal_core::artifact::{Descriptor, Digest, Manifest};

use crate::auth::credentials::BoxFuture;
use crate::blob::BlobSource;
use crate::error::RegistryError;
use crate::manifest::FetchedManifest;
use crate::push::Pushed;
use crate::site::{Located, Site};

/// How deep indexes may hold indexes.
const DEPTH_MAX: usize = 2;

/// What a copy did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The artifact's digest, the same on both sides.
    pub digest: Digest,
    /// Blobs that were there already.
    pub existed: u64,
    /// Blobs the registry took from another of its repositories.
    pub mounted: u64,
    /// Blobs sent.
    pub uploaded: u64,
    /// Bytes of the blobs sent.
    pub uploaded_bytes: u64,
    /// Manifests written, the artifact's own included.
    pub manifests: u64,
}

/// Copies `from` to `to`. What is there already is not sent again; a tag is moved last.
///
/// # Errors
/// Where either side fails, or the target names a digest that the source is not. Blobs and children copied until then remain;
/// nothing refers to them.
pub async fn copy(from: &Located, to: &Located) -> Result<Copied, RegistryError> {
    let digest = from.resolve().await?.digest;
    let found = Copied {
        digest: digest.clone(),
        existed: 0,
        mounted: 0,
        uploaded: 0,
        uploaded_bytes: 0,
        manifests: 0,
    };
    if let Some(expected) = to.digest.as_ref().filter(|expected| **expected != digest) {
        return Err(RegistryError::DigestMismatch {
            at: "the copy's target".into(),
            expected: expected.clone(),
            found: digest,
        });
    }
    if is_there(to, &digest).await? {
        return Ok(found);
    }
    let mut run = Run {
        from: &from.site,
        to: &to.site,
        blobs: from.site.blobs(),
        seen: BTreeSet::new(),
        done: found,
    };
    let root = from.site.manifest(&digest).await?;
    if to.tag.is_none() || !to.site.has_manifest(&digest).await? {
        run.children(&root, 0).await?;
    }
    to.site.push_manifest(to.tag.as_ref(), &root).await?;
    if let Site::Layout(layout) = &to.site {
        layout.list(&root, to.tag.as_ref()).await?;
    }
    run.done.manifests += 1;
    Ok(run.done)
}

/// Does the target's tag, or the target itself where it has none, hold this artifact already?
async fn is_there(to: &Located, digest: &Digest) -> Result<bool, RegistryError> {
    match (&to.tag, &to.site) {
        (None, Site::Registry(..)) => to.site.has_manifest(digest).await,
        // A layout lists what it holds: writing that again is cheap and mends a list that is behind.
        (_, Site::Layout(_)) => Ok(false),
        (Some(tag), Site::Registry(..)) => {
            let by_tag = Located {
                site: to.site.clone(),
                tag: Some(tag.clone()),
                digest: None,
            };
            match by_tag.resolve().await {
                Ok(there) => Ok(there.digest == *digest),
                Err(RegistryError::NotFound { .. }) => Ok(false),
                Err(error) => Err(error),
            }
        }
    }
}

struct Run<'a> {
    from: &'a Site,
    to: &'a Site,
    blobs: Box<dyn BlobSource>,
    seen: BTreeSet<Digest>,
    done: Copied,
}

impl Run<'_> {
    fn children<'b>(
        &'b mut self,
        manifest: &'b FetchedManifest,
        depth: usize,
    ) -> BoxFuture<'b, Result<(), RegistryError>> {
        Box::pin(async move {
            match &manifest.manifest {
                Manifest::Image(image) => {
                    for descriptor in image.layers.iter().chain(std::iter::once(&image.config)) {
                        self.blob(descriptor).await?;
                    }
                }
                Manifest::Index(index) => {
                    for entry in &index.manifests {
                        self.child(entry, depth + 1).await?;
                    }
                }
            }
            Ok(())
        })
    }

    async fn child(&mut self, entry: &Descriptor, depth: usize) -> Result<(), RegistryError> {
        if depth > DEPTH_MAX {
            return Err(RegistryError::protocol(
                &entry.digest.as_str().into(),
                format!("indexes are nested deeper than {DEPTH_MAX}"),
            ));
        }
        if !self.seen.insert(entry.digest.clone()) || self.to.has_manifest(&entry.digest).await? {
            return Ok(());
        }
        let child = self.from.manifest(&entry.digest).await?;
        if child.bytes.len() as u64 != entry.size {
            let found = format!("the manifest has {}", child.bytes.len()).into();
            return Err(RegistryError::SizeMismatch {
                at: entry.digest.as_str().into(),
                expected: entry.size,
                found,
            });
        }
        self.children(&child, depth).await?;
        self.to.push_manifest(None, &child).await?;
        self.done.manifests += 1;
        Ok(())
    }

    async fn blob(&mut self, descriptor: &Descriptor) -> Result<(), RegistryError> {
        if !self.seen.insert(descriptor.digest.clone()) {
            return Ok(());
        }
        let from = self.from.mountable_for(self.to);
        match self
            .to
            .push_blob(descriptor, self.blobs.as_ref(), from)
            .await?
        {
            Pushed::Existed => self.done.existed += 1,
            Pushed::Mounted => self.done.mounted += 1,
            Pushed::Uploaded => {
                self.done.uploaded += 1;
                self.done.uploaded_bytes += descriptor.size;
            }
        }
        Ok(())
    }
}
