//! The registry's files: blobs by digest, and per repository links to blobs, manifests and tags. Every change is one rename or one append.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::tokens::Tokens;
use crate::clock::Clock;
use crate::encoding::{hex, sha256_hex, uuid};
use crate::error::SimError;

pub(crate) struct Shelf {
    root: PathBuf,
    pub(crate) tokens: Tokens,
}

/// A manifest as stored.
pub(crate) struct Stored {
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Link {
    media_type: String,
}

impl Shelf {
    pub(crate) fn open(root: &Path, clock: Clock) -> Result<Self, SimError> {
        for folder in ["blobs", "repositories", "uploads"] {
            let folder = root.join(folder);
            fs::create_dir_all(&folder).map_err(SimError::state(&folder))?;
        }
        let path = root.join("token.key");
        if !path.exists() {
            write_whole(&path, format!("{}{}", uuid(), uuid()).as_bytes())
                .map_err(SimError::state(&path))?;
        }
        let key = fs::read(&path).map_err(SimError::state(&path))?;
        Ok(Self {
            root: root.to_owned(),
            tokens: Tokens::new(key, clock),
        })
    }

    /// The file of a blob's bytes, whichever repository has it.
    pub(crate) fn blob_path(&self, hex: &str) -> PathBuf {
        self.root.join("blobs").join(hex)
    }

    /// The blob's size, when the repository has it.
    pub(super) fn blob_size(&self, repository: &str, hex: &str) -> Option<u64> {
        self.repository(repository)
            .join("_blobs")
            .join(hex)
            .exists()
            .then_some(())?;
        fs::metadata(self.blob_path(hex))
            .ok()
            .map(|metadata| metadata.len())
    }

    pub(super) fn link_blob(&self, repository: &str, hex: &str) -> io::Result<()> {
        write_whole(&self.repository(repository).join("_blobs").join(hex), b"")
    }

    pub(super) fn unlink_blob(&self, repository: &str, hex: &str) -> io::Result<()> {
        fs::remove_file(self.repository(repository).join("_blobs").join(hex))
    }

