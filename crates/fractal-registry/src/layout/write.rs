//! Files that appear whole or not at all: written aside, then renamed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use crate::copy::Feed;
use crate::error::RegistryError;

pub(super) async fn whole(path: &Path, bytes: &[u8]) -> Result<(), RegistryError> {
    let aside = Aside::create(path).await?;
    let written = async {
        let mut file = File::create(&aside.path).await?;
        file.write_all(bytes).await?;
        file.sync_all().await
    };
    written
        .await
        .map_err(|error| RegistryError::file(&aside.path, error))?;
    aside.keep(path).await
}

pub(super) async fn stream(path: &Path, mut feed: Feed) -> Result<(), RegistryError> {
    let aside = Aside::create(path).await?;
    let broken = |error| RegistryError::file(&aside.path, error);
    let mut file = File::create(&aside.path).await.map_err(broken)?;
    while let Some(chunk) = feed.next().await {
        file.write_all(&chunk?).await.map_err(broken)?;
    }
    file.sync_all().await.map_err(broken)?;
    aside.keep(path).await
}

/// Longer than anything that is being written goes without a write.
const LEFTOVER: Duration = Duration::from_secs(60 * 60);

/// Removes what a killed copy left behind under `blobs`. Best effort: a leftover costs space and nothing else.
pub(super) async fn sweep(blobs: &Path) {
    let Ok(mut algorithms) = tokio::fs::read_dir(blobs).await else {
        return;
    };
    while let Ok(Some(algorithm)) = algorithms.next_entry().await {
        let Ok(mut files) = tokio::fs::read_dir(algorithm.path()).await else {
            continue;
        };
        while let Ok(Some(file)) = files.next_entry().await {
            if is_leftover(&file).await {
                let _ = tokio::fs::remove_file(file.path()).await;
            }
        }
    }
}

async fn is_leftover(file: &tokio::fs::DirEntry) -> bool {
    let name = file.file_name();
    let name = name.to_string_lossy();
    if !(name.starts_with('.') && name.ends_with(".partial")) {
        return false;
    }
    let written = file.metadata().await.and_then(|file| file.modified());
    let age = written.map(|written| written.elapsed().unwrap_or_default());
    age.is_ok_and(|age| age > LEFTOVER)
}

/// A file under another name until it is complete; removed where it never is.
struct Aside {
    path: PathBuf,
    kept: bool,
}

impl Aside {
    async fn create(path: &Path) -> Result<Self, RegistryError> {
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        tokio::fs::create_dir_all(folder)
            .await
            .map_err(|error| RegistryError::file(folder, error))?;
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        Ok(Self {
            path: folder.join(format!(".{name}.{:016x}.partial", fastrand::u64(..))),
            kept: false,
        })
    }

    async fn keep(mut self, path: &Path) -> Result<(), RegistryError> {
        tokio::fs::rename(&self.path, path)
            .await
            .map_err(|error| RegistryError::file(path, error))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.kept {
            // Best effort: a leftover is named so that no reader takes it for a blob.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
