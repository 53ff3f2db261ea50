//! Which kind of artifact a manifest is: from its types and titles first, from a layer's first bytes where those say nothing.

use std::fmt;

use super::kind::{ArtifactKind, PackageType, media_type as mt};
use super::manifest::{Descriptor, ImageManifest};

/// First bytes of a zip with at least one entry.
pub const ZIP_MAGIC: &[u8] = b"PK\x03\x04";

/// What a manifest turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detection {
    /// This kind, for this reason.
    Known(ArtifactKind, Evidence),
    /// The layer's first four bytes are needed: call [`detect`] again with them.
    NeedsMagic(Box<Descriptor>),
}

/// Why a manifest was taken for what it was taken for, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence(String);

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why no kind could be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DetectError {
    /// Nothing of the contract: lists what was found.
    #[error(
        "the artifact is none of container image, function zip, Python wheel or manifest bundle: {found}"
    )]
    Unknown {
        /// Types and titles found.
        found: String,
    },
    /// It can be read as image and as zip, and no `packageType` decides.
    #[error("the artifact can be read as an image and as a zip: {evidence}")]
    Ambiguous {
        /// What speaks for either.
        evidence: String,
    },
    /// `packageType` names what the artifact cannot be.
    #[error("packageType is `{wanted}`, and the artifact is a {found}: {evidence}")]
    Conflict {
        /// The parameter's value.
        wanted: PackageType,
        /// What the artifact is.
        found: ArtifactKind,
        /// Why we think so.
        evidence: String,
    },
}

/// Tells the kind of `manifest`.
///
/// `magic` are the first bytes of its only layer, where they were asked for; `wanted` is the component's `packageType`.
///
/// # Errors
/// Where the artifact is of no known kind, can be read two ways, or is not what `packageType` says.
pub fn detect(
    manifest: &ImageManifest,
    magic: Option<&[u8]>,
    wanted: Option<PackageType>,
) -> Result<Detection, DetectError> {
    let reading = read(manifest, magic)?;
    match (reading, wanted) {
        (Reading::Magic(layer), _) => Ok(Detection::NeedsMagic(layer)),
        (Reading::Either(evidence), None) => Err(DetectError::Ambiguous { evidence }),
        (Reading::Either(evidence), Some(wanted)) => Ok(Detection::Known(
            kind_for(wanted),
            Evidence(format!("packageType `{wanted}` decides: {evidence}")),
        )),
        (Reading::One(kind, evidence), Some(wanted)) if !fits(kind, wanted) => {
            Err(DetectError::Conflict {
                wanted,
                found: kind,
                evidence,
            })
        }
        (Reading::One(kind, evidence), _) => Ok(Detection::Known(kind, Evidence(evidence))),
    }
}

const fn kind_for(package_type: PackageType) -> ArtifactKind {
    match package_type {
        PackageType::Image => ArtifactKind::Container,
        PackageType::Zip => ArtifactKind::FunctionZip,
    }
}

fn fits(kind: ArtifactKind, wanted: PackageType) -> bool {
    kind == kind_for(wanted)
}

enum Reading {
    One(ArtifactKind, String),
    Either(String),
    Magic(Box<Descriptor>),
}

fn read(manifest: &ImageManifest, magic: Option<&[u8]>) -> Result<Reading, DetectError> {
    if let Some(kind) = declared(manifest) {
        return single_layer(manifest)
            .map(|_| Reading::One(kind, format!("its artifact type says {kind}")));
    }
    let image_config = matches!(
        manifest.config.media_type.as_str(),
        mt::OCI_CONFIG | mt::DOCKER_CONFIG
    );
    match (image_config, manifest.layers.as_slice()) {
        (true, [layer]) => Ok(single_under_image_config(layer, magic)),
        (true, _) => Ok(Reading::One(
            ArtifactKind::Container,
            "an image config with layers".into(),
        )),
        (false, [layer]) => single_artifact(manifest, layer, magic),
        (false, _) => Err(unknown(manifest)),
    }
}

