//! Artifacts as a registry would have them: real zips and a real image, with the facts that are read out of them.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{
    Descriptor, Digest, Facts, ImageFacts, ImageManifest, Reference, ZipFacts,
};
use fractal_core::reconcile::{Artifact, Release, Rollout};
use fractal_registry::{Options, Registry, RepositoryRef};
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

/// A zip of exactly `size` bytes with `app.py` in it that says `text`.
pub(crate) fn zip_of(text: &str, size: Option<usize>) -> Bytes {
    let empty = packed(text, 0).len();
    let padding = size.map_or(0, |size| size.checked_sub(empty).unwrap());
    Bytes::from(packed(text, padding))
}

/// Stored and undated, so that size and hash follow from the content.
fn packed(text: &str, padding: usize) -> Vec<u8> {
    let stored = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default());
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("app.py", stored).unwrap();
    let code = format!("def handler(event, context):\n    return {text:?}\n");
    zip.write_all(code.as_bytes()).unwrap();
    zip.start_file("padding.bin", stored).unwrap();
    zip.write_all(&vec![0x5a; padding]).unwrap();
    zip.finish().unwrap().into_inner()
}

/// What a pass is given of a published zip.
pub(crate) fn zip_rollout(zip: &Bytes) -> Rollout {
    let layer = Descriptor::new(
        media_type::FUNCTION_ZIP,
        Digest::sha256(zip),
        zip.len() as u64,
    );
    let manifest = ImageManifest::new(
        Some(media_type::FUNCTION_ZIP),
        Descriptor::new(media_type::OCI_EMPTY, Digest::sha256("{}"), 2),
        vec![layer.clone()],
    );
    let digest = Digest::sha256(serde_json::to_vec(&manifest).unwrap());
    let facts = ZipFacts {
        layer,
        unpacked: zip.len() as u64,
        names: vec!["app.py".into(), "padding.bin".into()],
    };
    rollout(
        "registry.test/orders:1".parse().unwrap(),
        digest,
        Facts::Zip(facts),
    )
}

/// What a pass is given of an image in `region`'s ECR.
pub(crate) fn image_rollout(region: &str, manifest: &Digest) -> Rollout {
    let facts = ImageFacts {
        manifest: manifest.clone(),
        architecture: "amd64".into(),
        size: 1,
    };
    let host = format!("123456789012.dkr.ecr.{region}.amazonaws.com");
    let reference = format!("{host}/orders:1").parse().unwrap();
    rollout(reference, manifest.clone(), Facts::Image(facts))
}

fn rollout(reference: Reference, digest: Digest, facts: Facts) -> Rollout {
    Rollout {
        beside: Vec::new(),
        target: Release {
            parameter: "sourceArtifact",
            artifact: Artifact { reference, digest },
            facts: Arc::new(facts),
        },
    }
}

/// The zips of the suite by name, of the size each variant needs. Made once: the large ones take their time.
pub(crate) fn zips(size: Option<usize>) -> &'static BTreeMap<&'static str, Bytes> {
    static SMALL: OnceLock<BTreeMap<&'static str, Bytes>> = OnceLock::new();
    static LARGE: OnceLock<BTreeMap<&'static str, Bytes>> = OnceLock::new();
    let made = if size.is_some() { &LARGE } else { &SMALL };
    made.get_or_init(|| {
        let zip = |name| (name, zip_of(name, size));
        ["first", "second", "tampered"]
            .map(zip)
            .into_iter()
            .collect()
    })
}

/// Pushes a runnable image whose layer says `text`, and gives the digest of its manifest.
pub(crate) async fn push_image(endpoint: &str, text: &str) -> Digest {
    let host = endpoint.trim_start_matches("http://");
    let to: Reference = format!("{host}/orders:{text}").parse().unwrap();
    let registry = Registry::new(Options::on_loopback()).unwrap();
    let config = serde_json::json!({
        "os": "linux", "architecture": "amd64",
        "config": { "Cmd": ["app.handler"], "Labels": { "says": text } },
        "rootfs": { "type": "layers", "diff_ids": [] },
    });
    let config = Bytes::from(config.to_string());
    let layer = Bytes::from(vec![0; 1024]);
    let describe =
        |kind: &str, blob: &Bytes| Descriptor::new(kind, Digest::sha256(blob), blob.len() as u64);
    let manifest = ImageManifest::new(
        None,
        describe(media_type::OCI_CONFIG, &config),
        vec![describe(media_type::OCI_LAYER, &layer)],
    );
    for (kind, blob) in [
        (media_type::OCI_CONFIG, &config),
        (media_type::OCI_LAYER, &layer),
    ] {
        let descriptor = describe(kind, blob);
        let repository = RepositoryRef::from(&to);
        registry
            .push_blob(&repository, &descriptor, blob, None)
            .await
            .unwrap();
    }
    let manifest = Bytes::from(serde_json::to_vec(&manifest).unwrap());
    registry
        .push_manifest(&to, manifest, media_type::OCI_MANIFEST)
        .await
        .unwrap()
}
