//! `check`: whether an artifact can run where it is to run, before anything is deployed. Reads, and changes nothing.

use fractal_artifact::targets::{AzurePlan, Settings, Target, Verdict, judge};
use fractal_core::Exit;
use fractal_core::artifact::ArtifactKind;

use crate::artifact::unknown;
use crate::error::CliError;
use crate::inspect::{Examined, Opened};
use crate::registry::RegistryArgs;
use crate::terminal::{Format, Terminal};

mod report;
mod text;

use report::Report;

/// Flags of `check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fractal check orders.zip --target aws-lambda --handler app.handler --runtime python3.13
  fractal check orders.zip --target azure-functions --plan flex
  fractal check etl-1.4.2-py3-none-any.whl --target databricks --entry-point etl.jobs:main
  fractal check ghcr.io/acme/shop:1.4.2                       (every target that runs images)
  fractal check ghcr.io/acme/shop:1.4.2 --output json

Exit code 0: no errors for any of the targets. Warnings and notes fail nothing.
What is compared with the limits is read from the manifest, the zip's directory and a few small
files; a zip too large for every target is refused without reading any of it.")]
pub(crate) struct CheckArgs {
    /// A reference, a function zip or wheel, an OCI layout, an image archive, or a bundle's folder or tar
    #[arg(value_name = "REFERENCE|FILE|LAYOUT")]
    artifact: String,
    /// Where it is to run; by default, every target that runs artifacts of this kind
    #[arg(long = "target", value_name = "TARGET", value_delimiter = ',', value_parser = target)]
    targets: Vec<Target>,
    /// The function's handler on Lambda, as module.function
    #[arg(long)]
    handler: Option<String>,
    /// The function's runtime, as any of the clouds writes it
    #[arg(long)]
    runtime: Option<String>,
    /// A wheel's module:function, or the function that Google calls
    #[arg(long, value_name = "MODULE:FUNCTION")]
    entry_point: Option<String>,
    /// The function app's plan on Azure: flex, consumption, premium or dedicated
    #[arg(long, value_name = "PLAN", value_parser = plan)]
    plan: Option<AzurePlan>,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// Texts of the command line as what they name; clap wants functions that own their errors.
fn target(text: &str) -> Result<Target, String> {
    text.parse()
        .map_err(|error: fractal_artifact::targets::UnknownTarget| error.to_string())
}

fn plan(text: &str) -> Result<AzurePlan, String> {
    text.parse().map_err(|error: &str| error.to_owned())
}

pub(crate) async fn run(terminal: &Terminal, args: CheckArgs) -> Result<Exit, CliError> {
    let text = format!("reading {}", args.artifact);
    let report = terminal.during(&text, report(&args)).await?;
    match terminal.format() {
        Format::Json => terminal.json(&report),
        Format::Text => terminal.lines(text::report(&report, terminal.paint())),
    }
    Ok(report.exit())
}

async fn report(args: &CheckArgs) -> Result<Report, CliError> {
    let settings = Settings {
        handler: args.handler.clone(),
        runtime: args.runtime.clone(),
        entry_point: args.entry_point.clone(),
        plan: args.plan,
    };
    let opened = Opened::open(&args.artifact, &args.registry).await?;
    let mut examined = Examined::of(&opened, &args.artifact).await?;
    let targets = targets(&args.targets, &examined)?;
    let judged = |examined: &Examined| -> Vec<Verdict> {
        let subjects = &examined.subjects;
        let targets = targets.iter();
        targets
            .map(|target| judge(subjects, *target, &settings))
            .collect()
    };
    let mut verdicts = judged(&examined);
    // What the manifest alone rules out everywhere is not read.
    if verdicts.iter().any(|verdict| verdict.runs) {
        examined.read(&opened, &settings).await?;
        verdicts = judged(&examined);
    }
    Ok(Report::new(
        &opened.name(&args.artifact),
        &examined,
        verdicts,
    ))
}

/// Those that were asked for, or those that run one of the artifact's kinds.
fn targets(asked: &[Target], examined: &Examined) -> Result<Vec<Target>, CliError> {
    if examined.kinds.is_empty() {
        return Err(unknown(&examined.because).into());
    }
    if !asked.is_empty() {
        let mut targets: Vec<Target> = asked.to_vec();
        targets.dedup();
        return Ok(targets);
    }
    let takes = |target: &Target| {
        let mut kinds = examined.kinds.iter();
        kinds.any(|kind: &ArtifactKind| target.takes(*kind))
    };
    Ok(Target::ALL.into_iter().filter(takes).collect())
}
