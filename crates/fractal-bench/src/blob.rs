//! The blob that is moved: incompressible bytes, hashed as they are written, and published as the one layer of a manifest.

use std::fs::File;
use std::io::{BufWriter, Write as _};
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
    file: PathBuf,
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
