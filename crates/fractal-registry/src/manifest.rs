//! What a reference points to, and the manifest itself: capped, verified against its digest, and never guessed at.

use std::sync::Arc;

use bytes::Bytes;
use fractal_core::artifact::manifest::MANIFEST_MAX;
use fractal_core::artifact::{Digest, Hasher, Manifest, ManifestError, Reference};
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName,
};
use http::{HeaderValue, Method};

use crate::client::Registry;
use crate::counts::RequestKind;
use crate::egress::Lane;
use crate::endpoint::RepositoryRef;
use crate::error::{Action, Missing, RegistryError};
use crate::transport::{Answer, Call, read};

pub(crate) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// What a reference points to now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The digest. From a tag it is the registry's word, which reading the manifest by this digest proves.
    pub digest: Digest,
    /// Media type, where the registry was asked and said it.
    pub media_type: Option<String>,
    /// Size in bytes, where the registry was asked and said it.
    pub size: Option<u64>,
}

/// A manifest whose bytes have the digest asked for.
#[derive(Debug, Clone)]
pub struct FetchedManifest {
    /// The document.
    pub manifest: Manifest,
    /// Its bytes, exactly as served.
    pub bytes: Bytes,
    /// Their digest.
    pub digest: Digest,
    /// Its media type, as the document says it or as it was served.
    pub media_type: String,
}

impl Registry {
    /// What `reference` points to. A digest costs no request; a tag costs one HEAD, and one GET where the registry's answer to
    /// that lacks the digest or is a refusal, whose reason only a GET carries.
    ///
    /// # Errors
    /// Where the tag does not exist, may not be read, or the registry cannot be asked.
    pub async fn resolve(&self, reference: &Reference) -> Result<Resolved, RegistryError> {
        match reference.digest() {
            Some(digest) => Ok(Resolved {
                digest: digest.clone(),
                media_type: None,
                size: None,
            }),
            None => {
                self.resolve_version(&reference.into(), reference.version(), Action::Pull)
                    .await
            }
        }
    }

    /// Asks the registry what a tag or digest points to.
    pub(crate) async fn resolve_version(
        &self,
        repository: &RepositoryRef,
        version: &str,
        action: Action,
    ) -> Result<Resolved, RegistryError> {
        let head = self.manifest_call(
            repository,
            version,
            (RequestKind::Resolve, Method::HEAD),
            action,
        )?;
        match self.transport().send(&head).await {
            Ok(answer) => {
                if let Some(resolved) = from_head(&answer) {
                    return Ok(resolved);
                }
            }
            // A HEAD's refusal has no words, and some registries refuse the method itself.
            Err(
                RegistryError::NotFound { .. }
                | RegistryError::Refused { .. }
                | RegistryError::Forbidden { .. },
            ) => {}
            Err(error) => return Err(error),
        }
        let get = self.manifest_call(
            repository,
            version,
            (RequestKind::Resolve, Method::GET),
            action,
        )?;
        let (bytes, media_type) = self.manifest_bytes(&get).await?;
        let algorithm = fractal_core::artifact::digest::Algorithm::Sha256;
        Ok(Resolved {
            digest: digest_of(&bytes, algorithm),
            media_type,
            size: Some(bytes.len() as u64),
        })
    }

    /// The manifest or index with `digest`, verified; at most 4 MiB.
    ///
    /// # Errors
    /// Where it does not exist, is too large, has another digest (asked twice), or is nothing that may be deployed.
    pub async fn manifest(
        &self,
        reference: &Reference,
        digest: &Digest,
    ) -> Result<FetchedManifest, RegistryError> {
        self.manifest_in(&reference.into(), digest).await
    }

    pub(crate) async fn manifest_in(
        &self,
        repository: &RepositoryRef,
        digest: &Digest,
    ) -> Result<FetchedManifest, RegistryError> {
        match self.manifest_once(repository, digest).await {
            // A damaged answer of one cache or replica may not be repeated; a lie is.
            Err(RegistryError::DigestMismatch { .. }) => {
                self.manifest_once(repository, digest).await
            }
            other => other,
        }
    }

    async fn manifest_once(
        &self,
        repository: &RepositoryRef,
        digest: &Digest,
    ) -> Result<FetchedManifest, RegistryError> {
        let call = self.manifest_call(
            repository,
            digest.as_str(),
            (RequestKind::Manifest, Method::GET),
            Action::Pull,
        )?;
        let (bytes, served) = self.manifest_bytes(&call).await?;
        verified(&call.access.at, digest, bytes, served.as_deref())
    }

