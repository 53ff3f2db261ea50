//! The tag that stands in for the referrers API: an index that clients keep themselves.
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema>
//!
//! Registries know no conditional writes: what is lost to a concurrent writer is noticed when it is read back, and added again.

use bytes::Bytes;
use fractal_core::artifact::digest::Algorithm;
use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{Descriptor, Digest, Manifest, Tag};
use serde_json::{Value, json};

use super::tag_of;
use crate::client::Registry;
use crate::endpoint::RepositoryRef;
use crate::error::{Action, RegistryError};
use crate::manifest::{FetchedManifest, digest_of};

/// How often an entry that a concurrent writer overwrote is written again.
const WRITES_MAX: usize = 5;

impl Registry {
    /// What the stand-in tag lists; nothing where there is none.
    pub(super) async fn fallback(
        &self,
        repository: &RepositoryRef,
        tag: &str,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        match self.served(repository, tag, Action::Pull).await {
            Ok((bytes, served)) => {
                let manifest = Manifest::parse(&bytes, served.as_deref());
                Ok(match manifest {
                    Ok(Manifest::Index(index)) => index.manifests,
                    // A tag of that name that is no list is somebody's own.
                    _ => Vec::new(),
                })
            }
            Err(RegistryError::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Adds a referrer to its subject's stand-in list, and keeps what others have added.
    pub(crate) async fn list_by_tag(
        &self,
        repository: &RepositoryRef,
        subject: &Digest,
        referrer: &FetchedManifest,
    ) -> Result<(), RegistryError> {
        let tag = tag_of(subject);
        let at = format!("{repository}:{tag}").into();
        let entry = entry(referrer);
        let mut wanted = vec![entry];
        for _ in 0..WRITES_MAX {
            let mut list = self.stand_in(repository, &tag).await?;
            if !add(&mut list, &wanted) {
                return Ok(());
            }
            // Whoever overwrites this list loses no more than his own entry: all that was seen is added again.
            wanted.clone_from(&entries(&list));
            let bytes = Bytes::from(list.to_string());
            let Ok(tag) = tag.parse::<Tag>() else { break };
            let digest = digest_of(&bytes, Algorithm::Sha256);
            self.write_list(repository, (&tag, &digest), bytes).await?;
        }
        Err(RegistryError::protocol(
            &at,
            "others keep overwriting the list of referrers",
        ))
    }

    async fn write_list(
        &self,
        repository: &RepositoryRef,
        (tag, digest): (&Tag, &Digest),
        bytes: Bytes,
    ) -> Result<(), RegistryError> {
        let written = self
            .push_manifest_in(
                repository,
                Some(tag),
                Some(digest),
                bytes,
                media_type::OCI_INDEX,
            )
            .await;
        match written {
            // Another writer was faster: the next look at the list tells whether something is missing.
            Ok(_) | Err(RegistryError::DigestMismatch { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn stand_in(
        &self,
        repository: &RepositoryRef,
        tag: &str,
    ) -> Result<Value, RegistryError> {
        let list = match self.served(repository, tag, Action::Push).await {
            Ok((bytes, _)) => serde_json::from_slice(&bytes).ok(),
            Err(RegistryError::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        let list = list.filter(|list: &Value| list.get("manifests").is_some_and(Value::is_array));
        Ok(list.unwrap_or_else(
            || json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [] }),
        ))
    }
}

fn entries(list: &Value) -> Vec<Value> {
    let entries = list.get("manifests").and_then(Value::as_array);
    entries.cloned().unwrap_or_default()
}

/// Adds those entries that are missing; `false` where none is.
fn add(list: &mut Value, wanted: &[Value]) -> bool {
    let Some(Value::Array(entries)) = list.get_mut("manifests") else {
        return false;
    };
    let before = entries.len();
    for entry in wanted {
        let digest = entry.get("digest");
        if entries.iter().all(|other| other.get("digest") != digest) {
            entries.push(entry.clone());
        }
    }
    entries.len() > before
}

/// A referrer as lists have it: its type and annotations are its own.
fn entry(referrer: &FetchedManifest) -> Value {
    let document: Value = serde_json::from_slice(&referrer.bytes).unwrap_or_default();
    let mut entry = json!({
        "mediaType": referrer.media_type,
        "digest": referrer.digest,
        "size": referrer.bytes.len(),
    });
    let own = document.get("artifactType").filter(|own| **own != "");
    let artifact_type = own.or_else(|| document.pointer("/config/mediaType"));
    let more = [
        ("artifactType", artifact_type),
        ("annotations", document.get("annotations")),
    ];
    if let Value::Object(fields) = &mut entry {
        for (name, value) in more {
            fields.extend(value.map(|value| (name.to_owned(), value.clone())));
        }
    }
    entry
}
