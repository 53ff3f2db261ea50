//! Where the files of a tar are: one pass over its headers. Contents are passed over, and nothing is unpacked.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek as _, SeekFrom, Take};
use std::path::Path;

/// A tar's unit, in bytes.
pub(super) const BLOCK: u64 = 512;
/// Most entries looked at.
const ENTRIES_MAX: usize = 10_000;
/// Longest name or record of an extended header, in bytes.
const EXTENDED_MAX: u64 = 64 * 1024;
/// Most links followed from one name.
const LINKS_MAX: usize = 8;

/// Why a file is no tar that can be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum TarError {
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    #[error("it is cut off")]
    CutOff,
    #[error("{0}")]
    Invalid(&'static str),
}

impl From<io::Error> for TarError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof => Self::CutOff,
            _ => Self::Read(error),
        }
    }
}

/// A file within a tar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) start: u64,
    pub(super) size: u64,
}

impl Part {
    /// Its content.
    pub(super) fn open(self, tar: &Path) -> io::Result<Take<File>> {
        let mut file = File::open(tar)?;
        file.seek(SeekFrom::Start(self.start))?;
        Ok(file.take(self.size))
    }
}

/// The files of a tar.
#[derive(Debug, Default)]
pub(super) struct Tar {
    files: BTreeMap<String, Part>,
    /// `docker save` before 25 writes a layer that two images share once, and links to it.
    links: BTreeMap<String, String>,
}

impl Tar {
    pub(super) fn scan(path: &Path) -> Result<Self, TarError> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut scan = Scan {
            file: BufReader::with_capacity(1 << 16, file),
            at: 0,
            length,
            next: Extended::default(),
        };
        let mut tar = Self::default();
        for _ in 0..ENTRIES_MAX {
            if !scan.entry(&mut tar)? {
                return Ok(tar);
            }
        }
        Err(TarError::Invalid("it has more than 10000 entries"))
    }

    /// The file called `name`, by way of links where it is one.
    pub(super) fn file(&self, name: &str) -> Option<Part> {
        let mut name = name;
        for _ in 0..LINKS_MAX {
            if let Some(part) = self.files.get(name) {
                return Some(*part);
            }
            name = self.links.get(name)?;
        }
        None
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }
}

/// What extended headers say of the entry that follows them.
#[derive(Default)]
struct Extended {
    name: Option<String>,
    link: Option<String>,
    size: Option<u64>,
}

struct Scan {
    file: BufReader<File>,
    at: u64,
    length: u64,
    next: Extended,
}

impl Scan {
    /// Takes in one entry; `false` behind the last.
    fn entry(&mut self, tar: &mut Tar) -> Result<bool, TarError> {
        let mut block = [0_u8; BLOCK as usize];
        self.file.read_exact(&mut block)?;
        self.at += BLOCK;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(false);
        }
        if checksum(&block) != octal(field(&block, 148, 8)) {
            return Err(TarError::Invalid("a header's checksum is wrong"));
        }
        let own = size(field(&block, 124, 12))
            .ok_or(TarError::Invalid("an entry's size cannot be read"))?;
        let kind = field(&block, 156, 1).first().copied().unwrap_or_default();
        if matches!(kind, b'L' | b'K' | b'x') {
            self.extended(kind, own)?;
            return Ok(true);
        }
        let said = std::mem::take(&mut self.next);
        let part = Part {
            start: self.at,
            size: said.size.unwrap_or(own),
        };
        let name = said.name.unwrap_or_else(|| name(&block));
        let name = normal(&name);
        match kind {
            b'0' | 0 | b'7' => {
                tar.files.insert(name, part);
            }
            b'1' | b'2' => {
                let link = said.link.unwrap_or_else(|| text(field(&block, 157, 100)));
                let target = if kind == b'2' {
                    beside(&name, &link)
                } else {
                    normal(&link)
                };
                tar.links.insert(name, target);
            }
            _ => {}
        }
        self.pass(part.size)?;
        Ok(true)
    }

    /// GNU's long names, and the records of POSIX.
    fn extended(&mut self, kind: u8, size: u64) -> Result<(), TarError> {
        if size > EXTENDED_MAX {
            return Err(TarError::Invalid("an extended header is too long"));
        }
        let mut content = Vec::new();
        (&mut self.file).take(size).read_to_end(&mut content)?;
        if content.len() as u64 != size {
            return Err(TarError::CutOff);
        }
        self.at += size;
        self.pad(size)?;
        match kind {
            b'L' => self.next.name = Some(text(&content)),
            b'K' => self.next.link = Some(text(&content)),
            _ => {
                for (key, value) in records(&content) {
                    match key {
                        "path" => self.next.name = Some(value.to_owned()),
                        "linkpath" => self.next.link = Some(value.to_owned()),
                        "size" => self.next.size = value.parse().ok(),
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }

    fn pass(&mut self, size: u64) -> Result<(), TarError> {
        let end = self.at.checked_add(size).ok_or(TarError::CutOff)?;
        if end > self.length {
            return Err(TarError::CutOff);
        }
        let step = i64::try_from(size).map_err(|_| TarError::CutOff)?;
        self.file.seek_relative(step)?;
        self.at = end;
        self.pad(size)
    }

    fn pad(&mut self, size: u64) -> Result<(), TarError> {
        let padding = size.next_multiple_of(BLOCK) - size;
        let step = i64::try_from(padding).map_err(|_| TarError::CutOff)?;
        self.file.seek_relative(step)?;
        self.at += padding;
        Ok(())
    }
}

/// `LENGTH KEY=VALUE\n`, again and again.
fn records(content: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = std::str::from_utf8(content).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, _) = rest.split_once(' ')?;
        let (record, after) = rest.split_at_checked(length.parse().ok()?)?;
        rest = after;
        let (_, pair) = record.split_once(' ')?;
        pair.trim_end_matches('\n').split_once('=')
    })
}

