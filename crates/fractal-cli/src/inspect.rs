//! `inspect`: what an artifact is, why we think so, and where it can run. Reads, and changes nothing.

use std::path::Path;

use fractal_core::artifact::ArtifactUri;
use fractal_core::{Fault, Reason};

use crate::artifact::{Artifact, Source};
use crate::error::CliError;
use crate::publish::Parcel;
use crate::registry::RegistryArgs;
use crate::terminal::{Format, Terminal};
use fractal_core::Exit;

mod examine;
mod report;
mod targets;
mod text;

use report::Report;

const REGISTRY_UNRESOLVED: Reason = Reason::new("RegistryUnresolved");

/// Flags of `inspect`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fractal inspect ghcr.io/acme/orders:1.4.2
  fractal inspect orders.zip
  fractal inspect oci-layout:build/image --output json
  fractal inspect ghcr.io/acme/orders:1.4.2 --contents   (reads a zip's or wheel's layer whole)")]
pub(crate) struct InspectArgs {
    /// A reference, a function zip or wheel, an OCI layout, or an image archive
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
    let path = Path::new(&args.subject);
    if path.is_file() {
        let parcel = Parcel::pack(&args.subject, None).await?;
        return examine::parcel(&parcel).await;
    }
    if path.is_dir() {
        let artifact = Artifact::look(Source::folder(path)).await?;
        return examine::artifact(&args.subject, &artifact, true).await;
    }
    let uri: ArtifactUri = args
        .subject
        .parse()
        .map_err(|source| CliError::reference(&args.subject, source))?;
    match uri {
        ArtifactUri::Layout(layout) => {
            let artifact = Artifact::look(Source::layout(&layout)).await?;
            examine::artifact(&args.subject, &artifact, true).await
        }
        ArtifactUri::Registry(reference) => {
            let registry = args.registry.client(std::slice::from_ref(&reference))?;
            let shown = reference.to_string();
            let artifact = Artifact::look(Source::Registry(registry, reference)).await?;
            examine::artifact(&shown, &artifact, args.contents).await
        }
        ArtifactUri::Abstract(coordinate) => {
            let what = "no such file, and the reference names no registry";
            Err(Fault::blocked(REGISTRY_UNRESOLVED, what)
                .at(&coordinate)
                .because("which registry it means is said by each live system's environment")
                .next(format!("write HOST/{coordinate}, or the path of a file"))
                .into())
        }
    }
}
