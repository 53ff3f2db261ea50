//! Caps on what a zip's directory may hold. How much a target takes is the target's own check.

use super::error::ZipError;

/// Caps; going over one is [`ZipError::TooLarge`], never a shortened answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most entries, folders included.
    pub entries: u64,
    /// Most bytes of the directory, which bounds the memory a scan takes.
    pub directory: u64,
    /// Longest name in bytes.
    pub name: usize,
    /// Longest part of a name between slashes, in bytes.
    pub component: usize,
    /// Most parts of a name.
    pub depth: usize,
    /// Most bytes after unpacking, as the zip says.
    pub unpacked: u64,
}

impl Limits {
    /// For function zips: 65,535 entries (what a zip without zip64 can count; a `node_modules` has tens of thousands),
    /// an 8 MiB directory, names of 1,024 bytes and 32 parts of 255 bytes each, 16 GiB unpacked (far above any target's own limit).
    pub const FUNCTION: Self = Self {
        entries: 65_535,
        directory: 8 << 20,
        name: 1024,
        component: 255,
        depth: 32,
        unpacked: 16 << 30,
    };

    pub(super) const fn check(what: &'static str, found: u64, max: u64) -> Result<(), ZipError> {
        if found > max {
            Err(ZipError::TooLarge { what, found, max })
        } else {
            Ok(())
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::FUNCTION
    }
}
