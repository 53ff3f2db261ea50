//! Installs parts one after the other, under a lock, with the tool each comes from. What a tool says goes to a log, shown only if it fails.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::console::{Console, elapsed};
use crate::fault::Fault;
use crate::workspace::Workspace;

use super::manifest::{self, State};
use super::pins::{PARTS, Part, Source};
use super::place::{Place, remove, usable_home};
use super::{REPAIR, go, java, python};

/// Lines of a failed tool's output that are shown.
const SHOWN_LINES: usize = 25;

/// What to do with a part that changed after its installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damaged {
    Refuse,
    Replace,
}

/// Installs every absent part; damaged ones are replaced or refused.
pub(crate) fn missing(
    console: Console,
    workspace: &Workspace,
    place: &Place,
    damaged: Damaged,
) -> Result<(), Fault> {
    if wanted(place, damaged)?.is_empty() {
        return Ok(());
    }
    java::check()?;
    let _lock = place.lock(console)?;
    let wanted = wanted(place, damaged)?;
    if wanted.is_empty() {
        return Ok(());
    }
    console.step(format_args!(
        "parts: installing {} of {} into {}",
        wanted.len(),
        PARTS.len(),
        place.view().display()
    ));
    let scratch = place.scratch()?;
    let outcome = wanted.into_iter().try_for_each(|part| {
        let site = Site {
            home: place.home(part),
            scratch: scratch.clone(),
            workspace: workspace.clone(),
        };
        install(console, &site, part)
    });
    let cleared = remove(&scratch);
    outcome.and(cleared)
}

fn wanted(place: &Place, damaged: Damaged) -> Result<Vec<&'static Part>, Fault> {
    let mut wanted = Vec::new();
    for part in PARTS {
        match manifest::state(part, &place.home(part)) {
            State::Ready => {}
            State::Broken(why) if damaged == Damaged::Refuse => {
                return Err(Fault::Part(format!(
                    "the part {} {why}; run: {REPAIR}",
                    part.name
                )));
            }
            State::Absent | State::Broken(_) => wanted.push(part),
        }
    }
    Ok(wanted)
}

fn install(console: Console, site: &Site, part: &Part) -> Result<(), Fault> {
    let started = Instant::now();
    console.note(format_args!(
        "{} {}: {}",
        part.name, part.version, part.cost
    ));
    manifest::forget(&site.home)?;
    remove(&site.home)?;
    std::fs::create_dir_all(&site.home).map_err(Fault::at("create", &site.home))?;
    match &part.source {
        Source::Go(module) => go::install(console, site, part.name, module)?,
        Source::Python(environment) => {
            python::install(site, &site.home.join(part.name), environment)?
        }
        Source::Crate => crate_program(site, part)?,
    }
    manifest::record(part, &site.home)?;
    console.good(format_args!(
        "{} {} in {}",
        part.name,
        part.version,
        elapsed(started)
    ));
    Ok(())
}

/// The lock file inside the published crate pins its dependencies. Optimising a checker that runs for a second is not worth two minutes.
fn crate_program(site: &Site, part: &Part) -> Result<(), Fault> {
    let mut cargo = site.workspace.cargo();
    cargo
        .args([
            "install",
            "--locked",
            "--no-track",
            "--jobs",
            "2",
            "--version",
            part.version,
            part.name,
            "--root",
        ])
        .arg(site.home.join(part.name))
        .env("CARGO_TARGET_DIR", site.scratch.join("target"))
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    site.finish(cargo)
}

/// Where an installation works.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) home: PathBuf,
    pub(crate) scratch: PathBuf,
    pub(crate) workspace: Workspace,
}

impl Site {
    /// A tool in the scratch folder, whose home is the user's only where that one can be used.
    pub(crate) fn tool(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.scratch);
        if usable_home(std::env::var_os("HOME")).is_none() {
            command.env("HOME", &self.scratch);
        }
        command
    }

    /// Runs a tool to its end; a failure shows the last lines it wrote.
    pub(crate) fn finish(&self, mut command: Command) -> Result<(), Fault> {
        let name = Path::new(command.get_program())
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let log = self.scratch.join("log");
        let file = File::create(&log).map_err(Fault::at("create", &log))?;
        let twin = file.try_clone().map_err(Fault::at("open", &log))?;
        let status = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(twin)
            .status()
            .map_err(Fault::start(&name))?;
        if status.success() {
            return Ok(());
        }
        let said = std::fs::read(&log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default();
        let lines: Vec<_> = said.lines().collect();
        let shown = lines
            .get(lines.len().saturating_sub(SHOWN_LINES)..)
            .unwrap_or_default();
        Err(Fault::Part(format!(
            "{name} could not install a part ({status}); nothing half-installed is left. It said:\n{}",
            shown.join("\n")
        )))
    }
}
