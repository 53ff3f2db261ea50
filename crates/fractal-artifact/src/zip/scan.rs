//! One forward pass over a zip: cuts the bytes into records and files. What the records say together is the archive's.

use std::collections::BTreeMap;

use super::archive::{Archive, Next};
use super::descriptor::Search;
use super::directory::ZipDirectory;
use super::error::ZipError;
use super::keep::{Keep, KeptFile};
use super::limits::Limits;
use super::record::Kind;

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
    keep: Keep,
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

impl State {
    /// The state at byte `at`, which `next` begins.
    const fn behind(next: Next, at: u64) -> Self {
        match next {
            Next::Record => Self::Record(Vec::new()),
            Next::Content(size) => Self::Content(size),
            Next::Streamed => Self::Streamed(Search::new(at)),
            Next::Nothing => Self::End,
        }
    }
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
            keep: Keep::default(),
            failed: None,
        }
    }

    /// Keeps the content of the files that `wanted` names, at most 512 of them, of 512 KiB each and 8 MiB together.
    #[must_use]
    pub fn keeping(mut self, wanted: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.keep = Keep::new(Box::new(wanted));
        self
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
        Ok(self.finish_with_files(total)?.0)
    }

    /// The directory, and the files that were to be kept.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn finish_with_files(
        self,
        total: u64,
    ) -> Result<(ZipDirectory, BTreeMap<Box<str>, KeptFile>), ZipError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.state {
            State::End if self.taken == total => Ok((self.archive.finish()?, self.keep.finish())),
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
                    self.keep.take(rest.get(..here).unwrap_or_default());
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
            let next = self.archive.record(kind, &record, at, &self.limits)?;
            if kind == Kind::Local
                && let Some((name, shared)) = self.archive.last()
            {
                self.keep.begin(name, shared);
            }
            self.state = State::behind(next, at + record.len() as u64);
        }
        Ok(now.len())
    }

    fn streamed(&mut self, bytes: &[u8]) -> Result<usize, ZipError> {
        let State::Streamed(search) = &mut self.state else {
            return Ok(0);
        };
        let Some(found) = search.push(bytes) else {
            self.keep.take(bytes);
            return Ok(bytes.len());
        };
        self.archive.measured(found.measured)?;
        self.keep
            .take(bytes.get(..found.consumed).unwrap_or_default());
        if let Some((_, shared)) = self.archive.last() {
            self.keep.measured(shared);
        }
        self.state = State::Record(found.signature.to_vec());
        Ok(found.consumed)
    }
}

impl Default for ZipScanner {
    fn default() -> Self {
        Self::new()
    }
}
