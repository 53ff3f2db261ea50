//! The programs the tests run against, in one folder outside the checkout: installed once, verified every time.
//! A part counts as installed only once its manifest is written, which is the last thing an installation does.

mod go;
mod install;
mod java;
mod manifest;
mod pins;
mod place;
mod python;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::cli::PartsRequest;
use crate::console::{Console, answer, elapsed};
use crate::fault::Fault;
use crate::workspace::Workspace;

use manifest::State;
use pins::{PARTS, Part};
use place::Place;

pub(crate) const REPAIR: &str = "cargo xtask parts --repair";

/// Parts that were verified in this run.
#[derive(Debug)]
pub(crate) struct Parts {
    view: PathBuf,
    versions: Vec<(&'static str, String)>,
}

impl Parts {
    /// The folder the tests get as `FRACTAL_PARTS`.
    pub(crate) fn root(&self) -> &Path {
        &self.view
    }

    /// Every part's name and what the part itself said its version is.
    pub(crate) fn versions(&self) -> &[(&'static str, String)] {
        &self.versions
    }

    pub(crate) fn cargo_deny(&self) -> PathBuf {
        self.view.join("cargo-deny/bin/cargo-deny")
    }
}

/// `cargo xtask parts`.
pub(crate) fn command(
    console: Console,
    workspace: &Workspace,
    request: PartsRequest,
) -> Result<(), Fault> {
    match request {
        PartsRequest::List => list(workspace),
        PartsRequest::Install => {
            let parts = ready(console, workspace)?;
            answer(parts.root().display());
            Ok(())
        }
        PartsRequest::Repair => {
            let place = Place::find(workspace)?;
            install::missing(console, workspace, &place, install::Damaged::Replace)?;
            answer(verified(console, &place)?.root().display());
            Ok(())
        }
    }
}

/// Installs what was never installed, then verifies all; a part that was damaged since its installation is a fault, not a reason to install.
pub(crate) fn ready(console: Console, workspace: &Workspace) -> Result<Parts, Fault> {
    let place = Place::find(workspace)?;
    install::missing(console, workspace, &place, install::Damaged::Refuse)?;
    verified(console, &place)
}

/// Runs every part once, after its files were compared: it has to start and to name the pinned version.
fn verified(console: Console, place: &Place) -> Result<Parts, Fault> {
    let started = Instant::now();
    java::check()?;
    place.link()?;
    let view = place.view();
    let mut versions = Vec::new();
    for part in PARTS {
        let version = running_version(part, &view)?;
        versions.push((part.name, version));
    }
    console.good(format_args!(
        "{} parts verified in {} ({})",
        PARTS.len(),
        elapsed(started),
        view.display()
    ));
    Ok(Parts { view, versions })
}

fn running_version(part: &Part, view: &Path) -> Result<String, Fault> {
    let damaged = |why: String| Fault::Part(format!("the part {} {why}; run: {REPAIR}", part.name));
    let (program, arguments) = part.probe;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let output = Command::new(view.join(program))
        .args(arguments)
        .env_clear()
        .env("PATH", path)
        .output()
        .map_err(|error| damaged(format!("does not start ({program}: {error})")))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let number = part.version.trim_start_matches('v');
    match said.lines().find(|line| line.contains(number)) {
        Some(line) if output.status.success() => {
            let mut words = line.split_whitespace();
            let named = words.find(|word| word.contains(number));
            Ok(named.unwrap_or(line).to_owned())
        }
        _ => Err(damaged(format!(
            "does not say that it is {} ({program} said: {})",
            part.version,
            said.trim()
        ))),
    }
}

fn list(workspace: &Workspace) -> Result<(), Fault> {
    let place = Place::find(workspace)?;
    answer(place.view().display());
    for part in PARTS {
        let state = match manifest::state(part, &place.home(part)) {
            State::Absent => "not installed".to_owned(),
            State::Broken(why) => format!("damaged: {why}"),
            State::Ready => "installed".to_owned(),
        };
        answer(format_args!(
            "{:<18} {:<9} {state:<14} {}",
            part.name,
            part.version,
            part.programs.join(" ")
        ));
    }
    Ok(())
}
