//! What is copied: an artifact of one or several blobs at the source, and a signature that refers to it.

use std::path::Path;

use bytes::Bytes;
use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{Descriptor, Digest, Reference};
use fractal_registry::{Options, Registry, RepositoryRef};
use serde_json::{Value, json};

use super::MIB;
use crate::blob;
use crate::error::Error;

/// The artifact, as its copies are compared with it.
#[derive(Debug)]
pub(super) struct Artifact {
    pub(super) digest: Digest,
    /// Blobs, the config included, and their bytes.
    pub(super) blobs: usize,
    pub(super) bytes: u64,
}

/// Makes layers of these sizes, in MiB, and publishes them.
pub(super) async fn publish(
    folder: &Path,
    layers: &[u64],
    to: &Reference,
) -> Result<Artifact, Error> {
    let registry = Registry::new(Options::on_loopback())?;
    let repository = RepositoryRef::from(to);
    let mut described = Vec::new();
    for (seed, size) in (1_u64..).zip(layers) {
        let made = blob::make(folder, size * MIB, seed)?;
        let layer = Descriptor::new(
            media_type::OCI_LAYER,
            made.descriptor.digest.clone(),
            made.descriptor.size,
        );
        registry
            .push_blob(&repository, &layer, &made.file, None)
            .await?;
        std::fs::remove_file(&made.file).map_err(Error::io("removing the blob's file"))?;
        described.push(layer);
    }
    let diffs: Vec<_> = described
        .iter()
        .map(|layer| layer.digest.as_str())
        .collect();
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": diffs },
    });
    let config = small(
        &registry,
        &repository,
        media_type::OCI_CONFIG,
        bytes_of(&config),
    )
    .await?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "config": config,
        "layers": described,
    });
    let (digest, size) = put(&registry, to, media_type::OCI_MANIFEST, &manifest).await?;
    sign(&registry, to, (&digest, size)).await?;
    Ok(Artifact {
        digest,
        blobs: described.len() + 1,
        bytes: described.iter().map(|layer| layer.size).sum::<u64>() + config.size,
    })
}

/// Attaches something the size of a signature, listed under the tag that stands in for the referrers API.
async fn sign(
    registry: &Registry,
    of: &Reference,
    (digest, size): (&Digest, u64),
) -> Result<(), Error> {
    let repository = RepositoryRef::from(of);
    let empty = small(
        registry,
        &repository,
        media_type::OCI_EMPTY,
        Bytes::from_static(b"{}"),
    )
    .await?;
    let signature = Bytes::from(vec![b's'; 700]);
    let layer = small(
        registry,
        &repository,
        "application/vnd.dev.cosign.simplesigning.v1+json",
        signature,
    )
    .await?;
    let kind = "application/vnd.dev.cosign.artifact.sig.v1+json";
    let subject = json!({ "mediaType": media_type::OCI_MANIFEST, "digest": digest, "size": size });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "artifactType": kind,
        "config": empty,
        "layers": [layer],
        "subject": subject,
    });
    let bytes = bytes_of(&manifest);
    let pinned = tagged(of, &format!("@{}", Digest::sha256(&bytes)))?;
    let (signed, size) = put(registry, &pinned, media_type::OCI_MANIFEST, &manifest).await?;
    let index = json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_INDEX,
        "manifests": [{
            "mediaType": media_type::OCI_MANIFEST, "digest": signed, "size": size, "artifactType": kind,
        }],
    });
    let tag = tagged(of, &format!(":sha256-{}", digest.hex()))?;
    put(registry, &tag, media_type::OCI_INDEX, &index)
        .await
        .map(drop)
}

fn tagged(of: &Reference, end: &str) -> Result<Reference, Error> {
    format!("{}{end}", RepositoryRef::from(of))
        .parse()
        .map_err(|error| Error::unexpected("a reference", error))
}

async fn small(
    registry: &Registry,
    repository: &RepositoryRef,
    media_type: &str,
    bytes: Bytes,
) -> Result<Descriptor, Error> {
    let described = Descriptor::new(media_type, Digest::sha256(&bytes), bytes.len() as u64);
    registry
        .push_blob(repository, &described, &bytes, None)
        .await?;
    Ok(described)
}

async fn put(
    registry: &Registry,
    to: &Reference,
    media_type: &str,
    manifest: &Value,
) -> Result<(Digest, u64), Error> {
    let bytes = bytes_of(manifest);
    let size = bytes.len() as u64;
    Ok((registry.push_manifest(to, bytes, media_type).await?, size))
}

fn bytes_of(value: &Value) -> Bytes {
    value.to_string().into()
}