    pub(super) fn put_manifest(
        &self,
        repository: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> io::Result<String> {
        let hex = sha256_hex(bytes);
        write_whole(&self.blob_path(&hex), bytes)?;
        let link = serde_json::to_vec(&Link {
            media_type: media_type.to_owned(),
        })?;
        write_whole(
            &self.repository(repository).join("_manifests").join(&hex),
            &link,
        )?;
        Ok(hex)
    }

    pub(super) fn put_tag(&self, repository: &str, tag: &str, hex: &str) -> io::Result<()> {
        write_whole(
            &self.repository(repository).join("_tags").join(tag),
            hex.as_bytes(),
        )
    }

    pub(super) fn delete_tag(&self, repository: &str, tag: &str) -> io::Result<()> {
        fs::remove_file(self.repository(repository).join("_tags").join(tag))
    }

    /// Forgets a manifest and every tag of it.
    pub(super) fn delete_manifest(&self, repository: &str, hex: &str) -> io::Result<()> {
        for tag in self.tags(repository) {
            if self.tagged(repository, &tag).as_deref() == Some(hex) {
                self.delete_tag(repository, &tag)?;
            }
        }
        fs::remove_file(self.repository(repository).join("_manifests").join(hex))
    }

    /// A manifest by tag or `sha256:` digest.
    pub(crate) fn find(&self, repository: &str, reference: &str) -> Option<Stored> {
        let hex = match reference.strip_prefix("sha256:") {
            Some(hex) => hex.to_owned(),
            None => self.tagged(repository, reference)?,
        };
        let link = fs::read(self.repository(repository).join("_manifests").join(&hex)).ok()?;
        let link: Link = serde_json::from_slice(&link).ok()?;
        let bytes = fs::read(self.blob_path(&hex)).ok()?;
        Some(Stored {
            media_type: link.media_type,
            digest: format!("sha256:{hex}"),
            bytes,
        })
    }

    pub(super) fn has_manifest(&self, repository: &str, hex: &str) -> bool {
        self.repository(repository)
            .join("_manifests")
            .join(hex)
            .exists()
    }

    pub(super) fn exists(&self, repository: &str) -> bool {
        self.repository(repository).join("_manifests").exists()
            || self.repository(repository).join("_blobs").exists()
    }

    /// Tags in byte order.
    pub(super) fn tags(&self, repository: &str) -> Vec<String> {
        names(&self.repository(repository).join("_tags"))
    }

    pub(super) fn manifests(&self, repository: &str) -> Vec<String> {
        names(&self.repository(repository).join("_manifests"))
    }

    /// Names of all repositories that hold a manifest, in byte order.
    pub(crate) fn repositories(&self) -> Vec<String> {
        let root = self.root.join("repositories");
        let mut found = Vec::new();
        let mut pending = vec![root.clone()];
        while let Some(folder) = pending.pop() {
            if folder.join("_manifests").exists() {
                found.extend(
                    folder
                        .strip_prefix(&root)
                        .ok()
                        .map(|name| name.to_string_lossy().into_owned()),
                );
            }
            let below = names(&folder)
                .into_iter()
                .filter(|name| !name.starts_with('_'))
                .map(|name| folder.join(name));
            pending.extend(below.filter(|path| path.is_dir()));
        }
        found.sort();
        found
    }

    pub(super) fn begin_upload(&self, repository: &str) -> io::Result<String> {
        let id = uuid();
        fs::write(self.upload_path(&id), b"")?;
        write_whole(&self.upload_owner(&id), repository.as_bytes())?;
        Ok(id)
    }

    /// The file of an upload of this repository, and how many bytes it has.
    pub(super) fn find_upload(&self, repository: &str, id: &str) -> Option<(PathBuf, u64)> {
        let plain = id
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        let owner = plain
            .then(|| fs::read_to_string(self.upload_owner(id)).ok())
            .flatten()?;
        let path = self.upload_path(id);
        let size = fs::metadata(&path).ok()?.len();
        (owner == repository).then_some((path, size))
    }

    pub(super) fn cancel_upload(&self, id: &str) -> io::Result<()> {
        fs::remove_file(self.upload_owner(id))?;
        fs::remove_file(self.upload_path(id))
    }

    /// Makes an upload the blob it claims to be; false, and no upload any more, when it is not.
    pub(super) fn finish_upload(&self, repository: &str, id: &str, hex: &str) -> io::Result<bool> {
        let path = self.upload_path(id);
        if file_sha256(&path)? != hex {
            self.cancel_upload(id)?;
            return Ok(false);
        }
        fs::rename(&path, self.blob_path(hex))?;
        self.link_blob(repository, hex)?;
        fs::remove_file(self.upload_owner(id))?;
        Ok(true)
    }

    fn tagged(&self, repository: &str, tag: &str) -> Option<String> {
        fs::read_to_string(self.repository(repository).join("_tags").join(tag)).ok()
    }

    fn repository(&self, name: &str) -> PathBuf {
        self.root.join("repositories").join(name)
    }

    fn upload_path(&self, id: &str) -> PathBuf {
        self.root.join("uploads").join(id)
    }

    fn upload_owner(&self, id: &str) -> PathBuf {
        self.root.join("uploads").join(format!("{id}.repository"))
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.ends_with(".new~"))
        .collect();
    names.sort();
    names
}

/// Writes a file so that it is there whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // A tilde is in no tag, digest or repository name.
    let temporary = path.with_file_name(format!("{}.new~", uuid()));
    File::create(&temporary).and_then(|mut file| file.write_all(bytes))?;
    fs::rename(&temporary, path)
}

/// The SHA-256 of a file in lower-case hex, in constant memory.
pub(crate) fn file_sha256(path: &Path) -> io::Result<String> {
    let (mut file, mut hash, mut chunk) = (File::open(path)?, Sha256::new(), vec![0; 256 << 10]);
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(chunk.get(..read).unwrap_or_default());
    }
}
