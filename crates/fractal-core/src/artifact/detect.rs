//! Which kind of artifact a manifest is: from its types and titles first, from a layer's first bytes where those say nothing.

use std::fmt;

use super::kind::{ArtifactKind, PackageType, media_type as mt};
use super::manifest::{Descriptor, ImageManifest};

/// First bytes of a zip with at least one entry.
pub const ZIP_MAGIC: &[u8] = b"PK\x03\x04";

/// The artifact type `oras push` writes where none was given.
const ORAS_ARTIFACT: &str = "application/vnd.unknown.artifact.v1";
/// The config type of `oras push` before 1.1, where none was given.
const ORAS_CONFIG: &str = "application/vnd.unknown.config.v1+json";
/// Layers that container runtimes unpack.
const IMAGE_LAYERS: [&str; 2] = [
    "application/vnd.oci.image.layer.",
    "application/vnd.docker.image.rootfs.",
];
const BEGINS_LIKE_A_ZIP: &str = "begins like a zip";

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
        (Reading::Either(_, evidence), None) => Err(DetectError::Ambiguous { evidence }),
        (Reading::Either(kind, evidence), Some(wanted))
            if wanted == PackageType::Image || fits(kind, wanted) =>
        {
            let evidence = format!("packageType `{wanted}` decides: {evidence}");
            Ok(Detection::Known(kind_for(wanted), Evidence(evidence)))
        }
        (Reading::Either(kind, evidence), Some(wanted)) => Err(DetectError::Conflict {
            wanted,
            found: kind,
            evidence,
        }),
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
    /// A container image, or this kind.
    Either(ArtifactKind, String),
    Magic(Box<Descriptor>),
}

fn read(manifest: &ImageManifest, magic: Option<&[u8]>) -> Result<Reading, DetectError> {
    if let Some(kind) = declared(manifest)? {
        return Ok(Reading::One(kind, format!("its type says {kind}")));
    }
    if is_foreign(manifest) {
        return Err(unknown(manifest));
    }
    match (has_image_config(manifest), manifest.layers.as_slice()) {
        (true, [layer]) => single_under_image_config(manifest, layer, magic),
        (true, [_, _, ..]) if manifest.layers.iter().all(is_image_layer) => Ok(Reading::One(
            ArtifactKind::Container,
            "it has an image config and several layers".into(),
        )),
        (false, [layer]) => single_artifact(manifest, layer, magic),
        _ => Err(unknown(manifest)),
    }
}

/// What the publisher says outright, by artifact type, config type or the layer's type.
///
/// Refused where two of them say different kinds, where there is not one layer, and where the layer's type rules the kind out.
fn declared(manifest: &ImageManifest) -> Result<Option<ArtifactKind>, DetectError> {
    let layers = manifest
        .layers
        .iter()
        .map(|layer| layer.media_type.as_str());
    let outer = [
        manifest.artifact_type.as_deref(),
        Some(manifest.config.media_type.as_str()),
    ];
    let mut kinds = outer
        .into_iter()
        .flatten()
        .chain(layers)
        .filter_map(declared_kind);
    let Some(kind) = kinds.next() else {
        return Ok(None);
    };
    match manifest.layers.as_slice() {
        [layer] if kinds.all(|other| other == kind) && may_hold(layer, kind) => Ok(Some(kind)),
        _ => Err(unknown(manifest)),
    }
}

fn declared_kind(media_type: &str) -> Option<ArtifactKind> {
    match media_type {
        mt::FUNCTION_ZIP => Some(ArtifactKind::FunctionZip),
        mt::WHEEL => Some(ArtifactKind::PythonWheel),
        mt::MANIFESTS => Some(ArtifactKind::Manifests),
        _ => None,
    }
}

/// Whether a layer of this type can be of a kind that something else declares: its own type, or one that says little.
fn may_hold(layer: &Descriptor, kind: ArtifactKind) -> bool {
    let media_type = layer.media_type.as_str();
    declared_kind(media_type) == Some(kind)
        || matches!(media_type, "" | "application/octet-stream" | mt::OCI_LAYER)
        || (kind != ArtifactKind::Manifests && is_zip(media_type))
}

/// Whether the publisher says that it is something else: a chart, a signature, an attestation, a bill of materials.
///
/// Without an artifact type the config's type is the artifact's, as OCI has it.
fn is_foreign(manifest: &ImageManifest) -> bool {
    let artifact_type = manifest
        .artifact_type
        .as_deref()
        .filter(|said| !said.is_empty());
    let said = artifact_type.unwrap_or(&manifest.config.media_type);
    let says_little = matches!(
        said,
        "" | mt::OCI_EMPTY
            | ORAS_ARTIFACT
            | ORAS_CONFIG
            | mt::OCI_CONFIG
            | mt::DOCKER_CONFIG
            | "application/octet-stream"
    );
    !says_little && !is_zip(said)
}

