//! The command line: which commands there are. What each of them takes stands beside it.

use clap::{Parser, Subcommand};

use crate::approve::ApproveArgs;
use crate::check::CheckArgs;
use crate::copy::CopyArgs;
use crate::down::DownArgs;
use crate::inspect::InspectArgs;
use crate::manifests::ManifestsArgs;
use crate::plan::PlanArgs;
use crate::publish::PublishArgs;
use crate::retry::RetryArgs;
use crate::status::StatusArgs;
use crate::terminal::Format;
use crate::up::UpArgs;
use crate::verify::VerifyArgs;

const EXAMPLES: &str = "\
Examples:
  fractal publish orders.zip 123456789012.dkr.ecr.eu-central-1.amazonaws.com/orders:1.4.2 acme.azurecr.io/orders:1.4.2
  fractal copy ghcr.io/acme/orders:1.4.2 acme.azurecr.io/orders:1.4.2 oci-layout:backup:1.4.2
  fractal inspect acme.azurecr.io/orders:1.4.2
  fractal check orders.zip --target aws-lambda --handler app.handler
  fractal verify ghcr.io/acme/orders:1.4.2 acme.azurecr.io/orders:1.4.2
  fractal plan shop.yaml
  fractal up shop.yaml --wait
  fractal status shop --watch

Exit codes:
  0  it did what was asked
  1  it could not: the message says what, where, why and what to do next
  2  it was asked wrongly
 75  something outside did not answer in time: trying again may help";

/// One artifact per workload, the same bytes on any cloud.
#[derive(Debug, Parser)]
#[command(
    name = "fractal",
    version,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = EXAMPLES
)]
pub(crate) struct Cli {
    /// How the answer is printed
    #[arg(long, value_name = "FORMAT", default_value = "text", global = true)]
    pub(crate) output: Format,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Pushes one artifact to one or more registries and compares the digests they have afterwards
    Publish(PublishArgs),
    /// Copies an artifact as it is to one or more places, with what refers to it
    Copy(CopyArgs),
    /// Says what an artifact is, how that is known, and where it can run
    Inspect(InspectArgs),
    /// Says whether an artifact can run where it is to run, and what to do where it cannot
    Check(Box<CheckArgs>),
    /// Says whether all registries of a live system have the same artifact, and whether that is what runs
    Verify(VerifyArgs),
    /// Publishes, renders, compares and checks bundles of Kubernetes manifests
    Manifests(ManifestsArgs),
    /// Submits a live system: what agents then bring about
    Up(UpArgs),
    /// Asks the agents what they would do, without changing anything
    Plan(PlanArgs),
    /// Shows live systems and their components
    Status(StatusArgs),
    /// Removes a live system
    Down(DownArgs),
    /// Consents to the replacements of one plan
    Approve(ApproveArgs),
    /// Has components tried again now
    Retry(RetryArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    fn teaches(command: &clap::Command) {
        // clap adds a `help` to whatever has commands of its own.
        let own = command
            .get_subcommands()
            .filter(|it| it.get_name() != "help");
        for command in own {
            let examples = command.get_after_help().map(ToString::to_string);
            let name = command.get_bin_name().unwrap_or_default();
            assert!(command.get_about().is_some(), "{name}");
            assert!(
                examples.is_some_and(|text| text.contains(&format!("{name} "))),
                "{name}"
            );
            teaches(command);
        }
    }

    #[test]
    fn every_command_says_what_it_does_and_gives_an_example() {
        let mut command = Cli::command();
        command.build();
        teaches(&command);
    }
}
