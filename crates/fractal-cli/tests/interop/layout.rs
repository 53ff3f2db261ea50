//! OCI image layouts written and read by the test itself, so that no client judges its own work.

use std::path::{Path, PathBuf};

use fractal_core::artifact::kind::media_type as mt;
use fractal_core::artifact::{Descriptor, Digest, ImageIndex, ImageManifest, OciPlatform};
use serde::Serialize;
use serde_json::{Value, json};

use crate::content::Content;

/// The tag of every artifact in a layout.
pub(crate) const TAG: &str = "1";

/// A layout in the making.
pub(crate) struct Layout {
    folder: PathBuf,
}

impl Layout {
    pub(crate) fn new(folder: PathBuf) -> Self {
        std::fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
        let version = json!({ "imageLayoutVersion": "1.0.0" });
        std::fs::write(folder.join("oci-layout"), version.to_string()).unwrap();
        Self { folder }
    }

    pub(crate) fn blob(&self, media_type: &str, bytes: &[u8]) -> Descriptor {
        let digest = Digest::sha256(bytes);
        std::fs::write(place(&self.folder, digest.as_str()), bytes).unwrap();
        Descriptor::new(media_type, digest, bytes.len() as u64)
    }

    fn document(&self, media_type: &str, document: &impl Serialize) -> Descriptor {
        self.blob(media_type, &serde_json::to_vec(document).unwrap())
    }

    /// An image for linux on `architecture`; `layers` with their media types and the digests of what they unpack to.
    pub(crate) fn image(&self, architecture: &str, layers: &[(Descriptor, Digest)]) -> Descriptor {
        let unpacked: Vec<_> = layers.iter().map(|(_, unpacked)| unpacked).collect();
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": { "Entrypoint": ["/hello"] },
            "rootfs": { "type": "layers", "diff_ids": unpacked },
        });
        let config = self.document(mt::OCI_CONFIG, &config);
        let layers = layers.iter().map(|(layer, _)| layer.clone()).collect();
        let mut image = self.document(mt::OCI_MANIFEST, &ImageManifest::new(None, config, layers));
        image.platform = Some(OciPlatform {
            architecture: architecture.into(),
            os: "linux".into(),
            variant: None,
        });
        image
    }

    pub(crate) fn index(&self, images: Vec<Descriptor>) -> Descriptor {
        self.document(mt::OCI_INDEX, &ImageIndex::new(images))
    }

    /// An artifact that is one file.
    pub(crate) fn artifact(
        &self,
        media_type: &'static str,
        name: &str,
        bytes: &[u8],
    ) -> Descriptor {
        let config = self.blob(mt::OCI_EMPTY, b"{}");
        let mut layer = self.blob(media_type, bytes);
        layer.annotations.insert(mt::TITLE.into(), name.into());
        let manifest = ImageManifest::new(Some(media_type), config, vec![layer]);
        self.document(mt::OCI_MANIFEST, &manifest)
    }

    /// Names the one artifact of the layout.
    pub(crate) fn finish(self, root: &Descriptor) -> PathBuf {
        let index = json!({
            "schemaVersion": 2,
            "mediaType": mt::OCI_INDEX,
            "manifests": [{
                "mediaType": root.media_type, "digest": root.digest, "size": root.size,
                "annotations": { "org.opencontainers.image.ref.name": TAG },
            }],
        });
        std::fs::write(self.folder.join("index.json"), index.to_string()).unwrap();
        self.folder
    }
}

/// The one artifact in a layout, whoever wrote it.
pub(crate) async fn read(folder: &Path) -> Content {
    let index = std::fs::read(folder.join("index.json")).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    let root = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
    let part = async |digest: &str| std::fs::read(place(folder, digest)).unwrap();
    Content::walk(root, part, part).await
}

fn place(folder: &Path, digest: &str) -> PathBuf {
    folder.join("blobs").join(digest.replace(':', "/"))
}