fn has_image_config(manifest: &ImageManifest) -> bool {
    matches!(
        manifest.config.media_type.as_str(),
        mt::OCI_CONFIG | mt::DOCKER_CONFIG
    )
}

fn is_image_layer(layer: &Descriptor) -> bool {
    IMAGE_LAYERS
        .iter()
        .any(|prefix| layer.media_type.starts_with(prefix))
}

/// A compressed tar is no zip; a plain one may be, since `oras push` calls every file that.
fn is_compressed(layer: &Descriptor) -> bool {
    ["gzip", "zstd"]
        .iter()
        .any(|suffix| layer.media_type.ends_with(suffix))
}

fn is_zip(media_type: &str) -> bool {
    matches!(
        media_type,
        "application/zip" | "application/x-zip-compressed"
    ) || media_type.ends_with("+zip")
}

/// Some publishers push a zip under an image config; a runnable image of one layer looks alike but for the layer.
fn single_under_image_config(
    manifest: &ImageManifest,
    layer: &Descriptor,
    magic: Option<&[u8]>,
) -> Result<Reading, DetectError> {
    if is_compressed(layer) && is_image_layer(layer) {
        let evidence = "it has an image config and a compressed layer";
        return Ok(Reading::One(ArtifactKind::Container, evidence.into()));
    }
    let either = |kind, why| {
        Reading::Either(
            kind,
            format!("it has an image config, and its only layer {why}"),
        )
    };
    if let Some((kind, why)) = by_layer(layer) {
        return Ok(either(kind, why));
    }
    match magic {
        None => Ok(Reading::Magic(Box::new(layer.clone()))),
        Some(bytes) if bytes.starts_with(ZIP_MAGIC) => {
            Ok(either(ArtifactKind::FunctionZip, BEGINS_LIKE_A_ZIP.into()))
        }
        Some(_) if is_image_layer(layer) => {
            let evidence = "it has an image config and a tar layer";
            Ok(Reading::One(ArtifactKind::Container, evidence.into()))
        }
        Some(_) => Err(unknown(manifest)),
    }
}

fn single_artifact(
    manifest: &ImageManifest,
    layer: &Descriptor,
    magic: Option<&[u8]>,
) -> Result<Reading, DetectError> {
    let one = |(kind, why)| Reading::One(kind, format!("its only layer {why}"));
    let zip = (ArtifactKind::FunctionZip, BEGINS_LIKE_A_ZIP.to_owned());
    // Some publishers call every file a compressed layer, since that is what old registries take: then its bytes tell.
    match (by_layer(layer), is_compressed(layer), magic) {
        (Some(said), false, _) => Ok(one(said)),
        (None, true, _) => Err(unknown(manifest)),
        (_, _, None) => Ok(Reading::Magic(Box::new(layer.clone()))),
        (said, _, Some(bytes)) if bytes.starts_with(ZIP_MAGIC) => Ok(one(said.unwrap_or(zip))),
        _ => Err(unknown(manifest)),
    }
}

/// What a layer's title says, and then its type: a wheel is a zip too, so the type alone cannot tell them apart.
fn by_layer(layer: &Descriptor) -> Option<(ArtifactKind, String)> {
    let title = layer.title().unwrap_or_default();
    let ends = |suffix: &str| title.to_ascii_lowercase().ends_with(suffix);
    if ends(".whl") {
        Some((
            ArtifactKind::PythonWheel,
            format!("is titled `{}`", shown(title)),
        ))
    } else if ends(".zip") {
        Some((
            ArtifactKind::FunctionZip,
            format!("is titled `{}`", shown(title)),
        ))
    } else if is_zip(&layer.media_type) {
        Some((
            ArtifactKind::FunctionZip,
            format!("is of type `{}`", shown(&layer.media_type)),
        ))
    } else {
        None
    }
}

/// Text of the publisher's for a message: escaped, and cut at 96 characters.
fn shown(text: &str) -> String {
    text.chars().take(96).flat_map(char::escape_debug).collect()
}

fn unknown(manifest: &ImageManifest) -> DetectError {
    let show = |layer: &Descriptor| {
        let title = layer
            .title()
            .map(|title| format!(" titled `{}`", shown(title)))
            .unwrap_or_default();
        format!("`{}`{title}", shown(&layer.media_type))
    };
    let layers: Vec<_> = manifest.layers.iter().take(8).map(show).collect();
    let layers = if layers.is_empty() {
        "none".into()
    } else {
        layers.join(", ")
    };
    let artifact_type = manifest.artifact_type.as_deref().unwrap_or("none");
    let found = format!(
        "artifact type `{}`, config `{}`, layers ({}): {layers}",
        shown(artifact_type),
        shown(&manifest.config.media_type),
        manifest.layers.len(),
    );
    DetectError::Unknown { found }
}
