//! A wheel's files one after the other, unpacked, hashed and held against their own headers.
//!
//! Runs beside the zip scanner, behind it: each byte was judged by the scanner before it comes here, so what a header may say
//! is settled. Where files end is found out a second time, by unpacking, and compared with the directory at the end.

use std::collections::BTreeMap;

use super::error::WheelError;
use super::file::{File, HEADER_LEN, Kept, Totals, Unpacked, header_len};
use super::inflate::Inflate;
use super::scan::shown;
use crate::zip::ZipDirectory;

const LOCAL: &[u8; 4] = b"PK\x03\x04";
/// Longest descriptor in bytes. More than that always follows: the directory and its end.
const DESCRIPTOR_MAX: usize = 24;

/// The metadata that is kept, with the most bytes of each.
const KEPT: [(&str, u64); 4] = [
    ("METADATA", 1 << 20),
    ("WHEEL", 64 << 10),
    ("RECORD", 16 << 20),
    ("entry_points.txt", 256 << 10),
];
const DIST_INFO: &str = ".dist-info";

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
        if file.is_endless() {
            let what = "it is stored with its size behind it, so that its end cannot be told";
            return Err(file.damaged(what));
        }
        file.kept = self.keeps(&file.name)?;
        self.inflate.reset();
        if file.is_empty() {
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
        let progress = file.advance(bytes, inflate, totals)?;
        let descriptor = file.said.is_none();
        if progress.ended {
            self.whole(descriptor)?;
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
        let behind = found
            .behind(held)
            .ok_or_else(|| file.damaged("what stands behind it says something else of it"))?;
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

    fn list(&mut self, mut file: File) -> Result<(), WheelError> {
        let kept = file.kept.take();
        let unpacked = file.finish()?;
        if unpacked.name.ends_with('/') {
            return Ok(());
        }
        if let Some(kept) = kept {
            self.kept.insert(kept.name, kept.bytes);
        }
        self.files.push(unpacked);
        Ok(())
    }
}
