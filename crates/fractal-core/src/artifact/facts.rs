//! What was read out of an artifact's bytes before deciding anything. The readers live in `fractal-artifact` and `fractal-registry`.

use std::collections::BTreeMap;
use std::sync::Arc;

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
    /// A manifest bundle.
    Bundle(BundleFacts),
    /// A Python wheel.
    Wheel(WheelFacts),
}

impl Facts {
    /// Bytes of text held in memory, about: what a cache of facts is bounded by.
    #[must_use]
    pub fn weight(&self) -> usize {
        let texts = |names: &[Box<str>]| names.iter().map(|name| name.len() + 16).sum();
        match self {
            Self::Image(_) => 0,
            Self::Zip(zip) => texts(&zip.names),
            Self::Bundle(bundle) => bundle.files.values().map(|text| text.len()).sum(),
            Self::Wheel(wheel) => texts(&wheel.names),
        }
    }
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

/// What a manifest bundle holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BundleFacts {
    /// The tar's own descriptor.
    pub layer: Descriptor,
    /// Its YAML files, by their path below `.fractal/`.
    #[serde(skip)]
    pub files: BTreeMap<Box<str>, Arc<str>>,
}

/// What a Python wheel says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WheelFacts {
    /// The wheel's own descriptor.
    pub layer: Descriptor,
    /// `<name>-<version>-<tags>.whl`: installers refuse a wheel by any other name.
    pub file_name: Box<str>,
    /// The distribution's name, from its metadata.
    pub name: Box<str>,
    /// Its version.
    pub version: Box<str>,
    /// Declared entry points: group, then name, then `module:function`.
    pub entry_points: BTreeMap<Box<str>, BTreeMap<Box<str>, Box<str>>>,
    /// Names of all files in it, sorted.
    #[serde(skip)]
    pub names: Vec<Box<str>>,
}
