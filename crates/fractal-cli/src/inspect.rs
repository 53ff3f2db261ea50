//! `inspect`: what an artifact is, why we think so, and where it can run. Reads, and changes nothing.

use fractal_artifact::targets::Settings;
use fractal_core::Exit;

use crate::error::CliError;
use crate::registry::RegistryArgs;
use crate::terminal::{Format, Terminal};

mod contents;
mod evidence;
mod examine;
mod images;
mod opened;
mod report;
mod text;

pub(crate) use examine::Examined;
pub(crate) use opened::Opened;

use report::Report;

/// Flags of `inspect`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fractal inspect ghcr.io/acme/orders:1.4.2
  fractal inspect orders.zip
  fractal inspect oci-layout:build/image --output json
  fractal inspect images.tar
  fractal inspect ghcr.io/acme/orders:1.4.2 --contents   (reads a zip's or wheel's layer whole)

Exit code 0: some target runs it. 1: none does, or it cannot be read.
75: the registry could not be reached; try again.
Whether it runs where it is to run, with its handler and settings, is said by `fractal check`.")]
pub(crate) struct InspectArgs {
    /// A reference, a function zip or wheel, an OCI layout, an image archive, or a bundle's folder or tar
    #[arg(value_name = "REFERENCE|FILE|LAYOUT")]
    subject: String,
    /// Reads the layer of a zip or wheel in a registry too, to say what is in it
    #[arg(long)]
    contents: bool,
    #[command(flatten)]
    registry: RegistryArgs,
}

pub(crate) async fn run(terminal: &Terminal, args: InspectArgs) -> Result<Exit, CliError> {
    let text = format!("reading {}", args.subject);
    let report = terminal.during(&text, report(&args)).await?;
    match terminal.format() {
        Format::Json => terminal.json(&report),
        Format::Text => terminal.lines(text::report(&report, terminal.paint())),
    }
    Ok(report.exit())
}

async fn report(args: &InspectArgs) -> Result<Report, CliError> {
    let opened = Opened::open(&args.subject, &args.registry).await?;
    let mut examined = Examined::of(&opened, &args.subject).await?;
    if args.contents || opened.is_here() {
        examined.read(&opened, &Settings::default()).await?;
    }
    Ok(Report::new(&opened.name(&args.subject), examined))
}
