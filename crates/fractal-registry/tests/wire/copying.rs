//! Copies between registries and layouts keep every byte, and send none twice.

use bytes::Bytes;
use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{ArtifactUri, Descriptor, Digest, ImageIndex, ImageManifest, Layout};
use fractal_registry::{Copied, CopyOptions, Located, Registry, RegistryError, RepositoryRef};

use crate::honest;
use crate::server::{Server, client};

/// Copies to one place, without what refers to the artifact.
async fn copy(from: &Located, to: &Located) -> Result<Copied, RegistryError> {
    let options = CopyOptions {
        referrers: false,
        ..CopyOptions::default()
    };
    let to = std::slice::from_ref(to);
    fractal_registry::copy(from, to, &options).await.only()
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Descriptor {
    Descriptor::new(media_type, Digest::sha256(bytes), bytes.len() as u64)
}

/// An index of two images that share a config. Returns its digest.
async fn publish(registry: &Registry, server: &Server) -> Digest {
    let reference = server.reference("source:1");
    let repository = RepositoryRef::from(&reference);
    let config = Bytes::from_static(b"{}");
    let mut entries = Vec::new();
    for layer in ["first", "second"].map(|name| Bytes::from(name.repeat(100_000))) {
        let image = ImageManifest::new(
            None,
            descriptor(media_type::OCI_CONFIG, &config),
            vec![descriptor(media_type::OCI_LAYER, &layer)],
        );
        for blob in [&config, &layer] {
            registry
                .push_blob(&repository, &descriptor("x", blob), blob, None)
                .await
                .unwrap();
        }
        let bytes = Bytes::from(serde_json::to_vec(&image).unwrap());
        entries.push(descriptor(media_type::OCI_MANIFEST, &bytes));
        let child = reference.pinned(&Digest::sha256(&bytes));
        registry
            .push_manifest(&child, bytes, media_type::OCI_MANIFEST)
            .await
            .unwrap();
    }
    let index = Bytes::from(serde_json::to_vec(&ImageIndex::new(entries)).unwrap());
    registry
        .push_manifest(&reference, index, media_type::OCI_INDEX)
        .await
        .unwrap()
}

fn layout(folder: &std::path::Path, rest: &str) -> Layout {
    match format!("oci-layout:{}{rest}", folder.display())
        .parse()
        .unwrap()
    {
        ArtifactUri::Layout(layout) => layout,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_index_travels_from_registry_to_layout_to_registry_unchanged() {
    let (server, _) = honest::start().await;
    let (target, stored) = honest::start().await;
    let registry = client();
    let digest = publish(&registry, &server).await;
    let folder = tempfile::tempdir().unwrap();
    let local = Located::from(&layout(folder.path(), ":v1"));
    let down = copy(&registry.locate(&server.reference("source:1")), &local)
        .await
        .unwrap();
    assert_eq!(
        (&down.digest, down.uploaded, down.manifests),
        (&digest, 3, 3)
    );
    assert_eq!(local.resolve().await.unwrap().digest, digest);
    let up = copy(&local, &registry.locate(&target.reference("team/app:2")))
        .await
        .unwrap();
    assert_eq!((&up.digest, up.uploaded, up.existed), (&digest, 3, 0));
    assert_eq!(up.uploaded_bytes, 2 + 500_000 + 600_000);
    assert_eq!(
        registry
            .resolve(&target.reference("team/app:2"))
            .await
            .unwrap()
            .digest,
        digest
    );
    assert_eq!(stored.lock().unwrap().blobs.len(), 3);
    let leftovers = std::fs::read_dir(folder.path().join("blobs/sha256"))
        .unwrap()
        .filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with('.')
        })
        .count();
    assert_eq!(leftovers, 0);
}

#[tokio::test]
async fn an_unchanged_copy_costs_two_heads() {
    let (server, _) = honest::start().await;
    let (target, _) = honest::start().await;
    let registry = client();
    publish(&registry, &server).await;
    let (from, to) = (
        registry.locate(&server.reference("source:1")),
        registry.locate(&target.reference("app:1")),
    );
    copy(&from, &to).await.unwrap();
    let before = registry.requests().total();
    let again = copy(&from, &to).await.unwrap();
    assert_eq!((again.uploaded, again.manifests), (0, 0));
    assert_eq!(registry.requests().total() - before, 2);
}

#[tokio::test]
async fn blobs_are_mounted_within_one_registry_and_a_new_tag_moves_no_blob() {
    let (server, _) = honest::start().await;
    let registry = client();
    let digest = publish(&registry, &server).await;
    let from = registry.locate(&server.reference("source:1"));
    let copied = copy(&from, &registry.locate(&server.reference("other:1")))
        .await
        .unwrap();
    assert_eq!((copied.mounted, copied.uploaded), (3, 0));
    let retagged = copy(&from, &registry.locate(&server.reference("other:2")))
        .await
        .unwrap();
    assert_eq!(
        (
            retagged.mounted + retagged.uploaded + retagged.existed,
            retagged.manifests
        ),
        (0, 1)
    );
    assert_eq!(
        registry
            .resolve(&server.reference("other:2"))
            .await
            .unwrap()
            .digest,
        digest
    );
}

#[tokio::test]
async fn a_layout_names_what_it_holds() {
    let (server, _) = honest::start().await;
    let registry = client();
    let digest = publish(&registry, &server).await;
    let folder = tempfile::tempdir().unwrap();
    let from = registry.locate(&server.reference("source:1"));
    let error = Located::from(&layout(folder.path(), ""))
        .resolve()
        .await
        .unwrap_err();
    assert_eq!(error.reason().as_str(), "LayoutInvalid");
    copy(&from, &Located::from(&layout(folder.path(), ":a")))
        .await
        .unwrap();
    copy(&from, &Located::from(&layout(folder.path(), ":a")))
        .await
        .unwrap();
    assert_eq!(
        Located::from(&layout(folder.path(), ""))
            .resolve()
            .await
            .unwrap()
            .digest,
        digest
    );
    let error = Located::from(&layout(folder.path(), ":b"))
        .resolve()
        .await
        .unwrap_err();
    assert_eq!(error.reason().as_str(), "RegistryNotFound");
    let why = fractal_core::Fault::from(error).why.unwrap();
    assert_eq!(why, "no artifact carries this tag; there are: a");
}

#[tokio::test]
async fn g18_a_damaged_layout_is_not_copied() {
    let (server, _) = honest::start().await;
    let (target, stored) = honest::start().await;
    let registry = client();
    publish(&registry, &server).await;
    let folder = tempfile::tempdir().unwrap();
    let local = Located::from(&layout(folder.path(), ":a"));
    copy(&registry.locate(&server.reference("source:1")), &local)
        .await
        .unwrap();
    let damaged = folder
        .path()
        .join("blobs/sha256")
        .join(Digest::sha256("first".repeat(100_000)).hex());
    let mut bytes = std::fs::read(&damaged).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&damaged, bytes).unwrap();
    let error = copy(&local, &registry.locate(&target.reference("app:1")))
        .await
        .unwrap_err();
    assert_eq!(error.reason().as_str(), "DigestMismatch");
    assert!(stored.lock().unwrap().manifests.is_empty());
}
