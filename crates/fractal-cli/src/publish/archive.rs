//! Image archives as `docker save` and `podman save --format oci-archive` write them: a tar of an OCI layout.
//!
//! Only the layout's own files are taken out, by names that are checked; anything else in the tar is passed over.
//! Their digests are verified when they are read. Docker before 25 wrote another form, which is refused with the way out.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use fractal_core::artifact::Digest;
use fractal_core::{Fault, Reason};

use crate::error::CliError;

const ARCHIVE_INVALID: Reason = Reason::new("ArchiveInvalid");
/// A tar's unit, in bytes.
const BLOCK: usize = 512;
/// Most entries looked at.
const ENTRIES_MAX: usize = 10_000;

/// A layout in a temporary folder, which goes with this value.
#[derive(Debug)]
pub(super) struct Unpacked(PathBuf);

impl Unpacked {
    fn new() -> io::Result<Self> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let nanos = since.unwrap_or_default().as_nanos();
        let name = format!("fractal-{}-{nanos:x}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        make_private(&folder)?;
        Ok(Self(folder))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0
    }
}

/// Makes a folder that must not be there yet, for this user alone: images may hold what others are not to read.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        // What is left then is in the system's folder for such leavings.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Whether the file at `path` begins like a tar of the POSIX form.
pub(super) fn is_tar(path: &Path) -> Result<bool, CliError> {
    let mut block = Vec::new();
    let file = File::open(path).map_err(|error| CliError::file(path, error))?;
    file.take(BLOCK as u64)
        .read_to_end(&mut block)
        .map_err(|error| CliError::file(path, error))?;
    Ok(block.get(257..262) == Some(b"ustar"))
}

/// Takes the layout out of the archive at `path`.
pub(super) async fn unpack(path: &Path) -> Result<Unpacked, CliError> {
    let owned = path.to_owned();
    let unpacking = tokio::task::spawn_blocking(move || take_out(&owned)).await;
    unpacking.map_err(|error| {
        Fault::transient(Reason::new("ResourceLocal"), "unpacking was interrupted").because(error)
    })?
}

fn take_out(path: &Path) -> Result<Unpacked, CliError> {
    let file = File::open(path).map_err(|error| CliError::file(path, error))?;
    let unpacked = Unpacked::new().map_err(|error| CliError::file(&std::env::temp_dir(), error))?;
    let mut archive = Archive {
        tar: io::BufReader::with_capacity(1 << 18, file),
        path,
    };
    let (mut marker, mut bundle) = (false, false);
    for _ in 0..ENTRIES_MAX {
        let Some(entry) = archive.entry()? else {
            break;
        };
        let wanted = target(&entry.name).filter(|_| entry.is_file);
        marker |= wanted.is_some() && entry.name == "oci-layout";
        bundle |= entry.name.trim_start_matches("./").starts_with(".fractal/");
        archive.content(
            entry.size,
            wanted.map(|name| unpacked.folder().join(name)).as_deref(),
        )?;
    }
    if marker {
        return Ok(unpacked);
    }
    let next = if bundle {
        "it is a manifest bundle: publish the folder it was made of with `fractal manifests push`"
    } else {
        "save the image with Docker 25 or later, with `podman save --format oci-archive`, or convert it with `skopeo copy`"
    };
    Err(archive.invalid("it holds no OCI layout").next(next).into())
}

/// Where a layout's file goes; `None` for anything else, paths out of the folder included.
fn target(name: &str) -> Option<PathBuf> {
    let name = name.strip_prefix("./").unwrap_or(name);
    if matches!(name, "oci-layout" | "index.json") {
        return Some(name.into());
    }
    let (algorithm, hex) = name.strip_prefix("blobs/")?.split_once('/')?;
    let digest: Digest = format!("{algorithm}:{hex}").parse().ok()?;
    Some(
        Path::new("blobs")
            .join(digest.algorithm().as_str())
            .join(digest.hex()),
    )
}

struct Archive<'a> {
    tar: io::BufReader<File>,
    path: &'a Path,
}

struct Entry {
    name: String,
    size: u64,
    is_file: bool,
}

