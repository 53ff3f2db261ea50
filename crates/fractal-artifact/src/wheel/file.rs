//! The file at hand: what its header says of it, and what it is found to be while it is unpacked.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Crc;
use fractal_core::artifact::Hasher;
use fractal_core::artifact::digest::Algorithm;

use super::error::WheelError;
use super::inflate::{Inflate, Progress};
use super::scan::shown;
use super::{LIMITS, RATIO_FROM, RATIO_MAX};

/// Bytes of a header before its name.
pub(super) const HEADER_LEN: usize = 30;
const DESCRIPTOR: &[u8; 4] = b"PK\x07\x08";
const STORED: u16 = 0;
const ZIP64: u16 = 1;

/// One file, as it unpacked.
#[derive(Debug)]
pub(super) struct Unpacked {
    pub(super) name: Box<str>,
    pub(super) packed: u64,
    pub(super) size: u64,
    /// Its SHA-256 as `RECORD` writes it: base64 for URLs, without padding.
    pub(super) hash: Box<str>,
}

/// Bytes of all files so far.
#[derive(Debug, Default)]
pub(super) struct Totals {
    packed: u64,
    unpacked: u64,
}

/// The file at hand.
#[derive(Debug)]
pub(super) struct File {
    pub(super) name: Box<str>,
    stored: bool,
    /// What its header says, where that is not said behind it.
    pub(super) said: Option<Said>,
    packed: u64,
    size: u64,
    crc: Crc,
    hasher: Hasher,
    pub(super) kept: Option<Kept>,
}

/// A file of the metadata as it comes.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) name: &'static str,
    pub(super) max: u64,
    pub(super) bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    crc: u32,
    packed: u64,
    size: u64,
}

impl File {
    /// Reads a header whose names and sizes the zip scanner has checked.
    pub(super) fn new(header: &[u8]) -> Option<Self> {
        let streamed = u16_at(header, 6)? & (1 << 3) != 0;
        let name_end = HEADER_LEN + usize::from(u16_at(header, 26)?);
        let name = std::str::from_utf8(header.get(HEADER_LEN..name_end)?).ok()?;
        let mut said = Said {
            crc: u32_at(header, 14)?,
            packed: u32_at(header, 18)?.into(),
            size: u32_at(header, 22)?.into(),
        };
        said.widen(header.get(name_end..)?)?;
        Some(Self {
            name: name.into(),
            stored: u16_at(header, 8)? == STORED,
            said: (!streamed).then_some(said),
            packed: 0,
            size: 0,
            crc: Crc::new(),
            hasher: Hasher::new(Algorithm::Sha256),
            kept: None,
        })
    }

    /// Whether only unpacking could tell where it ends, and it is not packed.
    pub(super) const fn is_endless(&self) -> bool {
        self.stored && self.said.is_none()
    }

    /// Whether its header says that there is nothing behind it.
    pub(super) fn is_empty(&self) -> bool {
        let nothing = Said {
            crc: 0,
            packed: 0,
            size: 0,
        };
        self.said == Some(nothing)
    }

    /// Takes the next packed bytes, as many of `bytes` as are its own.
    pub(super) fn advance(
        &mut self,
        bytes: &[u8],
        inflate: &mut Inflate,
        totals: &mut Totals,
    ) -> Result<Progress, WheelError> {
        let left = self.said.map_or(u64::MAX, |said| said.packed - self.packed);
        let own = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let (own, _) = bytes.split_at(own);
        let before = totals.packed;
        totals.packed += own.len() as u64;
        let progress = if self.stored {
            self.take(own, totals)?;
            Some(Progress {
                consumed: own.len(),
                ended: own.len() as u64 == left,
            })
        } else {
            inflate.push(own, |piece| self.take(piece, totals))?
        };
        let stuck = |progress: &Progress| !progress.ended && progress.consumed < own.len();
        let progress = progress
            .filter(|progress| !stuck(progress))
            .ok_or_else(|| self.damaged("its compressed data is malformed"))?;
        totals.packed = before + progress.consumed as u64;
        self.packed += progress.consumed as u64;
        match self.said.map(|said| said.packed == self.packed) {
            Some(false) if progress.ended => {
                Err(self.damaged("its compressed data ends before it does"))
            }
            Some(true) if !progress.ended => Err(self.damaged("its compressed data does not end")),
            _ => Ok(progress),
        }
    }

