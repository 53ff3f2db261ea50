//! What the records of one zip say together: every one in its place, and the directory compared with the headers before the files.

use super::descriptor::Measured;
use super::directory::{Listing, ZipDirectory};
use super::entry::Header;
use super::error::ZipError;
use super::limits::Limits;
use super::record::{self, End, Kind, LOCATOR, LOCATOR_LEN, Shared};

/// What stands behind a record.
#[derive(Debug)]
pub(super) enum Next {
    Record,
    /// A file of so many bytes.
    Content(u64),
    /// A file whose size stands behind it.
    Streamed,
    Nothing,
}

/// A file as the header before it says, and what stood behind it.
#[derive(Debug)]
struct Seen {
    offset: u64,
    shared: Shared,
    /// Moved into the listing once the directory has named the file.
    name: Option<Box<str>>,
}

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Archive {
    phase: Phase,
    seen: Vec<Seen>,
    listing: Listing,
    directory_at: u64,
    directory_end: u64,
    /// The last directory entry ends like a zip64 locator, which readers look for before the end record.
    feigned_locator: bool,
    wide: Option<(End, u64)>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    #[default]
    Files,
    Directory,
    End64,
    Locator,
}

impl Archive {
    /// Acts on a whole record and says what comes next.
    pub(super) fn record(
        &mut self,
        kind: Kind,
        record: &[u8],
        at: u64,
        limits: &Limits,
    ) -> Result<Next, ZipError> {
        match (self.phase, kind) {
            (Phase::Files, Kind::Local) => return self.local(record, at, limits),
            (Phase::Files, Kind::End | Kind::End64) if self.seen.is_empty() => {
                return Err(ZipError::Empty);
            }
            (Phase::Files | Phase::Directory, Kind::Central) => self.central(record, at, limits)?,
            (Phase::Directory, Kind::End64) => {
                let wide = End::read64(record, at).ok_or(ZipError::Truncated { offset: at })??;
                self.wide = Some((wide, at));
                self.phase = Phase::End64;
            }
            (Phase::End64, Kind::Locator) => {
                let offset =
                    record::locator(record).ok_or(ZipError::Truncated { offset: at })??;
                if self.wide.is_none_or(|(_, wide_at)| wide_at != offset) {
                    return Err(ZipError::Ambiguous {
                        what: "the zip64 locator points elsewhere",
                        offset: at,
                    });
                }
                self.phase = Phase::Locator;
            }
            (Phase::Directory | Phase::Locator, Kind::End) => {
                self.end(record, at)?;
                return Ok(Next::Nothing);
            }
            _ => {
                return Err(ZipError::Ambiguous {
                    what: "records stand in another order than the format's",
                    offset: at,
                });
            }
        }
        Ok(Next::Record)
    }

    fn local(&mut self, record: &[u8], at: u64, limits: &Limits) -> Result<Next, ZipError> {
        let header = Header::local(record, at, limits)?;
        Limits::check("entries", self.seen.len() as u64 + 1, limits.entries)?;
        let shared = header.shared;
        self.seen.push(Seen {
            offset: at,
            shared,
            name: Some(header.name.into()),
        });
        Ok(match (shared.streamed(), shared.compressed) {
            (true, _) => Next::Streamed,
            (false, 0) => Next::Record,
            (false, size) => Next::Content(size),
        })
    }

    /// The last file as its header says, until the directory has named it.
    pub(super) fn last(&self) -> Option<(&str, Shared)> {
        let seen = self.seen.last()?;
        Some((seen.name.as_deref()?, seen.shared))
    }

    /// What stood behind the last file; where its header said something already, it has to be the same.
    pub(super) fn measured(&mut self, measured: Measured) -> Result<(), ZipError> {
        let Some(seen) = self.seen.last_mut() else {
            return Ok(());
        };
        let Measured {
            crc,
            compressed,
            size,
        } = measured;
        let said = seen.shared;
        let differs = (said.crc != 0 && said.crc != crc)
            || (said.compressed != 0 && said.compressed != compressed)
            || (said.size != 0 && said.size != size);
        if differs {
            return Err(ZipError::Ambiguous {
                what: "what stands before a file and behind it differ",
                offset: seen.offset,
            });
        }
        seen.shared = Shared {
            crc,
            compressed,
            size,
            ..said
        };
        Ok(())
    }

    fn central(&mut self, record: &[u8], at: u64, limits: &Limits) -> Result<(), ZipError> {
        if self.phase == Phase::Files {
            self.phase = Phase::Directory;
            self.directory_at = at;
        }
        self.directory_end = at + record.len() as u64;
        Limits::check(
            "bytes of directory",
            self.directory_end - self.directory_at,
            limits.directory,
        )?;
        self.feigned_locator = record
            .last_chunk::<LOCATOR_LEN>()
            .is_some_and(|end| end.starts_with(&LOCATOR));
        let header = Header::central(record, at, limits)?;
        let name = self.agreed(&header, at)?;
        self.listing.add(&header, Some(name), limits)
    }

    /// The name of the file that `header` lists, where the header before it says the same.
    fn agreed(&mut self, header: &Header<'_>, at: u64) -> Result<Box<str>, ZipError> {
        let ambiguous = |what| ZipError::Ambiguous { what, offset: at };
        let place = self
            .seen
            .binary_search_by_key(&header.offset, |seen| seen.offset);
        let seen = place.ok().and_then(|place| self.seen.get_mut(place));
        let seen = seen.ok_or_else(|| ambiguous("the directory lists a file where none begins"))?;
        let name = seen
            .name
            .take()
            .ok_or_else(|| ambiguous("the directory lists one file twice"))?;
        let (listed, found) = (header.shared, seen.shared);
        let checks = [
            ("name", *name == *header.name),
            ("method", listed.method == found.method),
            ("checksum", listed.crc == found.crc),
            ("compressed size", listed.compressed == found.compressed),
            ("size", listed.size == found.size),
        ];
        match checks.into_iter().find(|(_, same)| !same) {
            None => Ok(name),
            Some((what, _)) => Err(ZipError::Mismatch {
                name: super::name::shown(header.name.as_bytes()),
                what,
            }),
        }
    }

    fn end(&self, record: &[u8], at: u64) -> Result<(), ZipError> {
        let ambiguous = |what| Err(ZipError::Ambiguous { what, offset: at });
        let end = End::read(record, at).ok_or(ZipError::Truncated { offset: at })??;
        let real = End {
            entries: self.listing.len(),
            size: self.directory_end - self.directory_at,
            offset: self.directory_at,
        };
        if record.windows(4).skip(1).any(|bytes| bytes == record::END) {
            return ambiguous("there are two end records");
        }
        if self.wide.is_none() && self.feigned_locator {
            return ambiguous("a zip64 locator is hidden in the directory");
        }
        let agrees = match self.wide {
            Some((wide, _)) => wide == real && end.agrees(wide),
            None => end == real,
        };
        if !agrees {
            return ambiguous("the end record describes another directory");
        }
        if self.listing.len() != self.seen.len() as u64 {
            return ambiguous("the directory leaves out a file");
        }
        Ok(())
    }

    /// The directory, once the end record was read.
    pub(super) fn finish(self) -> Result<ZipDirectory, ZipError> {
        self.listing.finish()
    }
}
