//! A bundle wherever it lies: in a repository's folder, in a tar, in a registry or in a layout.

use std::io::Read as _;
use std::path::Path;

use fractal_artifact::bundle::{self, BUNDLE_MAX, BundleFile};
use fractal_artifact::manifests::{Sources, environments};
use fractal_artifact::{BundleError, BundleFiles, BundleScanner};
use fractal_core::artifact::{ArtifactKind, ArtifactUri, Digest};
use fractal_core::{Fault, Reason};

use super::folder;
use crate::artifact::{Artifact, Reading, Source};
use crate::error::CliError;
use crate::registry::RegistryArgs;

const REGISTRY_UNRESOLVED: Reason = Reason::new("RegistryUnresolved");
const SHAPE_CONFLICT: Reason = Reason::new("ShapeConflict");
/// What a layout's folder has.
const LAYOUT: &str = "oci-layout";

/// A bundle's YAML files, and where they are.
pub(super) struct Bundle {
    /// What stands before a file's name: the folder, `.fractal/` within a tar.
    pub(super) prefix: String,
    /// Of a bundle that was published.
    pub(super) digest: Option<Digest>,
    pub(super) files: BundleFiles,
}

impl Bundle {
    /// Reads the bundle that `subject` names.
    pub(super) async fn open(subject: &str, registry: &RegistryArgs) -> Result<Self, CliError> {
        let path = Path::new(subject);
        if path.is_dir() && !path.join(LAYOUT).is_file() {
            let packed = folder::pack(path)?;
            return Ok(Self::of_folder(&packed.root, packed.files));
        }
        if path.is_dir() {
            return Self::fetch(Source::folder(path)).await;
        }
        if path.is_file() {
            return Self::of_tar(path);
        }
        let uri: ArtifactUri = subject
            .parse()
            .map_err(|source| CliError::reference(subject, source))?;
        match uri {
            ArtifactUri::Layout(layout) => Self::fetch(Source::layout(&layout)).await,
            ArtifactUri::Registry(reference) => {
                let client = registry.client(std::slice::from_ref(&reference))?;
                Self::fetch(Source::Registry(client, reference)).await
            }
            ArtifactUri::Abstract(coordinate) => {
                let what = "no such folder or file, and the reference names no registry";
                Err(Fault::blocked(REGISTRY_UNRESOLVED, what)
                    .at(&coordinate)
                    .next(format!(
                        "write the path of a folder that has .fractal in it, or HOST/{coordinate}"
                    ))
                    .into())
            }
        }
    }

    pub(super) fn of_folder(root: &Path, files: BundleFiles) -> Self {
        Self {
            prefix: format!("{}/", root.display()),
            digest: None,
            files,
        }
    }

    fn of_tar(path: &Path) -> Result<Self, CliError> {
        let failed = |error| CliError::file(path, error);
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(BUNDLE_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        let files = folder::scan(&bytes)
            .map_err(|error| CliError::from(Fault::from(error).at(path.display())))?;
        Ok(Self {
            prefix: ".fractal/".into(),
            digest: None,
            files,
        })
    }

    async fn fetch(source: Source) -> Result<Self, CliError> {
        let artifact = Artifact::look(source).await?;
        let digest = artifact.root.digest.clone();
        let refused = |error: BundleError| CliError::from(Fault::from(error).at(&digest));
        let layers = match (&artifact.reading, &artifact.image) {
            (Reading::One(ArtifactKind::Manifests, _), Some(image)) => image.layers.as_slice(),
            _ => return Err(no_bundle(&artifact).into()),
        };
        let mut scanner = BundleScanner::new();
        let mut size = 0;
        for layer in layers {
            let mut blob = artifact.source.blob(layer).await?;
            size += layer.size;
            while let Some(piece) = blob.next().await.transpose()? {
                scanner.push(&piece);
                if scanner.has_failed() {
                    break;
                }
            }
        }
        Ok(Self {
            prefix: ".fractal/".into(),
            files: scanner.finish(size).map_err(refused)?,
            digest: Some(artifact.root.digest),
        })
    }

    /// The ids of the components that have a manifest, sorted.
    pub(super) fn components(&self) -> impl Iterator<Item = &str> {
        bundle::components(&self.files)
    }

    /// YAML files that belong to no component and are no parameters.
    pub(super) fn unread(&self) -> impl Iterator<Item = &str> {
        bundle::unread(&self.files)
    }

    /// The texts that concern `component`.
    pub(super) fn sources(&self, component: &str) -> Result<Sources<'_>, BundleError> {
        let (manifest_name, manifest) = bundle::deployment(&self.files, component)?;
        let parameters = self.parameters()?;
        Ok(Sources {
            manifest_name,
            manifest,
            parameters: parameters.map(|(name, text)| (name, &**text)),
        })
    }

    pub(super) fn parameters(&self) -> Result<Option<BundleFile<'_>>, BundleError> {
        bundle::parameters(&self.files)
    }

    /// The environments that the parameters file has an entry for; none where it cannot be read or there is none.
    pub(super) fn environments(&self) -> Vec<String> {
        match self.parameters() {
            Ok(Some((name, text))) => environments((name, text)).unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}

fn no_bundle(artifact: &Artifact) -> Fault {
    let (what, why) = match &artifact.reading {
        Reading::One(kind, why) => (
            format!("the artifact is no manifest bundle, but a {kind}"),
            why,
        ),
        Reading::Either(why) | Reading::Unknown(why) => {
            ("the artifact is no manifest bundle".to_owned(), why)
        }
    };
    Fault::terminal(SHAPE_CONFLICT, what)
        .at(&artifact.root.digest)
        .because(why)
        .next("name one that `fractal manifests push` made, or `oras push` with the artifact type of bundles")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(files: &[(&str, &str)]) -> Bundle {
        Bundle {
            prefix: String::new(),
            digest: None,
            files: files
                .iter()
                .map(|(name, text)| (Box::from(*name), (*text).into()))
                .collect(),
        }
    }

    #[test]
    fn environments_are_those_of_a_parameters_file_that_can_be_read() {
        let of = |text: &str| bundle(&[("fractal-parameters.yml", text)]).environments();
        let two =
            "environments:\n- name: prod\n- {name: \"dev\", parameters: {A: b}}\n- name: prod\n";
        assert_eq!(of(two), ["prod", "dev"]);
        for text in ["", "environments: {}", "environments:\n- name: ["] {
            assert_eq!(of(text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(bundle(&[]).environments(), Vec::<String>::new());
    }
}
