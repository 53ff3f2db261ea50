//! Why a zip is refused, and what a publisher does about it.

use std::fmt;

use fractal_core::fault::chain;
use fractal_core::{Fault, Reason};

/// The bytes are no complete, well-formed zip.
const ZIP_INVALID: Reason = Reason::new("ZipInvalid");
/// A zip that uses what a function zip may not.
const ZIP_UNSUPPORTED: Reason = Reason::new("ZipUnsupported");
/// A zip that two readers can understand differently.
const ZIP_AMBIGUOUS: Reason = Reason::new("ZipAmbiguous");
/// A zip over a cap of this reader.
const ZIP_TOO_LARGE: Reason = Reason::new("ZipTooLarge");

/// What an entry is, by its Unix mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A symbolic link.
    Link,
    /// A device, socket or pipe.
    Special,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Link => "symbolic link",
            Self::Special => "device, socket or pipe",
        })
    }
}

/// Why a zip is refused. Names from the zip are escaped and cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ZipError {
    /// It does not begin like a zip.
    #[error("the layer is no zip, it begins with bytes {magic}")]
    NotZip {
        /// The first four bytes, in hex.
        magic: String,
    },
    /// A zip without files.
    #[error("the zip is empty")]
    Empty,
    /// It ends within a record or a file.
    #[error("the zip is cut off at byte {offset}")]
    Truncated {
        /// Bytes there are.
        offset: u64,
    },
    /// A record that the format does not allow.
    #[error("the zip is malformed at byte {offset}: {what}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Where the record begins.
        offset: u64,
    },
    /// Two readers could understand the structure differently.
    #[error("the zip is ambiguous at byte {offset}: {what}")]
    Ambiguous {
        /// What can be read two ways.
        what: &'static str,
        /// Where.
        offset: u64,
    },
    /// The header before a file and the directory say different things.
    #[error("the zip is ambiguous: the directory and the header of `{name}` differ in {what}")]
    Mismatch {
        /// The file.
        name: String,
        /// The field.
        what: &'static str,
    },
    /// Two files of one name.
    #[error(
        "the zip is ambiguous: `{first}` and `{second}` are one and the same path on some file systems"
    )]
    Duplicate {
        /// One name.
        first: String,
        /// The other.
        second: String,
    },
    /// A name that is no plain relative path.
    #[error("the zip has an entry `{name}`, which {problem}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A file is encrypted.
    #[error("the zip's `{name}` is encrypted")]
    Encrypted {
        /// The file.
        name: String,
    },
    /// A compression method no target unpacks.
    #[error("the zip's `{name}` is compressed with method {method}")]
    Method {
        /// The file.
        name: String,
        /// The method's number in the zip specification.
        method: u16,
    },
    /// A link, device, socket or pipe.
    #[error("the zip's `{name}` is a {mode}")]
    File {
        /// The entry.
        name: String,
        /// What it is.
        mode: Mode,
    },
    /// One part of a zip in several parts.
    #[error("the zip is one part of several")]
    Split,
    /// A part of the format that this reader refuses.
    #[error("the zip has {what} at byte {offset}")]
    Feature {
        /// What it has.
        what: &'static str,
        /// Where.
        offset: u64,
    },
    /// Over a cap.
    #[error("the zip has {found} {what}, at most {max} are taken")]
    TooLarge {
        /// What is counted.
        what: &'static str,
        /// How many it has, or how many were seen when reading stopped.
        found: u64,
        /// How many are taken.
        max: u64,
    },
}

impl ZipError {
    fn reason(&self) -> Reason {
        match self {
            Self::NotZip { .. } | Self::Empty | Self::Truncated { .. } | Self::Malformed { .. } => {
                ZIP_INVALID
            }
            Self::Ambiguous { .. } | Self::Mismatch { .. } | Self::Duplicate { .. } => {
                ZIP_AMBIGUOUS
            }
            Self::TooLarge { .. } => ZIP_TOO_LARGE,
            Self::Name { .. }
            | Self::Encrypted { .. }
            | Self::Method { .. }
            | Self::File { .. }
            | Self::Split
            | Self::Feature { .. } => ZIP_UNSUPPORTED,
        }
    }

    const fn next(&self) -> &'static str {
        match self {
            Self::NotZip { .. } => "publish the deployment zip itself as the artifact's only layer",
            Self::Empty => "put the function's files into the zip and publish it again",
            Self::Truncated { .. } | Self::Malformed { .. } => {
                "make the zip again (`unzip -t` checks it) and publish it"
            }
            Self::Ambiguous { .. } | Self::Mismatch { .. } => {
                "make the zip again in one go, without appending to it or deleting from it, and publish it"
            }
            Self::Duplicate { .. } => "rename one of the two and publish the zip again",
            Self::Name { .. } => {
                "zip from within the folder, so that names are relative with forward slashes, and publish it again"
            }
            Self::Encrypted { .. } => "make the zip without a password and publish it again",
            Self::Method { .. } => {
                "compress with deflate (the default of `zip`) and publish it again"
            }
            Self::File { .. } => {
                "pack what links point to (`zip -r` without `-y`; pnpm: `node-linker=hoisted`) and publish it again"
            }
            Self::Split | Self::Feature { .. } => {
                "make the zip as one plain file and publish it again"
            }
            Self::TooLarge { .. } => {
                "leave out what the function does not need, or publish a container image"
            }
        }
    }
}

impl From<ZipError> for Fault {
    fn from(error: ZipError) -> Self {
        Self::terminal(error.reason(), "the function zip is refused")
            .at("the artifact's layer")
            .because(chain(&error))
            .next(error.next())
    }
}