fn name(block: &[u8; BLOCK as usize]) -> String {
    let (prefix, name) = (text(field(block, 345, 155)), text(field(block, 0, 100)));
    let is_posix = field(block, 257, 6) == b"ustar\0";
    match prefix.is_empty() || !is_posix {
        true => name,
        false => format!("{prefix}/{name}"),
    }
}

fn normal(name: &str) -> String {
    name.strip_prefix("./").unwrap_or(name).to_owned()
}

/// What a symbolic link at `name` points to within the tar.
fn beside(name: &str, link: &str) -> String {
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn field(block: &[u8; BLOCK as usize], at: usize, length: usize) -> &[u8] {
    block.get(at..at + length).unwrap_or_default()
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0);
    let bytes = field.get(..end.unwrap_or(field.len())).unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = text(field);
    u64::from_str_radix(text.trim(), 8).ok()
}

/// Octal, or GNU's binary form for what octal cannot hold.
fn size(field: &[u8]) -> Option<u64> {
    match field {
        [0x80, rest @ ..] => {
            let (high, low) = rest.split_at_checked(rest.len().checked_sub(8)?)?;
            let fits = high.iter().all(|byte| *byte == 0);
            let size = u64::from_be_bytes(low.try_into().ok()?);
            // Half the range keeps every sum of sizes and padding within it.
            (fits && size < u64::MAX / 2).then_some(size)
        }
        field => octal(field),
    }
}

/// The sum of the header's bytes, its own checksum taken for spaces.
fn checksum(block: &[u8; BLOCK as usize]) -> Option<u64> {
    let sum = block.iter().enumerate().map(|(place, byte)| {
        if (148..156).contains(&place) {
            u64::from(b' ')
        } else {
            u64::from(*byte)
        }
    });
    Some(sum.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_octal_or_binary() {
        assert_eq!(size(b"00000001750\0"), Some(1000));
        let mut binary = [0_u8; 12];
        binary[0] = 0x80;
        binary[7] = 2;
        assert_eq!(size(&binary), Some(2 << 32));
        binary[1] = 1;
        assert_eq!(size(&binary), None);
        assert_eq!(size(b"-0000000001\0"), None);
    }

    fn tar(build: impl FnOnce(&mut ::tar::Builder<Vec<u8>>)) -> Vec<u8> {
        let mut tar = ::tar::Builder::new(Vec::new());
        build(&mut tar);
        tar.into_inner().unwrap()
    }

    fn scanned(bytes: &[u8]) -> Result<Tar, TarError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        Tar::scan(file.path())
    }

    fn header(size: usize) -> ::tar::Header {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(size as u64);
        header.set_mode(0o644);
        header
    }

    #[test]
    fn files_with_long_names_and_links_are_found_where_they_are() {
        let long = format!("{}/layer.tar", "d".repeat(150));
        let bytes = tar(|tar| {
            tar.append_data(&mut header(3), &long, &b"abc"[..]).unwrap();
            tar.append_pax_extensions([("path", b"pax/name".as_slice())])
                .unwrap();
            tar.append_data(&mut header(2), "short", &b"de"[..])
                .unwrap();
            let mut link = header(0);
            link.set_entry_type(::tar::EntryType::Symlink);
            tar.append_link(&mut link, "b/layer.tar", "../pax/name")
                .unwrap();
        });
        let tar = scanned(&bytes).unwrap();
        let content = |name: &str| {
            let part = tar.file(name).unwrap();
            let start = usize::try_from(part.start).unwrap();
            bytes[start..start + usize::try_from(part.size).unwrap()].to_vec()
        };
        assert_eq!(content(&long), b"abc");
        assert_eq!(content("pax/name"), b"de");
        assert_eq!(content("b/layer.tar"), b"de");
        assert_eq!(tar.file("short"), None);
    }

    #[test]
    fn links_in_a_circle_lead_nowhere() {
        let tar = Tar {
            links: BTreeMap::from([("a".into(), "b".into()), ("b".into(), "a".into())]),
            ..Tar::default()
        };
        assert_eq!(tar.file("a"), None);
        assert_eq!(beside("a/b/c", "../../../../x"), "x");
    }

    #[test]
    fn an_archive_cut_off_anywhere_is_refused() {
        let whole = tar(|tar| {
            tar.append_data(&mut header(600), "one", &[1_u8; 600][..])
                .unwrap();
            tar.append_data(&mut header(2), "two", &b"de"[..]).unwrap();
        });
        assert!(scanned(&whole).is_ok());
        // The last two blocks are the end's own marker, of which one is enough.
        for length in (0..whole.len() - 1024).step_by(97) {
            let error = scanned(&whole[..length]).unwrap_err();
            assert!(matches!(error, TarError::CutOff), "{length}: {error}");
        }
    }
}
