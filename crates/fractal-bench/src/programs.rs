//! Where the measured programs are: ours beside this one, crane and kustomize among the parts, curl on the path. None of them is started here for long.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::Error;

/// A program of ours, built beside this one.
pub(crate) fn own(name: &str) -> Result<PathBuf, Error> {
    let this = std::env::current_exe().map_err(Error::io("finding this program"))?;
    let path = this.with_file_name(name);
    if path.is_file() {
        Ok(path)
    } else {
        Err(Error::Missing(path))
    }
}

/// A peer and its version, as it says itself.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) version: String,
}

/// crane, as `cargo xtask parts` installs it.
pub(crate) fn crane() -> Option<Found> {
    let parts = std::env::var_os("FRACTAL_PARTS")?;
    found(&Path::new(&parts).join("bin/crane"), "version")
}

/// kustomize's library in a program of its own, as `cargo xtask parts` builds it.
pub(crate) fn kustomize() -> Option<Found> {
    let parts = std::env::var_os("FRACTAL_PARTS")?;
    found(&Path::new(&parts).join("bin/kustomize-bench"), "-version")
}

/// curl, where this machine has it.
pub(crate) fn curl() -> Option<Found> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find_map(|folder| found(&folder.join("curl"), "--version"))
}

fn found(path: &Path, ask: &str) -> Option<Found> {
    let output = Command::new(path)
        .arg(ask)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().next().filter(|_| output.status.success())?;
    // curl adds its libraries, each with a version of its own.
    let version = ["curl ", "sigs.k8s.io/kustomize/api "]
        .iter()
        .find_map(|name| line.strip_prefix(name))
        .unwrap_or(line);
    Some(Found {
        path: path.to_owned(),
        version: version.split_whitespace().next()?.to_owned(),
    })
}
