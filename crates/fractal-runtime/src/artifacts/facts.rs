//! Reading an artifact's facts: manifest, kind, and then one verified forward pass over the bytes that matter.

use fractal_artifact::{
    BundleScanner, CONFIG_MAX, WheelScanner, ZipScanner, image_config, select_image, zip_facts,
};
use fractal_core::artifact::detect::DetectError;
use fractal_core::artifact::{
    ArtifactKind, BundleFacts, Descriptor, Detection, Digest, Facts, ImageFacts, ImageIndex,
    ImageManifest, Manifest, detect,
};
use fractal_core::reconcile::{Artifact, Needs};
use fractal_core::{Fault, Reason};
use fractal_registry::Registry;

use super::UNSUPPORTED_ON_TARGET;

/// Bytes that tell a zip from a tar.
const MAGIC: usize = 4;

pub(super) async fn read(
    registry: &Registry,
    artifact: &Artifact,
    needs: &Needs,
) -> Result<Facts, Fault> {
    let reading = Reading {
        registry,
        artifact,
        needs,
    };
    match registry
        .manifest(&artifact.reference, &artifact.digest)
        .await?
        .manifest
    {
        Manifest::Index(index) => reading.index(&index).await,
        Manifest::Image(manifest) => reading.manifest(&manifest).await,
    }
}

struct Reading<'a> {
    registry: &'a Registry,
    artifact: &'a Artifact,
    needs: &'a Needs,
}

