//! What is published: validated, with the manifest bytes that every registry gets.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{
    ArtifactKind, ArtifactUri, Descriptor, Digest, ImageManifest, ZipFacts,
};
use fractal_core::{Fault, Reason};
use fractal_registry::{Located, Packed, Piece};

use super::{archive, zip};
use crate::artifact::{Artifact, Source};
use crate::error::CliError;

const PACKAGE_UNKNOWN: Reason = Reason::new("PackageUnknown");
/// A manifest bundle's file name, as the contract's own example has it: part of the manifest, and so of the digest.
const BUNDLE_NAME: &str = "manifests.tar";
/// The content of OCI's empty descriptor.
const EMPTY: &[u8] = b"{}";

/// An artifact, ready to be pushed any number of times with identical bytes.
#[derive(Debug)]
pub struct Parcel {
    name: String,
    kind: ArtifactKind,
    digest: Digest,
    media_type: String,
    located: Located,
    /// The file it is packed from, where there is one.
    file: Option<PathBuf>,
    facts: Option<ZipFacts>,
    /// It was an artifact before, and not packed here.
    is_whole: bool,
}

impl Parcel {
    /// Validates what is at `from` and fixes its manifest. Nothing leaves this machine.
    ///
    /// A wheel or zip is told by its name, unless `kind` says what it is; a layout or image archive by what is in it.
    ///
    /// # Errors
    /// Where it cannot be read, is of no kind that can be published, or is not what its kind has to be.
    pub async fn pack(from: &str, kind: Option<ArtifactKind>) -> Result<Self, CliError> {
        Self::of_path(from, kind, None).await
    }

    /// The same, of the image called `image` where `from` is an archive of several.
    pub(crate) async fn of_path(
        from: &str,
        kind: Option<ArtifactKind>,
        image: Option<&str>,
    ) -> Result<Self, CliError> {
        let path = Path::new(from);
        if let (Ok(ArtifactUri::Layout(layout)), false) = (from.parse(), path.exists()) {
            return Self::whole(from, Source::layout(&layout), kind).await;
        }
        let metadata = std::fs::metadata(path).map_err(|error| CliError::file(path, error))?;
        if metadata.is_dir() {
            return Self::whole(from, Source::folder(path), kind).await;
        }
        if !metadata.is_file() {
            // Opening a pipe would wait for a writer, and the file is read more than once.
            return Err(irregular(path).into());
        }
        if archive::is_tar(path)? {
            let packed = archive::open(path, image).await?;
            return Self::whole(from, Source::Layout(packed.into()), kind).await;
        }
        match kind.or_else(|| kind_of_name(path)) {
            Some(kind @ (ArtifactKind::FunctionZip | ArtifactKind::PythonWheel)) => {
                Self::file(path, kind).await
            }
            _ => Err(match archive::compression(path)? {
                Some(program) => archive::compressed(path, program).into(),
                None => unknown(path).into(),
            }),
        }
    }

    async fn file(path: &Path, kind: ArtifactKind) -> Result<Self, CliError> {
        let name = path.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let media_type = match kind {
            ArtifactKind::PythonWheel => media_type::WHEEL,
            _ => media_type::FUNCTION_ZIP,
        };
        let mut facts = zip::read(path, kind).await?;
        facts.layer.media_type = media_type.into();
        let annotations = &mut facts.layer.annotations;
        annotations.insert(media_type::TITLE.into(), name.clone());
        let content = Piece::Part {
            path: path.to_owned(),
            start: 0,
            size: facts.layer.size,
        };
        let parcel = Self::packed((name, kind), media_type, &facts.layer, content)?;
        Ok(Self {
            file: Some(path.to_owned()),
            facts: Some(facts),
            ..parcel
        })
    }

    /// The tar of a manifest bundle, as [`fractal_artifact::bundle_tar`] writes it.
    ///
    /// What `oras push --artifact-type TYPE manifests.tar:TYPE` makes of it, but for the time that `oras` adds.
    ///
    /// # Errors
    /// Where its manifest has no JSON form.
    pub fn bundle(tar: Vec<u8>) -> Result<Self, CliError> {
        let (digest, size) = (Digest::sha256(&tar), tar.len() as u64);
        let mut layer = Descriptor::new(media_type::MANIFESTS, digest, size);
        let annotations = &mut layer.annotations;
        annotations.insert(media_type::TITLE.into(), BUNDLE_NAME.into());
        let what = (BUNDLE_NAME.to_owned(), ArtifactKind::Manifests);
        let content = Piece::Bytes(tar.into());
        Ok(Self::packed(what, media_type::MANIFESTS, &layer, content)?)
    }

