//! What a command was asked about: a file, a layout, an archive, a bundle's folder or tar, or a reference.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use fractal_artifact::BundleError;
use fractal_artifact::bundle::BUNDLE_MAX;
use fractal_core::artifact::{ArtifactKind, ArtifactUri, Digest};
use fractal_core::{Class, Fault, Reason};

use crate::artifact::{Artifact, Reading, Source};
use crate::error::CliError;
use crate::manifests;
use crate::publish::Parcel;
use crate::registry::RegistryArgs;

const REGISTRY_UNRESOLVED: Reason = Reason::new("RegistryUnresolved");
/// A repository's folder of manifests.
const BUNDLE: &str = ".fractal";
const LAYOUT: &str = "oci-layout";
/// A tar's unit, in bytes, and where its name ends.
const BLOCK: usize = 512;
const NAME: usize = 100;

/// What was found there.
pub(crate) enum Opened {
    /// A zip or wheel on this machine, as it would be published.
    File(Parcel, PathBuf),
    /// What is not what its name or type says.
    Broken(Broken),
    /// An artifact in a registry or layout; an archive's layout goes with the parcel.
    Artifact(Box<Artifact>, Option<Parcel>),
    /// A bundle of manifests, with what its own check found.
    Bundle(manifests::Linted),
}

/// An artifact that is refused as a whole.
pub(crate) struct Broken {
    pub(super) kind: ArtifactKind,
    /// How the kind was told.
    pub(super) because: String,
    pub(super) digest: Option<Digest>,
    pub(super) fault: Fault,
}

impl Opened {
    pub(crate) async fn open(subject: &str, registry: &RegistryArgs) -> Result<Self, CliError> {
        let path = Path::new(subject);
        if is_bundle(path)? {
            return Self::bundle(subject, registry, None).await;
        }
        if path.is_dir() {
            if !path.join(LAYOUT).is_file() {
                return Err(neither(path).into());
            }
            return Self::artifact(subject, Source::folder(path), registry).await;
        }
        if path.exists() {
            return Self::file(subject, path).await;
        }
        let uri: ArtifactUri = subject
            .parse()
            .map_err(|source| CliError::reference(subject, source))?;
        match uri {
            ArtifactUri::Layout(layout) => {
                Self::artifact(subject, Source::layout(&layout), registry).await
            }
            ArtifactUri::Registry(reference) => {
                let client = registry.client(std::slice::from_ref(&reference))?;
                let source = Source::Registry(client, reference);
                Self::artifact(subject, source, registry).await
            }
            ArtifactUri::Abstract(coordinate) => {
                let what = "no such file, and the reference names no registry";
                Err(Fault::blocked(REGISTRY_UNRESOLVED, what)
                    .at(&coordinate)
                    .because("which registry it means is said by each live system's environment")
                    .next(format!("write HOST/{coordinate}, or the path of a file"))
                    .into())
            }
        }
    }

    /// Whether reading all of it costs no transfer.
    pub(crate) fn is_here(&self) -> bool {
        match self {
            Self::Artifact(artifact, _) => matches!(artifact.source, Source::Layout(..)),
            Self::File(..) | Self::Broken(..) | Self::Bundle(_) => true,
        }
    }

    /// How it is called: a reference in its full form, a file without its folders.
    pub(crate) fn name(&self, subject: &str) -> String {
        match self {
            Self::File(parcel, _) => parcel.name().to_owned(),
            Self::Artifact(artifact, None) => match &artifact.source {
                Source::Registry(_, reference) => reference.to_string(),
                Source::Layout(..) => subject.to_owned(),
            },
            _ => subject.to_owned(),
        }
    }

    async fn file(subject: &str, path: &Path) -> Result<Self, CliError> {
        let parcel = match Parcel::pack(subject, None).await {
            Ok(parcel) => parcel,
            Err(error) => return broken(path, error),
        };
        match parcel.source() {
            Some(source) => {
                let artifact = Artifact::look(source).await?;
                Ok(Self::Artifact(Box::new(artifact), Some(parcel)))
            }
            None => Ok(Self::File(parcel, path.to_owned())),
        }
    }

