//! Finding the end of a file whose size stands behind it (bit 3), without unpacking it.
//!
//! The descriptor is recognised by what follows it (the next header) and by its own size field, which has to be the distance
//! from the file's first byte. Compressed data looks like that by chance once in 2^64; a zip made to look like that is found
//! out when the directory disagrees.

use super::fields::Fields;
use super::record::{CENTRAL, DESCRIPTOR, LOCAL};

/// Bytes kept between two pieces: the longest descriptor and three bytes of the signature behind it.
const KEEP: usize = 24 + 3;

/// A search that began at a file's first byte.
#[derive(Debug)]
pub(super) struct Search {
    start: u64,
    window: Vec<u8>,
    window_at: u64,
}

/// What stands behind a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measured {
    pub(super) crc: u32,
    pub(super) compressed: u64,
    pub(super) size: u64,
}

/// The end of a file.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) measured: Measured,
    /// The signature of the record behind it.
    pub(super) signature: [u8; 4],
    /// Bytes of the piece up to the end of that signature.
    pub(super) consumed: usize,
}

impl Search {
    pub(super) const fn new(start: u64) -> Self {
        Self {
            start,
            window: Vec::new(),
            window_at: start,
        }
    }

    /// Takes the next piece, all of it unless the end is found in it.
    pub(super) fn push(&mut self, piece: &[u8]) -> Option<Found> {
        let old = self.window.len();
        self.window.extend_from_slice(piece);
        let found = self.find(old);
        if found.is_none() {
            let cut = self.window.len().saturating_sub(KEEP);
            self.window.drain(..cut);
            self.window_at += cut as u64;
        }
        found
    }

    fn find(&self, old: usize) -> Option<Found> {
        // A signature that ends within the old bytes was judged when they came.
        let first = old.saturating_sub(3);
        let mut from = first;
        loop {
            let rest = self.window.get(from..)?;
            let at = from + rest.iter().position(|byte| *byte == b'P')?;
            let signature = *self.window.get(at..)?.first_chunk::<4>()?;
            if matches!(signature, LOCAL | CENTRAL)
                && let Some(measured) = self.descriptor_before(at)
            {
                return Some(Found {
                    measured,
                    signature,
                    consumed: (at + 4).saturating_sub(old),
                });
            }
            from = at + 1;
        }
    }

    /// The descriptor that ends at `at`: with or without signature, of 64 or 32 bits.
    fn descriptor_before(&self, at: usize) -> Option<Measured> {
        let before = self.window.get(..at)?;
        let distance = self.window_at + at as u64 - self.start;
        [(true, true), (true, false), (false, true), (false, false)]
            .into_iter()
            .find_map(|(signed, wide)| {
                let length = if wide { 20 } else { 12 } + usize::from(signed) * DESCRIPTOR.len();
                let record = before.get(before.len().checked_sub(length)?..)?;
                let measured = read(record, signed, wide)?;
                (measured.compressed + length as u64 == distance).then_some(measured)
            })
    }
}

fn read(record: &[u8], signed: bool, wide: bool) -> Option<Measured> {
    let record = if signed {
        record.strip_prefix(&DESCRIPTOR)?
    } else {
        record
    };
    let mut fields = Fields::new(record);
    let crc = fields.u32()?;
    let mut size = || {
        if wide {
            fields.u64()
        } else {
            fields.u32().map(u64::from)
        }
    };
    let (compressed, size) = (size()?, size()?);
    // A size no archive can have would overflow the distance it is compared with.
    (compressed < 1 << 62).then_some(Measured {
        crc,
        compressed,
        size,
    })
}