    /// An artifact with this one layer.
    fn packed(
        (name, kind): (String, ArtifactKind),
        artifact_type: &str,
        layer: &Descriptor,
        content: Piece,
    ) -> Result<Self, Fault> {
        let manifest = manifest(artifact_type, layer)?;
        let digest = Digest::sha256(&manifest);
        let root = Descriptor::new(
            media_type::OCI_MANIFEST,
            digest.clone(),
            manifest.len() as u64,
        );
        let pieces = [
            (empty().digest, Piece::Bytes(empty_bytes())),
            (digest.clone(), Piece::Bytes(manifest)),
            (layer.digest.clone(), content),
        ];
        Ok(Self {
            located: Packed::new(&name, root, pieces.into()).into(),
            name,
            kind,
            digest,
            media_type: media_type::OCI_MANIFEST.into(),
            file: None,
            facts: None,
            is_whole: false,
        })
    }

    /// What is an artifact already: in a layout, an archive or a registry.
    pub(crate) async fn whole(
        from: &str,
        source: Source,
        kind: Option<ArtifactKind>,
    ) -> Result<Self, CliError> {
        let artifact = Artifact::look(source).await?;
        let kind = artifact.kind(kind)?;
        let mut located = artifact.source.located();
        // What was looked at is what is pushed, whatever is written to the place meanwhile.
        located.digest = Some(artifact.root.digest.clone());
        Ok(Self {
            name: from.to_owned(),
            kind,
            digest: artifact.root.digest,
            media_type: artifact.root.media_type,
            located,
            file: None,
            facts: None,
            is_whole: true,
        })
    }

    /// The file's name, or the artifact as it was named.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> ArtifactKind {
        self.kind
    }

    /// The digest it has in every registry.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The manifest's media type.
    pub(crate) fn media_type(&self) -> &str {
        &self.media_type
    }

    /// Where it lies, unless it is a file that publishing packs.
    pub(crate) fn source(&self) -> Option<Source> {
        self.is_whole.then(|| Source::Layout(self.located.clone()))
    }

    /// Where its bytes are.
    pub(super) const fn located(&self) -> &Located {
        &self.located
    }

    /// The file it is packed from.
    pub(super) fn packed_file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// What a zip's or wheel's directory says.
    pub(crate) const fn facts(&self) -> Option<&ZipFacts> {
        self.facts.as_ref()
    }
}

/// The manifest of an artifact with this one layer.
fn manifest(artifact_type: &str, layer: &Descriptor) -> Result<Bytes, Fault> {
    let manifest = ImageManifest::new(Some(artifact_type), empty(), vec![layer.clone()]);
    let manifest = serde_json::to_vec(&manifest).map_err(|error| {
        Fault::terminal(Reason::new("Internal"), "the manifest has no JSON form").because(error)
    })?;
    Ok(manifest.into())
}

/// OCI's empty descriptor: the config of artifacts that have none.
fn empty() -> Descriptor {
    Descriptor::new(
        media_type::OCI_EMPTY,
        Digest::sha256(EMPTY),
        EMPTY.len() as u64,
    )
}

/// The empty descriptor's content.
const fn empty_bytes() -> Bytes {
    Bytes::from_static(EMPTY)
}

fn kind_of_name(path: &Path) -> Option<ArtifactKind> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "whl" => Some(ArtifactKind::PythonWheel),
        "zip" => Some(ArtifactKind::FunctionZip),
        _ => None,
    }
}

fn unknown(path: &Path) -> Fault {
    Fault::terminal(PACKAGE_UNKNOWN, "the file is no artifact that can be published")
        .at(path.display())
        .because("its name ends neither in .zip nor in .whl, and it is no image archive")
        .next("name a zip, a wheel, an OCI layout or an image archive; or say what the file is with --kind function_zip")
}

fn irregular(path: &Path) -> Fault {
    Fault::terminal(PACKAGE_UNKNOWN, "a pipe, device or socket cannot be published")
        .at(path.display())
        .because("the artifact is read several times, so it has to be a regular file or an OCI layout's folder")
        .next("write it to a file and publish that")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_descriptor_is_ocis() {
        // https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidance-for-an-empty-descriptor
        let digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        assert_eq!((empty().digest.as_str(), empty().size), (digest, 2));
        assert_eq!(empty_bytes(), EMPTY);
    }
}
