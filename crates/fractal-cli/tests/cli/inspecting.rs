//! `fractal inspect`: what it is, why, and where it can run.

use std::path::Path;

use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{Descriptor, Digest, ImageManifest};
use fractal_simcloud::RegistryAuth;
use insta::assert_snapshot;
use serde_json::json;

use crate::rig::Rig;

/// Writes a layout that holds one image for linux/arm64, tagged 1.4.2, and gives its digest back.
pub(crate) fn image_layout(rig: &Rig, name: &str) -> String {
    let config = br#"{"architecture":"arm64","os":"linux","variant":"v8"}"#.as_slice();
    let layer = b"a layer of an image".as_slice();
    let blob = |bytes: &[u8], media_type: &str| {
        let digest = Digest::sha256(bytes);
        let folder = rig.path(name).join("blobs/sha256");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(digest.hex()), bytes).unwrap();
        Descriptor::new(media_type, digest, bytes.len() as u64)
    };
    let manifest = ImageManifest::new(
        None,
        blob(config, media_type::OCI_CONFIG),
        vec![blob(layer, media_type::OCI_LAYER_GZIP)],
    );
    let bytes = serde_json::to_vec(&manifest).unwrap();
    let entry = blob(&bytes, media_type::OCI_MANIFEST);
    let digest = entry.digest.to_string();
    let mut entry = json!(entry);
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": "1.4.2"});
    let index = json!({"schemaVersion": 2, "manifests": [entry]});
    std::fs::write(rig.path(name).join("index.json"), index.to_string()).unwrap();
    std::fs::write(
        rig.path(name).join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .unwrap();
    digest
}

/// Writes a layout that holds an index of two images and what a builder attests of them.
pub(crate) fn index_layout(rig: &Rig, name: &str) {
    image_layout(rig, name);
    let folder = rig.path(name);
    let blob = |bytes: &[u8], media_type: &str| {
        let digest = Digest::sha256(bytes);
        std::fs::write(folder.join("blobs/sha256").join(digest.hex()), bytes).unwrap();
        Descriptor::new(media_type, digest, bytes.len() as u64)
    };
    let image = |architecture: &str| {
        let config = format!(r#"{{"architecture":"{architecture}","os":"linux"}}"#);
        let layer = format!("a layer for {architecture}");
        let config = blob(config.as_bytes(), media_type::OCI_CONFIG);
        let layer = blob(layer.as_bytes(), media_type::OCI_LAYER_GZIP);
        let bytes = serde_json::to_vec(&ImageManifest::new(None, config, vec![layer])).unwrap();
        let os = if architecture == "unknown" {
            "unknown"
        } else {
            "linux"
        };
        let mut entry = json!(blob(&bytes, media_type::OCI_MANIFEST));
        entry["platform"] = json!({"os": os, "architecture": architecture});
        entry
    };
    let index = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_INDEX,
        "manifests": [image("unknown"), image("amd64"), image("arm64")],
    });
    let entry = blob(index.to_string().as_bytes(), media_type::OCI_INDEX);
    let list = json!({"schemaVersion": 2, "manifests": [entry]});
    std::fs::write(folder.join("index.json"), list.to_string()).unwrap();
}

/// An image archive of a layout, with an entry of another program among its own.
pub(crate) fn tar(rig: &Rig, layout: &str, name: &str) {
    let mut files: Vec<(String, Vec<u8>)> = vec![("manifest.json".into(), b"[]".to_vec())];
    let mut add = |path: &Path, name: String| files.push((name, std::fs::read(path).unwrap()));
    for file in ["oci-layout", "index.json"] {
        add(&rig.path(layout).join(file), file.to_owned());
    }
    for blob in std::fs::read_dir(rig.path(layout).join("blobs/sha256")).unwrap() {
        let blob = blob.unwrap();
        let name = blob.file_name().into_string().unwrap();
        add(&blob.path(), format!("blobs/sha256/{name}"));
    }
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .collect();
    rig.write(name, tar_of(&files));
}

