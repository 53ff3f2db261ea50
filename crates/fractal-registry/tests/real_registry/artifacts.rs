//! What is published: a function zip, and an image index of two images whose layers are real tars.

use bytes::Bytes;
use fractal_core::artifact::kind::media_type as mt;
use fractal_core::artifact::{
    Descriptor, Digest, ImageIndex, ImageManifest, OciPlatform, Reference,
};
use fractal_registry::{Registry, RegistryError, RepositoryRef};
use serde_json::json;

/// A publication: manifests with their media types, children first, and the blobs they name.
pub(crate) struct Artifact {
    pub(crate) blobs: Vec<(Descriptor, Bytes)>,
    pub(crate) manifests: Vec<(&'static str, Bytes)>,
}

impl Artifact {
    /// The digest it is referred to by.
    pub(crate) fn digest(&self) -> Digest {
        Digest::sha256(&self.manifests.last().unwrap().1)
    }

    /// Blobs first, children next, the tag last.
    pub(crate) async fn push(
        &self,
        registry: &Registry,
        to: &Reference,
    ) -> Result<Digest, RegistryError> {
        let repository = RepositoryRef::from(to);
        for (descriptor, bytes) in &self.blobs {
            registry
                .push_blob(&repository, descriptor, bytes, None)
                .await?;
        }
        let (last, children) = self.manifests.split_last().unwrap();
        for (media_type, bytes) in children {
            let child = to.pinned(&Digest::sha256(bytes));
            registry
                .push_manifest(&child, bytes.clone(), media_type)
                .await?;
        }
        registry.push_manifest(to, last.1.clone(), last.0).await
    }

    fn blob(&mut self, media_type: &str, bytes: impl Into<Bytes>) -> Descriptor {
        let bytes = bytes.into();
        let descriptor = Descriptor::new(media_type, Digest::sha256(&bytes), bytes.len() as u64);
        self.blobs.push((descriptor.clone(), bytes));
        descriptor
    }

    fn manifest(
        &mut self,
        media_type: &'static str,
        document: &impl serde::Serialize,
    ) -> Descriptor {
        let bytes = Bytes::from(serde_json::to_vec(document).unwrap());
        let descriptor = Descriptor::new(media_type, Digest::sha256(&bytes), bytes.len() as u64);
        self.manifests.push((media_type, bytes));
        descriptor
    }
}

/// A function as it is published: one layer that is a zip. Its content is large enough for many chunks and no compressor's friend.
pub(crate) fn function() -> Artifact {
    let mut artifact = Artifact {
        blobs: Vec::new(),
        manifests: Vec::new(),
    };
    let config = artifact.blob(mt::OCI_EMPTY, "{}");
    let zip = artifact.blob(mt::FUNCTION_ZIP, noise(3 << 20, 7));
    let manifest = ImageManifest::new(Some(mt::FUNCTION_ZIP), config, vec![zip]);
    artifact.manifest(mt::OCI_MANIFEST, &manifest);
    artifact
}

/// An image for two architectures.
pub(crate) fn image() -> Artifact {
    let mut artifact = Artifact {
        blobs: Vec::new(),
        manifests: Vec::new(),
    };
    let entries = ["amd64", "arm64"].map(|architecture| {
        let tar = tar(
            "hello",
            &noise(200_000, u64::from(architecture.as_bytes()[1])),
        );
        let layer = artifact.blob(mt::OCI_LAYER, tar);
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": [layer.digest] },
        });
        let config = artifact.blob(mt::OCI_CONFIG, serde_json::to_vec(&config).unwrap());
        let manifest = ImageManifest::new(None, config, vec![layer]);
        let mut entry = artifact.manifest(mt::OCI_MANIFEST, &manifest);
        entry.platform = Some(OciPlatform {
            architecture: architecture.into(),
            os: "linux".into(),
            variant: None,
        });
        entry
    });
    artifact.manifest(mt::OCI_INDEX, &ImageIndex::new(entries.into()));
    artifact
}

/// Bytes that look random, the same for the same seed.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..))
        .take(length)
        .collect()
}

/// A tar with one file.
pub(crate) fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 512;
    let mut header = [0_u8; BLOCK];
    let mut field = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
    field(0, name.as_bytes());
    field(100, b"0000755\0");
    field(108, b"0000000\0");
    field(116, b"0000000\0");
    field(124, format!("{:011o}\0", content.len()).as_bytes());
    field(136, b"00000000000\0");
    field(148, b"        ");
    field(156, b"0");
    field(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut tar = [&header, content].concat();
    tar.resize(tar.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    tar
}
