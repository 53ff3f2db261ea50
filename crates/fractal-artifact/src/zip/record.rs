//! The records of a zip as they stand in the bytes (PKWARE APPNOTE 4.3). What they mean together is the scanner's.

use super::error::ZipError;
use super::fields::Fields;

pub(super) const LOCAL: [u8; 4] = *b"PK\x03\x04";
pub(super) const CENTRAL: [u8; 4] = *b"PK\x01\x02";
pub(super) const END: [u8; 4] = *b"PK\x05\x06";
pub(super) const END64: [u8; 4] = *b"PK\x06\x06";
pub(super) const LOCATOR: [u8; 4] = *b"PK\x06\x07";
pub(super) const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";
const PADDED_SPLIT: [u8; 4] = *b"PK00";
const EXTRA_DATA: [u8; 4] = *b"PK\x06\x08";
const SIGNATURE: [u8; 4] = *b"PK\x05\x05";

/// Length of the end record without its comment.
pub(super) const END_LEN: usize = 22;
/// Length of the zip64 locator.
pub(super) const LOCATOR_LEN: usize = 20;
/// Length of the zip64 end record of version 1.
pub(super) const END64_LEN: usize = 56;

/// What a record is, by its first four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Local,
    Central,
    End64,
    Locator,
    End,
}

impl Kind {
    pub(super) fn of(signature: [u8; 4], offset: u64) -> Result<Self, ZipError> {
        match signature {
            LOCAL => Ok(Self::Local),
            CENTRAL => Ok(Self::Central),
            END64 => Ok(Self::End64),
            LOCATOR => Ok(Self::Locator),
            END => Ok(Self::End),
            DESCRIPTOR | PADDED_SPLIT if offset == 0 => Err(ZipError::Split),
            EXTRA_DATA => Err(ZipError::Feature {
                what: "an archive extra data record",
                offset,
            }),
            SIGNATURE => Err(ZipError::Feature {
                what: "a digital signature",
                offset,
            }),
            [a, b, c, d] if offset == 0 => Err(ZipError::NotZip {
                magic: format!("{a:02x} {b:02x} {c:02x} {d:02x}"),
            }),
            _ => Err(ZipError::Ambiguous {
                what: "no record begins where the one before ends",
                offset,
            }),
        }
    }

    /// Length of the record that `held` begins, as far as `held` tells: ask again once that much is there.
    pub(super) fn len(self, held: &[u8]) -> usize {
        let (fixed, variable): (usize, &[usize]) = match self {
            Self::Local => (30, &[26, 28]),
            Self::Central => (46, &[28, 30, 32]),
            Self::End => (END_LEN, &[20]),
            Self::End64 => (END64_LEN, &[]),
            Self::Locator => (LOCATOR_LEN, &[]),
        };
        let at = |offset: usize| {
            held.get(offset..)
                .map_or(0, |rest| Fields::new(rest).u16().map_or(0, usize::from))
        };
        if held.len() < fixed {
            fixed
        } else {
            fixed + variable.iter().map(|offset| at(*offset)).sum::<usize>()
        }
    }
}

/// The fields that header and directory share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shared {
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) crc: u32,
    pub(super) compressed: u64,
    pub(super) size: u64,
}

impl Shared {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let flags = fields.u16()?;
        let method = fields.u16()?;
        fields.skip(4)?;
        Some(Self {
            flags,
            method,
            crc: fields.u32()?,
            compressed: fields.u32()?.into(),
            size: fields.u32()?.into(),
        })
    }

    /// Whether sizes and checksum stand behind the file instead of before it (bit 3).
    pub(super) const fn streamed(self) -> bool {
        self.flags & (1 << 3) != 0
    }

    /// Whether the file or its headers are encrypted (bits 0, 6 and 13).
    pub(super) const fn encrypted(self) -> bool {
        self.flags & (1 | 1 << 6 | 1 << 13) != 0
    }

    /// Whether the file is a patch to another one (bit 5).
    pub(super) const fn patch(self) -> bool {
        self.flags & (1 << 5) != 0
    }
}

