//! The directory alone, for callers that can seek: what stands before the files is not compared.

use super::directory::{Listing, ZipDirectory};
use super::entry::Header;
use super::error::ZipError;
use super::limits::Limits;
use super::record::{
    self, CENTRAL, END, END_LEN, END64, END64_LEN, End, Kind, LOCATOR, LOCATOR_LEN,
};

/// Farthest from a zip's end that its end record can begin, in bytes: its comment is counted in 16 bits.
const REACH: u64 = END_LEN as u64 + u16::MAX as u64;
/// Bytes of a file's own header without name and extra fields.
const LOCAL_LEN: u64 = 30;

/// What the last bytes of a zip give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryRead {
    /// All that was asked for.
    Complete(ZipDirectory),
    /// The directory is not wholly there: read again with all bytes from this offset on.
    NeedsFrom(u64),
}

/// Reads the directory from a zip's last bytes: `tail` begins at byte `tail_offset` of `total`.
///
/// # Errors
/// Where the directory is malformed, ambiguous, over a cap, lists files that overlap, or lists what a function zip may not hold.
pub fn read_directory(
    tail: &[u8],
    tail_offset: u64,
    total: u64,
    limits: &Limits,
) -> Result<DirectoryRead, ZipError> {
    let bytes = Tail {
        bytes: tail,
        offset: tail_offset,
    };
    if total == 0 {
        return Err(ZipError::Empty);
    }
    if bytes.end() != total {
        return Err(ZipError::Truncated {
            offset: bytes.end(),
        });
    }
    let Some(end_at) = bytes.end_record()? else {
        let from = total.saturating_sub(REACH);
        let missing = ZipError::Malformed {
            what: "there is no end record",
            offset: total,
        };
        return if tail_offset > from {
            Ok(DirectoryRead::NeedsFrom(from))
        } else {
            Err(missing)
        };
    };
    let located = match bytes.locate(end_at)? {
        Located::Directory(end, directory_end) => bytes.check(end, directory_end, limits)?,
        Located::NeedsFrom(from) => return Ok(DirectoryRead::NeedsFrom(from)),
    };
    match bytes.from(located.offset) {
        Some(directory) => Ok(DirectoryRead::Complete(read(directory, located, limits)?)),
        None => Ok(DirectoryRead::NeedsFrom(located.offset)),
    }
}

enum Located {
    /// What the end records say, and where they begin.
    Directory(End, u64),
    NeedsFrom(u64),
}

#[derive(Clone, Copy)]
struct Tail<'a> {
    bytes: &'a [u8],
    offset: u64,
}

impl<'a> Tail<'a> {
    const fn end(&self) -> u64 {
        self.offset.saturating_add(self.bytes.len() as u64)
    }

