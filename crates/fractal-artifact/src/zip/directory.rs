//! What a zip holds, once all of it was checked.

use fractal_core::artifact::{Descriptor, ZipFacts};

use super::entry::Header;
use super::error::ZipError;
use super::limits::Limits;
use super::name;

/// One file of a zip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZipEntry {
    name: Box<str>,
    size: u64,
    compressed: u64,
    mode: Option<u16>,
}

impl ZipEntry {
    /// Its path, relative, with `/` between parts and no `.` or `..` part.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes after unpacking, as the zip says.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Bytes it takes in the zip, without headers.
    #[must_use]
    pub const fn compressed(&self) -> u64 {
        self.compressed
    }

    /// Its Unix permission bits, where the zip says any.
    #[must_use]
    pub fn permissions(&self) -> Option<u16> {
        self.mode
            .map(|mode| mode & 0o7777)
            .filter(|permissions| *permissions != 0)
    }
}

/// The files of a zip, sorted by name. Folders are implied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZipDirectory {
    files: Vec<ZipEntry>,
    unpacked: u64,
}

impl ZipDirectory {
    /// Its files, sorted by name.
    #[must_use]
    pub fn files(&self) -> &[ZipEntry] {
        &self.files
    }

    /// Bytes of all files after unpacking, as the zip says.
    #[must_use]
    pub const fn unpacked(&self) -> u64 {
        self.unpacked
    }
}

/// The facts of a deployment zip whose bytes `layer` describes.
#[must_use]
pub fn zip_facts(directory: ZipDirectory, layer: Descriptor) -> ZipFacts {
    let names = directory.files.into_iter().map(|file| file.name).collect();
    ZipFacts {
        layer,
        unpacked: directory.unpacked,
        names,
    }
}

/// The directory's entries as they come.
#[derive(Debug, Default)]
pub(super) struct Listing {
    files: Vec<ZipEntry>,
    folders: Vec<Box<str>>,
    unpacked: u64,
}

impl Listing {
    /// Adds an entry; `name` is the header's own, passed on where it is already owned.
    pub(super) fn add(
        &mut self,
        header: &Header<'_>,
        owned: Option<Box<str>>,
        limits: &Limits,
    ) -> Result<(), ZipError> {
        Limits::check("entries", self.len() + 1, limits.entries)?;
        let name = owned.unwrap_or_else(|| header.name.into());
        if name.ends_with('/') {
            self.folders.push(name::path(name));
            return Ok(());
        }
        self.unpacked = self.unpacked.saturating_add(header.shared.size);
        Limits::check("bytes after unpacking", self.unpacked, limits.unpacked)?;
        self.files.push(ZipEntry {
            name: name::path(name),
            size: header.shared.size,
            compressed: header.shared.compressed,
            mode: header.mode,
        });
        Ok(())
    }

    pub(super) fn len(&self) -> u64 {
        (self.files.len() + self.folders.len()) as u64
    }

    /// Refuses paths that clash and sorts the files.
    ///
    /// A folder listed twice is harmless, and Gradle writes such zips; two files of one path, or a file where a folder
    /// has to be, unpack differently from tool to tool.
    pub(super) fn finish(mut self) -> Result<ZipDirectory, ZipError> {
        if self.files.is_empty() {
            return Err(ZipError::Empty);
        }
        self.files.sort_unstable_by(|a, b| {
            name::fold(&a.name, &b.name).then_with(|| a.name.cmp(&b.name))
        });
        if let Some([first, second]) = self
            .files
            .array_windows()
            .find(|[a, b]| name::fold(&a.name, &b.name).is_eq())
        {
            return Err(duplicate(&first.name, &second.name));
        }
        let mut checked = "";
        for file in &self.files {
            let parent = parent(&file.name);
            if parent != checked {
                self.must_be_folder(parent)?;
                checked = parent;
            }
        }
        self.folders
            .iter()
            .try_for_each(|folder| self.must_be_folder(folder))?;
        self.files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(ZipDirectory {
            files: self.files,
            unpacked: self.unpacked,
        })
    }

    /// Refuses a file at `path` or above it.
    fn must_be_folder(&self, path: &str) -> Result<(), ZipError> {
        let mut path = path;
        while !path.is_empty() {
            if let Ok(at) = self
                .files
                .binary_search_by(|file| name::fold(&file.name, path))
            {
                return Err(duplicate(
                    self.files.get(at).map_or("", |file| &file.name),
                    &format!("{path}/"),
                ));
            }
            path = parent(path);
        }
        Ok(())
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn duplicate(first: &str, second: &str) -> ZipError {
    ZipError::Duplicate {
        first: name::shown(first.as_bytes()),
        second: name::shown(second.as_bytes()),
    }
}