impl Archive<'_> {
    /// The next entry's header; `None` behind the last.
    fn entry(&mut self) -> Result<Option<Entry>, CliError> {
        let mut block = [0_u8; BLOCK];
        self.exact(&mut block)?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if checksum(&block) != octal(field(&block, 148, 8)) {
            return Err(self.invalid("a header's checksum is wrong").into());
        }
        let size = size(field(&block, 124, 12))
            .ok_or_else(|| CliError::from(self.invalid("an entry's size cannot be read")))?;
        let (prefix, name) = (text(field(&block, 345, 155)), text(field(&block, 0, 100)));
        let is_posix = field(&block, 257, 6) == b"ustar\0";
        let name = match prefix.is_empty() || !is_posix {
            true => name,
            false => format!("{prefix}/{name}"),
        };
        let is_file = matches!(field(&block, 156, 1), b"0" | b"\0");
        Ok(Some(Entry {
            name,
            size,
            is_file,
        }))
    }

    /// Copies an entry's content to `to`, or passes over it.
    fn content(&mut self, size: u64, to: Option<&Path>) -> Result<(), CliError> {
        let padding = size.next_multiple_of(BLOCK as u64) - size;
        let copied = match to {
            None => io::copy(&mut (&mut self.tar).take(size), &mut io::sink()),
            Some(to) => {
                let folder = to.parent().unwrap_or(to);
                let copy = std::fs::create_dir_all(folder)
                    .and_then(|()| File::create(to))
                    .and_then(|mut file| {
                        let copied = io::copy(&mut (&mut self.tar).take(size), &mut file)?;
                        file.flush()?;
                        Ok(copied)
                    });
                copy.map_err(|error| CliError::file(to, error)).map(Ok)?
            }
        };
        let copied = copied.map_err(|error| CliError::file(self.path, error))?;
        let skipped = io::copy(&mut (&mut self.tar).take(padding), &mut io::sink())
            .map_err(|error| CliError::file(self.path, error))?;
        if copied != size || skipped != padding {
            return Err(self.invalid("it is cut off").into());
        }
        Ok(())
    }

    fn exact(&mut self, block: &mut [u8]) -> Result<(), CliError> {
        self.tar
            .read_exact(block)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => self.invalid("it is cut off").into(),
                _ => CliError::file(self.path, error),
            })
    }

    fn invalid(&self, why: &str) -> Fault {
        Fault::terminal(ARCHIVE_INVALID, "the image archive cannot be used")
            .at(self.path.display())
            .because(why)
            .next("save the image again and publish that")
    }
}

fn field(block: &[u8; BLOCK], at: usize, length: usize) -> &[u8] {
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
fn checksum(block: &[u8; BLOCK]) -> Option<u64> {
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
    fn only_the_layouts_own_files_are_taken_out() {
        let hex = "0a".repeat(32);
        assert_eq!(target("./index.json"), Some("index.json".into()));
        assert_eq!(
            target(&format!("blobs/sha256/{hex}")),
            Some(format!("blobs/sha256/{hex}").into())
        );
        let others = [
            "manifest.json",
            "../index.json",
            "/index.json",
            "blobs/sha256/..",
            "blobs/../x/y",
            "blobs/sha256/0A",
            "blobs/md5/00",
            "a/oci-layout",
        ];
        for name in others {
            assert_eq!(target(name), None, "{name}");
        }
    }

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

    #[test]
    fn an_archive_cut_off_anywhere_is_refused() {
        let mut whole = Vec::new();
        for (name, content) in [("oci-layout", "{}"), ("index.json", "{ }")] {
            let mut header = [0_u8; BLOCK];
            header[..name.len()].copy_from_slice(name.as_bytes());
            header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
            header[156] = b'0';
            header[257..263].copy_from_slice(b"ustar\0");
            let sum = checksum(&header).unwrap();
            header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            whole.extend(header);
            whole.extend(content.as_bytes());
            whole.resize(whole.len().next_multiple_of(BLOCK), 0);
        }
        whole.resize(whole.len() + BLOCK, 0);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.tar");
        for length in (1..whole.len()).step_by(61) {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(take_out(&path).is_err(), "{length} bytes");
        }
        std::fs::write(&path, &whole).unwrap();
        let unpacked = take_out(&path).unwrap();
        let read = std::fs::read_to_string(unpacked.folder().join("index.json"));
        assert_eq!(read.unwrap(), "{ }");
        let place = unpacked.folder().to_owned();
        drop(unpacked);
        assert!(!place.exists());
        whole[0] ^= 1;
        std::fs::write(&path, &whole).unwrap();
        let why = Fault::from(&take_out(&path).unwrap_err()).why;
        assert_eq!(why.as_deref(), Some("a header's checksum is wrong"));
    }
}