    async fn artifact(
        subject: &str,
        source: Source,
        registry: &RegistryArgs,
    ) -> Result<Self, CliError> {
        let artifact = Artifact::look(source).await?;
        let digest = artifact.root.digest.clone();
        match (&artifact.reading, &artifact.image) {
            (Reading::One(ArtifactKind::Manifests, why), Some(image)) => {
                let sizes = image.layers.iter().map(|layer| layer.size);
                let found = sizes.fold(0, u64::saturating_add);
                if found > BUNDLE_MAX {
                    // Said by the manifest, so none of it is fetched.
                    return Ok(Self::Broken(Broken {
                        kind: ArtifactKind::Manifests,
                        because: why.clone(),
                        fault: too_large(found).at(&digest),
                        digest: Some(digest),
                    }));
                }
                Self::bundle(subject, registry, Some((digest, why.clone()))).await
            }
            _ => Ok(Self::Artifact(Box::new(artifact), None)),
        }
    }

    async fn bundle(
        subject: &str,
        registry: &RegistryArgs,
        published: Option<(Digest, String)>,
    ) -> Result<Self, CliError> {
        match manifests::linted(subject, registry).await {
            Ok(linted) => Ok(Self::Bundle(linted)),
            Err(CliError::Fault(fault)) if matches!(fault.class, Class::Terminal) => {
                let (digest, because) = published.unzip();
                Ok(Self::Broken(Broken {
                    kind: ArtifactKind::Manifests,
                    because: because.unwrap_or_else(|| "it has .fractal".to_owned()),
                    digest,
                    fault: *fault,
                }))
            }
            Err(error) => Err(error),
        }
    }
}

fn neither(folder: &Path) -> Fault {
    let what = "the folder is neither an OCI layout nor a manifest bundle";
    Fault::blocked(Reason::new("LayoutInvalid"), what)
        .at(folder.display())
        .because("it has neither an `oci-layout` file nor a `.fractal` folder")
        .next("name the folder of an OCI layout, a repository's folder that holds .fractal, or a file")
}

fn too_large(found: u64) -> Fault {
    let what = "bytes";
    Fault::from(BundleError::TooLarge {
        what,
        found,
        max: BUNDLE_MAX,
    })
}

/// A file that is no zip or no wheel although its name says so is a finding; one that cannot be read is an error.
fn broken(path: &Path, error: CliError) -> Result<Opened, CliError> {
    let kind = match path.extension().and_then(|extension| extension.to_str()) {
        Some(extension) if extension.eq_ignore_ascii_case("whl") => ArtifactKind::PythonWheel,
        Some(extension) if extension.eq_ignore_ascii_case("zip") => ArtifactKind::FunctionZip,
        _ => return Err(error),
    };
    match error {
        CliError::Fault(fault) if matches!(fault.class, Class::Terminal) => {
            Ok(Opened::Broken(Broken {
                kind,
                because: format!("its name says {kind}"),
                digest: None,
                fault: *fault,
            }))
        }
        other => Err(other),
    }
}

/// Whether a folder has manifests below it, or a tar begins with them.
fn is_bundle(path: &Path) -> Result<bool, CliError> {
    if path.is_dir() {
        let named = path.file_name().is_some_and(|name| name == BUNDLE);
        return Ok(!path.join(LAYOUT).is_file() && (named || path.join(BUNDLE).is_dir()));
    }
    if !path.is_file() {
        return Ok(false);
    }
    let failed = |error| CliError::file(path, error);
    let mut first = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(2 * BLOCK as u64)
        .read_to_end(&mut first)
        .map_err(failed)?;
    let mut names = first.chunks(BLOCK).map(name_of);
    let own = |name: &str| name == BUNDLE || name.starts_with(".fractal/");
    // Some tools begin a tar with an entry for the folder that it was made in.
    Ok(match names.next() {
        Some("") => names.next().is_some_and(own),
        Some(name) => own(name),
        None => false,
    })
}

/// The name in a tar's header, without a leading `./`.
fn name_of(header: &[u8]) -> &str {
    let name = header.get(..NAME).unwrap_or_default();
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let name = std::str::from_utf8(name).unwrap_or("?");
    name.strip_prefix("./").unwrap_or(name)
}
