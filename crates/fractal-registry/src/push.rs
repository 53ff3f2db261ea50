//! Writing: blobs that are not there yet, manifests after their blobs, and the digest read back.

use std::sync::Arc;

use bytes::Bytes;
use fractal_core::artifact::digest::Algorithm;
use fractal_core::artifact::{Descriptor, Digest, Reference, Repository, Tag};
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method};
use tokio::time::Instant;

use crate::blob::BlobSource;
use crate::client::Registry;
use crate::counts::RequestKind;
use crate::egress::Lane;
pub(crate) use crate::endpoint::RepositoryRef;
use crate::error::{Action, Missing, RegistryError};
use crate::manifest::{FetchedManifest, digest_of};
use crate::transport::Call;

pub(crate) mod session;

/// Said by registries that list a manifest under the subject it names.
const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

/// How a blob came to be in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It was there already.
    Existed,
    /// The registry took it from another of its repositories.
    Mounted,
    /// It was sent.
    Uploaded,
}

impl Registry {
    /// Makes sure that the blob `descriptor` names is in `repository`: found there, mounted from the repository `from` of the
    /// same registry, or sent in one request of known length.
    ///
    /// # Errors
    /// Where the registry refuses it, the source's bytes are not those the descriptor names (nothing is completed then), or
    /// the upload breaks off more often than the retry policy allows.
    pub async fn push_blob(
        &self,
        repository: &RepositoryRef,
        descriptor: &Descriptor,
        source: &dyn BlobSource,
        from: Option<&Repository>,
    ) -> Result<Pushed, RegistryError> {
        if self.has_blob(repository, descriptor).await? {
            return Ok(Pushed::Existed);
        }
        let mut attempt = 0;
        loop {
            let error = match self.upload(repository, descriptor, source, from).await {
                Ok(pushed) => return Ok(pushed),
                Err(error) => error,
            };
            // An upload may take longer than a request's own deadline: each of its failures has one.
            let deadline = Instant::now() + self.options().retry.total;
            // A token that ran out between the session and the blob is renewed when the next session is opened.
            let lapsed = attempt == 0 && matches!(error, RegistryError::Unauthenticated { .. });
            if lapsed {
                attempt += 1;
            } else if !self.transport().pause(&mut attempt, &error, deadline).await {
                return Err(error);
            }
            tracing::warn!(at = %repository, digest = %descriptor.digest, attempt, error = %error, "blob upload begun again");
            // The answer may have been lost after the blob was taken.
            if self.has_blob(repository, descriptor).await? {
                return Ok(Pushed::Uploaded);
            }
        }
    }

    /// Writes a manifest or index under the reference's tag, or under its digest where it has no tag, and reads it back.
    /// Returns its digest.
    ///
    /// # Errors
    /// Where the bytes are not those of the reference's digest, the registry refuses them, or it has something else there
    /// afterwards.
    pub async fn push_manifest(
        &self,
        to: &Reference,
        bytes: Bytes,
        media_type: &str,
    ) -> Result<Digest, RegistryError> {
        self.push_manifest_in(&to.into(), to.tag(), to.digest(), bytes, media_type)
            .await
    }

    pub(crate) async fn push_manifest_in(
        &self,
        repository: &RepositoryRef,
        tag: Option<&Tag>,
        expected: Option<&Digest>,
        bytes: Bytes,
        media_type: &str,
    ) -> Result<Digest, RegistryError> {
        let found = digest_of(
            &bytes,
            expected.map_or(Algorithm::Sha256, Digest::algorithm),
        );
        let mismatch = |found: Digest, expected: Digest| RegistryError::DigestMismatch {
            at: repository.to_string().into(),
            expected,
            found,
        };
        if let Some(expected) = expected.filter(|expected| **expected != found) {
            return Err(mismatch(found, expected.clone()));
        }
        let version = tag.map_or_else(|| found.as_str(), Tag::as_str);
        self.put_manifest(repository, version, bytes, media_type)
            .await?;
        let stored = self
            .resolve_version(repository, version, Action::Push)
            .await?
            .digest;
        if stored.algorithm() == found.algorithm() && stored != found {
            return Err(mismatch(stored, found));
        }
        Ok(found)
    }

    /// Writes a manifest under its tag, or its digest where it has none, and compares every byte that is served afterwards.
    /// `true` where the registry says that it lists the manifest under its subject.
    ///
    /// Registries name by SHA-256 what comes under a tag. What has a digest of another algorithm is written under that before.
    pub(crate) async fn write_manifest(
        &self,
        repository: &RepositoryRef,
        tag: Option<&Tag>,
        manifest: &FetchedManifest,
    ) -> Result<bool, RegistryError> {
        if let Some(tag) = tag {
            if manifest.digest.algorithm() != Algorithm::Sha256 {
                let digest = manifest.digest.as_str();
                self.write_version(repository, digest, manifest).await?;
            }
            return self.write_version(repository, tag.as_str(), manifest).await;
        }
        let digest = manifest.digest.as_str();
        self.write_version(repository, digest, manifest).await
    }

