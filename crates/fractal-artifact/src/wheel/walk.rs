//! A wheel's files one after the other, unpacked, hashed and held against their own headers.
//!
//! Runs beside the zip scanner, behind it: each byte was judged by the scanner before it comes here, so what a header may say
//! is settled. Where files end is found out a second time, by unpacking, and compared with the directory at the end.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Crc;
use fractal_core::artifact::Hasher;
use fractal_core::artifact::digest::Algorithm;

use super::error::WheelError;
use super::inflate::{Inflate, Progress};
use super::scan::shown;
use super::{LIMITS, RATIO_FROM, RATIO_MAX};
use crate::zip::ZipDirectory;

const LOCAL: &[u8; 4] = b"PK\x03\x04";
const DESCRIPTOR: &[u8; 4] = b"PK\x07\x08";
/// Bytes of a header before its name.
const HEADER_LEN: usize = 30;
/// Longest descriptor in bytes. More than that always follows: the directory and its end.
const DESCRIPTOR_MAX: usize = 24;
const STORED: u16 = 0;
const ZIP64: u16 = 1;

/// The metadata that is kept, with the most bytes of each.
const KEPT: [(&str, u64); 4] = [
    ("METADATA", 1 << 20),
    ("WHEEL", 64 << 10),
    ("RECORD", 16 << 20),
    ("entry_points.txt", 256 << 10),
];
const DIST_INFO: &str = ".dist-info";

/// One file, as it unpacked.
#[derive(Debug)]
pub(super) struct Unpacked {
    pub(super) name: Box<str>,
    pub(super) packed: u64,
    pub(super) size: u64,
    /// Its SHA-256 as `RECORD` writes it: base64 for URLs, without padding.
    pub(super) hash: Box<str>,
}

/// What was unpacked so far.
#[derive(Debug)]
pub(super) struct Walk {
    state: State,
    inflate: Inflate,
    files: Vec<Unpacked>,
    /// The one `*.dist-info` folder.
    folder: Option<Box<str>>,
    kept: BTreeMap<&'static str, Vec<u8>>,
    totals: Totals,
}

/// All that a wheel's files gave.
#[derive(Debug)]
pub(super) struct Contents {
    /// Sorted by name.
    pub(super) files: Vec<Unpacked>,
    pub(super) folder: Option<Box<str>>,
    pub(super) kept: BTreeMap<&'static str, Vec<u8>>,
}

#[derive(Debug)]
enum State {
    /// Within a header, or between two.
    Header(Vec<u8>),
    /// Within a file.
    File(Box<File>),
    /// Within the descriptor behind a file.
    Descriptor(Box<File>, Vec<u8>),
    /// At the directory or behind it.
    Directory,
}

#[derive(Debug, Default)]
struct Totals {
    packed: u64,
    unpacked: u64,
}

/// The file at hand.
#[derive(Debug)]
struct File {
    name: Box<str>,
    stored: bool,
    /// What its header says, where that is not said behind it.
    said: Option<Said>,
    packed: u64,
    size: u64,
    crc: Crc,
    hasher: Hasher,
    kept: Option<Kept>,
}

/// A file of the metadata as it comes.
#[derive(Debug)]
struct Kept {
    name: &'static str,
    max: u64,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Said {
    crc: u32,
    packed: u64,
    size: u64,
}

impl Walk {
    pub(super) fn new() -> Self {
        Self {
            state: State::Header(Vec::new()),
            inflate: Inflate::new(),
            files: Vec::new(),
            folder: None,
            kept: BTreeMap::new(),
            totals: Totals::default(),
        }
    }

