//! The images of an artifact, each with its layers and what its config says.

use fractal_artifact::targets::{ImageSettings, ImageSubject, PlatformImage};
use fractal_artifact::{CONFIG_MAX, image_config};
use fractal_core::artifact::{Digest, ImageManifest, Manifest};
use fractal_core::{Class, Fault};

use super::report::Image;
use crate::artifact::{Artifact, Source};
use crate::error::CliError;

/// Most images of an index whose manifest and config are read: no target has so many platforms.
const READ_MAX: usize = 16;

/// What is known of the images.
pub(super) async fn subject(artifact: &Artifact) -> Result<ImageSubject, CliError> {
    match (&artifact.root.manifest, &artifact.image) {
        (Manifest::Index(index), _) => {
            let mut images = Vec::new();
            for (place, (entry, platform)) in index.runnable().enumerate() {
                let mut image = PlatformImage {
                    digest: entry.digest.clone(),
                    os: platform.os.clone(),
                    architecture: platform.architecture.clone(),
                    variant: platform.variant.clone(),
                    layers: Vec::new(),
                    settings: None,
                };
                if place < READ_MAX {
                    fill(&artifact.source, &mut image).await?;
                }
                images.push(image);
            }
            Ok(ImageSubject {
                index: Some((**index).clone()),
                images,
            })
        }
        (Manifest::Image(_), Some(image)) => {
            let digest = artifact.root.digest.clone();
            let images = vec![single(&artifact.source, digest, image).await?];
            Ok(ImageSubject {
                index: None,
                images,
            })
        }
        (Manifest::Image(_), None) => Ok(ImageSubject {
            index: None,
            images: Vec::new(),
        }),
    }
}

/// An index's entry may be missing in a copy of some of its images: then its platform is all that is known.
async fn fill(source: &Source, image: &mut PlatformImage) -> Result<(), CliError> {
    let passing = |error: &CliError| matches!(Fault::from(error).class, Class::Transient { .. });
    match read(source, &image.digest).await {
        Ok(Some((layers, settings))) => {
            image.layers = layers;
            image.settings = Some(settings);
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(error) if passing(&error) => Err(error),
        Err(_) => Ok(()),
    }
}

type Read = (Vec<fractal_core::artifact::Descriptor>, ImageSettings);

async fn read(source: &Source, digest: &Digest) -> Result<Option<Read>, CliError> {
    let fetched = source.located().site.manifest(digest).await?;
    let Manifest::Image(image) = fetched.manifest else {
        return Ok(None);
    };
    let bytes = source.small(&image.config, CONFIG_MAX as u64).await?;
    let settings = ImageSettings::parse(&bytes)
        .map_err(|error| Fault::from(error).at(&image.config.digest))?;
    Ok(Some((image.layers, settings)))
}

/// An image says its platform in its config.
async fn single(
    source: &Source,
    digest: Digest,
    image: &ImageManifest,
) -> Result<PlatformImage, CliError> {
    let bytes = source.small(&image.config, CONFIG_MAX as u64).await?;
    let at = |error| Fault::from(error).at(&image.config.digest);
    let platform = image_config(&bytes).map_err(at)?;
    Ok(PlatformImage {
        digest,
        os: platform.os,
        architecture: platform.architecture,
        variant: platform.variant,
        layers: image.layers.clone(),
        // What cannot be read of it is said by the rules.
        settings: ImageSettings::parse(&bytes).ok(),
    })
}

/// The images for the report.
pub(super) fn listed(subject: &ImageSubject) -> Vec<Image> {
    let image = |image: &PlatformImage| Image {
        platform: image.platform(),
        digest: image.digest.clone(),
    };
    subject.images.iter().map(image).collect()
}
