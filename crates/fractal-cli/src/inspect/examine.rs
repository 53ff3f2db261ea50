//! Putting a report together: from a parcel that could be published, or from an artifact where it lies.

use fractal_artifact::{CONFIG_MAX, ZipScanner, image_config};
use fractal_core::Fault;
use fractal_core::artifact::{ArtifactKind, Descriptor, ImageManifest, Manifest};

use super::report::{Contents, Image, Layer, Report};
use super::targets::{Traits, verdicts};
use crate::artifact::{Artifact, Reading};
use crate::error::CliError;
use crate::publish::Parcel;

/// What publishing this file would make.
pub(super) async fn parcel(parcel: &Parcel) -> Result<Report, CliError> {
    if let Some(source) = parcel.source() {
        let artifact = Artifact::look(source).await?;
        return self::artifact(parcel.name(), &artifact, true).await;
    }
    let layer = parcel.facts().map(|facts| Layer::from(&facts.layer));
    let traits = Traits {
        kinds: vec![parcel.kind()],
        size: layer.as_ref().map_or(0, |layer| layer.size),
        unpacked: parcel.facts().map(|facts| facts.unpacked),
        ..Traits::default()
    };
    Ok(Report {
        subject: parcel.name().to_owned(),
        digest: parcel.digest().clone(),
        media_type: parcel.media_type().to_owned(),
        kind: Some(parcel.kind()),
        because: format!(
            "that is what `fractal publish {}` makes of it",
            parcel.name()
        ),
        size: traits.size,
        layers: layer.into_iter().collect(),
        images: Vec::new(),
        contents: parcel.facts().map(|facts| Contents {
            files: facts.names.len(),
            unpacked: facts.unpacked,
        }),
        targets: verdicts(&traits),
    })
}

/// What an artifact is; `deep` reads the layer of a zip or wheel too.
pub(super) async fn artifact(
    subject: &str,
    artifact: &Artifact,
    deep: bool,
) -> Result<Report, CliError> {
    let (kinds, because) = match &artifact.reading {
        Reading::One(kind, why) => (vec![*kind], why.clone()),
        Reading::Either(why) => (
            vec![ArtifactKind::Container, ArtifactKind::FunctionZip],
            why.clone(),
        ),
        Reading::Unknown(why) => (Vec::new(), why.clone()),
    };
    let layers = artifact
        .image
        .as_ref()
        .map_or(&[][..], |image| &image.layers);
    let images = images(artifact, &kinds).await?;
    let contents = match (kinds.as_slice(), layers) {
        ([ArtifactKind::FunctionZip | ArtifactKind::PythonWheel], [layer]) if deep => {
            Some(contents(artifact, layer).await?)
        }
        _ => None,
    };
    let size = layers
        .iter()
        .map(|layer| layer.size)
        .fold(0, u64::saturating_add);
    let traits = Traits {
        platforms: images.iter().map(|image| image.platform.clone()).collect(),
        size,
        unpacked: contents.as_ref().map(|contents| contents.unpacked),
        kinds,
    };
    Ok(Report {
        subject: subject.to_owned(),
        digest: artifact.root.digest.clone(),
        media_type: artifact.root.media_type.clone(),
        kind: match traits.kinds.as_slice() {
            [kind] => Some(*kind),
            _ => None,
        },
        because,
        size,
        layers: layers.iter().map(Layer::from).collect(),
        images,
        contents,
        targets: verdicts(&traits),
    })
}

async fn images(artifact: &Artifact, kinds: &[ArtifactKind]) -> Result<Vec<Image>, CliError> {
    match (&artifact.root.manifest, &artifact.image) {
        (Manifest::Index(index), _) => Ok(index
            .runnable()
            .map(|(entry, platform)| Image {
                platform: platform.to_string(),
                digest: entry.digest.clone(),
            })
            .collect()),
        (Manifest::Image(_), Some(image)) if kinds.contains(&ArtifactKind::Container) => {
            let platform = platform(artifact, image).await?;
            let digest = artifact.root.digest.clone();
            Ok(vec![Image { platform, digest }])
        }
        _ => Ok(Vec::new()),
    }
}

/// An image says its platform in its config.
async fn platform(artifact: &Artifact, image: &ImageManifest) -> Result<String, CliError> {
    let bytes = artifact
        .source
        .small(&image.config, CONFIG_MAX as u64)
        .await?;
    let config =
        image_config(&bytes).map_err(|error| Fault::from(error).at(&image.config.digest))?;
    let variant = config.variant.map(|variant| format!("/{variant}"));
    Ok(format!(
        "{}/{}{}",
        config.os,
        config.architecture,
        variant.unwrap_or_default()
    ))
}

async fn contents(artifact: &Artifact, layer: &Descriptor) -> Result<Contents, CliError> {
    let mut scanner = ZipScanner::new();
    let mut blob = artifact.source.blob(layer).await?;
    while let Some(piece) = blob.next().await.transpose()? {
        scanner.push(&piece);
        if scanner.has_failed() {
            break;
        }
    }
    let directory = scanner
        .finish(layer.size)
        .map_err(|error| Fault::from(error).at(&layer.digest))?;
    Ok(Contents {
        files: directory.files().len(),
        unpacked: directory.unpacked(),
    })
}
