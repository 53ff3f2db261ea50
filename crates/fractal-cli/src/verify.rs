//! `verify`: whether every registry of a live system has the same artifact, and whether that is what runs. Changes nothing.

use std::path::Path;

use fractal_core::Exit;
use fractal_core::artifact::resolve::RegistryPrefix;
use fractal_core::artifact::{ArtifactUri, Reference};
use fractal_core::contract::Component;
use fractal_queue::{ComponentDocument, Desired, Queue};

use crate::control::QueueArgs;
use crate::error::CliError;
use crate::live_system;
use crate::plan;
use crate::registry::RegistryArgs;
use crate::terminal::{Format, Terminal};

mod ask;
mod claim;
mod report;
mod text;

use claim::Claim;
use report::Report;

/// Flags of `verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fractal verify shop                (what was submitted: every registry, and what runs)
  fractal verify shop.yaml           (what the file says: every registry)
  fractal verify ghcr.io/acme/orders:1.4.2 acme.azurecr.io/orders:1.4.2
  fractal verify shop --bytes        (reads and hashes every byte, instead of the manifests alone)

Each manifest is fetched and its digest computed here: what a registry says of itself is not believed.
Exit code 0 means: one artifact everywhere. 1: not so. 75: a registry could not be asked; try again.")]
pub(crate) struct VerifyArgs {
    /// A live system in the queue, a live system's file, or references that are to be one artifact
    #[arg(value_name = "LIVE_SYSTEM|FILE|REFERENCE", required = true)]
    subjects: Vec<String>,
    /// Reads and hashes the layers too
    #[arg(long)]
    bytes: bool,
    /// Where artifacts without a registry are looked up for providers that the environment does not map
    #[arg(long, value_name = "HOST[/PREFIX]")]
    registry: Option<RegistryPrefix>,
    #[command(flatten)]
    queue: QueueArgs,
    #[command(flatten)]
    registries: RegistryArgs,
}

pub(crate) async fn run(terminal: &Terminal, args: VerifyArgs) -> Result<Exit, CliError> {
    let (claims, named) = claims(&args).await?;
    let registry = args.registries.client(&named)?;
    let asking = ask::all(&registry, claims, args.bytes);
    let verdicts = terminal.during("asking the registries", asking).await;
    let report = Report::new(verdicts);
    match terminal.format() {
        Format::Json => terminal.json(&report),
        Format::Text => terminal.lines(text::report(&report, terminal.paint())),
    }
    Ok(report.exit(terminal))
}

/// What is to hold, and the references that were typed.
async fn claims(args: &VerifyArgs) -> Result<(Vec<Claim>, Vec<Reference>), CliError> {
    if let Some(references) = references(&args.subjects)? {
        return Ok((vec![claim::of_references(&references)], references));
    }
    let [subject] = args.subjects.as_slice() else {
        return Err(CliError::usage(
            "one live system is verified at a time",
            "name one live system or file, or references that each begin with their registry's host",
        ));
    };
    let components = if plan::is_file(Path::new(subject)) {
        let system = plan::read(Path::new(subject)).await?;
        let components = system.components.into_values();
        components.map(|component| (component, None)).collect()
    } else {
        submitted(&args.queue.open()?, subject).await?
    };
    let claims = claim::of_components(&components, args.registry.as_ref());
    Ok((claims, Vec::new()))
}

/// The subjects as references, where the first is one: they are then to be one artifact.
fn references(subjects: &[String]) -> Result<Option<Vec<Reference>>, CliError> {
    let first = subjects.first().map(|text| text.parse::<ArtifactUri>());
    if !matches!(first, Some(Ok(ArtifactUri::Registry(_)))) {
        return Ok(None);
    }
    let parse = |text: &String| {
        text.parse::<Reference>()
            .map_err(|source| CliError::reference(text, source))
    };
    subjects
        .iter()
        .map(parse)
        .collect::<Result<_, _>>()
        .map(Some)
}

/// What was submitted and is still wanted, with what is known of it.
async fn submitted(
    queue: &Queue,
    subject: &str,
) -> Result<Vec<(Component, Option<ComponentDocument>)>, CliError> {
    let system = live_system::find(queue, subject).await?;
    let mut components = Vec::new();
    for document in queue.components(&system.id).await? {
        if let Desired::Present(body) = queue.desired(&document).await? {
            components.push((*body, Some(document)));
        }
    }
    Ok(components)
}
