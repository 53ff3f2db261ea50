//! A manifest bundle: the tar of a repository's `.fractal/` folder, read strictly and written reproducibly.
//!
//! [`BundleScanner`] reads a tar in one forward pass and keeps its YAML files in memory; nothing is ever unpacked to disk.
//! Readers of tar differ in which of several names or sizes they believe, so an archive in which two of them could is
//! refused whole. [`components`], [`deployment`] and [`parameters`] find the files that the contract names; [`bundle_tar`] writes a tar.
//!
//! What the YAML means is not judged here, only that it is UTF-8.
//!
//! Taken: ustar, GNU and PAX archives as GNU tar, bsdtar, Python, Go and busybox write them, uncompressed.
//! Narrower than the formats, on purpose:
//! * Files and folders only: no links, devices, pipes, sparse files, parts of several volumes.
//! * Names are UTF-8, relative, with `/` only. A leading or inner `./` is dropped.
//! * A size in a PAX header has to repeat the size in the file's own header.
//! * Two zero blocks end the archive, and zeros only follow them.
//! * Two files whose names differ in case only are refused.
//! * YAML files named with combining accents (as macOS' older file systems store `é`) are refused: the same name has two spellings.
//! * AppleDouble files (`._name`, which tar on macOS adds) are checked and left out.

mod archive;
mod entry;
mod error;
mod header;
mod lookup;
mod path;
mod pax;
mod scan;
mod text;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use entry::EntryKind;
pub use error::BundleError;
pub use lookup::{BundleFile, components, deployment, parameters, unread};
pub use scan::BundleScanner;
pub use write::bundle_tar;

/// The YAML files of a bundle, by their path below `.fractal/`.
pub type BundleFiles = BTreeMap<Box<str>, Arc<str>>;

/// Most bytes of a bundle's tar.
pub const BUNDLE_MAX: u64 = 16 << 20;
/// Most bytes of one YAML file.
pub const YAML_MAX: u64 = 4 << 20;
/// Most entries, folders and global headers included.
const ENTRIES_MAX: u64 = 10_000;
/// Longest path in bytes.
const PATH_MAX: usize = 1024;
/// Longest part of a path between slashes, in bytes.
const COMPONENT_MAX: usize = 255;
/// Most parts of a path.
const DEPTH_MAX: usize = 32;
/// Most bytes of the PAX records of one entry. Extended attributes stand in them.
const PAX_MAX: u64 = 1 << 20;
