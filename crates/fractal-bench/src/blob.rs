//! The blob that is moved: incompressible bytes, hashed as they are written, and published as the one layer of a manifest.

use std::fs::File;
use std::io::{BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use fractal_core::artifact::digest::Algorithm;
use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{Descriptor, Digest, Hasher, ImageManifest, Reference};
use fractal_registry::{Options, Registry, RepositoryRef};

use crate::error::Error;

/// Bytes made at a time.
const PIECE: usize = 1 << 20;

/// A file and what names its bytes.
#[derive(Debug)]
pub(crate) struct Blob {
    pub(crate) descriptor: Descriptor,
    pub(crate) file: PathBuf,
}

/// Writes `size` bytes into `folder`, other ones for another `seed`.
pub(crate) fn make(folder: &Path, size: u64, seed: u64) -> Result<Blob, Error> {
    let file = folder.join(format!("blob-{seed}"));
    let failed = || Error::io(format!("writing {}", file.display()));
    let mut out = BufWriter::new(File::create(&file).map_err(failed())?);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut piece = vec![0; PIECE];
    let mut left = size;
    while left > 0 {
        let length = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        piece.truncate(length);
        random.fill(&mut piece);
        hasher.update(&piece);
        out.write_all(&piece).map_err(failed())?;
        left -= length as u64;
    }
    out.flush().map_err(failed())?;
    Ok(Blob {
        descriptor: Descriptor::new(media_type::FUNCTION_ZIP, hasher.finish(), size),
        file,
    })
}

/// Writes zeros over a file's bytes, which stay where they are in memory.
pub(crate) fn blank(file: &Path) -> Result<(), Error> {
    let failed = || Error::io(format!("writing over {}", file.display()));
    let mut out = File::options().write(true).open(file).map_err(failed())?;
    let size = out.metadata().map_err(failed())?.len();
    let mut zeros = std::io::repeat(0).take(size);
    std::io::copy(&mut zeros, &mut out)
        .map(drop)
        .map_err(failed())
}

/// The digest of a file.
pub(crate) fn digest(file: &Path) -> Result<Digest, Error> {
    let failed = || Error::io(format!("reading {}", file.display()));
    let mut input = File::open(file).map_err(failed())?;
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut piece = vec![0; PIECE];
    loop {
        let length = input.read(&mut piece).map_err(failed())?;
        if length == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(piece.get(..length).unwrap_or_default());
    }
}

/// Publishes the blob as `to` and removes its file.
pub(crate) async fn publish(blob: &Blob, to: &Reference) -> Result<(), Error> {
    let registry = Registry::new(Options::on_loopback())?;
    let repository = RepositoryRef::from(to);
    let empty = Bytes::from_static(b"{}");
    let config = Descriptor::new(media_type::OCI_EMPTY, Digest::sha256(&empty), 2);
    registry
        .push_blob(&repository, &config, &empty, None)
        .await?;
    registry
        .push_blob(&repository, &blob.descriptor, &blob.file, None)
        .await?;
    let layers = vec![blob.descriptor.clone()];
    let manifest = ImageManifest::new(Some(media_type::FUNCTION_ZIP), config, layers);
    let bytes =
        serde_json::to_vec(&manifest).map_err(|error| Error::unexpected("serde_json", error))?;
    registry
        .push_manifest(to, bytes.into(), media_type::OCI_MANIFEST)
        .await?;
    std::fs::remove_file(&blob.file).map_err(Error::io("removing the blob's file"))
}
