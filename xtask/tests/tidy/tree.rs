//! The files of the checkout, read once per test. Build output is recognised by the tag every cache folder carries.

use std::path::{Path, PathBuf};

/// A file of the checkout: its path below the root, with `/`, and its text (empty where it is not UTF-8).
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Every file whose name ends like `suffix`, sorted by path.
pub(crate) fn files(suffix: &str) -> Vec<File> {
    let root = root();
    let (mut found, mut open) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                if !path.join("CACHEDIR.TAG").exists() && path.file_name().unwrap() != ".git" {
                    open.push(path);
                }
            } else if path.to_string_lossy().ends_with(suffix) {
                let text =
                    String::from_utf8(std::fs::read(&path).unwrap_or_default()).unwrap_or_default();
                let path = path
                    .strip_prefix(&root)
                    .unwrap()
                    .to_string_lossy()
                    .replace('\\', "/");
                found.push(File { path, text });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// Fails with every complaint at once.
pub(crate) fn none(complaints: Vec<String>) {
    assert!(
        complaints.is_empty(),
        "{} complaints:\n  {}",
        complaints.len(),
        complaints.join("\n  ")
    );
}
