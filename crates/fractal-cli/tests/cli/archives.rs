//! Image archives without a manifest of their own, byte for byte as `docker save` before 25 and `crane pull` write them.

use std::io::Write as _;

use fractal_core::artifact::Digest;
use fractal_core::artifact::kind::media_type;
use fractal_simcloud::RegistryAuth;
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use crate::rig::Rig;

/// A tar as Go's `archive/tar` writes it.
struct Archive(Builder<Vec<u8>>);

impl Archive {
    fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    fn header(kind: EntryType, size: usize, mode: u32) -> Header {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(size as u64);
        header.set_mode(mode);
        header.set_mtime(1_700_000_000);
        header
    }

    fn folder(&mut self, name: &str) {
        let mut header = Self::header(EntryType::Directory, 0, 0o755);
        self.0
            .append_data(&mut header, name, [].as_slice())
            .unwrap();
    }

    fn file(&mut self, name: &str, bytes: &[u8]) {
        let mut header = Self::header(EntryType::Regular, bytes.len(), 0o644);
        self.0.append_data(&mut header, name, bytes).unwrap();
    }

    fn link(&mut self, name: &str, to: &str) {
        let mut header = Self::header(EntryType::Symlink, 0, 0o777);
        self.0.append_link(&mut header, name, to).unwrap();
    }

