//! What is known of an artifact: first from its manifests, and on request from its bytes, as far as the rules look into them.

use std::collections::BTreeMap;

use fractal_artifact::targets::{
    Finding, READ_MAX, Settings, Subject, WheelSubject, ZipSubject, bundle_finding,
};
use fractal_core::artifact::{ArtifactKind, Descriptor, Digest, Manifest};

use super::evidence::{self, Evidence};
use super::opened::Opened;
use super::report::Image;
use super::{contents, images};
use crate::artifact::{Artifact, Reading};
use crate::error::CliError;
use crate::publish::Parcel;

/// What is known so far.
pub(crate) struct Examined {
    /// The manifest's digest; none of a bundle's folder or a broken file.
    pub(crate) digest: Option<Digest>,
    pub(crate) media_type: Option<String>,
    /// What it can be read as; two where `packageType` decides.
    pub(crate) kinds: Vec<ArtifactKind>,
    /// Why we think so.
    pub(crate) because: String,
    pub(super) evidence: Vec<Evidence>,
    pub(super) layers: Vec<Descriptor>,
    pub(super) images: Vec<Image>,
    /// Where it is from, as its publisher says.
    pub(super) annotations: BTreeMap<String, String>,
    /// One for each kind.
    pub(crate) subjects: Vec<Subject>,
}

impl Examined {
    /// Reads manifests and image configs, and no layer.
    pub(crate) async fn of(opened: &Opened, subject: &str) -> Result<Self, CliError> {
        match opened {
            Opened::File(parcel, _) => Ok(Self::of_file(parcel)),
            Opened::Broken(broken) => Ok(Self {
                digest: broken.digest.clone(),
                because: broken.because.clone(),
                subjects: vec![Subject::Refused(broken.kind, broken.fault.clone())],
                evidence: vec![evidence::name(subject)],
                ..Self::nothing(vec![broken.kind])
            }),
            Opened::Artifact(artifact, _) => Self::of_artifact(artifact).await,
            Opened::Bundle(linted) => {
                let found: Vec<Finding> = linted.findings.iter().map(bundle_finding).collect();
                Ok(Self {
                    digest: linted.digest.clone(),
                    because: format!(
                        "it has .fractal, with the manifests of {} component(s)",
                        linted.components
                    ),
                    subjects: vec![Subject::Bundle(found)],
                    ..Self::nothing(vec![ArtifactKind::Manifests])
                })
            }
        }
    }

    const fn nothing(kinds: Vec<ArtifactKind>) -> Self {
        Self {
            digest: None,
            media_type: None,
            kinds,
            because: String::new(),
            evidence: Vec::new(),
            layers: Vec::new(),
            images: Vec::new(),
            annotations: BTreeMap::new(),
            subjects: Vec::new(),
        }
    }

    /// What publishing this file would make.
    fn of_file(parcel: &Parcel) -> Self {
        let layers: Vec<Descriptor> = parcel
            .facts()
            .map(|it| it.layer.clone())
            .into_iter()
            .collect();
        let kind = parcel.kind();
        Self {
            digest: Some(parcel.digest().clone()),
            media_type: Some(parcel.media_type().to_owned()),
            because: format!(
                "that is what `fractal publish {}` makes of it",
                parcel.name()
            ),
            evidence: vec![evidence::name(parcel.name()), evidence::magic()],
            subjects: unread(kind, &layers).into_iter().collect(),
            layers,
            ..Self::nothing(vec![kind])
        }
    }

    async fn of_artifact(artifact: &Artifact) -> Result<Self, CliError> {
        let is_index = matches!(artifact.root.manifest, Manifest::Index(_));
        let (kinds, because) = match &artifact.reading {
            // An empty index, or one of indexes: no target takes it, and the rules say why.
            Reading::Unknown(_) if is_index && artifact.image.is_none() => {
                let because = "it is an image index, though no image in it can run";
                (vec![ArtifactKind::Container], because.to_owned())
            }
            Reading::One(kind, why) => (vec![*kind], why.clone()),
            Reading::Either(why) => (
                vec![ArtifactKind::Container, ArtifactKind::FunctionZip],
                why.clone(),
            ),
            Reading::Unknown(why) => (Vec::new(), why.clone()),
        };
        let layers = artifact.image.as_ref();
        let layers = layers.map_or_else(Vec::new, |image| image.layers.clone());
        let mut subjects = Vec::new();
        let mut listed = Vec::new();
        let mut annotations = evidence::annotations(artifact);
        for kind in &kinds {
            if *kind == ArtifactKind::Container {
                let image = images::subject(artifact).await?;
                listed = images::listed(&image);
                evidence::labels(&image, &mut annotations);
                subjects.push(Subject::Image(image));
            } else {
                subjects.extend(unread(*kind, &layers));
            }
        }
        Ok(Self {
            digest: Some(artifact.root.digest.clone()),
            media_type: Some(artifact.root.media_type.clone()),
            evidence: evidence::of(artifact, &because),
            because,
            layers,
            images: listed,
            annotations,
            subjects,
            ..Self::nothing(kinds)
        })
    }

    /// Reads the layer of a zip or wheel too, verified, unless it is larger than any target takes.
    pub(crate) async fn read(
        &mut self,
        opened: &Opened,
        settings: &Settings,
    ) -> Result<(), CliError> {
        let [layer] = self.layers.as_slice() else {
            return Ok(());
        };
        if layer.size > READ_MAX {
            return Ok(());
        }
        for subject in &mut self.subjects {
            if matches!(subject, Subject::Zip(_) | Subject::Wheel(_)) {
                *subject = contents::read(opened, subject.kind(), layer, settings).await?;
            }
        }
        Ok(())
    }

    /// Compressed bytes of the layers; of an index, those of its first image.
    pub(super) fn size(&self) -> u64 {
        let sizes = self.layers.iter().map(|layer| layer.size);
        sizes.fold(0, u64::saturating_add)
    }
}

/// A zip or wheel of which only the manifest was read.
fn unread(kind: ArtifactKind, layers: &[Descriptor]) -> Option<Subject> {
    let size = layers.first().map_or(0, |layer| layer.size);
    match kind {
        ArtifactKind::FunctionZip => Some(Subject::Zip(ZipSubject {
            size,
            contents: None,
        })),
        ArtifactKind::PythonWheel => Some(Subject::Wheel(WheelSubject {
            size,
            facts: None,
            files: BTreeMap::new(),
        })),
        ArtifactKind::Container | ArtifactKind::Manifests => None,
    }
}
