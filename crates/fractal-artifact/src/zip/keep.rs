//! The content of a few small files of a zip, taken on the way of the one pass. Which ones, the caller says by name.
//!
//! What is kept is packed bytes; they are unpacked once the directory agreed, and no further than a cap.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;

use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::record::Shared;

/// Most bytes of one file, packed and unpacked.
pub const FILE_MAX: u64 = 512 << 10;
/// Most packed bytes of all files together.
const TOTAL_MAX: u64 = 8 << 20;
/// Most files.
const FILES_MAX: usize = 512;
const STORED: u16 = 0;

/// A file that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptFile {
    /// Its bytes, of the size and checksum that the zip says.
    Whole(Vec<u8>),
    /// It is larger than what is kept, or too much was kept before it.
    TooLarge,
    /// It does not unpack to what the zip says of it.
    Damaged,
}

impl KeptFile {
    /// Its text, where it is whole and UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Whole(bytes) => std::str::from_utf8(bytes).ok(),
            Self::TooLarge | Self::Damaged => None,
        }
    }
}

/// Whether a file of this name is kept.
pub(super) type Wanted = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// What is kept so far.
#[derive(Default)]
pub(super) struct Keep {
    wanted: Option<Wanted>,
    current: Option<Packed>,
    files: Vec<Packed>,
    total: u64,
}

struct Packed {
    name: Box<str>,
    shared: Shared,
    bytes: Option<Vec<u8>>,
}

impl Keep {
    pub(super) fn new(wanted: Wanted) -> Self {
        Self {
            wanted: Some(wanted),
            ..Self::default()
        }
    }

    /// A file's header was read.
    pub(super) fn begin(&mut self, name: &str, shared: Shared) {
        self.end();
        let wanted = self.wanted.as_ref().is_some_and(|wanted| wanted(name));
        if !wanted || name.ends_with('/') || self.files.len() >= FILES_MAX {
            return;
        }
        let fits = shared.compressed <= FILE_MAX && shared.size <= FILE_MAX;
        self.current = Some(Packed {
            name: name.into(),
            shared,
            bytes: fits.then(Vec::new),
        });
    }

    /// Bytes of the file at hand; behind it, some that are not its own where its size stands behind it.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let Some(held) = self
            .current
            .as_mut()
            .and_then(|packed| packed.bytes.as_mut())
        else {
            return;
        };
        let after = held.len() as u64 + bytes.len() as u64;
        if after > FILE_MAX + 64 || self.total + bytes.len() as u64 > TOTAL_MAX {
            self.total -= held.len() as u64;
            if let Some(packed) = &mut self.current {
                packed.bytes = None;
            }
            return;
        }
        held.extend_from_slice(bytes);
        self.total += bytes.len() as u64;
    }

    /// What stood behind the file at hand.
    pub(super) fn measured(&mut self, shared: Shared) {
        if let Some(packed) = &mut self.current {
            packed.shared = shared;
            let size = usize::try_from(shared.compressed).unwrap_or(usize::MAX);
            if let Some(bytes) = &mut packed.bytes {
                bytes.truncate(size);
            }
        }
    }

    fn end(&mut self) {
        self.files.extend(self.current.take());
    }

    /// The files, unpacked.
    pub(super) fn finish(mut self) -> BTreeMap<Box<str>, KeptFile> {
        self.end();
        self.files
            .into_iter()
            .map(|packed| (packed.name.clone(), packed.unpack()))
            .collect()
    }
}

impl Packed {
    fn unpack(self) -> KeptFile {
        let Some(bytes) = self.bytes else {
            return KeptFile::TooLarge;
        };
        if self.shared.size > FILE_MAX {
            return KeptFile::TooLarge;
        }
        let content = match self.shared.method {
            STORED => bytes,
            _ => {
                let mut content = Vec::new();
                let read = DeflateDecoder::new(&*bytes)
                    .take(self.shared.size + 1)
                    .read_to_end(&mut content);
                if read.is_err() {
                    return KeptFile::Damaged;
                }
                content
            }
        };
        let mut crc = Crc::new();
        crc.update(&content);
        if content.len() as u64 == self.shared.size && crc.sum() == self.shared.crc {
            KeptFile::Whole(content)
        } else {
            KeptFile::Damaged
        }
    }
}

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keep")
            .field("files", &self.files.len())
            .field("total", &self.total)
            .finish_non_exhaustive()
    }
}
