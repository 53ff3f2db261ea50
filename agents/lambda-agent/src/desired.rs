//! The function that is wanted: a pure function of settings, place, inputs and artifact.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fractal_core::artifact::{Descriptor, Digest, Facts, ImageFacts, Reference, ZipFacts};
use fractal_core::reconcile::{Inputs, Owner, Rollout, Value};
use fractal_core::{Fault, Fingerprint, Reason};
use serde::Serialize;

use crate::config::{Config, INLINE_MAX, INLINE_MAX_WITHOUT_BUCKET, UNPACKED_MAX};
use crate::error::Error;
use crate::place::{Place, Staged};

mod handler;
mod role;
pub(crate) mod settings;

/// The artifact is larger than the target takes.
pub(crate) const TOO_LARGE: Reason = Reason::new("TooLargeForTarget");
/// The staging bucket is missing or of no use.
pub(crate) const STAGING_BUCKET: Reason = Reason::new("StagingBucketUnavailable");

/// A Lambda function as it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// The artifact's digest, for the digest marker.
    pub digest: Digest,
    /// What runs.
    pub code: Code,
    /// How it runs.
    pub settings: Settings,
}

/// What runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Code {
    /// A deployment zip.
    Zip {
        /// Where its bytes are fetched from.
        from: Reference,
        /// Digest and size of the zip itself.
        layer: Box<Descriptor>,
        /// Where it is put, when it is too large for a request.
        staged: Option<Staged>,
    },
    /// A container image.
    Image {
        /// `host/repository@digest` of a single-platform manifest.
        uri: String,
        /// That digest.
        digest: Digest,
    },
}

/// How it runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// The execution role's ARN.
    pub role: String,
    /// The runtime; zips only.
    pub runtime: Option<String>,
    /// The handler; zips only.
    pub handler: Option<String>,
    /// Memory in MB.
    pub memory: i32,
    /// Timeout in seconds.
    pub timeout: i32,
    /// `x86_64` or `arm64`.
    pub architecture: &'static str,
    /// Environment variables we own.
    pub environment: BTreeMap<String, Value>,
}

impl Code {
    /// What Lambda reports as `CodeSha256`: base64 of a zip's SHA-256, hex of an image's digest.
    #[must_use]
    pub fn sha256(&self) -> String {
        match self {
            Self::Zip { layer, .. } => STANDARD.encode(layer.digest.to_bytes()),
            Self::Image { digest, .. } => digest.hex().to_owned(),
        }
    }
}

impl Desired {
    /// What an operation on the function is to bring about: the same failed operation is not repeated blindly.
    #[must_use]
    pub fn attempt(&self) -> Option<Fingerprint> {
        Fingerprint::of(&(self.code.sha256(), &self.settings)).ok()
    }

    /// The zip's size in bytes; of an image 0.
    #[must_use]
    pub const fn zip_size(&self) -> u64 {
        match &self.code {
            Code::Zip { layer, .. } => layer.size,
            Code::Image { .. } => 0,
        }
    }

    /// The staging object the code needs, where it needs one.
    #[must_use]
    pub const fn staged(&self) -> Option<&Staged> {
        match &self.code {
            Code::Zip { staged, .. } => staged.as_ref(),
            Code::Image { .. } => None,
        }
    }
}

/// What is wanted at `place`.
pub(crate) fn desired(
    config: &Config,
    place: &Place,
    inputs: &Inputs,
    rollout: &Rollout,
) -> Result<Desired, Error> {
    let release = &rollout.target;
    let reference = &release.artifact.reference;
    let (code, settings) = match &*release.facts {
        Facts::Zip(zip) => {
            let settings = settings::zip(config, inputs, reference)?;
            handler::present(&settings, zip)?;
            (zip_code(config, place, reference, zip)?, settings)
        }
        Facts::Image(image) => (
            image_code(place, reference, image)?,
            settings::image(config, inputs, image)?,
        ),
        Facts::Bundle(_) | Facts::Wheel(_) => return Err(Error::Unplanned),
    };
    Ok(Desired {
        digest: release.artifact.digest.clone(),
        code,
        settings,
    })
}

fn zip_code(
    config: &Config,
    place: &Place,
    from: &Reference,
    zip: &ZipFacts,
) -> Result<Code, Error> {
    let size = zip.layer.size;
    if zip.unpacked > UNPACKED_MAX {
        return Err(too_large(
            from,
            "unpacked",
            zip.unpacked,
            UNPACKED_MAX,
            "publish a smaller zip, or a container image",
        ));
    }
    let staged = match &config.staging_bucket {
        Some(bucket) if size > INLINE_MAX => Some(Staged {
            bucket: bucket.clone(),
            key: staging_key(place, &zip.layer.digest),
        }),
        Some(_) => None,
        None if size > INLINE_MAX_WITHOUT_BUCKET => {
            return Err(Fault::blocked(STAGING_BUCKET, format!("the zip has {size} bytes, and without a staging bucket at most {INLINE_MAX_WITHOUT_BUCKET} can be sent"))
                .at(from)
                .next("run the agent with --staging-bucket, naming a bucket in the function's region")
                .into());
        }
        None => None,
    };
    Ok(Code::Zip {
        from: from.clone(),
        layer: Box::new(zip.layer.clone()),
        staged,
    })
}

fn too_large(from: &Reference, how: &str, found: u64, max: u64, next: &str) -> Error {
    Fault::terminal(
        TOO_LARGE,
        format!("the zip has {found} bytes {how}, Lambda takes at most {max}"),
    )
    .at(from)
    .next(next)
    .into()
}

/// Content-addressed below the function's own place: no two functions share an object, so none is deleted under another.
fn staging_key(place: &Place, digest: &Digest) -> String {
    format!(
        "fractal/{}/{}/{}/{}.zip",
        place.account,
        place.region,
        place.name,
        digest.hex()
    )
}

/// Lambda pulls from a private ECR repository of its own region only.
/// <https://docs.aws.amazon.com/lambda/latest/dg/images-create.html>
fn image_code(place: &Place, from: &Reference, image: &ImageFacts) -> Result<Code, Error> {
    let host = from.host().as_str();
    let mut parts = host.splitn(4, '.');
    let account = parts
        .next()
        .is_some_and(|id| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit()));
    let service = parts.next() == Some("dkr") && parts.next() == Some("ecr");
    let domain = parts.next().unwrap_or_default();
    let region = domain
        .strip_prefix(place.region.as_str())
        .is_some_and(|rest| matches!(rest, ".amazonaws.com" | ".amazonaws.com.cn"));
    if !(account && service && region) {
        return Err(Fault::terminal(
            Reason::new("ImageRegistryUnsupported"),
            "Lambda runs images from a private ECR repository of its own region only",
        )
        .at(from)
        .because(format!(
            "the registry is {host}, the function's region is {}",
            place.region
        ))
        .next(format!(
            "publish the image to an ECR repository in {} as well, or publish a zip",
            place.region
        ))
        .into());
    }
    Ok(Code::Image {
        uri: from.pinned(&image.manifest).to_string(),
        digest: image.manifest.clone(),
    })
}

/// The ownership tag's key.
pub(crate) const OWNER_TAG: &str = "fractal:owner";
/// The digest tag's key.
pub(crate) const DIGEST_TAG: &str = "fractal:digest";

/// Tags a new function is made with.
pub(crate) fn tags(owner: &Owner, digest: &Digest) -> [(&'static str, String); 2] {
    [
        (OWNER_TAG, owner.marker()),
        (DIGEST_TAG, digest.to_string()),
    ]
}
