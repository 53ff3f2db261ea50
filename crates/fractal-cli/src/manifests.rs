//! `manifests`: bundles of Kubernetes manifests, from a repository's `.fractal/` folder to what would be applied.
//!
//! What a bundle means is `fractal-artifact`'s, so that what is printed here is what the agent makes of it.
//! No cluster is asked here: what is there already is known to the agent alone, and asked of it through the queue.

use fractal_artifact::manifests::Finding;
use fractal_core::artifact::Digest;

use crate::error::CliError;
use crate::registry::RegistryArgs;
use crate::terminal::Terminal;
use fractal_core::Exit;

mod bundle;
mod check;
mod diff;
mod folder;
mod lint;
mod push;
mod render;
mod settings;
mod yaml;

/// Commands of `manifests`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fractal manifests lint
  fractal manifests render --component dashboard --environment dev --set replicas=2
  fractal manifests push ghcr.io/acme/shop-manifests:1.4.2 acme.azurecr.io/shop-manifests:1.4.2
  fractal manifests diff --component dashboard shop

A bundle is a repository's .fractal folder: <component id>-fdeploy.yaml for each workload, and
fractal-parameters.yml with the values of $NAMES for each environment.")]
pub(crate) struct ManifestsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Packs .fractal the same way every time and pushes it to one or more registries
    Push(push::PushArgs),
    /// Prints what would be applied for one component and environment
    Render(Box<render::RenderArgs>),
    /// Asks the agent what applying a bundle would change in the cluster
    Diff(diff::DiffArgs),
    /// Says what is wrong with a bundle before it is published
    Lint(lint::LintArgs),
}

pub(crate) async fn run(terminal: &Terminal, args: ManifestsArgs) -> Result<Exit, CliError> {
    match args.command {
        Command::Push(args) => push::run(terminal, args).await,
        Command::Render(args) => render::run(terminal, *args).await,
        Command::Diff(args) => diff::run(terminal, args).await,
        Command::Lint(args) => lint::run(terminal, args).await,
    }
}

/// A bundle as its check sees it.
pub(crate) struct Linted {
    /// Of one that was published.
    pub(crate) digest: Option<Digest>,
    /// The components that it has manifests for.
    pub(crate) components: usize,
    /// What was found; places are as editors look for them.
    pub(crate) findings: Vec<Finding>,
}

/// Reads the bundle that `subject` names and checks all of it, as `manifests lint` does.
pub(crate) async fn linted(subject: &str, registry: &RegistryArgs) -> Result<Linted, CliError> {
    let bundle = bundle::Bundle::open(subject, registry).await?;
    let checked = check::Check::of(&bundle, None).run();
    let placed = |found: check::Found| {
        let mut finding = found.finding;
        if bundle.files.contains_key(finding.file.as_str()) {
            finding.file.insert_str(0, &bundle.prefix);
        }
        finding
    };
    Ok(Linted {
        components: checked.components.len(),
        findings: checked.findings.into_iter().map(placed).collect(),
        digest: bundle.digest,
    })
}