    async fn write_version(
        &self,
        repository: &RepositoryRef,
        version: &str,
        manifest: &FetchedManifest,
    ) -> Result<bool, RegistryError> {
        let (bytes, media_type) = (manifest.bytes.clone(), &manifest.media_type);
        let put = self.put_manifest(repository, version, bytes, media_type);
        let of_digest = |error| match version == manifest.digest.as_str() {
            true => unkept(repository, &manifest.digest, error),
            false => error,
        };
        let listed = put.await.map_err(of_digest)?;
        let served = self.served(repository, version, Action::Push).await;
        let (served, _) = served.map_err(|error| vanished(manifest, of_digest(error)))?;
        if served == manifest.bytes {
            return Ok(listed);
        }
        Err(RegistryError::Rewritten {
            at: match version.contains(':') {
                true => format!("{repository}@{version}").into(),
                false => format!("{repository}:{version}").into(),
            },
            expected: manifest.digest.clone(),
            found: digest_of(&served, manifest.digest.algorithm()),
        })
    }

    async fn put_manifest(
        &self,
        repository: &RepositoryRef,
        version: &str,
        bytes: Bytes,
        media_type: &str,
    ) -> Result<bool, RegistryError> {
        let mut call = self.manifest_call(
            repository,
            version,
            (RequestKind::PutManifest, Method::PUT),
            Action::Push,
        )?;
        let content_type = HeaderValue::try_from(media_type).map_err(|_| {
            RegistryError::protocol(
                &call.access.at,
                "the manifest's media type holds characters no header may have",
            )
        })?;
        call.headers = vec![(CONTENT_TYPE, content_type)];
        call.body = Some(bytes);
        call.missing = Missing::Repository;
        let answer = self.transport().send(&call).await?;
        Ok(answer.header(&OCI_SUBJECT).is_some())
    }

    /// Makes `tag` point to the manifest with `digest`, which the repository has already.
    ///
    /// # Errors
    /// Where the manifest does not exist or the registry refuses the tag.
    pub async fn tag(
        &self,
        repository: &RepositoryRef,
        digest: &Digest,
        tag: &Tag,
    ) -> Result<(), RegistryError> {
        let manifest = self.manifest_in(repository, digest).await?;
        self.push_manifest_in(
            repository,
            Some(tag),
            Some(digest),
            manifest.bytes,
            &manifest.media_type,
        )
        .await
        .map(drop)
    }

    pub(crate) async fn has_blob(
        &self,
        repository: &RepositoryRef,
        descriptor: &Descriptor,
    ) -> Result<bool, RegistryError> {
        self.exists(repository, "blobs", &descriptor.digest).await
    }

    pub(crate) async fn has_manifest(
        &self,
        repository: &RepositoryRef,
        digest: &Digest,
    ) -> Result<bool, RegistryError> {
        self.exists(repository, "manifests", digest).await
    }

    async fn exists(
        &self,
        repository: &RepositoryRef,
        kind: &str,
        digest: &Digest,
    ) -> Result<bool, RegistryError> {
        let (url, access) = self.address(repository, &format!("{kind}/{digest}"), Action::Push)?;
        let headers = if kind == "manifests" {
            crate::manifest::accept()
        } else {
            Vec::new()
        };
        let call = Call {
            kind: RequestKind::Exists,
            method: Method::HEAD,
            url,
            headers,
            body: None,
            lane: Lane::Small,
            access,
            missing: Missing::Blob,
        };
        match self.transport().send(&call).await {
            Ok(_) => Ok(true),
            Err(RegistryError::NotFound { .. }) => Ok(false),
            // What a registry does not understand it does not have; writing it tells the reason.
            Err(RegistryError::Refused { .. }) if digest.algorithm() != Algorithm::Sha256 => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

fn vanished(manifest: &FetchedManifest, error: RegistryError) -> RegistryError {
    match error {
        RegistryError::NotFound { at, said, .. } => RegistryError::Vanished {
            at,
            expected: manifest.digest.clone(),
            said,
        },
        error => error,
    }
}

/// Registries refuse in several ways what comes under a digest whose algorithm they do not know: as invalid, unsupported, or
/// a path that is not there.
fn unkept(repository: &RepositoryRef, digest: &Digest, error: RegistryError) -> RegistryError {
    let said = match error {
        _ if digest.algorithm() == Algorithm::Sha256 => return error,
        RegistryError::Refused { said, .. } | RegistryError::NotFound { said, .. } => said,
        error => return error,
    };
    RegistryError::Algorithm {
        at: repository.to_string().into(),
        digest: digest.clone(),
        said,
    }
}

/// Does the registry name another digest for what it just took?
fn check_stored(at: &Arc<str>, expected: &Digest, said: Option<&str>) -> Result<(), RegistryError> {
    match said.and_then(|said| said.parse::<Digest>().ok()) {
        Some(found) if found != *expected && found.algorithm() == expected.algorithm() => {
            Err(RegistryError::DigestMismatch {
                at: at.clone(),
                expected: expected.clone(),
                found,
            })
        }
        _ => Ok(()),
    }
}
