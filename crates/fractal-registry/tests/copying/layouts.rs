//! Layouts with something wrong in them: told as what it is, at once, and without a word of a registry.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{Descriptor, Digest};
use fractal_core::{Class, Fault};
use fractal_registry::{
    CopyOptions, CopyReport, Located, OciLayout, Registry, Site, Timeouts, copy,
};
use serde_json::{Value, json};

use crate::rig::{client, count, reference, simulated};

struct Folder {
    folder: tempfile::TempDir,
    entries: Vec<Value>,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("blobs/sha256")).unwrap();
        let marker = r#"{"imageLayoutVersion":"1.0.0"}"#;
        std::fs::write(folder.path().join("oci-layout"), marker).unwrap();
        Self {
            folder,
            entries: Vec::new(),
        }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.path().join("blobs/sha256").join(digest.hex())
    }

    fn blob(&self, kind: &str, bytes: &[u8]) -> Descriptor {
        let digest = Digest::sha256(bytes);
        std::fs::write(self.path(&digest), bytes).unwrap();
        Descriptor::new(kind, digest, bytes.len() as u64)
    }

    fn image(&self, layers: &[Descriptor]) -> Descriptor {
        let document = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": self.blob(media_type::OCI_CONFIG, b"{}"),
            "layers": layers,
        });
        self.blob(media_type::OCI_MANIFEST, document.to_string().as_bytes())
    }

    fn tagged(&mut self, artifact: &Descriptor, tag: &str) {
        let mut entry = json!(artifact);
        entry["annotations"] = json!({ "org.opencontainers.image.ref.name": tag });
        self.entries.push(entry);
        let index = json!({ "schemaVersion": 2, "manifests": self.entries });
        std::fs::write(self.folder.path().join("index.json"), index.to_string()).unwrap();
    }

    fn located(&self, tag: &str) -> Located {
        Located {
            site: Site::Layout(OciLayout::new(self.folder.path())),
            tag: Some(tag.parse().unwrap()),
            digest: None,
        }
    }
}

async fn copied(registry: &Registry, from: &Located, to: &Located) -> CopyReport {
    let to = std::slice::from_ref(to);
    let options = CopyOptions::default();
    let copying = copy(from, to, &options);
    let limit = Duration::from_secs(30);
    let report = tokio::time::timeout(limit, copying).await.unwrap();
    assert_eq!(
        registry.requests().of(fractal_registry::RequestKind::Token),
        0
    );
    report
}