/// What the publisher says outright, by artifact type, config type or the layer's type.
fn declared(manifest: &ImageManifest) -> Option<ArtifactKind> {
    let layer = match manifest.layers.as_slice() {
        [layer] => Some(layer.media_type.as_str()),
        _ => None,
    };
    let said = [
        manifest.artifact_type.as_deref(),
        Some(manifest.config.media_type.as_str()),
        layer,
    ];
    said.into_iter().flatten().find_map(|said| match said {
        mt::FUNCTION_ZIP => Some(ArtifactKind::FunctionZip),
        mt::WHEEL => Some(ArtifactKind::PythonWheel),
        mt::MANIFESTS => Some(ArtifactKind::Manifests),
        _ => None,
    })
}

fn single_layer(manifest: &ImageManifest) -> Result<&Descriptor, DetectError> {
    match manifest.layers.as_slice() {
        [layer] => Ok(layer),
        _ => Err(unknown(manifest)),
    }
}

/// Some publishers push a zip under an image config; a runnable image of one layer looks alike but for the layer.
fn single_under_image_config(layer: &Descriptor, magic: Option<&[u8]>) -> Reading {
    match by_layer(layer) {
        Some((kind, why)) => Reading::Either(format!("it has an image config, and {why} ({kind})")),
        // A compressed tar cannot be a zip; of a plain one only the bytes can tell.
        None if layer.media_type.ends_with("gzip") || layer.media_type.ends_with("zstd") => {
            Reading::One(
                ArtifactKind::Container,
                "an image config and a compressed layer".into(),
            )
        }
        None => match magic {
            None => Reading::Magic(Box::new(layer.clone())),
            Some(bytes) if bytes.starts_with(ZIP_MAGIC) => Reading::Either(
                "it has an image config, and its only layer begins like a zip".into(),
            ),
            Some(_) => Reading::One(
                ArtifactKind::Container,
                "an image config and a tar layer".into(),
            ),
        },
    }
}

fn single_artifact(
    manifest: &ImageManifest,
    layer: &Descriptor,
    magic: Option<&[u8]>,
) -> Result<Reading, DetectError> {
    if let Some((kind, why)) = by_layer(layer) {
        return Ok(Reading::One(kind, why));
    }
    match magic {
        None => Ok(Reading::Magic(Box::new(layer.clone()))),
        Some(bytes) if bytes.starts_with(ZIP_MAGIC) => Ok(Reading::One(
            ArtifactKind::FunctionZip,
            "its only layer begins like a zip".into(),
        )),
        Some(_) => Err(unknown(manifest)),
    }
}

fn by_layer(layer: &Descriptor) -> Option<(ArtifactKind, String)> {
    let title = layer.title().map(str::to_ascii_lowercase);
    if let Some(title) = &title {
        let ends = |suffix: &str| title.ends_with(suffix);
        let kind = if ends(".whl") {
            Some(ArtifactKind::PythonWheel)
        } else if ends(".zip") {
            Some(ArtifactKind::FunctionZip)
        } else {
            None
        };
        if let Some(kind) = kind {
            return Some((
                kind,
                format!("its only layer is titled `{}`", title.escape_debug()),
            ));
        }
    }
    let zip = matches!(
        layer.media_type.as_str(),
        "application/zip" | "application/x-zip-compressed"
    ) || layer.media_type.ends_with("+zip");
    zip.then(|| {
        (
            ArtifactKind::FunctionZip,
            format!(
                "its only layer is of type `{}`",
                layer.media_type.escape_debug()
            ),
        )
    })
}

fn unknown(manifest: &ImageManifest) -> DetectError {
    let show = |layer: &Descriptor| {
        let title = layer
            .title()
            .map(|title| format!(" titled `{}`", title.escape_debug()))
            .unwrap_or_default();
        format!("`{}`{title}", layer.media_type.escape_debug())
    };
    let shown: Vec<_> = manifest.layers.iter().take(8).map(show).collect();
    let found = format!(
        "artifact type `{}`, config `{}`, {} layer(s) {}",
        manifest
            .artifact_type
            .as_deref()
            .unwrap_or("none")
            .escape_debug(),
        manifest.config.media_type.escape_debug(),
        manifest.layers.len(),
        shown.join(", ")
    );
    DetectError::Unknown { found }
}
