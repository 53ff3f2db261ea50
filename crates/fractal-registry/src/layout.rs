//! OCI image layouts on this machine: read through the same verification as registries, written so that a crash leaves a
//! valid layout behind. Two processes must not write the list of one layout at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use fractal_core::artifact::manifest::MANIFEST_MAX;
use fractal_core::artifact::{Descriptor, Digest, Tag};

use crate::auth::credentials::BoxFuture;
use crate::blob::{BlobSource, BlobStream};
use crate::copy::Feed;
use crate::error::{Flaw, RegistryError};
use crate::manifest::{FetchedManifest, Resolved, verified};

mod list;
mod write;

use list::List;

/// A folder that holds, or is to hold, an OCI image layout.
#[derive(Debug, Clone)]
pub struct OciLayout {
    folder: PathBuf,
}

impl OciLayout {
    /// The layout in `folder`; made at the first write where it does not exist.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn at(&self) -> Arc<str> {
        self.folder.display().to_string().into()
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.folder
            .join("blobs")
            .join(digest.algorithm().as_str())
            .join(digest.hex())
    }

    /// The artifact that carries `tag`, or the only one where none is given.
    ///
    /// # Errors
    /// Where the folder is no layout, or holds no such artifact or several.
    pub async fn resolve(&self, tag: Option<&Tag>) -> Result<Resolved, RegistryError> {
        let list = List::read(self).await?;
        let entry = list
            .find(tag)
            .map_err(|problem| self.not_listed(tag, &problem))?;
        Ok(Resolved {
            digest: entry.digest.clone(),
            media_type: Some(entry.media_type.clone()),
            size: Some(entry.size),
        })
    }

    fn not_listed(&self, tag: Option<&Tag>, problem: &str) -> RegistryError {
        match tag {
            Some(tag) => {
                let at = format!("oci-layout:{}:{tag}", self.folder.display()).into();
                RegistryError::missing_here(&at, problem)
            }
            None => RegistryError::Layout {
                at: self.at(),
                problem: problem.into(),
            },
        }
    }

    /// The manifest with `digest`, verified; at most 4 MiB.
    ///
    /// # Errors
    /// Where it is missing, too large, damaged, or nothing that may be deployed.
    pub async fn manifest(&self, digest: &Digest) -> Result<FetchedManifest, RegistryError> {
        let at = self.at_digest(digest);
        let bytes = read_small(&self.blob_path(digest), &at).await?;
        let missing = || RegistryError::missing_here(&at, "it holds no manifest of this digest");
        let bytes = bytes.ok_or_else(missing)?;
        verified(&at, digest, bytes, None).map_err(RegistryError::on_this_machine)
    }

    fn at_digest(&self, digest: &Digest) -> Arc<str> {
        format!("oci-layout:{}@{digest}", self.folder.display()).into()
    }

    /// Whether it holds a manifest.
    pub(crate) async fn has(&self, digest: &Digest) -> Result<bool, RegistryError> {
        let path = self.blob_path(digest);
        let length = length(&path, &self.at_digest(digest)).await;
        // What is in the way of a file is found out by whoever writes it.
        Ok(length.is_ok_and(|length| length.is_some()))
    }

    /// Whether it holds a blob of the declared size: what a broken disk or copy left behind is written again.
    pub(crate) async fn has_blob(&self, blob: &Descriptor) -> Result<bool, RegistryError> {
        let path = self.blob_path(&blob.digest);
        let length = length(&path, &self.at_digest(&blob.digest)).await;
        Ok(length.is_ok_and(|length| length == Some(blob.size)))
    }

    /// Whether it lists the artifact, under `tag` where one is given, and holds its manifest.
    pub(crate) async fn lists(
        &self,
        tag: Option<&Tag>,
        digest: &Digest,
    ) -> Result<bool, RegistryError> {
        let listed = self.listed().await?.into_iter();
        let mut same = listed.filter(|(entry, _)| entry.digest == *digest);
        Ok(same.any(|(_, its)| tag.is_none() || its.as_ref() == tag) && self.has(digest).await?)
    }

    pub(crate) async fn write_blob(
        &self,
        descriptor: &Descriptor,
        feed: Feed,
    ) -> Result<(), RegistryError> {
        write::stream(&self.blob_path(&descriptor.digest), feed).await
    }

    /// What it lists, with the tags of it; nothing where it does not exist yet.
    pub(crate) async fn listed(&self) -> Result<Vec<(Descriptor, Option<Tag>)>, RegistryError> {
        let list = List::read_or_new(self).await?;
        let entries = list.entries().iter();
        Ok(entries
            .map(|entry| (entry.clone(), tag_of(entry)))
            .collect())
    }

    pub(crate) async fn write_manifest(
        &self,
        digest: &Digest,
        bytes: Bytes,
    ) -> Result<(), RegistryError> {
        write::whole(&self.blob_path(digest), &bytes).await
    }

    /// Lists an artifact in `index.json`, in place of what carried its tag before.
    pub(crate) async fn list(
        &self,
        manifest: &FetchedManifest,
        tag: Option<&Tag>,
    ) -> Result<(), RegistryError> {
        let marker = self.folder.join("oci-layout");
        write::whole(&marker, br#"{"imageLayoutVersion":"1.0.0"}"#).await?;
        let entry = Descriptor::new(
            &manifest.media_type,
            manifest.digest.clone(),
            manifest.bytes.len() as u64,
        );
        let list = List::read_or_new(self).await?.with(entry, tag);
        write::whole(&self.folder.join("index.json"), &list.to_bytes(self)?).await?;
        write::sweep(&self.folder.join("blobs")).await;
        Ok(())
    }
}