    /// What is served under a tag or digest, as it is, and its content type.
    pub(crate) async fn served(
        &self,
        repository: &RepositoryRef,
        version: &str,
        action: Action,
    ) -> Result<(Bytes, Option<String>), RegistryError> {
        let kind = (RequestKind::Manifest, Method::GET);
        let call = self.manifest_call(repository, version, kind, action)?;
        self.manifest_bytes(&call).await
    }

    async fn manifest_bytes(&self, call: &Call) -> Result<(Bytes, Option<String>), RegistryError> {
        let at = &call.access.at;
        let answer = self.transport().send(call).await?;
        refuse_encoding(&answer, at)?;
        let media_type = content_type(&answer);
        let limit = self.options().timeouts.small;
        let bytes = read::capped(answer.response.into_body(), MANIFEST_MAX, limit, at).await?;
        let bytes = bytes.ok_or_else(|| RegistryError::ManifestTooLarge {
            at: at.clone(),
            max: MANIFEST_MAX,
        })?;
        Ok((bytes, media_type))
    }

    pub(crate) fn manifest_call(
        &self,
        repository: &RepositoryRef,
        version: &str,
        (kind, method): (RequestKind, Method),
        action: Action,
    ) -> Result<Call, RegistryError> {
        let (url, mut access) =
            self.address(repository, &format!("manifests/{version}"), action)?;
        let separator = if version.contains(':') { '@' } else { ':' };
        access.at = format!("{repository}{separator}{version}").into();
        Ok(Call {
            kind,
            method,
            url,
            headers: accept(),
            body: None,
            lane: Lane::Small,
            access,
            missing: Missing::Manifest,
        })
    }
}

/// All four types in one line: some registries read only the first `Accept`.
const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                        application/vnd.docker.distribution.manifest.list.v2+json, \
                        application/vnd.docker.distribution.manifest.v2+json";

/// The headers of a request for any manifest or index, as its bytes are.
pub(crate) fn accept() -> Vec<(HeaderName, HeaderValue)> {
    vec![
        (ACCEPT, HeaderValue::from_static(ACCEPTED)),
        (ACCEPT_ENCODING, HeaderValue::from_static("identity")),
    ]
}

/// Checks a manifest's bytes against `digest` and reads them.
pub(crate) fn verified(
    at: &Arc<str>,
    digest: &Digest,
    bytes: Bytes,
    served: Option<&str>,
) -> Result<FetchedManifest, RegistryError> {
    let found = digest_of(&bytes, digest.algorithm());
    if found != *digest {
        return Err(RegistryError::DigestMismatch {
            at: at.clone(),
            expected: digest.clone(),
            found,
        });
    }
    let manifest = Manifest::parse(&bytes, served).map_err(|error| unusable(at, error))?;
    let media_type = manifest.media_type().to_owned();
    Ok(FetchedManifest {
        manifest,
        bytes,
        digest: found,
        media_type,
    })
}

fn unusable(at: &Arc<str>, error: ManifestError) -> RegistryError {
    let at = at.clone();
    match error {
        ManifestError::TooMany { .. } => RegistryError::Limit {
            at,
            problem: error.to_string().into(),
        },
        error => RegistryError::ManifestInvalid {
            at,
            source: Arc::new(error),
        },
    }
}

/// What the head of an answer says; `None` where it lacks the digest.
fn from_head(answer: &Answer) -> Option<Resolved> {
    let digest = answer.header(&CONTENT_DIGEST)?.parse().ok()?;
    let size = answer
        .header(&CONTENT_LENGTH)
        .and_then(|text| text.parse().ok());
    let media_type = content_type(answer);
    Some(Resolved {
        digest,
        media_type,
        size,
    })
}

pub(crate) fn digest_of(
    bytes: &[u8],
    algorithm: fractal_core::artifact::digest::Algorithm,
) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

fn content_type(answer: &Answer) -> Option<String> {
    answer.header(&CONTENT_TYPE).map(str::to_owned)
}

/// We ask for the bytes as they are; an encoded answer would have another digest, or be a bomb.
pub(crate) fn refuse_encoding(answer: &Answer, at: &Arc<str>) -> Result<(), RegistryError> {
    match answer.header(&CONTENT_ENCODING) {
        None | Some("" | "identity") => Ok(()),
        Some(other) => {
            let other = crate::error::shown(other, 40);
            Err(RegistryError::protocol(
                at,
                format!("the content is encoded as `{other}` although identity was asked for"),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use fractal_core::artifact::kind::media_type;

    #[test]
    fn every_manifest_type_is_accepted() {
        let all = [
            media_type::OCI_INDEX,
            media_type::OCI_MANIFEST,
            media_type::DOCKER_INDEX,
            media_type::DOCKER_MANIFEST,
        ];
        assert_eq!(super::ACCEPTED, all.join(", "));
    }
}
