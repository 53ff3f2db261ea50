//! OCI and Docker manifests as far as deployment reads them.
//!
//! A document that could be read as image and as index is refused (CVE-2021-41190); descriptor `urls` are never read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::digest::Digest;
use super::kind::media_type;
use crate::json;

/// Largest manifest or index taken, in bytes: what registries themselves accept.
pub const MANIFEST_MAX: usize = 4 * 1024 * 1024;
/// Most layers an image may have.
pub const LAYERS_MAX: usize = 128;
/// Most entries an index may have.
pub const INDEX_MAX: usize = 256;

/// A content descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Media type of what it points to.
    #[serde(default)]
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The platform, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<OciPlatform>,
    /// The artifact type, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Annotations; `org.opencontainers.image.title` is a layer's file name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// A descriptor without platform or annotations.
    #[must_use]
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            platform: None,
            artifact_type: None,
            annotations: BTreeMap::new(),
        }
    }

    /// The file name a publisher gave it.
    #[must_use]
    pub fn title(&self) -> Option<&str> {
        self.annotations.get(media_type::TITLE).map(String::as_str)
    }
}

/// The platform of an index's entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OciPlatform {
    /// CPU architecture in Go's words: `amd64`, `arm64`.
    pub architecture: String,
    /// Operating system in Go's words.
    pub os: String,
    /// Architecture variant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl std::fmt::Display for OciPlatform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant
            .as_ref()
            .map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

/// An image manifest: also the form of every artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    schema_version: u32,
    /// Media type, as the document says it or as it was served.
    #[serde(default)]
    pub media_type: String,
    /// What kind of artifact the publisher says it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The config blob.
    pub config: Descriptor,
    /// The layers, in order.
    pub layers: Vec<Descriptor>,
    /// What this manifest refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl ImageManifest {
    /// A new OCI image manifest.
    #[must_use]
    pub fn new(artifact_type: Option<&str>, config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: media_type::OCI_MANIFEST.into(),
            artifact_type: artifact_type.map(Into::into),
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }
}

/// An image index or Docker manifest list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageIndex {
    schema_version: u32,
    /// Media type, as the document says it or as it was served.
    #[serde(default)]
    pub media_type: String,
    /// The entries.
    pub manifests: Vec<Descriptor>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl ImageIndex {
    /// A new OCI image index.
    #[must_use]
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: media_type::OCI_INDEX.into(),
            manifests,
            annotations: BTreeMap::new(),
        }
    }

    /// The entries that can run: those whose platform is known. Attestations carry `unknown/unknown`.
    pub fn runnable(&self) -> impl Iterator<Item = (&Descriptor, &OciPlatform)> {
        self.manifests
            .iter()
            .filter_map(|entry| entry.platform.as_ref().map(|platform| (entry, platform)))
            .filter(|(_, platform)| platform.os != "unknown" && platform.architecture != "unknown")
    }
}

/// A manifest or an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manifest {
    /// An image, or any other artifact.
    Image(Box<ImageManifest>),
    /// An index of manifests.
    Index(Box<ImageIndex>),
}

