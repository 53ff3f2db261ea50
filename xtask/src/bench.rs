//! `cargo xtask bench`: builds the release binaries that are measured, and what they are measured beside, and starts
//! `fractal-bench`, which knows the benchmarks. It measures nothing.

use std::ffi::{OsStr, OsString};
use std::process::Command;

use crate::console::Console;
use crate::fault::Fault;
use crate::machine::{self, Cost};
use crate::parts;
use crate::workspace::Workspace;

const PACKAGE: &str = "fractal-bench";
/// A workspace of its own, so that no peer enters the product's dependencies or features.
const PEERS: &str = "crates/fractal-bench/peers/Cargo.toml";
/// Benchmarks of registries, which need no agent.
const OF_REGISTRIES: [&str; 2] = ["pull", "copy"];

const COST: Cost = Cost {
    what: "the release binaries",
    cpu_seconds: 800,
    megabytes: 1_500,
    built: ("release", "fractal-bench"),
};

pub(crate) fn run(
    console: Console,
    workspace: &Workspace,
    name: &OsStr,
    arguments: &[OsString],
) -> Result<(), Fault> {
    let packages = workspace.packages()?;
    if !packages.iter().any(|package| package == PACKAGE) {
        return Err(Fault::Usage(format!(
            "there is no benchmark {}: this checkout has no crate {PACKAGE}",
            name.to_string_lossy()
        )));
    }
    machine::check(console, workspace, COST)?;
    let parts = parts::ready(console, workspace)?;
    build(workspace, &packages, name)?;
    let mut bench = workspace.tool(workspace.program("release", PACKAGE));
    bench
        .arg(name)
        .args(arguments)
        .env("FRACTAL_PARTS", parts.root());
    let status = bench.status().map_err(Fault::start(PACKAGE))?;
    match status.code() {
        Some(0) => Ok(()),
        code => Err(Fault::Child(
            code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
        )),
    }
}

fn build(workspace: &Workspace, packages: &[String], name: &OsStr) -> Result<(), Fault> {
    let of_registries = OF_REGISTRIES.iter().any(|benchmark| *benchmark == name);
    let is_measured = |package: &str| match of_registries {
        true => package == "fractal-cli",
        false => package.ends_with("-agent") || package == "fractal-simcloud",
    };
    let mut own = release(workspace);
    for package in packages {
        if package == PACKAGE || is_measured(package) {
            own.args(["--package", package]);
        }
    }
    finish(own)?;
    if !of_registries {
        return Ok(());
    }
    let mut peers = release(workspace);
    peers.args(["--manifest-path", PEERS]);
    peers.arg("--target-dir").arg(workspace.target());
    finish(peers)
}

fn release(workspace: &Workspace) -> Command {
    let mut build = workspace.cargo();
    build.args(["build", "--release", "--locked", "--bins"]);
    build
}

fn finish(mut build: Command) -> Result<(), Fault> {
    if build.status().map_err(Fault::start("cargo"))?.success() {
        Ok(())
    } else {
        Err(Fault::Failed("the release build failed".to_owned()))
    }
}