    /// The whole file, where its header or descriptor says what was found.
    pub(super) fn finish(self) -> Result<Unpacked, WheelError> {
        if self.said.is_some_and(|said| said != self.found()) {
            return Err(self.damaged("its size or checksum is not what its header says"));
        }
        Ok(Unpacked {
            name: self.name,
            packed: self.packed,
            size: self.size,
            hash: URL_SAFE_NO_PAD
                .encode(self.hasher.finish().to_bytes())
                .into(),
        })
    }

    pub(super) fn damaged(&self, what: &'static str) -> WheelError {
        WheelError::Damaged {
            name: shown(&self.name),
            what,
        }
    }

    /// Takes unpacked bytes.
    fn take(&mut self, bytes: &[u8], totals: &mut Totals) -> Result<(), WheelError> {
        self.size += bytes.len() as u64;
        totals.unpacked += bytes.len() as u64;
        let over = |what: String, found, max| WheelError::TooLarge { what, found, max };
        if totals.unpacked > LIMITS.unpacked {
            let what = "bytes after unpacking".into();
            return Err(over(what, totals.unpacked, LIMITS.unpacked));
        }
        if totals.unpacked > RATIO_FROM && totals.unpacked / RATIO_MAX > totals.packed {
            return Err(WheelError::Ratio { max: RATIO_MAX });
        }
        self.crc.update(bytes);
        self.hasher.update(bytes);
        if let Some(kept) = &mut self.kept {
            if self.size > kept.max {
                return Err(over(format!("bytes of {}", kept.name), self.size, kept.max));
            }
            kept.bytes.extend_from_slice(bytes);
        }
        Ok(())
    }

    pub(super) fn found(&self) -> Said {
        Said {
            crc: self.crc.sum(),
            packed: self.packed,
            size: self.size,
        }
    }
}

impl Said {
    /// Puts in the sizes that a zip64 field holds. Only fields full of ones defer to it.
    fn widen(&mut self, extra: &[u8]) -> Option<()> {
        let mut rest = extra;
        let mut wide: &[u8] = &[];
        while let Some((id, length)) = u16_at(rest, 0).zip(u16_at(rest, 2)) {
            let body = rest.get(4..4 + usize::from(length))?;
            if id == ZIP64 {
                wide = body;
            }
            rest = rest.get(4 + body.len()..)?;
        }
        for value in [&mut self.size, &mut self.packed] {
            if *value == u64::from(u32::MAX) {
                let (first, behind) = wide.split_first_chunk()?;
                *value = u64::from_le_bytes(*first);
                wide = behind;
            }
        }
        Some(())
    }

    /// What follows the descriptor in `bytes`, where it says the same: with or without signature, of 64 or 32 bits.
    pub(super) fn behind<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let narrow = |value: u64| u32::try_from(value).ok().map(u32::to_le_bytes);
        let crc = self.crc.to_le_bytes();
        let wide = [
            &crc[..],
            &self.packed.to_le_bytes(),
            &self.size.to_le_bytes(),
        ]
        .concat();
        let signed = |body: &[u8]| [DESCRIPTOR, body].concat();
        let narrow = narrow(self.packed)
            .zip(narrow(self.size))
            .map(|(packed, size)| [crc, packed, size].concat());
        let forms = [
            Some(signed(&wide)),
            narrow.as_deref().map(signed),
            Some(wide),
            narrow,
        ];
        forms
            .into_iter()
            .flatten()
            .find_map(|form| bytes.strip_prefix(&*form))
    }
}

/// Length of the header that `held` begins, as far as it tells.
pub(super) fn header_len(held: &[u8]) -> usize {
    let at = |at| usize::from(u16_at(held, at).unwrap_or_default());
    if held.len() < HEADER_LEN {
        HEADER_LEN
    } else {
        HEADER_LEN + at(26) + at(28)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u32::from_le_bytes)
}