impl BlobSource for OciLayout {
    fn open<'a>(
        &'a self,
        descriptor: &'a Descriptor,
    ) -> BoxFuture<'a, Result<BlobStream, RegistryError>> {
        Box::pin(async move {
            let path = self.blob_path(&descriptor.digest);
            let at = self.at_digest(&descriptor.digest);
            let missing = || RegistryError::missing_here(&at, "it does not hold this blob");
            let found = length(&path, &at).await?.ok_or_else(missing)?;
            if found != descriptor.size {
                let problem = format!("it has {found} of {} bytes", descriptor.size);
                return Err(RegistryError::Damaged {
                    at,
                    flaw: Flaw::Size,
                    problem: problem.into(),
                });
            }
            BlobStream::of_file(&path, descriptor).await
        })
    }
}

/// The tag that an entry of a layout's list carries.
pub(crate) fn tag_of(entry: &Descriptor) -> Option<Tag> {
    entry.annotations.get(list::REF_NAME)?.parse().ok()
}

/// A file's size in bytes; `None` where there is none. Nothing but a regular file is ever opened: reading a pipe waits for ever.
pub(crate) async fn length(path: &Path, at: &Arc<str>) -> Result<Option<u64>, RegistryError> {
    let metadata = match tokio::fs::metadata(path).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|error| RegistryError::file(path, error))?,
    };
    if metadata.is_file() {
        return Ok(Some(metadata.len()));
    }
    Err(RegistryError::Damaged {
        at: at.clone(),
        flaw: Flaw::Kind,
        problem: format!("{} is no regular file", path.display()).into(),
    })
}

/// A file of at most a manifest's size; `None` where there is none.
async fn read_small(path: &Path, at: &Arc<str>) -> Result<Option<Bytes>, RegistryError> {
    let Some(length) = length(path, at).await? else {
        return Ok(None);
    };
    if length > MANIFEST_MAX as u64 {
        return Err(RegistryError::ManifestTooLarge {
            at: at.clone(),
            max: MANIFEST_MAX,
        });
    }
    let bytes = tokio::fs::read(path)
        .await
        .map_err(|error| RegistryError::file(path, error))?;
    Ok(Some(bytes.into()))
}
