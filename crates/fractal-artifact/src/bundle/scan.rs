//! One forward pass over a tar: cuts the bytes into headers and contents. What they say together is the archive's.

use super::archive::{Archive, Content};
use super::error::BundleError;
use super::header::BLOCK;
use super::{BUNDLE_MAX, BundleFiles, text};

/// Bytes looked at in one go, however many are pushed.
const PIECE: usize = 64 * 1024;

/// Reads a bundle's tar from its first byte to its last, in pieces of any size.
///
/// Memory is bounded by [`BUNDLE_MAX`]: the text of the YAML files, twice the paths of all entries, and one PAX header or YAML
/// file being read, all of which stand in the tar.
/// The first error is kept and given back by [`finish`](Self::finish); what is pushed after it is ignored.
#[derive(Debug)]
pub struct BundleScanner {
    taken: u64,
    state: State,
    archive: Archive,
    failed: Option<BundleError>,
}

#[derive(Debug)]
enum State {
    /// Within a header, or between two.
    Header(Vec<u8>),
    /// Within an entry's bytes.
    Content(Reading),
    /// Between an entry's last byte and the next block, so many bytes before it.
    Padding(u64),
    /// Behind the first zero block, with so many zeros of the second.
    End(usize),
    /// Behind both.
    Rest,
}

/// An entry's bytes as they come.
#[derive(Debug)]
struct Reading {
    content: Content,
    /// Where its header began.
    at: u64,
    held: Vec<u8>,
    left: u64,
    padding: u64,
}

impl BundleScanner {
    /// A scanner at a tar's first byte.
    #[must_use]
    pub fn new() -> Self {
        Self {
            taken: 0,
            state: State::Header(Vec::new()),
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

    /// Whether the tar is refused already: the rest need not be pushed.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// The YAML files below `.fractal/`, once all `size` bytes of the tar were pushed.
    ///
    /// # Errors
    /// Where the tar is malformed, cut off, ambiguous, over a cap, holds what a bundle may not, or no YAML file below `.fractal/`.
    pub fn finish(self, size: u64) -> Result<BundleFiles, BundleError> {
        let offset = self.taken;
        match (self.failed, self.state) {
            (Some(error), _) => Err(error),
            _ if offset == 0 => Err(BundleError::Empty),
            (None, State::Rest) if offset == size && offset.is_multiple_of(BLOCK as u64) => {
                self.archive.finish()
            }
            // Less than one block in all.
            (None, State::Header(held)) if held.len() as u64 == offset && offset == size => {
                Err(text::not_tar(&held))
            }
            (None, State::Header(held)) if held.is_empty() && offset == size => {
                Err(BundleError::EndMissing { offset })
            }
            (None, State::End(_)) if offset == size => Err(BundleError::EndMissing { offset }),
            (None, _) => Err(BundleError::Truncated { offset }),
        }
    }

    fn take(&mut self, piece: &[u8]) -> Result<(), BundleError> {
        super::path::within("bytes", self.taken + piece.len() as u64, BUNDLE_MAX)?;
        let mut rest = piece;
        while !rest.is_empty() {
            let consumed = match &mut self.state {
                State::Header(_) => self.header(rest)?,
                State::Content(_) => self.content(rest)?,
                State::Padding(left) => {
                    let here = least(*left, rest);
                    *left -= here as u64;
                    if *left == 0 {
                        self.state = State::Header(Vec::new());
                    }
                    here
                }
                State::End(zeros) => {
                    let here = rest.len().min(BLOCK - *zeros);
                    *zeros += here;
                    let whole = *zeros == BLOCK;
                    self.zeros(
                        rest.get(..here).unwrap_or_default(),
                        "a zero block stands between two entries",
                    )?;
                    if whole {
                        self.state = State::Rest;
                    }
                    here
                }
                State::Rest => {
                    self.zeros(rest, "bytes follow its end, such as a second archive")?;
                    rest.len()
                }
            };
            self.taken += consumed as u64;
            rest = rest.get(consumed..).unwrap_or_default();
        }
        Ok(())
    }

    /// Refuses bytes at or behind the end that are not zero.
    fn zeros(&self, bytes: &[u8], what: &'static str) -> Result<(), BundleError> {
        match bytes.iter().position(|byte| *byte != 0) {
            None => Ok(()),
            Some(index) => Err(BundleError::Ambiguous {
                what,
                offset: self.taken + index as u64,
            }),
        }
    }

    /// Adds to the header at hand and acts on it once it is whole.
    fn header(&mut self, bytes: &[u8]) -> Result<usize, BundleError> {
        let State::Header(held) = &mut self.state else {
            return Ok(0);
        };
        let at = self.taken - held.len() as u64;
        let (now, _) = bytes.split_at(bytes.len().min(BLOCK - held.len()));
        held.extend_from_slice(now);
        if held.len() < BLOCK {
            return Ok(now.len());
        }
        let block = std::mem::take(held);
        self.state = if block.iter().all(|byte| *byte == 0) {
            self.archive.end(at)?;
            State::End(0)
        } else {
            let (content, size) = self.archive.header(&block, at)?;
            self.reading(content, size, at)?
        };
        Ok(now.len())
    }

    /// The state behind a header whose entry has `size` bytes.
    fn reading(&mut self, content: Content, size: u64, at: u64) -> Result<State, BundleError> {
        if size == 0 {
            self.archive.content(content, Vec::new(), at)?;
            return Ok(State::Header(Vec::new()));
        }
        Ok(State::Content(Reading {
            content,
            at,
            held: Vec::new(),
            left: size,
            padding: size.next_multiple_of(BLOCK as u64) - size,
        }))
    }

    /// Adds to the entry at hand and acts on it once it is whole.
    fn content(&mut self, bytes: &[u8]) -> Result<usize, BundleError> {
        let State::Content(reading) = &mut self.state else {
            return Ok(0);
        };
        let (now, _) = bytes.split_at(least(reading.left, bytes));
        if !matches!(reading.content, Content::Skipped) {
            reading.held.extend_from_slice(now);
        }
        reading.left -= now.len() as u64;
        if reading.left > 0 {
            return Ok(now.len());
        }
        let behind = match reading.padding {
            0 => State::Header(Vec::new()),
            padding => State::Padding(padding),
        };
        if let State::Content(whole) = std::mem::replace(&mut self.state, behind) {
            self.archive.content(whole.content, whole.held, whole.at)?;
        }
        Ok(now.len())
    }
}

impl Default for BundleScanner {
    fn default() -> Self {
        Self::new()
    }
}

fn least(left: u64, bytes: &[u8]) -> usize {
    bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX))
}
