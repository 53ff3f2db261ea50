//! `cargo xtask bench`: builds the release binaries that are measured and starts `fractal-bench`, which knows the benchmarks. It measures nothing.

use std::ffi::{OsStr, OsString};

use crate::console::Console;
use crate::fault::Fault;
use crate::machine::{self, Cost};
use crate::parts;
use crate::workspace::Workspace;

const PACKAGE: &str = "fractal-bench";

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
    let mut build = workspace.cargo();
    build.args(["build", "--release", "--locked", "--bins"]);
    for package in packages.iter().filter(|package| {
        *package == PACKAGE || package.ends_with("-agent") || *package == "fractal-simcloud"
    }) {
        build.args(["--package", package]);
    }
    if !build.status().map_err(Fault::start("cargo"))?.success() {
        return Err(Fault::Failed("the release build failed".to_owned()));
    }
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
