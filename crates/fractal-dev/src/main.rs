//! `fractal-dev`: queue, agents and simulated clouds in one process, for development, and the demo.

mod demo;
mod error;
mod output;
mod serve;
mod world;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Everything on one machine: the queue, the agents and simulated clouds, on loopback only.
#[derive(Debug, Parser)]
#[command(
    name = "fractal-dev",
    version,
    arg_required_else_help = true,
    max_term_width = 100
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows the whole path in about a minute: publish, deploy, run, touch nothing twice, repair, take down
    Demo(demo::DemoArgs),
    /// Runs queue, agents and simulated clouds until told to stop, and says how to use them
    Serve(serve::ServeArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    fractal_runtime::install_crypto_provider();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return output::failed("start", &error.to_string()),
    };
    match cli.command {
        Command::Demo(args) => demo::run(runtime, args),
        Command::Serve(args) => runtime.block_on(serve::run(args)),
    }
}
