//! Whether bytes are a zip archive, and how large it unpacks: read from its directory, nothing is inflated.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

const END: &[u8] = b"PK\x05\x06";
const ENTRY: &[u8] = b"PK\x01\x02";
const END_LENGTH: usize = 22;
const ENTRY_LENGTH: usize = 46;
/// The end record's comment may be this long.
const COMMENT: u64 = 65_535;

/// Entries of an archive and their size unpacked, as its directory states.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Directory {
    pub(super) entries: usize,
    pub(super) unpacked: u64,
}

/// Reads the directory; `None` when the file is no zip archive that Lambda would unpack.
pub(super) fn directory(path: &Path) -> io::Result<Option<Directory>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let tail_start = size.saturating_sub(COMMENT.saturating_add(END_LENGTH as u64));
    let tail = read_at(&mut file, tail_start, size.saturating_sub(tail_start))?;
    let Some(end) = tail
        .windows(END.len())
        .rposition(|window| window == END)
        .and_then(|at| tail.get(at..))
    else {
        return Ok(None);
    };
    let (Some(count), Some(length), Some(offset)) =
        (number(end, 10, 2), number(end, 12, 4), number(end, 16, 4))
    else {
        return Ok(None);
    };
    if offset.checked_add(length).is_none_or(|after| after > size) {
        return Ok(None);
    }
    let directory = read_at(&mut file, offset, length)?;
    Ok(sum(&directory).filter(|found| found.entries as u64 == count))
}

fn sum(mut rest: &[u8]) -> Option<Directory> {
    let mut found = Directory {
        entries: 0,
        unpacked: 0,
    };
    while !rest.is_empty() {
        rest.starts_with(ENTRY).then_some(())?;
        let variable = number(rest, 28, 2)?
            .checked_add(number(rest, 30, 2)?)?
            .checked_add(number(rest, 32, 2)?)?;
        found.entries = found.entries.checked_add(1)?;
        found.unpacked = found.unpacked.checked_add(number(rest, 24, 4)?)?;
        rest = rest.get(ENTRY_LENGTH.checked_add(usize::try_from(variable).ok()?)?..)?;
    }
    Some(found)
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(length)?)?;
    Some(
        field
            .iter()
            .rev()
            .fold(0, |number, byte| (number << 8) | u64::from(*byte)),
    )
}

fn read_at(file: &mut File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Option<Directory> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, bytes).unwrap();
        directory(&path).unwrap()
    }

    #[test]
    fn rubbish_is_no_archive() {
        assert_eq!(read(b""), None);
        assert_eq!(read(b"PK\x03\x04 and no end"), None);
        assert_eq!(
            read(&[b"PK\x05\x06".as_slice(), &[0xff; 18]].concat()),
            None
        );
    }

    #[test]
    fn an_empty_archive_has_no_entries() {
        assert_eq!(
            read(&[b"PK\x05\x06".as_slice(), &[0; 18]].concat()),
            Some(Directory {
                entries: 0,
                unpacked: 0
            })
        );
    }
}
