//! Small real artifacts of every kind the contract knows: packed, described and shelved as publishers do it.

use std::io::{Cursor, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fractal_core::artifact::kind::media_type as mt;
use fractal_core::artifact::{Descriptor, Digest, ImageIndex, ImageManifest, OciPlatform};
use serde_json::json;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::shelf::Shelf;

impl Shelf {
    /// One of each kind, all by tag `1`: `shop/zip`, `shop/wheel`, `shop/image` (amd64, two layers), `shop/index` (amd64 and arm64),
    /// `shop/bundle`; and `shop/either`, a zip under an image config, which is image or zip as one likes to read it.
    #[must_use]
    pub fn stocked() -> Self {
        let mut shelf = Self {
            can_mount: true,
            ..Self::default()
        };
        shelf.shelve_zip("shop/zip:1", "one");
        shelf.shelve_file(
            "shop/wheel:1",
            mt::WHEEL,
            "shop-1.0-py3-none-any.whl",
            wheel(),
        );
        shelf.shelve_file("shop/bundle:1", mt::MANIFESTS, "manifests.tar", bundle());
        shelf.shelve_image("shop/image:1", "amd64");
        let entries = [
            ("amd64", shelf.shelve_image("shop/index:amd64", "amd64")),
            ("arm64", shelf.shelve_image("shop/index:arm64", "arm64")),
        ];
        let index = ImageIndex::new(entries.map(of_platform).to_vec());
        shelf.put_manifest(("shop/index", "1"), mt::OCI_INDEX, written(&index));
        let config = shelf.put_blob("shop/either", mt::OCI_CONFIG, config("amd64", &[]));
        let layer = shelf.put_blob("shop/either", mt::OCI_LAYER, function_zip("either"));
        let either = ImageManifest::new(None, config, vec![layer]);
        shelf.put_manifest(("shop/either", "1"), mt::OCI_MANIFEST, written(&either));
        shelf
    }

    /// A deployment zip whose `app.py` says `text`. Gives the zip's digest.
    pub fn shelve_zip(&mut self, name: &str, text: &str) -> Digest {
        self.shelve_file(name, mt::FUNCTION_ZIP, "app.zip", function_zip(text))
    }

    /// One file as an artifact of one layer. Gives the file's digest.
    pub fn shelve_file(
        &mut self,
        name: &str,
        media_type: &str,
        title: &str,
        bytes: Vec<u8>,
    ) -> Digest {
        let at = parts(name);
        let empty = self.put_blob(at.0, mt::OCI_EMPTY, b"{}".to_vec());
        let mut layer = self.put_blob(at.0, media_type, bytes);
        layer.annotations.insert(mt::TITLE.into(), title.into());
        let digest = layer.digest.clone();
        let manifest = ImageManifest::new(Some(media_type), empty, vec![layer]);
        self.put_manifest(at, mt::OCI_MANIFEST, written(&manifest));
        digest
    }

    /// A runnable image of two layers. Gives its manifest.
    pub fn shelve_image(&mut self, name: &str, architecture: &str) -> Descriptor {
        let at = parts(name);
        let tars = ["bin/first", "bin/second"].map(|path| tar(path, architecture.as_bytes()));
        let config = config(architecture, &tars);
        let config = self.put_blob(at.0, mt::OCI_CONFIG, config);
        let layers = tars.map(|tar| self.put_blob(at.0, mt::OCI_LAYER, tar));
        let manifest = ImageManifest::new(None, config, layers.to_vec());
        self.put_manifest(at, mt::OCI_MANIFEST, written(&manifest))
    }
}

fn parts(name: &str) -> (&str, &str) {
    name.rsplit_once(':').unwrap_or((name, "latest"))
}

fn of_platform((architecture, image): (&str, Descriptor)) -> Descriptor {
    Descriptor {
        platform: Some(OciPlatform {
            architecture: architecture.into(),
            os: "linux".into(),
            variant: None,
        }),
        ..image
    }
}

fn config(architecture: &str, tars: &[Vec<u8>]) -> Vec<u8> {
    let diff_ids: Vec<_> = tars.iter().map(Digest::sha256).collect();
    let config = json!({
        "architecture": architecture, "os": "linux",
        "config": { "Entrypoint": ["/bin/first"] },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    config.to_string().into_bytes()
}

#[expect(clippy::expect_used, reason = "a manifest of ours is JSON")]
fn written(document: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("JSON")
}

/// A deployment zip with a Python handler `app.handler` that answers `text`.
#[must_use]
pub fn function_zip(text: &str) -> Vec<u8> {
    let code = format!("def handler(event, context):\n    return {text:?}\n");
    packed(&[("app.py", code.as_bytes())])
}

/// A pure wheel `shop` 1.0 that declares the entry point `shop = shop.main:run`.
#[must_use]
pub fn wheel() -> Vec<u8> {
    const RECORD: &str = "shop-1.0.dist-info/RECORD";
    let mut files = vec![
        ("shop/__init__.py", ""),
        ("shop/main.py", "def run():\n    return 0\n"),
        (
            "shop-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n",
        ),
        (
            "shop-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        ),
        (
            "shop-1.0.dist-info/entry_points.txt",
            "[console_scripts]\nshop = shop.main:run\n",
        ),
    ];
    let mut record: String = files
        .iter()
        .map(|(path, text)| recorded(path, text))
        .collect();
    record.push_str(&format!("{RECORD},,\n"));
    files.push((RECORD, &record));
    let files: Vec<_> = files
        .into_iter()
        .map(|(path, text)| (path, text.as_bytes()))
        .collect();
    packed(&files)
}

/// A line of a wheel's RECORD.
fn recorded(path: &str, text: &str) -> String {
    let digest = Digest::sha256(text);
    let hex = digest.hex().as_bytes().chunks(2);
    let bytes: Vec<u8> = hex
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    let hash = URL_SAFE_NO_PAD.encode(bytes);
    format!("{path},sha256={hash},{}\n", text.len())
}

/// A manifest bundle with a config map for the component `orders`.
#[must_use]
pub fn bundle() -> Vec<u8> {
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: orders\ndata:\n  a: b\n";
    tar(".fractal/orders-fdeploy.yaml", manifest.as_bytes())
}

/// Stored and undated, so that the digest follows from the content.
#[expect(clippy::expect_used, reason = "writing to memory does not fail")]
fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
    let stored = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default());
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, stored).expect("an entry");
        zip.write_all(content).expect("its content");
    }
    zip.finish().expect("an archive").into_inner()
}

#[expect(clippy::expect_used, reason = "writing to memory does not fail")]
fn tar(path: &str, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o755);
    header.set_cksum();
    let mut archive = tar::Builder::new(Vec::new());
    archive
        .append_data(&mut header, path, content)
        .expect("an entry");
    archive.into_inner().expect("an archive")
}
