//! The report as a JSON document: the fields scripts may rely on.

use fractal_core::artifact::{ArtifactKind, Descriptor, Digest};
use serde::Serialize;

use super::targets::Verdict;
use fractal_core::Exit;

/// What is known of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// As it was asked for.
    pub(super) subject: String,
    pub(super) digest: Digest,
    pub(super) media_type: String,
    /// `None` where it is none of the contract's kinds, or can be read two ways.
    pub(super) kind: Option<ArtifactKind>,
    /// Why we think so.
    pub(super) because: String,
    /// Compressed bytes of the layers; of an index, those of its first image.
    pub(super) size: u64,
    pub(super) layers: Vec<Layer>,
    /// Of an index, its images; of an image, its own platform.
    pub(super) images: Vec<Image>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) contents: Option<Contents>,
    pub(super) targets: Vec<Verdict>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Layer {
    pub(super) digest: Digest,
    pub(super) media_type: String,
    pub(super) size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Image {
    pub(super) platform: String,
    pub(super) digest: Digest,
}

/// What a zip's directory says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Contents {
    pub(super) files: usize,
    /// Bytes after unpacking, as the zip says.
    pub(super) unpacked: u64,
}

impl From<&Descriptor> for Layer {
    fn from(layer: &Descriptor) -> Self {
        Self {
            digest: layer.digest.clone(),
            media_type: layer.media_type.clone(),
            size: layer.size,
            title: layer.title().map(str::to_owned),
        }
    }
}

impl Report {
    /// An artifact that nothing can run is a failure to a script that asks.
    pub(super) fn exit(&self) -> Exit {
        if self.targets.iter().any(|target| target.runs) {
            Exit::Success
        } else {
            Exit::Failed
        }
    }
}
