//! The one image of an index that a target runs, and what an image's config says of its platform.

use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{Descriptor, ImageIndex, OciPlatform};
use fractal_core::fault::chain;
use fractal_core::{Fault, Reason};
use serde::Deserialize;

/// The index has no entries that can run.
const INDEX_EMPTY: Reason = Reason::new("IndexEmpty");
/// The index has an index among its entries.
const INDEX_NESTED: Reason = Reason::new("IndexNested");
/// No entry is for a platform that the target runs.
const INDEX_NO_MATCH: Reason = Reason::new("IndexNoMatch");
/// Several entries are for the same platform.
const INDEX_AMBIGUOUS: Reason = Reason::new("IndexAmbiguous");
/// The image's config cannot be read.
const IMAGE_CONFIG_INVALID: Reason = Reason::new("ImageConfigInvalid");

/// Largest image config taken, in bytes.
pub const CONFIG_MAX: usize = 4 * 1024 * 1024;
/// Most platforms named in a message.
const SHOWN_MAX: usize = 16;
/// What `BuildKit` writes on the entries that describe an image instead of being one.
const ATTESTATION: (&str, &str) = ("vnd.docker.reference.type", "attestation-manifest");

/// Why an index holds no image to run, or an image's platform cannot be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// No entries, or attestations only.
    #[error("the image index has no image in it")]
    Empty,
    /// An index among its entries.
    #[error("the image index has another index in it, {digest}")]
    Nested {
        /// The inner index.
        digest: String,
    },
    /// No entry for a platform that the target runs.
    #[error("the image index has no image for {wanted}, it offers {offered}")]
    NoMatch {
        /// What the target runs, best first.
        wanted: String,
        /// What the index has.
        offered: String,
    },
    /// Several entries for one platform.
    #[error("the image index has several images for {platform}: {digests}")]
    Several {
        /// The platform.
        platform: String,
        /// Their digests.
        digests: String,
    },
    /// The config is larger than taken.
    #[error("the image's config has {found} bytes, at most {CONFIG_MAX} are taken")]
    ConfigTooLarge {
        /// Its size.
        found: usize,
    },
    /// The config is no JSON object with `architecture` and `os`.
    #[error("the image's config cannot be parsed")]
    Config(#[source] serde_json::Error),
}

impl From<ImageError> for Fault {
    fn from(error: ImageError) -> Self {
        let (reason, next) = match &error {
            ImageError::Empty => (INDEX_EMPTY, "push an image into the index".into()),
            ImageError::Nested { .. } => (
                INDEX_NESTED,
                "reference the inner index, or push a flat one".into(),
            ),
            ImageError::NoMatch { wanted, .. } => (
                INDEX_NO_MATCH,
                format!("build for one of {wanted} too and push again"),
            ),
            ImageError::Several { .. } => (
                INDEX_AMBIGUOUS,
                "keep one image per platform, or reference one by its digest".into(),
            ),
            ImageError::ConfigTooLarge { .. } | ImageError::Config(_) => (
                IMAGE_CONFIG_INVALID,
                "build the image again and push it".into(),
            ),
        };
        Self::terminal(reason, "no image can be taken from the artifact")
            .at("the artifact's manifest")
            .because(chain(&error))
            .next(next)
    }
}

/// The entry of an index that a target runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// Its descriptor: what the target is given.
    pub descriptor: Descriptor,
    /// Its platform.
    pub platform: OciPlatform,
}

/// The one Linux image of `index` for the first of `architectures` (Go's words, best first) that it has.
///
/// Attestations are passed over. Two different images for one architecture are refused, whatever their variants:
/// which one a target would take is not ours to guess.
///
/// # Errors
/// Where the index is empty, holds another index, or has no image or several for what is wanted.
pub fn select_image(index: &ImageIndex, architectures: &[&str]) -> Result<Selected, ImageError> {
    if let Some(inner) = index.manifests.iter().find(|entry| is_index(entry)) {
        return Err(ImageError::Nested {
            digest: inner.digest.to_string(),
        });
    }
    let images: Vec<&Descriptor> = index
        .manifests
        .iter()
        .filter(|entry| !is_attestation(entry))
        .collect();
    if images.is_empty() {
        return Err(ImageError::Empty);
    }
    architectures
        .iter()
        .find_map(|wanted| one_for(&images, wanted))
        .unwrap_or_else(|| Err(no_match(&images, architectures)))
}

fn one_for(images: &[&Descriptor], architecture: &str) -> Option<Result<Selected, ImageError>> {
    let fits =
        |platform: &OciPlatform| platform.os == "linux" && platform.architecture == architecture;
    let mut found: Vec<(&Descriptor, &OciPlatform)> = images
        .iter()
        .filter_map(|image| {
            Some((
                *image,
                image.platform.as_ref().filter(|platform| fits(platform))?,
            ))
        })
        .collect();
    // The same image listed twice is still one image.
    found.sort_by(|(a, _), (b, _)| a.digest.cmp(&b.digest));
    found.dedup_by(|(a, _), (b, _)| a.digest == b.digest);
    match found.as_slice() {
        [] => None,
        [(image, platform)] => Some(Ok(Selected {
            descriptor: (*image).clone(),
            platform: (*platform).clone(),
        })),
        several => {
            let digests = several
                .iter()
                .map(|(image, platform)| format!("{} ({platform})", image.digest));
            Some(Err(ImageError::Several {
                platform: format!("linux/{architecture}"),
                digests: listed(digests),
            }))
        }
    }
}

fn no_match(images: &[&Descriptor], architectures: &[&str]) -> ImageError {
    let offered = images.iter().map(|image| {
        image.platform.as_ref().map_or_else(
            || "an image of no stated platform".to_owned(),
            |platform| platform.to_string().escape_debug().to_string(),
        )
    });
    let wanted = architectures
        .iter()
        .map(|architecture| format!("linux/{architecture}"));
    ImageError::NoMatch {
        wanted: listed(wanted),
        offered: listed(offered),
    }
}

fn listed(items: impl Iterator<Item = String>) -> String {
    let mut items: Vec<String> = items.collect();
    let more = items.len().saturating_sub(SHOWN_MAX);
    items.truncate(SHOWN_MAX);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{more}", items.join(", "))
}

fn is_index(entry: &Descriptor) -> bool {
    matches!(
        entry.media_type.as_str(),
        media_type::OCI_INDEX | media_type::DOCKER_INDEX
    )
}

fn is_attestation(entry: &Descriptor) -> bool {
    let unknown =
        |platform: &OciPlatform| platform.os == "unknown" || platform.architecture == "unknown";
    let (key, value) = ATTESTATION;
    entry.platform.as_ref().is_some_and(unknown)
        || entry.annotations.get(key).is_some_and(|said| said == value)
}

/// What an image's config says of the platform it was built for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ImageConfig {
    /// CPU architecture in Go's words.
    pub architecture: String,
    /// Operating system in Go's words.
    pub os: String,
    /// Architecture variant.
    #[serde(default)]
    pub variant: Option<String>,
}

/// Reads an OCI or Docker image config.
///
/// # Errors
/// Where it is larger than [`CONFIG_MAX`], no JSON, or lacks `architecture` or `os`.
pub fn image_config(bytes: &[u8]) -> Result<ImageConfig, ImageError> {
    if bytes.len() > CONFIG_MAX {
        return Err(ImageError::ConfigTooLarge { found: bytes.len() });
    }
    serde_json::from_slice(bytes).map_err(ImageError::Config)
}