impl Reading<'_> {
    async fn index(&self, index: &ImageIndex) -> Result<Facts, Fault> {
        self.accepted(ArtifactKind::Container, "it is an image index")?;
        let selected = select_image(index, self.needs.architectures)
            .map_err(|error| Fault::from(error).at(&self.artifact.reference))?;
        let digest = selected.descriptor.digest;
        match self
            .registry
            .manifest(&self.artifact.reference, &digest)
            .await?
            .manifest
        {
            Manifest::Image(manifest) => self.image(&digest, &manifest).await,
            Manifest::Index(_) => Err(Fault::terminal(
                Reason::new("IndexNested"),
                "the image index holds another index for this platform",
            )
            .at(self.artifact.reference.pinned(&digest))
            .next("publish an index of images")),
        }
    }

    async fn manifest(&self, manifest: &ImageManifest) -> Result<Facts, Fault> {
        let (kind, because) = self.kind(manifest).await?;
        self.accepted(kind, &because)?;
        match (kind, manifest.layers.as_slice()) {
            (ArtifactKind::Container, _) => self.image(&self.artifact.digest, manifest).await,
            (ArtifactKind::FunctionZip, [layer]) => self.zip(layer).await,
            (ArtifactKind::Manifests, [layer]) => self.bundle(layer).await,
            (ArtifactKind::PythonWheel, [layer]) => self.wheel(layer).await,
            _ => Err(self.unsupported(kind, &because)),
        }
    }

    async fn kind(&self, manifest: &ImageManifest) -> Result<(ArtifactKind, String), Fault> {
        let told = |magic: Option<&[u8]>| {
            detect(manifest, magic, self.needs.package_type)
                .map_err(|error| self.undetected(&error))
        };
        let detection = match told(None)? {
            Detection::NeedsMagic(layer) => {
                let magic = self
                    .registry
                    .blob_prefix(&self.artifact.reference, &layer, MAGIC)
                    .await?;
                told(Some(&magic))?
            }
            known @ Detection::Known(..) => known,
        };
        match detection {
            Detection::Known(kind, evidence) => Ok((kind, evidence.to_string())),
            Detection::NeedsMagic(_) => Err(Fault::terminal(
                Reason::new("ShapeUnknown"),
                "the artifact's only layer is empty",
            )
            .at(&self.artifact.reference)),
        }
    }

    fn undetected(&self, error: &DetectError) -> Fault {
        let (reason, next) = match error {
            DetectError::Ambiguous { .. } => (
                Reason::new("ShapeAmbiguous"),
                "set `packageType` to image or zip on the component",
            ),
            DetectError::Conflict { .. } => (
                Reason::new("ShapeConflict"),
                "remove `packageType`, or publish the other kind of artifact",
            ),
            _ => (
                Reason::new("ShapeUnknown"),
                "publish it with `fractal publish`, or with `oras push` as a single zip or wheel",
            ),
        };
        Fault::terminal(reason, error.to_string())
            .at(&self.artifact.reference)
            .next(next)
    }

    fn accepted(&self, kind: ArtifactKind, because: &str) -> Result<(), Fault> {
        if self.needs.accepts.contains(&kind) {
            Ok(())
        } else {
            Err(self.unsupported(kind, because))
        }
    }

    fn unsupported(&self, kind: ArtifactKind, because: &str) -> Fault {
        let accepts: Vec<_> = self
            .needs
            .accepts
            .iter()
            .map(|kind| kind.as_str())
            .collect();
        Fault::terminal(
            UNSUPPORTED_ON_TARGET,
            format!("this target does not run a {kind}"),
        )
        .at(&self.artifact.reference)
        .because(because)
        .next(format!("publish a {}", accepts.join(" or a ")))
    }

    async fn image(&self, digest: &Digest, manifest: &ImageManifest) -> Result<Facts, Fault> {
        let config = self
            .registry
            .blob_bytes(
                &self.artifact.reference,
                &manifest.config,
                CONFIG_MAX as u64,
            )
            .await?;
        let config = image_config(&config)
            .map_err(|error| Fault::from(error).at(&self.artifact.reference))?;
        if config.os != "linux"
            || !self
                .needs
                .architectures
                .contains(&config.architecture.as_str())
        {
            let wanted = self.needs.architectures.join(" or linux/");
            return Err(Fault::terminal(
                Reason::new("ArchitectureUnsupported"),
                format!("the image is for {}/{}", config.os, config.architecture),
            )
            .at(self.artifact.reference.pinned(digest))
            .next(format!("publish an image for linux/{wanted}")));
        }
        let size = manifest
            .layers
            .iter()
            .map(|layer| layer.size)
            .fold(0, u64::saturating_add);
        Ok(Facts::Image(ImageFacts {
            manifest: digest.clone(),
            architecture: config.architecture,
            size,
        }))
    }

    fn fits(&self, layer: &Descriptor, what: &str, next: &str) -> Result<(), Fault> {
        let max = self.needs.size_max;
        if layer.size <= max {
            return Ok(());
        }
        let what = format!(
            "the {what} has {} bytes, this target takes at most {max}",
            layer.size
        );
        Err(Fault::terminal(Reason::new("TooLargeForTarget"), what)
            .at(&self.artifact.reference)
            .next(next))
    }

    async fn bundle(&self, layer: &Descriptor) -> Result<Facts, Fault> {
        self.fits(
            layer,
            "bundle",
            "leave out of .fractal/ what is no manifest",
        )?;
        let mut scanner = BundleScanner::new();
        let mut bytes = self.registry.blob(&self.artifact.reference, layer).await?;
        while let Some(piece) = bytes.next().await.transpose()? {
            scanner.push(&piece);
            if scanner.has_failed() {
                break;
            }
        }
        let files = scanner
            .finish(layer.size)
            .map_err(|error| Fault::from(error).at(&self.artifact.reference))?;
        Ok(Facts::Bundle(BundleFacts {
            layer: layer.clone(),
            files,
        }))
    }

    async fn wheel(&self, layer: &Descriptor) -> Result<Facts, Fault> {
        self.fits(layer, "wheel", "publish a smaller wheel")?;
        let mut scanner = WheelScanner::new();
        let mut bytes = self.registry.blob(&self.artifact.reference, layer).await?;
        while let Some(piece) = bytes.next().await.transpose()? {
            scanner.push(&piece);
            if scanner.has_failed() {
                break;
            }
        }
        let facts = scanner
            .finish(layer)
            .map_err(|error| Fault::from(error).at(&self.artifact.reference))?;
        Ok(Facts::Wheel(facts))
    }

    async fn zip(&self, layer: &Descriptor) -> Result<Facts, Fault> {
        self.fits(layer, "zip", "publish a smaller zip, or a container image")?;
        let mut scanner = ZipScanner::new();
        let mut bytes = self.registry.blob(&self.artifact.reference, layer).await?;
        while let Some(piece) = bytes.next().await.transpose()? {
            scanner.push(&piece);
            if scanner.has_failed() {
                break;
            }
        }
        let directory = scanner
            .finish(layer.size)
            .map_err(|error| Fault::from(error).at(&self.artifact.reference))?;
        Ok(Facts::Zip(zip_facts(directory, layer.clone())))
    }
}