/// The header before a file.
#[derive(Debug)]
pub(super) struct Local<'a> {
    pub(super) shared: Shared,
    pub(super) name: &'a [u8],
    pub(super) extra: &'a [u8],
}

impl<'a> Local<'a> {
    pub(super) fn read(record: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::new(record);
        fields.skip(6)?;
        let shared = Shared::read(&mut fields)?;
        let (name, extra) = (fields.u16()?, fields.u16()?);
        Some(Self {
            shared,
            name: fields.bytes(name)?,
            extra: fields.bytes(extra)?,
        })
    }
}

/// An entry of the directory.
#[derive(Debug)]
pub(super) struct Central<'a> {
    pub(super) shared: Shared,
    pub(super) disk: u16,
    pub(super) mode: u16,
    pub(super) offset: u64,
    pub(super) name: &'a [u8],
    pub(super) extra: &'a [u8],
}

impl<'a> Central<'a> {
    pub(super) fn read(record: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::new(record);
        fields.skip(8)?;
        let shared = Shared::read(&mut fields)?;
        let (name, extra) = (fields.u16()?, fields.u16()?);
        fields.skip(2)?;
        let disk = fields.u16()?;
        fields.skip(4)?;
        let mode = fields.u16()?;
        let offset = fields.u32()?.into();
        Some(Self {
            shared,
            disk,
            mode,
            offset,
            name: fields.bytes(name)?,
            extra: fields.bytes(extra)?,
        })
    }
}

/// Where the directory is: from an end record, its zip64 form, or both together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    pub(super) entries: u64,
    pub(super) size: u64,
    pub(super) offset: u64,
}

impl End {
    /// Reads an end record; `None` where it is too short.
    pub(super) fn read(record: &[u8], at: u64) -> Option<Result<Self, ZipError>> {
        let mut fields = Fields::new(record);
        fields.skip(4)?;
        let disks = [fields.u16()?, fields.u16()?];
        let (here, all) = (fields.u16()?, fields.u16()?);
        let end = Self {
            entries: all.into(),
            size: fields.u32()?.into(),
            offset: fields.u32()?.into(),
        };
        Some(if disks.iter().any(|disk| !matches!(*disk, 0 | u16::MAX)) {
            Err(ZipError::Split)
        } else if here == all {
            Ok(end)
        } else {
            Err(ZipError::Malformed {
                what: "the end record has two numbers of entries",
                offset: at,
            })
        })
    }

    /// Reads a zip64 end record.
    pub(super) fn read64(record: &[u8], at: u64) -> Option<Result<Self, ZipError>> {
        let mut fields = Fields::new(record);
        fields.skip(4)?;
        let length = fields.u64()?;
        fields.skip(4)?;
        let disks = [fields.u32()?, fields.u32()?];
        let (here, all) = (fields.u64()?, fields.u64()?);
        let end = Self {
            entries: all,
            size: fields.u64()?,
            offset: fields.u64()?,
        };
        Some(if length != 44 {
            Err(ZipError::Feature {
                what: "a zip64 end record of another version than 1",
                offset: at,
            })
        } else if disks != [0, 0] {
            Err(ZipError::Split)
        } else if here == all {
            Ok(end)
        } else {
            Err(ZipError::Malformed {
                what: "the zip64 end record has two numbers of entries",
                offset: at,
            })
        })
    }

    /// Whether `self`, of 16 and 32 bits, says what `wide` says: each field does, or defers to it by being full of ones.
    pub(super) const fn agrees(self, wide: Self) -> bool {
        (self.entries == wide.entries || self.entries == u16::MAX as u64)
            && (self.size == wide.size || self.size == u32::MAX as u64)
            && (self.offset == wide.offset || self.offset == u32::MAX as u64)
    }
}

/// Reads a zip64 locator: where the zip64 end record begins.
pub(super) fn locator(record: &[u8]) -> Option<Result<u64, ZipError>> {
    let mut fields = Fields::new(record);
    fields.skip(4)?;
    let disk = fields.u32()?;
    let offset = fields.u64()?;
    // Some writers count no disks at all.
    Some(if disk == 0 && fields.u32()? <= 1 {
        Ok(offset)
    } else {
        Err(ZipError::Split)
    })
}
