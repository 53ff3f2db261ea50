//! Image archives, read where they lie: a tar of an OCI layout, or the form that `docker save` wrote before version 25.
//!
//! Nothing is unpacked. The tar is scanned once for where each file begins; blobs are read from there, and verified as ever.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use fractal_core::artifact::{Descriptor, Digest, ImageIndex};
use fractal_core::{Fault, Reason};
use fractal_registry::{Packed, Piece};

use super::docker;
use super::tar::{self, Tar};
use crate::error::CliError;

const ARCHIVE_INVALID: Reason = Reason::new("ArchiveInvalid");
/// Most of a document within an archive, in bytes: what a manifest may have.
const DOCUMENT_MAX: u64 = 4 * 1024 * 1024;
/// What an entry of a layout's list is called: by OCI, and by containerd, which `docker save` and `ctr` use.
const NAMES: [&str; 2] = [
    "io.containerd.image.name",
    "org.opencontainers.image.ref.name",
];

/// Whether the file at `path` begins like a tar of the POSIX form.
pub(crate) fn is_tar(path: &Path) -> Result<bool, CliError> {
    let mut block = Vec::new();
    let file = File::open(path).map_err(|error| CliError::file(path, error))?;
    file.take(tar::BLOCK)
        .read_to_end(&mut block)
        .map_err(|error| CliError::file(path, error))?;
    Ok(block.get(257..262) == Some(b"ustar"))
}

/// How the file at `path` is compressed as a whole, by its first bytes (RFC 1952, RFC 8878).
pub(crate) fn compression(path: &Path) -> Result<Option<&'static str>, CliError> {
    let mut start = Vec::new();
    let file = File::open(path).map_err(|error| CliError::file(path, error))?;
    file.take(4)
        .read_to_end(&mut start)
        .map_err(|error| CliError::file(path, error))?;
    Ok(match start.as_slice() {
        [0x1f, 0x8b, ..] => Some("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd] => Some("zstd"),
        _ => None,
    })
}

/// That an archive has to be unpacked first: blobs are read at their places in the file.
pub(crate) fn compressed(path: &Path, program: &str) -> Fault {
    let why = format!("it is compressed with {program}, and blobs are read where they lie in it");
    invalid(path, &why).next(format!(
        "decompress it first: {program} -d {}",
        path.display()
    ))
}

/// The image in the archive at `path`: the only one, or the one called `image`.
pub(crate) async fn open(path: &Path, image: Option<&str>) -> Result<Packed, CliError> {
    let (path, image) = (path.to_owned(), image.map(str::to_owned));
    let reading =
        tokio::task::spawn_blocking(move || Archive::scan(&path)?.packed(image.as_deref())).await;
    reading.map_err(|error| {
        Fault::transient(Reason::new("ResourceLocal"), "reading was interrupted").because(error)
    })?
}

/// An archive and where its files are.
pub(super) struct Archive {
    pub(super) path: PathBuf,
    pub(super) tar: Tar,
}

impl Archive {
    fn scan(path: &Path) -> Result<Self, CliError> {
        let tar = Tar::scan(path).map_err(|error| match error {
            tar::TarError::Read(error) => CliError::file(path, error),
            other => invalid(path, &other.to_string()).into(),
        })?;
        Ok(Self {
            path: path.to_owned(),
            tar,
        })
    }

    fn packed(&self, image: Option<&str>) -> Result<Packed, CliError> {
        if self.tar.file("oci-layout").is_some() {
            return self.layout(image);
        }
        if self.tar.file("manifest.json").is_some() {
            return docker::packed(self, image);
        }
        let is_bundle = self.tar.names().any(|name| name.starts_with(".fractal/"));
        let next = if is_bundle {
            "it is a manifest bundle: publish the folder it was made of with `fractal manifests push`"
        } else {
            "save the image with `docker save`, with `podman save`, or convert it with `skopeo copy`"
        };
        let fault = self.invalid("it holds neither an OCI layout nor what `docker save` writes");
        Err(fault.next(next).into())
    }

