//! What is in a zip or wheel: one verified pass over its bytes, in memory that its directory bounds.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use fractal_artifact::targets::{Settings, Subject, WheelSubject, ZipContents, ZipSubject, wanted};
use fractal_artifact::{WheelScanner, ZipScanner};
use fractal_core::artifact::{ArtifactKind, Descriptor};
use fractal_core::{Fault, Reason};

use super::opened::Opened;
use crate::error::CliError;

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;

/// The readers that see every byte.
struct Readers {
    zip: ZipScanner,
    wheel: Option<WheelScanner>,
}

impl Readers {
    fn new(kind: ArtifactKind, settings: &Settings) -> Self {
        let of_wheel = kind == ArtifactKind::PythonWheel;
        Self {
            zip: ZipScanner::new().keeping(wanted(settings)),
            wheel: of_wheel.then(WheelScanner::new),
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.zip.push(bytes);
        if let Some(wheel) = &mut self.wheel {
            wheel.push(bytes);
        }
    }

    /// Whether the rest need not be read.
    fn has_failed(&self) -> bool {
        self.zip.has_failed() || self.wheel.as_ref().is_some_and(WheelScanner::has_failed)
    }

    fn finish(self, kind: ArtifactKind, layer: &Descriptor) -> Subject {
        match self.subject(layer) {
            Ok(subject) => subject,
            Err(fault) => Subject::Refused(kind, fault),
        }
    }

    fn subject(self, layer: &Descriptor) -> Result<Subject, Fault> {
        let size = layer.size;
        if let Some(wheel) = self.wheel {
            let facts = wheel.finish(layer)?;
            let (_, files) = self.zip.finish_with_files(size)?;
            return Ok(Subject::Wheel(WheelSubject {
                size,
                facts: Some(facts),
                files,
            }));
        }
        let (directory, files) = self.zip.finish_with_files(size)?;
        let contents = Some(ZipContents { directory, files });
        Ok(Subject::Zip(ZipSubject { size, contents }))
    }
}

/// Reads the layer of what was opened.
pub(super) async fn read(
    opened: &Opened,
    kind: ArtifactKind,
    layer: &Descriptor,
    settings: &Settings,
) -> Result<Subject, CliError> {
    let mut readers = Readers::new(kind, settings);
    match opened {
        Opened::File(_, path) => {
            let path = path.clone();
            let reading = tokio::task::spawn_blocking(move || file(&path, readers)).await;
            readers = reading.map_err(|error| {
                let what = "reading was interrupted";
                Fault::transient(Reason::new("ResourceLocal"), what).because(error)
            })??;
        }
        Opened::Artifact(artifact, _) => {
            let mut blob = artifact.source.blob(layer).await?;
            while let Some(piece) = blob.next().await.transpose()? {
                readers.push(&piece);
                if readers.has_failed() {
                    break;
                }
            }
        }
        Opened::Broken(_) | Opened::Bundle(_) => {}
    }
    Ok(readers.finish(kind, layer))
}

fn file(path: &Path, mut readers: Readers) -> Result<Readers, CliError> {
    let failed = |error| CliError::file(path, error);
    let mut file = File::open(path).map_err(failed)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = file.read(&mut chunk).map_err(failed)?;
        let read = chunk.get(..length).unwrap_or_default();
        if read.is_empty() || readers.has_failed() {
            return Ok(readers);
        }
        readers.push(read);
    }
}
