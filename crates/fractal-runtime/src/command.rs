//! The command line of an agent: `run`, `plan`, `check` and `docs`, the same for every cloud.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use fractal_core::artifact::resolve::RegistryPrefix;
use fractal_core::reconcile::InstallationId;
use fractal_core::{Class, Fault};
use fractal_queue::{Queue, SystemClock};
use fractal_registry::{
    Chain, CredentialSource, DockerConfig, Options, Registry, RetryPolicy, Timeouts,
};

use crate::agent::{Agent, Connected};
use crate::args::RuntimeArgs;
use crate::secrets::Secrets;
use crate::service::{Status, Surroundings};
use crate::stop::Stop;
use crate::telemetry::logs;
use crate::telemetry::metrics::Metrics;
use fractal_core::Exit;

mod check;
mod docs;
mod output;
mod plan;
mod run;

/// An agent's command line.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, max_term_width = 100)]
struct Cli<A: clap::Args> {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    runtime: RuntimeArgs,
    #[command(flatten, next_help_heading = "Cloud")]
    own: A,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Takes components from the queue and reconciles them until told to stop
    Run,
    /// Prints what would be done about each component; reads the cloud, changes nothing
    Plan(plan::PlanArgs),
    /// Looks whether the agent can work: queue, credentials, permissions, prerequisites
    Check(check::CheckArgs),
    /// Prints the reference of all flags and variables as Markdown
    Docs,
}

/// An agent's `main`.
#[must_use]
pub fn main<A: Agent>() -> ExitCode {
    let command = Cli::<A::Args>::command().name(A::NAME).about(A::ABOUT);
    let cli = match command
        .clone()
        .try_get_matches()
        .and_then(|matches| Cli::<A::Args>::from_arg_matches(&matches))
    {
        Ok(cli) => cli,
        Err(error) => return usage(&error).into(),
    };
    if matches!(cli.command, Command::Docs) {
        return docs::print(command).into();
    }
    if let Err(problem) = logs::start(A::NAME, cli.runtime.log_format, &cli.runtime.log) {
        return output::problem(&problem, Exit::Usage).into();
    }
    crate::install_crypto_provider();
    // One thread: an agent waits for networks, and each further thread costs memory in every cloud.
    match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime.block_on(dispatch::<A>(cli)).into(),
        Err(error) => output::problem(&format!("cannot start: {error}"), Exit::TryAgain).into(),
    }
}

/// clap prints help and versions to standard output and errors to standard error.
fn usage(error: &clap::Error) -> Exit {
    let asked = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    // Nothing can be said where nothing can be printed.
    let _ = error.print();
    if asked { Exit::Success } else { Exit::Usage }
}

async fn dispatch<A: Agent>(cli: Cli<A::Args>) -> Exit {
    let ended = match cli.command {
        Command::Run => run::run::<A>(&cli.runtime, &cli.own).await,
        Command::Plan(args) => plan::plan::<A>(&cli.runtime, &cli.own, &args).await,
        Command::Check(args) => check::check::<A>(&cli.runtime, &cli.own, &args).await,
        Command::Docs => Ok(Exit::Success),
    };
    ended.unwrap_or_else(|fault| output::fault(&fault))
}

/// The queue that the flags name.
fn queue(args: &RuntimeArgs) -> Result<Queue, Fault> {
    let url = args.queue()?;
    let store = url.open().map_err(|error| Fault::from(&error).at(url))?;
    Ok(Queue::new(store, Arc::new(SystemClock::default())))
}

/// The installation that the flags name, or else the queue's own.
async fn installation(args: &RuntimeArgs, queue: &Queue) -> Result<InstallationId, Fault> {
    let text = match &args.installation {
        Some(id) => id.clone(),
        None => queue
            .installation()
            .await
            .map_err(|error| Fault::from(&error))?,
    };
    text.parse()
        .map_err(|error: fractal_core::contract::IdError| {
            Fault::terminal(
                fractal_core::Reason::new("InstallationInvalid"),
                error.to_string(),
            )
            .at("--installation")
            .next("use letters, digits, `-`, `_` and `.`")
        })
}

/// Everything the flags name, for a process called `holder`.
async fn surroundings<A: Agent>(
    args: &RuntimeArgs,
    connected: &Connected<A>,
    (holder, stop): (String, Stop),
) -> Result<Surroundings, Fault> {
    let queue = queue(args)?;
    let secrets = args.secrets_dir.clone().map(Secrets::from_directory);
    Ok(Surroundings {
        installation: installation(args, &queue).await?,
        registry: registry(args, connected)?,
        secrets: secrets.unwrap_or_default(),
        settings: args.settings(holder),
        metrics: Metrics::new(A::NAME),
        status: Status::default(),
        queue,
        stop,
    })
}

/// How long an agent waits for a registry to begin its answer: the component is tried again anyway.
const REGISTRY_FIRST_BYTE: Duration = Duration::from_secs(10);
/// Bound of one request with its one repetition.
const REGISTRY_TOTAL: Duration = Duration::from_secs(25);

/// A client for the registries the agent reads: the cloud's own login first, then what the operator configured.
fn registry<A: Agent>(args: &RuntimeArgs, connected: &Connected<A>) -> Result<Registry, Fault> {
    let mut sources: Vec<Arc<dyn CredentialSource>> =
        connected.credentials.iter().cloned().collect();
    if let Some(path) = &args.registry_config {
        let config = DockerConfig::read(path)?;
        sources.push(Arc::new(config.with_helpers_in(std::env::var_os("PATH"))));
    }
    Ok(Registry::new(Options {
        credentials: Arc::new(Chain::new(sources)),
        ..reaching(args)?
    })?)
}

/// How registries are reached, without any credentials.
pub(super) fn reaching(args: &RuntimeArgs) -> Result<Options, Fault> {
    let own = args.registry.as_ref().map(RegistryPrefix::host);
    Ok(Options {
        timeouts: Timeouts {
            first_byte: REGISTRY_FIRST_BYTE,
            ..Timeouts::default()
        },
        retry: RetryPolicy {
            attempts: 2,
            total: REGISTRY_TOTAL,
            ..RetryPolicy::default()
        },
        ..args.egress.options(own)?
    })
}

/// Whether connecting again may help.
const fn may_pass(fault: &Fault) -> bool {
    !matches!(fault.class, Class::Terminal)
}
