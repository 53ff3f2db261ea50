//! What was read out of an artifact's bytes before deciding anything. The readers live in `fractal-artifact` and `fractal-registry`.

use serde::Serialize;

use super::digest::Digest;
use super::manifest::Descriptor;

/// Facts about one artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Facts {
    /// A runnable image.
    Image(ImageFacts),
    /// A deployment zip.
    Zip(ZipFacts),
}

/// The one image of an index that a target runs, or the image itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageFacts {
    /// Digest of the single-platform manifest.
    pub manifest: Digest,
    /// CPU architecture in Go's words, as the index or the image's config says it.
    pub architecture: String,
    /// Compressed size of all layers in bytes.
    pub size: u64,
}

/// What a deployment zip's directory says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ZipFacts {
    /// The zip's own descriptor: digest and size of the bytes that are deployed.
    pub layer: Descriptor,
    /// Bytes after unpacking, from the directory.
    pub unpacked: u64,
    /// Names of all files in it, sorted.
    #[serde(skip)]
    pub names: Vec<Box<str>>,
}

impl ZipFacts {
    /// Whether the zip has a file of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.names
            .binary_search_by(|known| (**known).cmp(name))
            .is_ok()
    }
}
