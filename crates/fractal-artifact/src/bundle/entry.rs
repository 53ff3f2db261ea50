//! What an entry of a tar is, by its type flag (POSIX pax, and the letters GNU and others added).

use std::fmt;

/// An entry that a bundle may not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryKind {
    /// A symbolic link.
    SymbolicLink,
    /// A hard link.
    HardLink,
    /// A character or block device.
    Device,
    /// A named pipe.
    Pipe,
    /// A file with holes.
    Sparse,
    /// A part or the label of an archive in several volumes.
    Volume,
    /// Anything else, by its type flag.
    Other(u8),
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SymbolicLink => "a symbolic link",
            Self::HardLink => "a hard link",
            Self::Device => "a device",
            Self::Pipe => "a named pipe",
            Self::Sparse => "a sparse file",
            Self::Volume => "a part of an archive in several volumes",
            Self::Other(flag) => {
                return write!(f, "an entry of type `{}`", flag.escape_ascii());
            }
        })
    }
}

/// What a header announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    File,
    Folder,
    /// The next entry's path, as GNU tar writes long ones.
    LongName,
    /// The next entry's link target.
    LongLink,
    /// PAX records for the next entry.
    Pax,
    /// PAX records for all entries that follow.
    Global,
    Refused(EntryKind),
}

impl Flag {
    pub(super) const fn of(flag: u8) -> Self {
        match flag {
            b'0' | 0 => Self::File,
            b'5' => Self::Folder,
            b'L' => Self::LongName,
            b'K' => Self::LongLink,
            b'x' => Self::Pax,
            b'g' => Self::Global,
            b'1' => Self::Refused(EntryKind::HardLink),
            b'2' => Self::Refused(EntryKind::SymbolicLink),
            b'3' | b'4' => Self::Refused(EntryKind::Device),
            b'6' => Self::Refused(EntryKind::Pipe),
            b'S' => Self::Refused(EntryKind::Sparse),
            b'M' | b'V' => Self::Refused(EntryKind::Volume),
            other => Self::Refused(EntryKind::Other(other)),
        }
    }
}