    fn layout(&self, image: Option<&str>) -> Result<Packed, CliError> {
        let index: ImageIndex = self.document("index.json")?;
        let root = self.chosen(index.manifests.iter(), image)?.clone();
        let mut beside = index.manifests;
        beside.retain(|entry| entry.digest != root.digest);
        let blobs = self.tar.names().filter_map(|name| {
            let (algorithm, hex) = name.strip_prefix("blobs/")?.split_once('/')?;
            let digest: Digest = format!("{algorithm}:{hex}").parse().ok()?;
            Some((digest, self.piece(name)?))
        });
        let packed = Packed::new(&self.at(), root, blobs.collect());
        Ok(packed.with_beside(beside))
    }

    /// The entry called `image`; without a name the only one, or the only one that has a name.
    fn chosen<'a>(
        &self,
        entries: impl Iterator<Item = &'a Descriptor> + Clone,
        image: Option<&str>,
    ) -> Result<&'a Descriptor, Fault> {
        let named = entries
            .clone()
            .filter(|entry| names(entry).next().is_some());
        let has_names = named.clone().next().is_some();
        let mut fit: Vec<&Descriptor> = match (image, has_names) {
            (Some(image), _) => named
                .clone()
                .filter(|entry| names(entry).any(|name| is_called(name, image)))
                .collect(),
            (None, true) => named.clone().collect(),
            (None, false) => entries.collect(),
        };
        fit.dedup_by(|one, other| one.digest == other.digest);
        match fit.as_slice() {
            [only] => Ok(only),
            [] if image.is_none() => Err(self.invalid("its index names no image")),
            fit => {
                let names = named.filter_map(|entry| names(entry).next());
                Err(self.choice(image.filter(|_| fit.is_empty()), fit.len(), names))
            }
        }
    }

    /// That the archive holds several images that may be meant, or none called `absent`.
    pub(super) fn choice<'a>(
        &self,
        absent: Option<&str>,
        fit: usize,
        names: impl Iterator<Item = &'a str>,
    ) -> Fault {
        let names: Vec<&str> = names.take(10).collect();
        let why = absent.map_or_else(
            || format!("it holds {fit} images"),
            |absent| format!("none of its images is called `{absent}`"),
        );
        let next = match names.as_slice() {
            [] => "save one image alone".to_owned(),
            names => format!("choose one with --image: {}", names.join(", ")),
        };
        self.invalid(&why).next(next)
    }

    /// A JSON document of the archive.
    pub(super) fn document<T: serde::de::DeserializeOwned>(
        &self,
        name: &str,
    ) -> Result<T, CliError> {
        let bytes = self.bytes(name)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            self.invalid(&format!("its {name} cannot be read: {error}"))
                .into()
        })
    }

    /// A small file of the archive.
    pub(super) fn bytes(&self, name: &str) -> Result<Vec<u8>, CliError> {
        let part = self
            .tar
            .file(name)
            .ok_or_else(|| self.invalid(&format!("it has no {name}")))?;
        if part.size > DOCUMENT_MAX {
            let why = format!("its {name} has more than {DOCUMENT_MAX} bytes");
            return Err(self.invalid(&why).into());
        }
        let mut bytes = Vec::new();
        part.open(&self.path)
            .and_then(|mut part| part.read_to_end(&mut bytes))
            .map_err(|error| CliError::file(&self.path, error))?;
        Ok(bytes)
    }

    /// Where a file of the archive is.
    pub(super) fn piece(&self, name: &str) -> Option<Piece> {
        let part = self.tar.file(name)?;
        Some(Piece::Part {
            path: self.path.clone(),
            start: part.start,
            size: part.size,
        })
    }

    pub(super) fn at(&self) -> String {
        self.path.display().to_string()
    }

    pub(super) fn invalid(&self, why: &str) -> Fault {
        invalid(&self.path, why)
    }
}

fn invalid(path: &Path, why: &str) -> Fault {
    Fault::terminal(ARCHIVE_INVALID, "the image archive cannot be used")
        .at(path.display())
        .because(why)
        .next("save the image again and publish that")
}

fn names(entry: &Descriptor) -> impl Iterator<Item = &str> {
    let names = NAMES.into_iter();
    names.filter_map(|name| entry.annotations.get(name).map(String::as_str))
}

/// Whether an image's full name is meant by `wanted`: as it is, or without the host and path that Docker adds.
pub(super) fn is_called(name: &str, wanted: &str) -> bool {
    name == wanted
        || name
            .strip_suffix(wanted)
            .is_some_and(|before| before.ends_with('/'))
}

/// The pieces of an image by digest.
pub(super) type Pieces = BTreeMap<Digest, Piece>;
