//! `cargo demo`: machine check, then this process becomes cargo, which builds `fractal-dev` and becomes its demo.
//! One process all the way, so a signal reaches whatever runs at the moment and nothing is left behind. The demo itself is in `fractal-dev`.

use std::ffi::OsString;
use std::process::Command;

use crate::cli;
use crate::console::{Console, answer};
use crate::fault::Fault;
use crate::machine::{self, Cost};
use crate::workspace::Workspace;

const COST: Cost = Cost {
    what: "the demo",
    cpu_seconds: 330,
    megabytes: 2_000,
    built: ("debug", "fractal-dev"),
};

pub(crate) fn run(
    console: Console,
    workspace: &Workspace,
    arguments: &[OsString],
) -> Result<(), Fault> {
    if arguments
        .iter()
        .any(|argument| argument == "--help" || argument == "-h")
    {
        return help(workspace);
    }
    machine::check(console, workspace, COST)?;
    console.step("building, then running the demo");
    become_program(command(workspace, arguments))
}

/// Builds and runs the demo; used by the tests, which run it where only loopback can be reached.
pub(crate) fn command(workspace: &Workspace, arguments: &[OsString]) -> Command {
    let mut cargo = workspace.cargo();
    cargo
        .args([
            "run",
            "--locked",
            "--package",
            "fractal-dev",
            "--bin",
            "fractal-dev",
            "--",
            "demo",
        ])
        .args(arguments);
    cargo
}

/// The demo's own options come from the demo, which is not built for the sake of a help text.
fn help(workspace: &Workspace) -> Result<(), Fault> {
    answer(cli::demo_help());
    let program = workspace.program("debug", "fractal-dev");
    if !program.exists() {
        answer("The demo's own help appears here once it was built (cargo demo builds it).");
        return Ok(());
    }
    let mut demo = Command::new(program);
    demo.args(["demo", "--help"]);
    become_program(demo)
}

#[cfg(unix)]
fn become_program(mut command: Command) -> Result<(), Fault> {
    use std::os::unix::process::CommandExt;
    let name = command.get_program().to_string_lossy().into_owned();
    Err(Fault::start(&name)(command.exec()))
}

#[cfg(not(unix))]
fn become_program(mut command: Command) -> Result<(), Fault> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().map_err(Fault::start(&name))?;
    match status.code() {
        Some(0) => Ok(()),
        code => Err(Fault::Child(
            code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
        )),
    }
}
