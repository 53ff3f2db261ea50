//! `fractal-bench`: measures release binaries beside their peers, in one run on one machine. `cargo xtask bench NAME` builds and starts it.
//!
//! Numbers come from `/proc` of the processes measured, so it runs on Linux. Nothing is taken from an earlier run.

mod blob;
mod cloud;
mod copy;
mod distribution;
mod error;
mod idle;
mod launch;
mod peer;
mod probe;
mod programs;
mod pull;
mod render;
mod row;
mod subject;
mod table;
mod verdict;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use fractal_core::fault::chain;

use crate::error::Error;
use crate::row::Row;

/// Measures release binaries beside their peers, in one run on one machine.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Debug, Subcommand)]
enum Benchmark {
    /// Memory of an idle lambda-agent, and of pulling and staging a large blob, beside curl and crane
    Idle(idle::IdleArgs),
    /// Pulling and verifying blobs of several sizes, beside the least that can take, curl, crane, regctl, oci-client and skopeo
    Pull(pull::PullArgs),
    /// Copying an artifact to three registries, and one that is there already, beside crane, regctl, oci-client and skopeo
    Copy(copy::CopyArgs),
    /// Rendering bundles of manifests, beside kustomize's library on the same bundles
    Render(render::RenderArgs),
    /// One of our own measured programs; started by the benchmarks
    #[command(hide = true)]
    Subject(subject::SubjectArgs),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    fractal_runtime::install_crypto_provider();
    // One thread, as agents have.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let done =
        runtime
            .map_err(Error::io("starting"))
            .and_then(|runtime| match arguments.benchmark {
                Benchmark::Idle(args) => {
                    let rows = runtime.block_on(idle::run(&args))?;
                    row::print(&rows, args.json).map_err(Error::io("printing the result"))?;
                    Ok(rows.iter().all(Row::is_fine))
                }
                Benchmark::Pull(args) => {
                    let outcome = runtime.block_on(pull::run(&args))?;
                    pull::print(&outcome, args.json).map_err(Error::io("printing the result"))?;
                    Ok(outcome.is_fine())
                }
                Benchmark::Copy(args) => {
                    let outcome = runtime.block_on(copy::run(&args))?;
                    copy::print(&outcome, args.json).map_err(Error::io("printing the result"))?;
                    Ok(outcome.is_fine())
                }
                Benchmark::Render(args) => {
                    let lines = render::run(&args)?;
                    render::print(&lines, args.json).map_err(Error::io("printing the result"))?;
                    Ok(lines.iter().all(render::Line::is_fine))
                }
                Benchmark::Subject(args) => runtime.block_on(subject::run(&args)).map(|()| true),
            });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Nothing can be said where nothing can be printed.
            let _ = writeln!(std::io::stderr(), "fractal-bench: {}", chain(&error));
            ExitCode::from(2)
        }
    }
}
