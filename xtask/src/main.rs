//! Developer automation: `cargo demo` and `cargo xtask …`. Depends on the standard library alone, so that a bare machine builds it in seconds
//! and is told what is missing before anything long begins. Nothing that ships is in here.

mod bench;
mod check;
mod cli;
mod console;
mod demo;
mod fault;
mod isolate;
mod machine;
mod parts;
mod snapshot;
mod suite;
mod workspace;

use std::error::Error;
use std::process::ExitCode;

use cli::Command;
use console::Console;
use fault::Fault;
use workspace::Workspace;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            if !matches!(fault, Fault::Child(_)) {
                report(&fault);
            }
            fault.code()
        }
    }
}

fn run() -> Result<(), Fault> {
    let command = cli::parse(std::env::args_os().skip(1))?;
    let console = Console::new();
    match command {
        Command::Help(text) => {
            console::answer(text);
            Ok(())
        }
        Command::Isolated { report, command } => isolate::inside(&report, &command),
        Command::Demo(arguments) => demo::run(console, &Workspace::find()?, &arguments),
        Command::Parts(request) => parts::command(console, &Workspace::find()?, request),
        Command::Test(filters) => suite::run(console, &Workspace::find()?, &filters),
        Command::Check => check::run(console, &Workspace::find()?),
        Command::Each => check::each(console, &Workspace::find()?),
        Command::Offline(arguments) => suite::offline(console, &Workspace::find()?, &arguments),
        Command::Bench { name, arguments } => {
            bench::run(console, &Workspace::find()?, &name, &arguments)
        }
    }
}

fn report(fault: &Fault) {
    let mut text = fault.to_string();
    let mut source = fault.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    Console::new().bad(text);
}
