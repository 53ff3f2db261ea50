//! A Python wheel: what it says of itself, checked against what is in it (PEP 427 and the specifications that followed it).
//!
//! [`WheelScanner`] reads a wheel in one forward pass: the zip by the strict rules of [`ZipScanner`](crate::ZipScanner), and
//! every file unpacked and hashed on the way, so that `RECORD` is verified in full before anything is handed to a cloud.
//! Only the metadata of `*.dist-info` is kept. Nothing is written to disk and no Python is run.
//!
//! Narrower than the specifications, on purpose:
//! * `RECORD` lists every file with its SHA-256, and nothing else. Installers believe it without looking.
//! * The file's name, the `*.dist-info` folder, `METADATA` and `WHEEL` name one distribution, version and set of tags.
//! * One of the tags runs on CPython 3 on Linux, on x86-64 or AArch64: a Spark cluster is nothing else.

mod entry_points;
mod error;
mod fields;
mod file;
mod inflate;
mod name;
mod record;
mod scan;
mod tags;
mod version;
mod walk;

pub use error::{WheelError, WheelNameError};
pub use name::WheelName;
pub use scan::WheelScanner;

use crate::zip::Limits;

/// Caps on a wheel: a zip's, and 4 GiB unpacked.
const LIMITS: Limits = Limits {
    unpacked: 4 << 30,
    ..Limits::FUNCTION
};
/// Most unpacked bytes for each packed one, once [`RATIO_FROM`] were unpacked.
const RATIO_MAX: u64 = 100;
/// Unpacked bytes from which on the ratio counts: a table of zeros in a small wheel is no bomb.
const RATIO_FROM: u64 = 64 << 20;
