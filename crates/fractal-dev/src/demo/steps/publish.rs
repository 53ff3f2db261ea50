//! Publishing one artifact to both registries, and comparing what they hold.

use std::path::Path;

use crate::error::Error;
use crate::output::Output;
use crate::world::{ACR, ECR, World};

/// Publishes what is at `path` as `name` in every registry.
pub(super) async fn everywhere(
    world: &World,
    out: Output,
    path: &Path,
    name: &str,
) -> Result<(), Error> {
    use fractal_core::artifact::kind::media_type as mt;
    use fractal_core::artifact::{
        ArtifactUri, Descriptor, Digest, ImageManifest, Layout, Reference,
    };
    let mut digests = Vec::new();
    for host in [ECR, ACR] {
        let to: Reference = format!("{host}/{name}").parse().map_err(
            |error: fractal_core::artifact::ReferenceError| Error::Unexpected(error.to_string()),
        )?;
        let digest = if path.is_dir() {
            let uri: ArtifactUri = format!("oci-layout:{}", path.display()).parse().map_err(
                |error: fractal_core::artifact::ReferenceError| {
                    Error::Unexpected(error.to_string())
                },
            )?;
            let ArtifactUri::Layout(layout) = uri else {
                unreachable!()
            };
            let layout: &Layout = &layout;
            fractal_registry::copy(&layout.into(), &world.client.locate(&to))
                .await?
                .digest
        } else {
            let bytes = std::fs::read(path).map_err(Error::io("reading the zip"))?;
            let mut layer =
                Descriptor::new(mt::FUNCTION_ZIP, Digest::sha256(&bytes), bytes.len() as u64);
            layer.annotations.insert(mt::TITLE.into(), "app.zip".into());
            let empty = Descriptor::new(mt::OCI_EMPTY, Digest::sha256(b"{}"), 2);
            let repo = fractal_registry::RepositoryRef::from(&to);
            world
                .client
                .push_blob(&repo, &empty, &bytes::Bytes::from_static(b"{}"), None)
                .await?;
            world
                .client
                .push_blob(&repo, &layer, &bytes::Bytes::from(bytes), None)
                .await?;
            let manifest = ImageManifest::new(Some(mt::FUNCTION_ZIP), empty, vec![layer]);
            world
                .client
                .push_manifest(
                    &to,
                    serde_json::to_vec(&manifest).unwrap_or_default().into(),
                    mt::OCI_MANIFEST,
                )
                .await?
        };
        out.line(&format!("{to}@{}", digest.short()));
        digests.push(digest);
    }
    digests.dedup();
    if digests.len() == 1 {
        out.holds("same digest");
        Ok(())
    } else {
        Err(Error::Unexpected("digests differ".into()))
    }
}