/// A POSIX tar.
pub(crate) fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, bytes) in files {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..108].copy_from_slice(b"0000644\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", bytes.len()).as_bytes());
        header[148..156].copy_from_slice(b"        ");
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        tar.extend(header);
        tar.extend(*bytes);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zip_is_the_same_before_and_after_it_was_published() {
    let mut rig = Rig::new();
    let registry = rig.registry("registry.example", RegistryAuth::Open).await;
    rig.zip(
        "orders.zip",
        &[("app.py", "def handler(event, context): return 1\n")],
    );
    let local = rig.run(&["inspect", "orders.zip"]).await;
    assert_snapshot!("zip_file", local);
    let to = format!("{}/acme/orders:1", registry.host());
    assert_eq!(rig.run(&["publish", "orders.zip", &to]).await.code, 0);
    assert_snapshot!(
        "zip_published",
        rig.run(&["inspect", &to, "--contents"]).await
    );
    let args = ["inspect", &to, "--contents", "--output", "json"];
    let there = rig.run(&args).await.json();
    let here = rig
        .run(&["inspect", "orders.zip", "--output", "json"])
        .await
        .json();
    for field in ["digest", "kind", "size", "layers", "targets", "mediaType"] {
        assert_eq!(here[field], there[field], "{field}");
    }
    let manifest = rig.run(&["inspect", &to]).await;
    assert_snapshot!("zip_manifest", manifest);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_runs_where_its_architecture_does() {
    let rig = Rig::new();
    image_layout(&rig, "image");
    assert_snapshot!("image_layout", rig.run(&["inspect", "image"]).await);
    tar(&rig, "image", "image.tar");
    let archive = rig
        .run(&["inspect", "image.tar", "--output", "json"])
        .await
        .json();
    let layout = rig
        .run(&["inspect", "oci-layout:image:1.4.2", "--output", "json"])
        .await
        .json();
    assert_eq!(archive["digest"], layout["digest"]);
    assert_eq!(archive["images"], layout["images"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_runs_where_one_of_its_images_does() {
    let mut rig = Rig::new();
    let registry = rig.registry("registry.example", RegistryAuth::Open).await;
    index_layout(&rig, "image");
    let to = format!("{}/acme/app:1", registry.host());
    assert_eq!(rig.run(&["publish", "image", &to]).await.code, 0);
    assert_snapshot!("index", rig.run(&["inspect", &to]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_read_two_ways_is_said_and_published_only_on_request() {
    let mut rig = Rig::new();
    let registry = rig.registry("registry.example", RegistryAuth::Open).await;
    image_layout(&rig, "image");
    // A zip under an image config, as some publishers push one.
    let read = std::fs::read_to_string(rig.path("image/index.json")).unwrap();
    let list: serde_json::Value = serde_json::from_str(&read).unwrap();
    let digest: Digest = list["manifests"][0]["digest"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let blobs = rig.path("image/blobs/sha256");
    let manifest = std::fs::read_to_string(blobs.join(digest.hex())).unwrap();
    let manifest = manifest.replace(media_type::OCI_LAYER_GZIP, "application/zip");
    let either = Digest::sha256(&manifest);
    std::fs::write(blobs.join(either.hex()), &manifest).unwrap();
    let entry = Descriptor::new(media_type::OCI_MANIFEST, either, manifest.len() as u64);
    let list = json!({"schemaVersion": 2, "manifests": [entry]});
    std::fs::write(rig.path("image/index.json"), list.to_string()).unwrap();
    assert_snapshot!("either", rig.run(&["inspect", "image"]).await);
    let to = format!("{}/acme/app:1", registry.host());
    assert_snapshot!("either_refused", rig.run(&["publish", "image", &to]).await);
    let wanted = rig
        .run(&["publish", "image", &to, "--kind", "container"])
        .await;
    assert_eq!(wanted.code, 0, "{wanted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_artifact_and_a_wrong_reference_say_what_to_do() {
    let mut rig = Rig::new();
    let registry = rig.registry("registry.example", RegistryAuth::Open).await;
    let missing = format!("{}/acme/orders:9", registry.host());
    assert_snapshot!("missing_artifact", rig.run(&["inspect", &missing]).await);
    assert_snapshot!("no_registry", rig.run(&["inspect", "orders:1"]).await);
    assert_snapshot!(
        "no_reference",
        rig.run(&["inspect", "ghcr.io/acme/orders:a:b"]).await
    );
    let json = rig.run(&["inspect", &missing, "--output", "json"]).await;
    let fault: serde_json::Value = serde_json::from_str(&json.err).unwrap();
    assert_eq!(fault["fault"]["reason"], "RegistryNotFound");
    assert_eq!((json.code, json.out.as_str()), (1, ""));
}
