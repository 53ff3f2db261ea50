//! A container image for two machines, as an OCI layout: an index of two images, each of one layer with one program.

use std::path::Path;

use fractal_core::artifact::kind::media_type as mt;
use fractal_core::artifact::{Descriptor, Digest, ImageIndex, ImageManifest, OciPlatform};
use serde::Serialize;
use serde_json::json;

use super::program::{Machine, program};

/// The block size of tar.
const BLOCK: usize = 512;

/// An image that was written.
#[derive(Debug, Clone)]
pub struct Image {
    /// The index's digest: what is published and referred to.
    pub index: Digest,
    /// The amd64 image's digest: what a cloud of such machines runs.
    pub amd64: Digest,
}

/// Writes an image whose program prints `text` into the layout at `folder`, which must not exist yet.
///
/// # Errors
/// Where the folder cannot be written.
pub fn image(folder: &Path, text: &str) -> std::io::Result<Image> {
    std::fs::create_dir_all(folder.join("blobs/sha256"))?;
    std::fs::write(
        folder.join("oci-layout"),
        json!({"imageLayoutVersion": "1.0.0"}).to_string(),
    )?;
    let layout = Layout { folder };
    let amd64 = layout.image(Machine::Amd64, text)?;
    let arm64 = layout.image(Machine::Arm64, text)?;
    let index = layout.document(mt::OCI_INDEX, &ImageIndex::new(vec![amd64.clone(), arm64]))?;
    let image = Image {
        index: index.digest.clone(),
        amd64: amd64.digest,
    };
    let listing = serde_json::to_vec(&ImageIndex::new(vec![index]))?;
    std::fs::write(folder.join("index.json"), listing)?;
    Ok(image)
}

struct Layout<'a> {
    folder: &'a Path,
}

impl Layout<'_> {
    fn image(&self, machine: Machine, text: &str) -> std::io::Result<Descriptor> {
        let layer = tar("hello", &program(machine, text));
        let layer = self.blob(mt::OCI_LAYER, &layer)?;
        let config = json!({
            "architecture": machine.architecture(),
            "os": "linux",
            "config": {"Entrypoint": ["/hello"]},
            "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
        });
        let config = self.document(mt::OCI_CONFIG, &config)?;
        let mut manifest = self.document(
            mt::OCI_MANIFEST,
            &ImageManifest::new(None, config, vec![layer]),
        )?;
        manifest.platform = Some(OciPlatform {
            architecture: machine.architecture().into(),
            os: "linux".into(),
            variant: None,
        });
        Ok(manifest)
    }

    fn document(&self, media_type: &str, document: &impl Serialize) -> std::io::Result<Descriptor> {
        self.blob(media_type, &serde_json::to_vec(document)?)
    }

    fn blob(&self, media_type: &str, bytes: &[u8]) -> std::io::Result<Descriptor> {
        let digest = Digest::sha256(bytes);
        std::fs::write(self.folder.join("blobs/sha256").join(digest.hex()), bytes)?;
        Ok(Descriptor::new(media_type, digest, bytes.len() as u64))
    }
}

/// A tar of one executable file. Written here: one header is less than a dependency, and its bytes never change.
fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; BLOCK];
    let mut field = |at: usize, text: &[u8]| {
        header
            .iter_mut()
            .skip(at)
            .zip(text)
            .for_each(|(to, from)| *to = *from)
    };
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
    let mut field = |at: usize, text: &[u8]| {
        header
            .iter_mut()
            .skip(at)
            .zip(text)
            .for_each(|(to, from)| *to = *from)
    };
    field(148, format!("{sum:06o}\0 ").as_bytes());
    let mut tar = header.to_vec();
    tar.extend_from_slice(content);
    tar.resize(tar.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    tar
}