    /// The bytes from offset `at` of the zip on, where they are there.
    fn from(&self, at: u64) -> Option<&'a [u8]> {
        self.bytes
            .get(usize::try_from(at.checked_sub(self.offset)?).ok()?..)
    }

    /// Where the end record begins: the last one, whose comment has to end with the zip.
    fn end_record(&self) -> Result<Option<u64>, ZipError> {
        let first = self.end().saturating_sub(REACH).max(self.offset);
        let reach = self.from(first).unwrap_or_default();
        let Some(index) = reach.windows(4).rposition(|bytes| bytes == END) else {
            return Ok(None);
        };
        let at = first + index as u64;
        let record = reach.get(index..).unwrap_or_default();
        match Kind::End.len(record).cmp(&record.len()) {
            std::cmp::Ordering::Equal => Ok(Some(at)),
            std::cmp::Ordering::Less => Err(ZipError::Ambiguous {
                what: "bytes follow the end record",
                offset: at,
            }),
            std::cmp::Ordering::Greater => Err(ZipError::Truncated { offset: self.end() }),
        }
    }

    fn locate(&self, end_at: u64) -> Result<Located, ZipError> {
        let short = ZipError::Truncated { offset: self.end() };
        let end = self
            .from(end_at)
            .and_then(|record| End::read(record, end_at))
            .ok_or_else(|| short.clone())??;
        let Some(locator_at) = end_at.checked_sub(LOCATOR_LEN as u64) else {
            return Ok(Located::Directory(end, end_at));
        };
        let Some(locator) = self.from(locator_at) else {
            return Ok(Located::NeedsFrom(locator_at));
        };
        if !locator.starts_with(&LOCATOR) {
            return Ok(Located::Directory(end, end_at));
        }
        let lies = |what| ZipError::Ambiguous {
            what,
            offset: locator_at,
        };
        let wide_at = record::locator(locator).ok_or_else(|| short.clone())??;
        if wide_at.checked_add(END64_LEN as u64) != Some(locator_at) {
            return Err(lies("the zip64 locator points elsewhere"));
        }
        let Some(record) = self.from(wide_at) else {
            return Ok(Located::NeedsFrom(wide_at));
        };
        if !record.starts_with(&END64) {
            return Err(lies("the zip64 locator points elsewhere"));
        }
        let wide = End::read64(record, wide_at).ok_or(short)??;
        if end.agrees(wide) {
            Ok(Located::Directory(wide, wide_at))
        } else {
            Err(lies("the zip64 end record describes another directory"))
        }
    }

    /// The directory has to end where the end records begin.
    fn check(&self, end: End, directory_end: u64, limits: &Limits) -> Result<End, ZipError> {
        if end.entries == 0 {
            return Err(ZipError::Empty);
        }
        Limits::check("entries", end.entries, limits.entries)?;
        Limits::check("bytes of directory", end.size, limits.directory)?;
        if end.offset.checked_add(end.size) != Some(directory_end) {
            return Err(ZipError::Ambiguous {
                what: "the end record describes another directory",
                offset: directory_end,
            });
        }
        Ok(end)
    }
}

fn read(directory: &[u8], end: End, limits: &Limits) -> Result<ZipDirectory, ZipError> {
    let size = usize::try_from(end.size).unwrap_or(usize::MAX);
    let mut rest = directory
        .get(..size)
        .ok_or(ZipError::Truncated { offset: end.offset })?;
    let mut at = end.offset;
    let mut listing = Listing::default();
    let mut extents = Vec::new();
    while !rest.is_empty() {
        if !rest.starts_with(&CENTRAL) {
            return Err(ZipError::Ambiguous {
                what: "no record begins where the one before ends",
                offset: at,
            });
        }
        let (record, behind) = rest
            .split_at_checked(Kind::Central.len(rest))
            .ok_or(ZipError::Truncated { offset: at })?;
        let header = Header::central(record, at, limits)?;
        let least = LOCAL_LEN + header.name.len() as u64;
        extents.push((
            header.offset,
            header
                .offset
                .saturating_add(least)
                .saturating_add(header.shared.compressed),
        ));
        listing.add(&header, None, limits)?;
        (rest, at) = (behind, at + record.len() as u64);
    }
    if listing.len() != end.entries {
        return Err(ZipError::Ambiguous {
            what: "the end record counts other entries",
            offset: at,
        });
    }
    apart(extents, end.offset)?;
    listing.finish()
}

/// Files begin at the first byte, do not overlap and end before the directory.
fn apart(mut extents: Vec<(u64, u64)>, directory: u64) -> Result<(), ZipError> {
    extents.sort_unstable();
    if extents.first().is_some_and(|(first, _)| *first != 0) {
        return Err(ZipError::Ambiguous {
            what: "bytes stand before the first file",
            offset: 0,
        });
    }
    let next = extents
        .iter()
        .skip(1)
        .map(|(start, _)| *start)
        .chain([directory]);
    match extents.iter().zip(next).find(|((_, end), next)| end > next) {
        None => Ok(()),
        Some(((_, end), _)) => Err(ZipError::Ambiguous {
            what: "two files overlap",
            offset: *end,
        }),
    }
}
