//! Whether the file that was opened still lies where it was opened.
//!
//! A file that was removed stays readable and writable for whoever has it open: such a process would go on alone, in a store
//! that nobody else sees. Nothing is read from the file here.

use std::path::{Path, PathBuf};

/// The path of an open file, and which file that is.
pub(super) struct Place {
    path: PathBuf,
    file: FileId,
}

/// Device and inode. Neither is given to another file while this one is open.
type FileId = Option<(u64, u64)>;

impl Place {
    /// The file at `path`, which must have been opened before. Where nothing tells files apart, every check succeeds.
    pub(super) fn of(path: &Path) -> Self {
        Self {
            path: std::path::absolute(path).unwrap_or_else(|_| path.into()),
            file: id(path).unwrap_or_default(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the path still leads to the file.
    pub(super) fn is_kept(&self) -> bool {
        match id(&self.path) {
            Ok(now) => now == self.file || self.file.is_none(),
            // A folder that cannot be searched just now says nothing about the file.
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        }
    }
}

#[cfg(unix)]
fn id(path: &Path) -> std::io::Result<FileId> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).map(|metadata| Some((metadata.dev(), metadata.ino())))
}

#[cfg(not(unix))]
fn id(_: &Path) -> std::io::Result<FileId> {
    Ok(None)
}