    /// Takes the next bytes, which the zip scanner took before.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), WheelError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let consumed = match &mut self.state {
                State::Header(_) => self.header(rest)?,
                State::File(_) => self.file(rest)?,
                State::Descriptor(..) => self.descriptor(rest)?,
                State::Directory => return Ok(()),
            };
            rest = rest.get(consumed..).unwrap_or_default();
        }
        Ok(())
    }

    /// What was unpacked, where the directory lists the same.
    pub(super) fn finish(mut self, directory: &ZipDirectory) -> Result<Contents, WheelError> {
        self.files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let listed = directory.files();
        let differs = self.files.iter().zip(listed).find(|(file, entry)| {
            *file.name != *entry.name()
                || file.size != entry.size()
                || file.packed != entry.compressed()
        });
        let name = match differs {
            None if self.files.len() == listed.len() => {
                return Ok(Contents {
                    files: self.files,
                    folder: self.folder,
                    kept: self.kept,
                });
            }
            None => String::new(),
            Some((file, _)) => shown(&file.name),
        };
        Err(WheelError::Damaged {
            name,
            what: "the directory says something else than what stands in its place",
        })
    }

    fn header(&mut self, bytes: &[u8]) -> Result<usize, WheelError> {
        let State::Header(held) = &mut self.state else {
            return Ok(0);
        };
        if held.len() >= LOCAL.len() && !held.starts_with(LOCAL) {
            self.state = State::Directory;
            return Ok(0);
        }
        let want = if held.len() < LOCAL.len() {
            LOCAL.len()
        } else {
            header_len(held)
        };
        let (now, _) = bytes.split_at(bytes.len().min(want.saturating_sub(held.len())));
        held.extend_from_slice(now);
        if held.len() >= HEADER_LEN && held.len() >= header_len(held) {
            let header = std::mem::take(held);
            self.begin(&header)?;
        }
        Ok(now.len())
    }

    fn begin(&mut self, header: &[u8]) -> Result<(), WheelError> {
        let mut file = File::new(header).ok_or_else(|| WheelError::Damaged {
            name: String::new(),
            what: "its header cannot be read",
        })?;
        if file.stored && file.said.is_none() {
            return Err(WheelError::Damaged {
                name: shown(&file.name),
                what: "it is stored with its size behind it, so that its end cannot be told",
            });
        }
        file.kept = self.keeps(&file.name)?;
        self.inflate.reset();
        let empty = Said {
            crc: 0,
            packed: 0,
            size: 0,
        };
        if file.said == Some(empty) {
            return self.end(file);
        }
        self.state = State::File(Box::new(file));
        Ok(())
    }

    /// Which of the metadata `name` is. A second `*.dist-info` folder is refused: installers take one or the other.
    fn keeps(&mut self, name: &str) -> Result<Option<Kept>, WheelError> {
        let Some((folder, rest)) = name.split_once('/') else {
            return Ok(None);
        };
        if !folder.ends_with(DIST_INFO) {
            return Ok(None);
        }
        let first = self.folder.get_or_insert_with(|| folder.into());
        if **first != *folder {
            return Err(WheelError::DistInfo {
                found: format!("`{}` and `{}`", shown(first), shown(folder)),
            });
        }
        let kept = KEPT.into_iter().find(|(kept, _)| *kept == rest);
        Ok(kept.map(|(name, max)| Kept {
            name,
            max,
            bytes: Vec::new(),
        }))
    }

    fn file(&mut self, bytes: &[u8]) -> Result<usize, WheelError> {
        let Self {
            state: State::File(file),
            inflate,
            totals,
            ..
        } = self
        else {
            return Ok(0);
        };
        let left = file.said.map_or(u64::MAX, |said| said.packed - file.packed);
        let (now, _) = bytes.split_at(bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
        let name = shown(&file.name);
        let damaged = |what| WheelError::Damaged {
            name: name.clone(),
            what,
        };
        let before = totals.packed;
        totals.packed += now.len() as u64;
        let progress = if file.stored {
            file.take(now, totals)?;
            Progress {
                consumed: now.len(),
                ended: now.len() as u64 == left,
            }
        } else {
            inflate
                .push(now, |piece| file.take(piece, totals))?
                .ok_or_else(|| damaged("its compressed data is malformed"))?
        };
        if progress.consumed == 0 && !progress.ended && !now.is_empty() {
            return Err(damaged("its compressed data is malformed"));
        }
        totals.packed = before + progress.consumed as u64;
        file.packed += progress.consumed as u64;
        let used_up = file.said.is_some_and(|said| file.packed == said.packed);
        match (progress.ended, file.said) {
            (true, Some(_)) if !used_up => {
                return Err(damaged("its compressed data ends before it does"));
            }
            (false, Some(_)) if used_up => {
                return Err(damaged("its compressed data does not end"));
            }
            (false, _) => {}
            (true, said) => self.whole(said.is_none())?,
        }
        Ok(progress.consumed)
    }

    /// Behind a file's last byte.
    fn whole(&mut self, descriptor: bool) -> Result<(), WheelError> {
        let header = State::Header(Vec::new());
        match std::mem::replace(&mut self.state, header) {
            State::File(file) if descriptor => {
                self.state = State::Descriptor(file, Vec::new());
                Ok(())
            }
            State::File(file) => self.end(*file),
            _ => Ok(()),
        }
    }

    fn descriptor(&mut self, bytes: &[u8]) -> Result<usize, WheelError> {
        let State::Descriptor(file, held) = &mut self.state else {
            return Ok(0);
        };
        let want = DESCRIPTOR_MAX.saturating_sub(held.len());
        let (now, _) = bytes.split_at(bytes.len().min(want));
        held.extend_from_slice(now);
        if held.len() < DESCRIPTOR_MAX {
            return Ok(now.len());
        }
        let found = file.found();
        let behind = found.behind(held).ok_or_else(|| WheelError::Damaged {
            name: shown(&file.name),
            what: "what stands behind it says something else of it",
        })?;
        file.said = Some(found);
        let behind = State::Header(behind.to_vec());
        if let State::Descriptor(file, _) = std::mem::replace(&mut self.state, behind) {
            self.list(*file)?;
        }
        Ok(now.len())
    }

    fn end(&mut self, file: File) -> Result<(), WheelError> {
        self.state = State::Header(Vec::new());
        self.list(file)
    }

    fn list(&mut self, file: File) -> Result<(), WheelError> {
        if file.said.is_some_and(|said| said != file.found()) {
            return Err(WheelError::Damaged {
                name: shown(&file.name),
                what: "its size or checksum is not what its header says",
            });
        }
        if file.name.ends_with('/') {
            return Ok(());
        }
        if let Some(kept) = file.kept {
            self.kept.insert(kept.name, kept.bytes);
        }
        self.files.push(Unpacked {
            name: file.name,
            packed: file.packed,
            size: file.size,
            hash: URL_SAFE_NO_PAD
                .encode(file.hasher.finish().to_bytes())
                .into(),
        });
        Ok(())
    }
}

impl File {
    /// Reads a header whose names and sizes the zip scanner has checked.
    fn new(header: &[u8]) -> Option<Self> {
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

    fn found(&self) -> Said {
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
    fn behind<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
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
fn header_len(held: &[u8]) -> usize {
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