/// A layout with one image, whose layer `harm` does something to.
async fn refused(harm: impl FnOnce(&Path), reason: &str, why: &str) {
    let mut layout = Folder::new();
    let layer = layout.blob(media_type::OCI_LAYER, &vec![7; 600_000]);
    let image = layout.image(std::slice::from_ref(&layer));
    layout.tagged(&image, "1");
    harm(&layout.path(&layer.digest));
    let target = simulated().await;
    let registry = client(Timeouts::default());
    let to = registry.locate(&reference(&target, "app:1"));
    let report = copied(&registry, &layout.located("1"), &to).await;
    assert_eq!(report.rereads, 0, "{reason}: another look finds the same");
    let fault = Fault::from(report.only().unwrap_err());
    assert_eq!(fault.reason.as_str(), reason, "{fault}");
    assert_eq!(fault.class, Class::Blocked, "{fault}");
    assert!(fault.why.as_ref().unwrap().contains(why), "{fault}");
    assert!(!fault.to_string().contains("registry"), "{fault}");
    assert_eq!(count(&target, 0, "PutManifest"), 0);
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_told_of_the_file_and_read_once() {
    let write = |bytes: Vec<u8>| move |path: &Path| std::fs::write(path, bytes).unwrap();
    let mut flipped = vec![7; 600_000];
    flipped[599_999] = 8;
    refused(write(flipped), "DigestMismatch", "and not sha256:").await;
    refused(
        write(vec![7; 5]),
        "SizeMismatch",
        "it has 5 of 600000 bytes",
    )
    .await;
    let remove = |path: &Path| std::fs::remove_file(path).unwrap();
    refused(remove, "RegistryNotFound", "it does not hold this blob").await;
    let folder = |path: &Path| {
        std::fs::remove_file(path).unwrap();
        std::fs::create_dir(path).unwrap();
    };
    refused(folder, "LayoutInvalid", "is no regular file").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_in_place_of_a_blob_is_refused_at_once() {
    let pipe = |path: &Path| {
        std::fs::remove_file(path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
    };
    refused(pipe, "LayoutInvalid", "is no regular file").await;
}

#[tokio::test]
async fn limits_have_a_reason_of_their_own() {
    let mut layout = Folder::new();
    let layer = layout.blob(media_type::OCI_LAYER, b"layer");
    let wide = layout.image(&vec![layer.clone(); 129]);
    layout.tagged(&wide, "wide");
    let mut inner = layout.image(&[layer]);
    for _ in 0..4 {
        let index =
            json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [inner] });
        inner = layout.blob(media_type::OCI_INDEX, index.to_string().as_bytes());
    }
    layout.tagged(&inner, "deep");
    let target = simulated().await;
    let registry = client(Timeouts::default());
    for (tag, why) in [("wide", "129 layers"), ("deep", "nested deeper than 2")] {
        let to = registry.locate(&reference(&target, "app:1"));
        let report = copied(&registry, &layout.located(tag), &to).await;
        let fault = Fault::from(report.only().unwrap_err());
        assert_eq!(
            (fault.reason.as_str(), fault.class),
            ("ManifestLimit", Class::Terminal)
        );
        assert!(fault.why.as_ref().unwrap().contains(why), "{fault}");
    }
}

#[tokio::test]
async fn a_manifest_that_cannot_be_taken_is_no_matter_of_another_artifact() {
    let mut layout = Folder::new();
    let layer = layout.blob(media_type::OCI_LAYER, b"layer");
    let image = layout.image(&[layer]);
    layout.tagged(&image, "1");
    let padded = format!("{{\"schemaVersion\":2{}}}", " ".repeat(4 << 20));
    let large = layout.blob(media_type::OCI_MANIFEST, padded.as_bytes());
    layout.tagged(&large, "large");
    let target = simulated().await;
    let registry = client(Timeouts::default());
    let to = registry.locate(&reference(&target, "app:1"));
    copied(&registry, &layout.located("1"), &to)
        .await
        .only()
        .unwrap();
    let error = copied(&registry, &layout.located("large"), &to)
        .await
        .only()
        .unwrap_err();
    assert_eq!(error.reason().as_str(), "ManifestTooLarge");
}

#[tokio::test]
async fn layers_that_may_not_be_handed_on_are_left_out_and_named() {
    let mut layout = Folder::new();
    let kind = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let foreign = Descriptor::new(kind, Digest::sha256(b"of Windows"), 10);
    let layer = layout.blob(media_type::OCI_LAYER, b"layer");
    let image = layout.image(&[foreign.clone(), layer]);
    layout.tagged(&image, "1");
    let target = simulated().await;
    let registry = client(Timeouts::default());
    let to = registry.locate(&reference(&target, "app:1"));
    let copied = copied(&registry, &layout.located("1"), &to)
        .await
        .only()
        .unwrap();
    assert_eq!(copied.not_distributable, [foreign.digest]);
    assert_eq!((copied.digest, copied.uploaded), (image.digest, 2));
}

#[tokio::test]
async fn a_new_tag_is_told_from_one_that_was_there() {
    let mut layout = Folder::new();
    let layer = layout.blob(media_type::OCI_LAYER, b"layer");
    let image = layout.image(&[layer]);
    layout.tagged(&image, "1");
    let target = simulated().await;
    let registry = client(Timeouts::default());
    let other = Folder::new();
    let places = [
        registry.locate(&reference(&target, "app:1")),
        registry.locate(&reference(&target, "app:2")),
        other.located("1"),
        other.located("2"),
    ];
    for to in places {
        let from = layout.located("1");
        let first = copied(&registry, &from, &to).await.only().unwrap();
        assert_eq!((first.tagged, first.manifests), (true, 1), "{to:?}");
        let again = copied(&registry, &from, &to).await.only().unwrap();
        assert_eq!((again.tagged, again.manifests), (false, 0), "{to:?}");
    }
}

#[tokio::test]
async fn what_a_killed_copy_left_behind_is_removed_when_it_is_old() {
    let mut layout = Folder::new();
    let layer = layout.blob(media_type::OCI_LAYER, b"layer");
    let image = layout.image(&[layer]);
    layout.tagged(&image, "1");
    let other = Folder::new();
    let blobs = other.folder.path().join("blobs/sha256");
    let [old, new] = [".aa.1.partial", ".bb.2.partial"].map(|name| blobs.join(name));
    std::fs::write(&new, "being written").unwrap();
    let file = std::fs::File::create(&old).unwrap();
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(2 * 60 * 60);
    file.set_modified(long_ago).unwrap();
    let registry = client(Timeouts::default());
    copied(&registry, &layout.located("1"), &other.located("1"))
        .await
        .only()
        .unwrap();
    assert_eq!((old.exists(), new.exists()), (false, true));
}

#[tokio::test]
async fn a_blob_that_was_cut_off_in_a_layout_is_written_again_by_a_thorough_copy() {
    let mut layout = Folder::new();
    let layer = layout.blob(media_type::OCI_LAYER, &vec![7; 600_000]);
    let image = layout.image(std::slice::from_ref(&layer));
    layout.tagged(&image, "1");
    let other = Folder::new();
    let registry = client(Timeouts::default());
    let (from, to) = (layout.located("1"), other.located("1"));
    copied(&registry, &from, &to).await.only().unwrap();
    std::fs::write(other.path(&layer.digest), [7; 5]).unwrap();
    let options = CopyOptions {
        thorough: true,
        ..CopyOptions::default()
    };
    let mended = copy(&from, &[to], &options).await.only().unwrap();
    assert_eq!((mended.uploaded, mended.existed), (1, 1));
    assert!(mended.read_back);
    let length = std::fs::metadata(other.path(&layer.digest)).unwrap().len();
    assert_eq!(length, 600_000);
}