/// Why a document is no manifest that may be deployed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not JSON, or a field has the wrong form.
    #[error("the manifest cannot be parsed")]
    Parse(#[source] serde_json::Error),
    /// The document or its type can be read in two ways.
    #[error("the manifest is ambiguous: {0}")]
    Ambiguous(String),
    /// The outdated schema 1.
    #[error("the manifest has the outdated schema 1")]
    Schema1,
    /// A media type that is no manifest.
    #[error("media type `{0}` is no manifest or index")]
    MediaType(String),
    /// More entries than allowed.
    #[error("the manifest has {found} {what}, at most {max} are allowed")]
    TooMany {
        /// Layers or entries.
        what: &'static str,
        /// How many it has.
        found: usize,
        /// How many are allowed.
        max: usize,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Peek {
    schema_version: u32,
    media_type: Option<String>,
    config: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
    manifests: Option<serde::de::IgnoredAny>,
    #[serde(rename = "fsLayers")]
    fs_layers: Option<serde::de::IgnoredAny>,
}

impl Manifest {
    /// Reads a manifest that was served as `content_type`.
    ///
    /// # Errors
    /// Where the document is malformed, ambiguous, of schema 1, or holds more entries than allowed.
    pub fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self, ManifestError> {
        let document = json::parse(bytes).map_err(ManifestError::Parse)?;
        let peek = Peek::deserialize(&document).map_err(ManifestError::Parse)?;
        let media_type = agreed_type(&peek, content_type)?;
        match kind_of(&peek, media_type.as_deref())? {
            Form::Image => image(&document, media_type),
            Form::Index => index(&document, media_type),
        }
    }

    /// Its media type.
    #[must_use]
    pub fn media_type(&self) -> &str {
        match self {
            Self::Image(image) => &image.media_type,
            Self::Index(index) => &index.media_type,
        }
    }
}

enum Form {
    Image,
    Index,
}

fn agreed_type(peek: &Peek, content_type: Option<&str>) -> Result<Option<String>, ManifestError> {
    let served = content_type.map(|text| text.split(';').next().unwrap_or_default().trim());
    // Registries without types of their own serve JSON as such: no statement either way.
    let served = served.filter(|text| {
        !matches!(
            *text,
            "" | "application/json" | "application/octet-stream" | "text/plain"
        )
    });
    match (peek.media_type.as_deref(), served) {
        (Some(inside), Some(served)) if inside != served => Err(ManifestError::Ambiguous(format!(
            "it says it is `{inside}` and was served as `{served}`"
        ))),
        (inside, served) => Ok(inside.or(served).map(Into::into)),
    }
}

fn kind_of(peek: &Peek, media_type: Option<&str>) -> Result<Form, ManifestError> {
    if peek.schema_version == 1 || peek.fs_layers.is_some() {
        return Err(ManifestError::Schema1);
    }
    let image_fields = peek.config.is_some() || peek.layers.is_some();
    let form = match (image_fields, peek.manifests.is_some()) {
        (true, true) => {
            return Err(ManifestError::Ambiguous(
                "it has the fields of an image and of an index".into(),
            ));
        }
        (false, false) => {
            return Err(ManifestError::Ambiguous(
                "it has the fields of neither image nor index".into(),
            ));
        }
        (true, false) => Form::Image,
        (false, true) => Form::Index,
    };
    match (media_type, &form) {
        (None, _)
        | (Some(media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST), Form::Image)
        | (Some(media_type::OCI_INDEX | media_type::DOCKER_INDEX), Form::Index) => Ok(form),
        (
            Some(
                media_type::OCI_MANIFEST
                | media_type::DOCKER_MANIFEST
                | media_type::OCI_INDEX
                | media_type::DOCKER_INDEX,
            ),
            _,
        ) => Err(ManifestError::Ambiguous(
            "its media type and its fields disagree".into(),
        )),
        (Some(other), _) => Err(ManifestError::MediaType(other.escape_debug().to_string())),
    }
}

fn image(document: &Value, media_type: Option<String>) -> Result<Manifest, ManifestError> {
    let mut image: ImageManifest =
        Deserialize::deserialize(document).map_err(ManifestError::Parse)?;
    at_most("layers", image.layers.len(), LAYERS_MAX)?;
    image.media_type = media_type.unwrap_or_else(|| media_type::OCI_MANIFEST.into());
    Ok(Manifest::Image(Box::new(image)))
}

fn index(document: &Value, media_type: Option<String>) -> Result<Manifest, ManifestError> {
    let mut index: ImageIndex = Deserialize::deserialize(document).map_err(ManifestError::Parse)?;
    at_most("entries", index.manifests.len(), INDEX_MAX)?;
    index.media_type = media_type.unwrap_or_else(|| media_type::OCI_INDEX.into());
    Ok(Manifest::Index(Box::new(index)))
}

const fn at_most(what: &'static str, found: usize, max: usize) -> Result<(), ManifestError> {
    if found > max {
        Err(ManifestError::TooMany { what, found, max })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYER: &str = r#"{"mediaType":"application/zip","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0}"#;

    fn image_json(extra: &str) -> String {
        format!(r#"{{"schemaVersion":2{extra},"config":{LAYER},"layers":[{LAYER}]}}"#)
    }

    #[test]
    fn a_manifest_is_read_with_and_without_its_media_type() {
        let typed = image_json(r#","mediaType":"application/vnd.oci.image.manifest.v1+json""#);
        for (text, served) in [
            (typed.as_str(), Some(media_type::OCI_MANIFEST)),
            (&typed, None),
            (&image_json(""), None),
        ] {
            let manifest = Manifest::parse(text.as_bytes(), served).unwrap();
            assert_eq!(manifest.media_type(), media_type::OCI_MANIFEST);
        }
    }

    #[test]
    fn g14_a_document_with_two_readings_is_refused() {
        let both = image_json(r#","manifests":[]"#);
        let disagreeing = image_json(r#","mediaType":"application/vnd.oci.image.index.v1+json""#);
        let neither = r#"{"schemaVersion":2}"#;
        for text in [both.as_str(), &disagreeing, neither] {
            assert!(
                matches!(
                    Manifest::parse(text.as_bytes(), None),
                    Err(ManifestError::Ambiguous(_))
                ),
                "{text}"
            );
        }
        let served = Manifest::parse(image_json("").as_bytes(), Some(media_type::OCI_INDEX));
        assert!(matches!(served, Err(ManifestError::Ambiguous(_))));
    }

    #[test]
    fn g15_schema_1_is_named() {
        let text = r#"{"schemaVersion":1,"fsLayers":[]}"#;
        assert!(matches!(
            Manifest::parse(text.as_bytes(), None),
            Err(ManifestError::Schema1)
        ));
    }

    #[test]
    fn g13_duplicate_keys_bad_sizes_and_deep_nesting_are_refused() {
        let twice = image_json(r#","config":{}"#);
        let negative = image_json("").replace(r#""size":0"#, r#""size":-1"#);
        let text = image_json("").replace(r#""size":0"#, r#""size":"12""#);
        let deep = format!(
            "{{\"schemaVersion\":2,\"x\":{}1{}}}",
            "[".repeat(200_000),
            "]".repeat(200_000)
        );
        for document in [twice, negative, text, deep] {
            assert!(matches!(
                Manifest::parse(document.as_bytes(), None),
                Err(ManifestError::Parse(_))
            ));
        }
    }

    #[test]
    fn too_many_layers_are_refused() {
        let layers = vec![LAYER; LAYERS_MAX + 1].join(",");
        let text = format!(r#"{{"schemaVersion":2,"config":{LAYER},"layers":[{layers}]}}"#);
        assert!(matches!(
            Manifest::parse(text.as_bytes(), None),
            Err(ManifestError::TooMany { found: 129, .. })
        ));
    }
}
