//! One file as a header describes it, checked: the same rules for the header before the file and for the directory's entry.

use super::error::{Mode, ZipError};
use super::extra::Extra;
use super::limits::Limits;
use super::name;
use super::record::{Central, Local, Shared};

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Deflate spends at least two bits on at most 258 bytes.
const DEFLATE_RATIO_MAX: u64 = 1032;

const TYPE_MASK: u16 = 0o170_000;
const REGULAR: u16 = 0o100_000;
const FOLDER: u16 = 0o040_000;
const LINK: u16 = 0o120_000;

/// A checked header.
#[derive(Debug)]
pub(super) struct Header<'a> {
    pub(super) name: &'a str,
    pub(super) shared: Shared,
    /// Where the file's own header begins.
    pub(super) offset: u64,
    /// The Unix mode, where the writer put one there.
    pub(super) mode: Option<u16>,
}

impl<'a> Header<'a> {
    /// Reads the header before a file, at byte `at`.
    pub(super) fn local(record: &'a [u8], at: u64, limits: &Limits) -> Result<Self, ZipError> {
        let Local {
            mut shared,
            name,
            extra,
        } = Local::read(record).ok_or(ZipError::Truncated { offset: at })?;
        let name = plain(name, shared, limits)?;
        let extra = Extra::read(extra, at)?;
        one_name(&extra, name, at)?;
        extra.widen(&mut shared, None, at)?;
        if !shared.streamed() {
            possible(name, shared, at)?;
        }
        Ok(Self {
            name,
            shared,
            offset: at,
            mode: None,
        })
    }

    /// Reads the directory's entry at byte `at`.
    pub(super) fn central(record: &'a [u8], at: u64, limits: &Limits) -> Result<Self, ZipError> {
        let Central {
            mut shared,
            disk,
            mode,
            mut offset,
            name,
            extra,
        } = Central::read(record).ok_or(ZipError::Truncated { offset: at })?;
        if disk != 0 {
            return Err(ZipError::Split);
        }
        let name = plain(name, shared, limits)?;
        let extra = Extra::read(extra, at)?;
        one_name(&extra, name, at)?;
        extra.widen(&mut shared, Some(&mut offset), at)?;
        possible(name, shared, at)?;
        regular(name, mode, at)?;
        Ok(Self {
            name,
            shared,
            offset,
            mode: (mode != 0).then_some(mode),
        })
    }
}

fn plain<'a>(name: &'a [u8], shared: Shared, limits: &Limits) -> Result<&'a str, ZipError> {
    if shared.encrypted() {
        return Err(ZipError::Encrypted {
            name: name::shown(name),
        });
    }
    if shared.patch() || !matches!(shared.method, STORED | DEFLATED) {
        return Err(ZipError::Method {
            name: name::shown(name),
            method: shared.method,
        });
    }
    name::check(name, limits)
}

fn one_name(extra: &Extra<'_>, name: &str, at: u64) -> Result<(), ZipError> {
    if extra.keeps_name(name.as_bytes()) {
        return Ok(());
    }
    Err(ZipError::Ambiguous {
        what: "a Unicode path field gives a file a second name",
        offset: at,
    })
}

/// Sizes that the method and the name allow.
fn possible(name: &str, shared: Shared, at: u64) -> Result<(), ZipError> {
    let fits = match shared.method {
        STORED => shared.size == shared.compressed,
        _ => shared.size <= shared.compressed.saturating_mul(DEFLATE_RATIO_MAX),
    };
    if !fits {
        return Err(ZipError::Malformed {
            what: "the sizes of a file are impossible with its method",
            offset: at,
        });
    }
    if name.ends_with('/') && shared.size != 0 {
        return Err(ZipError::Ambiguous {
            what: "a folder has content",
            offset: at,
        });
    }
    Ok(())
}

/// Writers put the Unix mode there whatever system they claim to run on, and some readers believe it.
fn regular(name: &str, mode: u16, at: u64) -> Result<(), ZipError> {
    let file = |mode| {
        Err(ZipError::File {
            name: name::shown(name.as_bytes()),
            mode,
        })
    };
    match mode & TYPE_MASK {
        FOLDER if !name.ends_with('/') => Err(ZipError::Ambiguous {
            what: "an entry is a folder by its mode and a file by its name",
            offset: at,
        }),
        0 | REGULAR | FOLDER => Ok(()),
        LINK => file(Mode::Link),
        _ => file(Mode::Special),
    }
}
