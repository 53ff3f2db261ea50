//! One pass over a zip on this machine: its digest, its size and its directory.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use fractal_artifact::{ZipDirectory, ZipError, ZipScanner, zip_facts};
use fractal_core::artifact::digest::Algorithm;
use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{ArtifactKind, Descriptor, Hasher, ZipFacts};
use fractal_core::{Fault, Reason};

use super::wheel;
use crate::error::CliError;

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;

/// Reads the zip or wheel at `path` and checks that it is one.
pub(super) async fn read(path: &Path, kind: ArtifactKind) -> Result<ZipFacts, CliError> {
    let owned = path.to_owned();
    let reading = tokio::task::spawn_blocking(move || scan(&owned)).await;
    let (layer, directory) = reading.map_err(|error| {
        Fault::transient(Reason::new("ResourceLocal"), "reading was interrupted").because(error)
    })??;
    let directory = directory.map_err(|error| refused(path, kind, error))?;
    let facts = zip_facts(directory, layer);
    if kind == ArtifactKind::PythonWheel {
        wheel::check(path, &facts)?;
    }
    Ok(facts)
}

fn refused(path: &Path, kind: ArtifactKind, error: ZipError) -> Fault {
    let fault = Fault::from(error).at(path.display());
    match kind {
        ArtifactKind::PythonWheel => Fault {
            what: "the wheel is refused".into(),
            ..fault
        },
        _ => fault,
    }
}

type Scanned = (Descriptor, Result<ZipDirectory, ZipError>);

fn scan(path: &Path) -> Result<Scanned, CliError> {
    let failed = |error| CliError::file(path, error);
    let mut file = File::open(path).map_err(failed)?;
    let (mut hasher, mut scanner) = (Hasher::new(Algorithm::Sha256), ZipScanner::new());
    let (mut chunk, mut size) = (vec![0; CHUNK], 0_u64);
    loop {
        let length = file.read(&mut chunk).map_err(failed)?;
        let read = chunk.get(..length).unwrap_or_default();
        if read.is_empty() {
            break;
        }
        hasher.update(read);
        scanner.push(read);
        size += length as u64;
    }
    let layer = Descriptor::new(media_type::FUNCTION_ZIP, hasher.finish(), size);
    Ok((layer, scanner.finish(size)))
}
