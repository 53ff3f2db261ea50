//! The directory of a deployment zip, read strictly: what two zip readers could understand differently is refused.
//!
//! A zip says everything twice, once before each file and once in the directory at its end, and readers differ in which one
//! they believe. [`ZipScanner`] reads both in one forward pass and takes a zip only where they agree: files lie back to back
//! from the first byte on, each is listed exactly once, the directory follows, and nothing follows its end record.
//! [`read_directory`] reads the directory alone, for callers that can seek.
//!
//! Nothing is decompressed: sizes after unpacking and checksums are the zip's own word, which the target checks again.
//!
//! Narrower than the format, on purpose:
//! * Stored and deflated files only; no encryption, no parts. That is what AWS Lambda unpacks.
//! * No symbolic links (`zip -y`, pnpm's default layout). Lambda keeps them, Azure's run-from-package does not
//!   (<https://github.com/pnpm/pnpm/issues/2198>), and one artifact has to mean the same on every target.
//! * Nothing before the first file: no self-extracting stub, no `#!` line.
//! * Names are UTF-8, relative, with `/` only. Leading and inner `./` is dropped.
//! * Two files whose names differ in case only are refused. Different Unicode normal forms are different names.

mod archive;
mod descriptor;
mod directory;
mod entry;
mod error;
mod extra;
mod fields;
mod keep;
mod limits;
mod name;
mod record;
mod scan;
mod tail;

pub use directory::{ZipDirectory, ZipEntry, zip_facts};
pub use error::{Mode, ZipError};
pub use keep::{FILE_MAX as KEPT_FILE_MAX, KeptFile};
pub use limits::Limits;
pub use scan::ZipScanner;
pub use tail::{DirectoryRead, read_directory};
