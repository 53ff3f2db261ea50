//! An artifact in a registry or layout, read as far as it takes to say what it is.

use std::path::Path;

use bytes::Bytes;
use fractal_core::artifact::detect::DetectError;
use fractal_core::artifact::{
    ArtifactKind, Descriptor, Detection, Digest, ImageIndex, ImageManifest, Layout, Manifest,
    Reference, detect,
};
use fractal_core::{Fault, Reason};
use fractal_registry::{BlobStream, FetchedManifest, Located, OciLayout, Registry, Site};

use crate::error::CliError;

/// How many first bytes of a layer tell a zip.
const MAGIC: usize = 4;
const UNKNOWN: Reason = Reason::new("ShapeUnknown");
const AMBIGUOUS: Reason = Reason::new("ShapeAmbiguous");

/// Where an artifact lies.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Registry(Registry, Reference),
    /// A layout or an archive on this machine.
    Layout(Located),
}

impl Source {
    pub(crate) fn layout(layout: &Layout) -> Self {
        Self::Layout(layout.into())
    }

    /// The only artifact of the layout in `folder`.
    pub(crate) fn folder(folder: &Path) -> Self {
        Self::Layout(Located {
            site: Site::Layout(OciLayout::new(folder)),
            tag: None,
            digest: None,
        })
    }

    pub(crate) fn located(&self) -> Located {
        match self {
            Self::Registry(registry, reference) => registry.locate(reference),
            Self::Layout(located) => located.clone(),
        }
    }

    async fn manifest(&self, digest: &Digest) -> Result<FetchedManifest, CliError> {
        Ok(self.located().site.manifest(digest).await?)
    }

    /// A verified stream of a blob.
    pub(crate) async fn blob(&self, descriptor: &Descriptor) -> Result<BlobStream, CliError> {
        Ok(self.located().site.blob(descriptor).await?)
    }

    /// A small blob as a whole.
    pub(crate) async fn small(&self, descriptor: &Descriptor, max: u64) -> Result<Bytes, CliError> {
        if descriptor.size > max {
            let what = format!(
                "a blob has {} bytes, at most {max} are read",
                descriptor.size
            );
            return Err(Fault::terminal(Reason::new("SizeMismatch"), what)
                .at(&descriptor.digest)
                .into());
        }
        Ok(self.blob(descriptor).await?.collect().await?)
    }

    async fn magic(&self, layer: &Descriptor) -> Result<Bytes, CliError> {
        match self {
            Self::Registry(registry, reference) => {
                Ok(registry.blob_prefix(reference, layer, MAGIC).await?)
            }
            Self::Layout(..) => {
                let first = self.blob(layer).await?.next().await.transpose()?;
                Ok(first.unwrap_or_default())
            }
        }
    }
}

/// What an artifact can be read as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reading {
    /// This kind, for this reason.
    One(ArtifactKind, String),
    /// An image or a function zip: the component's `packageType` decides.
    Either(String),
    /// Nothing of the contract.
    Unknown(String),
}

/// An artifact, and what it can be read as.
#[derive(Debug, Clone)]
pub(crate) struct Artifact {
    pub(crate) source: Source,
    /// What the reference points to.
    pub(crate) root: FetchedManifest,
    /// The image itself; of an index, the first that can run.
    pub(crate) image: Option<Box<ImageManifest>>,
    pub(crate) reading: Reading,
}

impl Artifact {
    /// Reads the artifact at `source`.
    pub(crate) async fn look(source: Source) -> Result<Self, CliError> {
        let digest = source.located().resolve().await?.digest;
        let root = source.manifest(&digest).await?;
        let image = match &root.manifest {
            Manifest::Image(image) => Some(image.clone()),
            Manifest::Index(index) => first_image(&source, index).await?,
        };
        let reading = match (&image, &root.manifest) {
            (Some(image), Manifest::Image(_)) => read(&source, image).await?,
            (Some(image), Manifest::Index(_)) => of_index(read(&source, image).await?),
            (None, _) => Reading::Unknown("the image index has no image in it".into()),
        };
        Ok(Self {
            source,
            root,
            image,
            reading,
        })
    }

    /// The one kind it is; `wanted` decides where it can be read either way.
    pub(crate) fn kind(&self, wanted: Option<ArtifactKind>) -> Result<ArtifactKind, Fault> {
        let at = &self.root.digest;
        match (&self.reading, wanted) {
            (Reading::One(kind, _), None) => Ok(*kind),
            (Reading::One(kind, _), Some(wanted)) if *kind == wanted => Ok(*kind),
            (Reading::One(kind, why), Some(wanted)) => {
                let what = format!("the artifact is no {wanted}, but a {kind}");
                Err(Fault::terminal(Reason::new("ShapeConflict"), what)
                    .at(at)
                    .because(why)
                    .next("leave --kind out, or name another artifact"))
            }
            (Reading::Either(_), Some(wanted @ (ArtifactKind::Container | ArtifactKind::FunctionZip))) => Ok(wanted),
            (Reading::Either(why), _) => Err(Fault::terminal(AMBIGUOUS, why)
                .at(at)
                .next("publish the zip itself; or say --kind container, and set `packageType` on the component")),
            (Reading::Unknown(why), _) => Err(unknown(why).at(at)),
        }
    }
}

/// That an artifact is nothing of the contract.
pub(crate) fn unknown(why: &str) -> Fault {
    Fault::terminal(UNKNOWN, why)
        .next("publish a container image, a function zip or a Python wheel with `fractal publish`")
}

async fn first_image(
    source: &Source,
    index: &ImageIndex,
) -> Result<Option<Box<ImageManifest>>, CliError> {
    let Some((entry, _)) = index.runnable().next() else {
        return Ok(None);
    };
    match source.manifest(&entry.digest).await?.manifest {
        Manifest::Image(image) => Ok(Some(image)),
        Manifest::Index(_) => Ok(None),
    }
}

async fn read(source: &Source, image: &ImageManifest) -> Result<Reading, CliError> {
    let mut detected = detect(image, None, None);
    if let Ok(Detection::NeedsMagic(layer)) = &detected {
        let magic = source.magic(layer).await?;
        detected = detect(image, Some(&magic), None);
    }
    Ok(match detected {
        Ok(Detection::Known(kind, why)) => Reading::One(kind, why.to_string()),
        Ok(Detection::NeedsMagic(_)) => {
            Reading::Unknown("the artifact's only layer is empty".into())
        }
        Err(error @ DetectError::Ambiguous { .. }) => Reading::Either(error.to_string()),
        Err(error) => Reading::Unknown(error.to_string()),
    })
}

/// An index holds images: anything else in it is deployed by nobody.
fn of_index(reading: Reading) -> Reading {
    match reading {
        Reading::One(ArtifactKind::Container, why) => Reading::One(
            ArtifactKind::Container,
            format!("it is an image index, and of its first image: {why}"),
        ),
        Reading::Either(_) => Reading::One(ArtifactKind::Container, "it is an image index".into()),
        Reading::One(kind, _) => Reading::Unknown(format!(
            "the artifact is an index of a {kind}, which no target takes"
        )),
        unknown => unknown,
    }
}
