//! A repository's `.fractal` folder as a bundle: which files belong to it, packed the same way every time.
//!
//! It goes through the reader that agents use, so nothing is packed that they would refuse. What the files say is not judged here.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use fractal_artifact::bundle::{BUNDLE_MAX, EntryKind};
use fractal_artifact::{BundleError, BundleFiles, BundleScanner, bundle_tar};
use fractal_core::{Fault, Reason};

use crate::error::CliError;

const BUNDLE_MISSING: Reason = Reason::new("BundleMissing");
const BUNDLE_UNSAFE: Reason = Reason::new("BundleUnsafe");
const ROOT: &str = ".fractal";

/// A packed folder.
pub(super) struct Packed {
    /// Its `.fractal` folder, as it was named.
    pub(super) root: PathBuf,
    pub(super) tar: Vec<u8>,
    /// The YAML files that agents read.
    pub(super) files: BundleFiles,
    /// How many files were packed.
    pub(super) count: usize,
    /// Files of editors and operating systems, by their path below `.fractal`.
    pub(super) left_out: Vec<String>,
}

/// Packs the `.fractal` folder of `folder`, or `folder` itself where it is one.
pub(super) fn pack(folder: &Path) -> Result<Packed, CliError> {
    let root = root(folder)?;
    let mut found = Found::default();
    let mut folders = vec![String::new()];
    while let Some(below) = folders.pop() {
        folders.extend(found.look_into(&root, &below)?);
    }
    let is_yaml = |path: &str| path.ends_with(".yaml") || path.ends_with(".yml");
    if !found.files.iter().any(|(path, _)| is_yaml(path)) {
        return Err(empty(&root).into());
    }
    let refused = |error: BundleError| CliError::from(Fault::from(error).at(root.display()));
    let contents = found.files.iter();
    let tar = bundle_tar(contents.map(|(path, content)| (path.as_str(), content.as_slice())));
    let tar = tar.map_err(refused)?;
    let files = scan(&tar).map_err(refused)?;
    found.left_out.sort_unstable();
    Ok(Packed {
        tar,
        files,
        count: found.files.len(),
        left_out: found.left_out,
        root,
    })
}

/// The YAML files of a bundle's tar.
pub(super) fn scan(tar: &[u8]) -> Result<BundleFiles, BundleError> {
    let mut scanner = BundleScanner::new();
    scanner.push(tar);
    scanner.finish(tar.len() as u64)
}

fn root(folder: &Path) -> Result<PathBuf, Fault> {
    let inner = match folder.as_os_str() {
        here if here == "." => PathBuf::from(ROOT),
        _ => folder.join(ROOT),
    };
    if inner.is_dir() {
        return Ok(inner);
    }
    if folder.is_dir() && folder.file_name().is_some_and(|name| name == ROOT) {
        return Ok(folder.to_owned());
    }
    Err(
        Fault::terminal(BUNDLE_MISSING, "there is no .fractal folder")
            .at(folder.display())
            .next(
                "name the repository's root, or write `.fractal/<component id>-fdeploy.yaml` there",
            ),
    )
}

fn empty(root: &Path) -> Fault {
    Fault::terminal(BUNDLE_MISSING, "there is nothing to push")
        .at(root.display())
        .because("the folder holds no YAML file")
        .next("write `.fractal/<component id>-fdeploy.yaml`, one for each workload")
}

#[derive(Default)]
struct Found {
    /// Paths below `.fractal`, and contents.
    files: Vec<(String, Vec<u8>)>,
    bytes: u64,
    left_out: Vec<String>,
}

impl Found {
    /// Takes the files of one folder, and says which folders it has.
    fn look_into(&mut self, root: &Path, below: &str) -> Result<Vec<String>, CliError> {
        let folder = root.join(below);
        let failed = |error| CliError::file(&folder, error);
        let mut folders = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| not_utf8(&entry.path()))?;
            let path = match below {
                "" => name.to_owned(),
                below => format!("{below}/{name}"),
            };
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                folders.push(path);
            } else if is_left_out(name) {
                self.left_out.push(path);
            } else if kind.is_file() {
                self.take(&entry.path(), path)?;
            } else {
                return Err(odd(&entry.path(), kind).into());
            }
        }
        Ok(folders)
    }

    fn take(&mut self, place: &Path, path: String) -> Result<(), CliError> {
        let failed = |error| CliError::file(place, error);
        let mut content = Vec::new();
        // One byte more than is left is enough to know that it is too much.
        let left = (BUNDLE_MAX + 1).saturating_sub(self.bytes);
        let file = std::fs::File::open(place).map_err(failed)?;
        file.take(left).read_to_end(&mut content).map_err(failed)?;
        self.bytes += content.len() as u64;
        if self.bytes > BUNDLE_MAX {
            let error = BundleError::TooLarge {
                what: "bytes",
                found: self.bytes,
                max: BUNDLE_MAX,
            };
            return Err(Fault::from(error).at(place.display()).into());
        }
        self.files.push((path, content));
        Ok(())
    }
}

/// What nobody means to publish: `AppleDouble` files and folder settings of macOS, back-ups, swap and lock files of editors.
fn is_left_out(name: &str) -> bool {
    name.starts_with("._")
        || name == ".DS_Store"
        || name.ends_with('~')
        || name.ends_with(".swp")
        || name.ends_with(".swo")
        || name.starts_with(".#")
        || (name.len() > 1 && name.starts_with('#') && name.ends_with('#'))
}

fn not_utf8(place: &Path) -> CliError {
    let error = BundleError::Path {
        name: place.to_string_lossy().escape_debug().to_string(),
        problem: "is not UTF-8",
    };
    Fault::from(error).at(place.display()).into()
}

/// A link's target is another file on another machine; pipes and devices are none at all.
fn odd(place: &Path, kind: std::fs::FileType) -> Fault {
    let kind = if kind.is_symlink() {
        EntryKind::SymbolicLink
    } else if is_pipe(kind) {
        EntryKind::Pipe
    } else {
        EntryKind::Device
    };
    Fault::terminal(BUNDLE_UNSAFE, format!("{kind} cannot be part of a bundle"))
        .at(place.display())
        .next("put a plain file in its place, or take it out of .fractal")
}

#[cfg(unix)]
fn is_pipe(kind: std::fs::FileType) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    kind.is_fifo() || kind.is_socket()
}

#[cfg(not(unix))]
fn is_pipe(_: std::fs::FileType) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_editors_and_systems_leave_behind_is_left_out() {
        for name in [
            "._api-fdeploy.yaml",
            ".DS_Store",
            "api-fdeploy.yaml~",
            ".api-fdeploy.yaml.swp",
            ".api-fdeploy.yaml.swo",
            "#api-fdeploy.yaml#",
            ".#api-fdeploy.yaml",
        ] {
            assert!(is_left_out(name), "{name}");
        }
        for name in [
            "api-fdeploy.yaml",
            "_a.yaml",
            "#",
            "a#",
            ".gitignore",
            "DS_Store",
        ] {
            assert!(!is_left_out(name), "{name}");
        }
    }
}
