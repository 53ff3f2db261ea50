//! `cargo xtask check` and `cargo xtask each`: formatting, lints, dependency rules, documentation, and every crate alone. It runs no test.

use std::process::Command;
use std::time::Instant;

use crate::console::{Console, elapsed};
use crate::fault::Fault;
use crate::parts::{self, Parts};
use crate::workspace::Workspace;

pub(crate) fn run(console: Console, workspace: &Workspace) -> Result<(), Fault> {
    let parts = parts::ready(console, workspace)?;
    fetch(console, workspace)?;
    verdict(&all(console, workspace, &parts)?)
}

/// Downloads every crate of the lock file, also those other platforms need: the dependency rules are checked for all of them.
pub(crate) fn fetch(console: Console, workspace: &Workspace) -> Result<(), Fault> {
    console.step("crates: fetching what the lock file names");
    let mut cargo = workspace.cargo();
    cargo.args(["fetch", "--locked", "--quiet"]);
    if passes(cargo)? {
        Ok(())
    } else {
        Err(Fault::Failed("cargo fetch failed".to_owned()))
    }
}

/// Runs every check, whatever the ones before it found, and names those that failed.
pub(crate) fn all(
    console: Console,
    workspace: &Workspace,
    parts: &Parts,
) -> Result<Vec<&'static str>, Fault> {
    let mut failed = Vec::new();
    for (name, command) in checks(workspace, parts) {
        let started = Instant::now();
        console.step(format_args!("check: {name}"));
        if passes(command)? {
            console.good(format_args!("{name} in {}", elapsed(started)));
        } else {
            console.bad(name);
            failed.push(name);
        }
    }
    Ok(failed)
}

fn checks(workspace: &Workspace, parts: &Parts) -> [(&'static str, Command); 4] {
    let mut format = workspace.cargo();
    format.args(["fmt", "--all", "--check"]);
    let mut clippy = workspace.cargo();
    clippy.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--offline",
        "--",
        "-D",
        "warnings",
    ]);
    let mut deny = workspace.tool(parts.cargo_deny());
    deny.args([
        "--offline",
        "--locked",
        "check",
        "--allow",
        "unused-wrapper",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ]);
    let mut documentation = workspace.cargo();
    documentation
        .args(["doc", "--workspace", "--no-deps", "--locked", "--offline"])
        .env("RUSTDOCFLAGS", "-D warnings");
    [
        ("rustfmt", format),
        ("clippy", clippy),
        ("dependency rules (cargo-deny)", deny),
        ("documentation", documentation),
    ]
}

/// `cargo xtask each`.
pub(crate) fn each(console: Console, workspace: &Workspace) -> Result<(), Fault> {
    let mut failed = Vec::new();
    for package in workspace.packages()? {
        console.step(format_args!("{package} alone"));
        let mut cargo = workspace.cargo();
        cargo.args(["check", "--locked", "--package", &package]);
        if !passes(cargo)? {
            failed.push(package);
        }
    }
    verdict(&failed)
}

fn verdict(failed: &[impl AsRef<str>]) -> Result<(), Fault> {
    if failed.is_empty() {
        return Ok(());
    }
    let failed: Vec<_> = failed.iter().map(AsRef::as_ref).collect();
    Err(Fault::Failed(format!("failed: {}", failed.join(", "))))
}

fn passes(mut command: Command) -> Result<bool, Fault> {
    let name = command.get_program().to_string_lossy().into_owned();
    command
        .status()
        .map(|status| status.success())
        .map_err(Fault::start(&name))
}
