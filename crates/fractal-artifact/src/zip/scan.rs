//! One forward pass over a zip: every record in its place, and the directory compared with the headers before the files.

use super::descriptor::{Measured, Search};
use super::directory::{Listing, ZipDirectory};
use super::entry::Header;
use super::error::ZipError;
use super::limits::Limits;
use super::record::{self, End, Kind, LOCATOR, LOCATOR_LEN, Shared};

/// Bytes looked at in one go, however many are pushed.
const PIECE: usize = 64 * 1024;

/// Reads a zip from its first byte to its last, in pieces of any size.
///
/// Memory is bounded by [`Limits`]: a hundred bytes or so per entry and its name, one record of at most 196 KiB, one piece of 64 KiB.
/// The first error is kept and given back by [`finish`](Self::finish); what is pushed after it is ignored.
#[derive(Debug)]
pub struct ZipScanner {
    limits: Limits,
    taken: u64,
    state: State,
    archive: Archive,
    failed: Option<ZipError>,
}

#[derive(Debug)]
enum State {
    /// Within a record.
    Record(Vec<u8>),
    /// Within a file of known size, with so many bytes to come.
    Content(u64),
    /// Within a file whose size stands behind it.
    Streamed(Search),
    /// Behind the end record.
    End,
}

impl ZipScanner {
    /// A scanner for function zips.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limits(Limits::FUNCTION)
    }

    /// A scanner with caps of its own.
    #[must_use]
    pub fn with_limits(limits: Limits) -> Self {
        Self {
            limits,
            taken: 0,
            state: State::Record(Vec::new()),
            archive: Archive::default(),
            failed: None,
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE) {
            if self.failed.is_none() {
                self.failed = self.take(piece).err();
            }
        }
    }

    /// Whether the zip is refused already: the rest need not be pushed.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// The directory, once all `total` bytes of the zip were pushed.
    ///
    /// # Errors
    /// Where the zip is malformed, cut off, ambiguous, over a cap, or uses what a function zip may not.
    pub fn finish(self, total: u64) -> Result<ZipDirectory, ZipError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.state {
            State::End if self.taken == total => self.archive.listing.finish(),
            _ if self.taken == 0 => Err(ZipError::Empty),
            _ => Err(ZipError::Truncated { offset: self.taken }),
        }
    }

    fn take(&mut self, piece: &[u8]) -> Result<(), ZipError> {
        let mut rest = piece;
        while !rest.is_empty() {
            let consumed = match &mut self.state {
                State::Record(_) => self.record(rest)?,
                State::Content(left) => {
                    let here = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= here as u64;
                    if *left == 0 {
                        self.state = State::Record(Vec::new());
                    }
                    here
                }
                State::Streamed(_) => self.streamed(rest)?,
                State::End => {
                    return Err(ZipError::Ambiguous {
                        what: "bytes follow the end record",
                        offset: self.taken,
                    });
                }
            };
            self.taken += consumed as u64;
            rest = rest.get(consumed..).unwrap_or_default();
        }
        Ok(())
    }

    /// Adds to the record at hand and acts on it once it is whole.
    fn record(&mut self, bytes: &[u8]) -> Result<usize, ZipError> {
        let State::Record(held) = &mut self.state else {
            return Ok(0);
        };
        let at = self.taken - held.len() as u64;
        let kind = held
            .first_chunk()
            .map(|signature| Kind::of(*signature, at))
            .transpose()?;
        let want = kind
            .map_or(4, |kind| kind.len(held))
            .saturating_sub(held.len());
        let (now, _) = bytes.split_at(want.min(bytes.len()));
        held.extend_from_slice(now);
        if let Some(kind) = kind
            && held.len() >= kind.len(held)
        {
            let record = std::mem::take(held);
            self.state = self.archive.record(kind, &record, at, &self.limits)?;
        }
        Ok(now.len())
    }

    fn streamed(&mut self, bytes: &[u8]) -> Result<usize, ZipError> {
        let State::Streamed(search) = &mut self.state else {
            return Ok(0);
        };
        let Some(found) = search.push(bytes) else {
            return Ok(bytes.len());
        };
        self.archive.measured(found.measured)?;
        self.state = State::Record(found.signature.to_vec());
        Ok(found.consumed)
    }
}

impl Default for ZipScanner {
    fn default() -> Self {
        Self::new()
    }
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
struct Archive {
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
    fn record(
        &mut self,
        kind: Kind,
        record: &[u8],
        at: u64,
        limits: &Limits,
    ) -> Result<State, ZipError> {
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
                return Ok(State::End);
            }
            _ => {
                return Err(ZipError::Ambiguous {
                    what: "records stand in another order than the format's",
                    offset: at,
                });
            }
        }
        Ok(State::Record(Vec::new()))
    }

    fn local(&mut self, record: &[u8], at: u64, limits: &Limits) -> Result<State, ZipError> {
        let header = Header::local(record, at, limits)?;
        Limits::check("entries", self.seen.len() as u64 + 1, limits.entries)?;
        let shared = header.shared;
        self.seen.push(Seen {
            offset: at,
            shared,
            name: Some(header.name.into()),
        });
        Ok(match (shared.streamed(), shared.compressed) {
            (true, _) => State::Streamed(Search::new(at + record.len() as u64)),
            (false, 0) => State::Record(Vec::new()),
            (false, size) => State::Content(size),
        })
    }

    /// What stood behind the last file; where its header said something already, it has to be the same.
    fn measured(&mut self, measured: Measured) -> Result<(), ZipError> {
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
}
