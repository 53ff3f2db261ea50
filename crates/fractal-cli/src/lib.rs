//! The `fractal` command: publishes artifacts, says what they are, and submits and follows live systems through the queue.
//!
//! It links no cloud SDK and no agent: what a cloud would do is asked of the agent that serves it.
//! One file per command; printing is [`terminal`](self)'s alone, and every problem ends as a fault with an exit code.

mod approve;
mod args;
mod artifact;
mod check;
mod component;
mod control;
mod copy;
mod document;
mod down;
mod error;
mod follow;
mod inspect;
mod live_system;
mod manifests;
mod plan;
mod publish;
mod registry;
mod retry;
mod status;
mod table;
mod terminal;
mod up;
mod usage;
mod verify;

use std::process::ExitCode;

use clap::Parser as _;
use fractal_core::{Fault, Reason};

pub use error::CliError;
pub use fractal_core::Exit;
pub use publish::{Arrival, Effort, Left, Parcel, WrongName, deliver};

use args::{Cli, Command};
use terminal::Terminal;

/// The command's `main`.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::report(&error).into(),
    };
    let terminal = Terminal::new(cli.output);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let exit = match runtime {
        Ok(runtime) => runtime
            .block_on(dispatch(&terminal, cli.command))
            .unwrap_or_else(|error| terminal.failure(error)),
        Err(error) => {
            let fault = Fault::transient(Reason::new("ResourceLocal"), "the command cannot start");
            terminal.failure(CliError::from(fault.because(error)))
        }
    };
    terminal.finish(exit).into()
}

async fn dispatch(terminal: &Terminal, command: Command) -> Result<Exit, CliError> {
    match command {
        Command::Publish(args) => publish::run(terminal, args).await,
        Command::Copy(args) => copy::run(terminal, args).await,
        Command::Inspect(args) => inspect::run(terminal, args).await,
        Command::Check(args) => check::run(terminal, *args).await,
        Command::Manifests(args) => manifests::run(terminal, args).await,
        Command::Verify(args) => verify::run(terminal, args).await,
        Command::Up(args) => up::run(terminal, args).await,
        Command::Plan(args) => plan::run(terminal, args).await,
        Command::Status(args) => status::run(terminal, args).await,
        Command::Down(args) => down::run(terminal, args).await,
        Command::Approve(args) => approve::run(terminal, args).await,
        Command::Retry(args) => retry::run(terminal, args).await,
    }
}
