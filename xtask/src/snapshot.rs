//! What files a folder holds, to tell afterwards whether a run left it as it was. Build output and the repository's own store are not looked at.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::fault::Fault;

/// Length and content hash of every file below a folder.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    files: BTreeMap<PathBuf, (u64, u64)>,
}

impl Snapshot {
    /// `except` is a folder to leave out, such as the target folder.
    pub(crate) fn take(folder: &Path, except: &Path) -> Result<Self, Fault> {
        let mut files = BTreeMap::new();
        let mut open = vec![folder.to_owned()];
        while let Some(current) = open.pop() {
            for entry in std::fs::read_dir(&current).map_err(Fault::at("list", &current))? {
                let path = entry.map_err(Fault::at("list", &current))?.path();
                if path == except || path.file_name().is_some_and(|name| name == ".git") {
                    continue;
                }
                if path.is_dir() && !path.is_symlink() {
                    open.push(path);
                } else {
                    files.insert(path.clone(), fingerprint(&path));
                }
            }
        }
        Ok(Self { files })
    }

    /// Every file that was added, removed or changed since, described.
    pub(crate) fn changes(&self, later: &Self) -> Vec<String> {
        let gone = self
            .files
            .keys()
            .filter(|path| !later.files.contains_key(*path))
            .map(|path| format!("removed {}", path.display()));
        let other = later
            .files
            .iter()
            .filter_map(|(path, now)| match self.files.get(path) {
                None => Some(format!("added {}", path.display())),
                Some(before) if before != now => Some(format!("changed {}", path.display())),
                Some(_) => None,
            });
        gone.chain(other).collect()
    }
}

/// A file that cannot be read (a socket, a dangling link) counts by its presence.
fn fingerprint(path: &Path) -> (u64, u64) {
    let Ok(bytes) = std::fs::read(path) else {
        return (0, 0);
    };
    let words = bytes.chunks(8).map(|word| {
        word.iter()
            .fold(0_u64, |value, byte| value << 8 | u64::from(*byte))
    });
    (
        bytes.len() as u64,
        words.fold(7, |hash, word| {
            (hash ^ word)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(29)
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn additions_changes_and_removals_are_told_and_the_exception_is_not() {
        let folder = std::env::temp_dir().join(format!("fractal-snapshot-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("target")).unwrap();
        std::fs::write(folder.join("same"), "same").unwrap();
        std::fs::write(folder.join("gone"), "gone").unwrap();
        std::fs::write(folder.join("edited"), "one").unwrap();
        let target = folder.join("target");
        let before = Snapshot::take(&folder, &target).unwrap();
        std::fs::remove_file(folder.join("gone")).unwrap();
        std::fs::write(folder.join("edited"), "two").unwrap();
        std::fs::write(folder.join("fresh"), "").unwrap();
        std::fs::write(target.join("output"), "").unwrap();
        let mut changes = before.changes(&Snapshot::take(&folder, &target).unwrap());
        changes.sort();
        std::fs::remove_dir_all(&folder).unwrap();
        let named = |verb: &str, name: &str| format!("{verb} {}", folder.join(name).display());
        assert_eq!(
            changes,
            [
                named("added", "fresh"),
                named("changed", "edited"),
                named("removed", "gone")
            ]
        );
    }
}