    fn finish(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

fn layer(content: &str) -> Vec<u8> {
    let mut layer = Archive::new();
    layer.file("hello", content.as_bytes());
    layer.finish()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn config(layers: &[&[u8]]) -> Vec<u8> {
    let diff_ids: Vec<_> = layers.iter().map(Digest::sha256).collect();
    let config = json!({
        "architecture": "amd64", "os": "linux", "created": "2023-11-14T22:13:20Z",
        "config": {"Entrypoint": ["/hello"]}, "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    config.to_string().into_bytes()
}

/// What `docker save acme/one:1 acme/two:1` wrote before version 25: a folder for each layer, with a link where two have the same
/// content, and one `manifest.json` for all images.
fn docker_save() -> (Vec<u8>, [Vec<u8>; 2]) {
    let (base, own) = (layer("base"), layer("own"));
    let configs = [config(&[&base, &own, &base]), config(&[&base])];
    let id = |text: &str| Digest::sha256(text).hex().to_owned();
    let (first, second, third) = (id("first"), id("second"), id("third"));
    let mut archive = Archive::new();
    let described = |archive: &mut Archive, id: &str| {
        archive.folder(&format!("{id}/"));
        archive.file(&format!("{id}/VERSION"), b"1.0");
        archive.file(
            &format!("{id}/json"),
            json!({"id": id}).to_string().as_bytes(),
        );
    };
    described(&mut archive, &first);
    archive.file(&format!("{first}/layer.tar"), &base);
    described(&mut archive, &second);
    archive.file(&format!("{second}/layer.tar"), &own);
    described(&mut archive, &third);
    archive.link(
        &format!("{third}/layer.tar"),
        &format!("../{first}/layer.tar"),
    );
    for config in &configs {
        archive.file(&format!("{}.json", Digest::sha256(config).hex()), config);
    }
    let tar = |id: &str| format!("{id}/layer.tar");
    let image = |config: &[u8], name: &str, layers: &[&str]| {
        json!({
            "Config": format!("{}.json", Digest::sha256(config).hex()), "RepoTags": [name],
            "Layers": layers.iter().map(|id| tar(id)).collect::<Vec<_>>(),
        })
    };
    let images = json!([
        image(&configs[0], "acme/one:1", &[&first, &second, &third]),
        image(&configs[1], "acme/two:1", &[&first]),
    ]);
    archive.file("manifest.json", images.to_string().as_bytes());
    let repositories = json!({"acme/one": {"1": third}, "acme/two": {"1": first}});
    archive.file("repositories", repositories.to_string().as_bytes());
    (archive.finish(), configs)
}

/// What `crane pull` writes: no folders, layers as the registry had them, the config under its digest.
fn crane_pull() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let plain = layer("pulled");
    let (config, packed) = (config(&[&plain]), gzip(&plain));
    let name = format!("{}.tar.gz", Digest::sha256(&packed).hex());
    let mut archive = Archive::new();
    archive.file(Digest::sha256(&config).as_str(), &config);
    archive.file(&name, &packed);
    let images = json!([{
        "Config": Digest::sha256(&config), "RepoTags": ["registry.example/acme/one:1"], "Layers": [name],
    }]);
    archive.file("manifest.json", images.to_string().as_bytes());
    (archive.finish(), config, packed)
}

/// The manifest of a layout's only artifact, and the blob it names at `digest`.
fn manifest(rig: &Rig, layout: &str, digest: &str) -> Value {
    serde_json::from_slice(&blob(rig, layout, digest)).unwrap()
}

fn blob(rig: &Rig, layout: &str, digest: &str) -> Vec<u8> {
    let hex = digest.strip_prefix("sha256:").unwrap();
    std::fs::read(rig.path(layout).join("blobs/sha256").join(hex)).unwrap()
}

async fn published(rig: &mut Rig, archive: &str, image: &[&str]) -> String {
    let registry = rig.registry("registry.example", RegistryAuth::Open).await;
    let to = format!("{}/acme/one:1", registry.host());
    let mut digests = Vec::new();
    for command in ["publish", "publish", "copy"] {
        let args = [&[command, archive, &to, "--output", "json"], image].concat();
        let ran = rig.run(&args).await;
        assert_eq!(ran.code, 0, "{ran}");
        digests.push(ran.json()["digest"].as_str().unwrap().to_owned());
    }
    digests.dedup();
    assert_eq!(digests.len(), 1, "an archive has one digest: {digests:?}");
    let ran = rig.run(&["copy", &to, "oci-layout:out:1"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    let inspected = rig.run(&["inspect", &to, "--output", "json"]).await.json();
    assert_eq!(inspected["kind"], "container", "{inspected}");
    digests.swap_remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_docker_saved_before_25_keeps_its_layers_and_config() {
    let mut rig = Rig::new();
    let (archive, configs) = docker_save();
    rig.write("saved.tar", &archive);
    let digest = published(&mut rig, "saved.tar", &["--image", "acme/one:1"]).await;
    let manifest = manifest(&rig, "out", &digest);
    assert_eq!(manifest["mediaType"], media_type::OCI_MANIFEST);
    let config = manifest["config"]["digest"].as_str().unwrap();
    assert_eq!(blob(&rig, "out", config), configs[0]);
    let layers = manifest["layers"].as_array().unwrap();
    let (base, own) = (layer("base"), layer("own"));
    assert_eq!(layers.len(), 3);
    for (found, expected) in layers.iter().zip([&base, &own, &base]) {
        assert_eq!(found["mediaType"], media_type::OCI_LAYER);
        let digest = found["digest"].as_str().unwrap();
        assert!(blob(&rig, "out", digest) == *expected, "{found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_crane_pulled_keeps_its_compressed_layers() {
    let mut rig = Rig::new();
    let (archive, config, packed) = crane_pull();
    rig.write("pulled.tar", &archive);
    let digest = published(&mut rig, "pulled.tar", &[]).await;
    let manifest = manifest(&rig, "out", &digest);
    let layer = &manifest["layers"][0];
    assert_eq!(layer["mediaType"], media_type::OCI_LAYER_GZIP);
    assert!(blob(&rig, "out", layer["digest"].as_str().unwrap()) == packed);
    let of_config = manifest["config"]["digest"].as_str().unwrap();
    assert_eq!(blob(&rig, "out", of_config), config);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_several_images_or_with_wrong_content_is_refused() {
    let mut rig = Rig::new();
    let registry = rig.registry("registry.example", RegistryAuth::Open).await;
    let to = format!("{}/acme/one:1", registry.host());
    let (archive, configs) = docker_save();
    rig.write("saved.tar", &archive);
    let mut said = rig.run(&["publish", "saved.tar", &to]).await.to_string();
    let mut refused = async |name: &str, archive: &[u8], image: &str| {
        rig.write(name, archive);
        let ran = rig.run(&["publish", name, &to, "--image", image]).await;
        assert_eq!(ran.code, 1, "{ran}");
        said.push_str(&ran.err);
    };
    refused("cut.tar", &archive[..archive.len() / 2], "acme/one:1").await;
    refused(
        "layer.tar",
        &replaced(&archive, b"own", b"OWN"),
        "acme/one:1",
    )
    .await;
    refused("saved.tar.gz", &gzip(&archive), "acme/one:1").await;
    let hex = Digest::sha256(&configs[1]).hex().to_owned();
    let config = replaced(&archive, b"\"created\"", b"\"CREATED\"");
    refused("config.tar", &config, "acme/two:1").await;
    insta::assert_snapshot!("refused", said.replace(&hex, "[CONFIG]"));
    assert_eq!(registry.ledger().last(), 0, "nothing was sent");
}

/// The archive with other content of the same length: its own checksums are of headers alone.
fn replaced(archive: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut archive = archive.to_vec();
    let places: Vec<usize> = archive
        .windows(from.len())
        .enumerate()
        .filter_map(|(place, found)| (found == from).then_some(place))
        .collect();
    assert!(!places.is_empty());
    for place in places {
        archive[place..place + to.len()].copy_from_slice(to);
    }
    archive
}
