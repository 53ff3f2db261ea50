//! Where the measured programs are: ours beside this one, crane, regctl and kustomize among the parts, curl and skopeo on the
//! path. None of them is started here for long.

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

/// Said where a version would be.
pub(crate) const ABSENT: &str = "not found on this machine";

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

/// regctl, as `cargo xtask parts` installs it.
pub(crate) fn regctl() -> Option<Found> {
    let parts = std::env::var_os("FRACTAL_PARTS")?;
    found(&Path::new(&parts).join("bin/regctl"), "version")
}

/// Tells regctl, in its own settings, how a registry is spoken to.
pub(crate) fn regctl_host(regctl: &Found, host: &str, tls: bool) -> Vec<String> {
    let tls = if tls { "enabled" } else { "disabled" };
    let words = ["registry", "set", "--skip-check", "--tls", tls, host];
    let program = regctl.path.display().to_string();
    std::iter::once(program)
        .chain(words.map(str::to_owned))
        .collect()
}

/// The reference registry, as `cargo xtask parts` installs it.
pub(crate) fn registry() -> Result<PathBuf, Error> {
    let parts = std::env::var_os("FRACTAL_PARTS").unwrap_or_default();
    let path = Path::new(&parts).join("bin/registry");
    if path.is_file() {
        Ok(path)
    } else {
        Err(Error::Missing(path))
    }
}

/// The `oci-client` crate as a program, built beside this one.
pub(crate) fn oci_client() -> Result<Found, Error> {
    let path = own("fractal-bench-oci-client")?;
    found(&path, "version").ok_or(Error::Missing(path))
}

/// skopeo, where this machine has it.
pub(crate) fn skopeo() -> Option<Found> {
    on_path("skopeo", "--version")
}

/// kustomize's library in a program of its own, as `cargo xtask parts` builds it.
pub(crate) fn kustomize() -> Option<Found> {
    let parts = std::env::var_os("FRACTAL_PARTS")?;
    found(&Path::new(&parts).join("bin/kustomize-bench"), "-version")
}

/// curl, where this machine has it.
pub(crate) fn curl() -> Option<Found> {
    on_path("curl", "--version")
}

fn on_path(name: &str, ask: &str) -> Option<Found> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find_map(|folder| found(&folder.join(name), ask))
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
    let version = [
        "curl ",
        "sigs.k8s.io/kustomize/api ",
        "VCSTag:",
        "skopeo version ",
    ]
    .iter()
    .find_map(|name| line.strip_prefix(name))
    .unwrap_or(line);
    Some(Found {
        path: path.to_owned(),
        version: version.split_whitespace().next()?.to_owned(),
    })
}
