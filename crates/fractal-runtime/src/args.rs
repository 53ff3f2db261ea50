//! Flags and variables every agent has. Credentials, endpoints and regions are the vendors' own variables, not ours.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use fractal_core::artifact::RegistryHost;
use fractal_core::artifact::resolve::RegistryPrefix;
use fractal_core::contract::EnvironmentId;
use fractal_core::{Fault, Reason};
use fractal_queue::{Environments, QueueUrl};

use crate::settings::Settings;
use crate::telemetry::logs::LogFormat;

mod egress;

pub(crate) use egress::EgressArgs;

/// A registry's name and where its bytes are fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RegistryEndpoint(RegistryHost, String);

impl FromStr for RegistryEndpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, url) = text.split_once('=').ok_or("write it as HOST=URL")?;
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err("the URL begins with http:// or https://".to_owned());
        }
        Ok(Self(
            host.parse()
                .map_err(|error: fractal_core::artifact::ReferenceError| error.to_string())?,
            url.to_owned(),
        ))
    }
}

/// Flags every agent has.
#[derive(Debug, Clone, clap::Args)]
pub struct RuntimeArgs {
    /// The queue shared with the control plane and other agents: sqlite:PATH
    #[arg(long, env = "FRACTAL_QUEUE", value_name = "URL", global = true)]
    pub queue: Option<QueueUrl>,

    /// Name of this installation, written into every object made; by default the queue's own
    #[arg(long, env = "FRACTAL_INSTALLATION", value_name = "ID", global = true)]
    pub installation: Option<String>,

    /// Environments served; all when not given
    #[arg(long = "environment", env = "FRACTAL_ENVIRONMENTS", value_name = "TYPE/OWNER/NAME", value_delimiter = ',', value_parser = environment, global = true)]
    pub environments: Vec<EnvironmentId>,

    /// Where an artifact without a registry is looked up when its environment maps none
    #[arg(
        long,
        env = "FRACTAL_REGISTRY",
        value_name = "HOST[/PREFIX]",
        global = true
    )]
    pub registry: Option<RegistryPrefix>,

    #[command(flatten)]
    pub(crate) egress: EgressArgs,

    /// A Docker config.json with registry credentials; its credential helpers are looked for on PATH
    #[arg(
        long,
        env = "FRACTAL_REGISTRY_CONFIG",
        value_name = "FILE",
        global = true
    )]
    pub registry_config: Option<PathBuf>,

    /// A folder with a file per secret, DIR/ENVIRONMENT/SECRET
    #[arg(long, env = "FRACTAL_SECRETS_DIR", value_name = "DIR", global = true)]
    pub secrets_dir: Option<PathBuf>,

    /// Environments in which objects may be replaced without asking; `*` for all
    #[arg(
        long = "allow-replace",
        env = "FRACTAL_ALLOW_REPLACE",
        value_name = "NAME",
        value_delimiter = ',',
        global = true
    )]
    pub allow_replace: Vec<String>,

    /// How often a component in sync is looked at, in seconds
    #[arg(long, env = "FRACTAL_INTERVAL", value_name = "SECONDS", default_value = "30", value_parser = seconds, global = true)]
    pub interval: Duration,

    /// How often everything is read and compared, in seconds
    #[arg(long, env = "FRACTAL_SWEEP", value_name = "SECONDS", default_value = "21600", value_parser = seconds, global = true)]
    pub sweep: Duration,

    /// How long a claim may stand still before another agent takes it over, in seconds; longer than the longest cloud call
    #[arg(long, env = "FRACTAL_LEASE", value_name = "SECONDS", default_value = "90", value_parser = seconds, global = true)]
    pub lease: Duration,

    /// How long work in flight may go on after SIGTERM, in seconds
    #[arg(long, env = "FRACTAL_GRACE", value_name = "SECONDS", default_value = "20", value_parser = seconds, global = true)]
    pub grace: Duration,

    /// Most components worked on at once
    #[arg(long, env = "FRACTAL_CONCURRENCY", value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256), global = true)]
    pub concurrency: u16,

    /// Serves /metrics, /livez and /readyz there; nothing is served when not given
    #[arg(
        long,
        env = "FRACTAL_LISTEN",
        value_name = "ADDRESS:PORT",
        global = true
    )]
    pub listen: Option<SocketAddr>,

    /// What is logged: a level, or target=level,...
    #[arg(
        long,
        env = "FRACTAL_LOG",
        value_name = "FILTER",
        default_value = "info",
        global = true
    )]
    pub log: String,

    /// How it is logged
    #[arg(
        long,
        env = "FRACTAL_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "auto",
        global = true
    )]
    pub log_format: LogFormat,
}

/// `type/ownerId/shortName`, as environments are addressed everywhere.
fn environment(text: &str) -> Result<EnvironmentId, String> {
    let parts: Vec<_> = text.trim().split('/').collect();
    let [owner_type, owner, name] = parts.as_slice() else {
        return Err("write it as TYPE/OWNER/NAME".to_owned());
    };
    EnvironmentId::new(owner_type, owner, name).map_err(|error| error.to_string())
}

/// Seconds, with fractions, from a hundredth to a year.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "write a number of seconds".to_owned())?;
    if (0.01..=31_536_000.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("from 0.01 seconds to a year".to_owned())
    }
}

impl RuntimeArgs {
    /// The queue's address, or how to give it.
    pub(crate) fn queue(&self) -> Result<&QueueUrl, Fault> {
        self.queue.as_ref().ok_or_else(|| {
            Fault::terminal(Reason::new("QueueMissing"), "no queue is given")
                .next("set FRACTAL_QUEUE or --queue, for example sqlite:/var/lib/fractal/queue.db")
        })
    }

    /// The settings of the loop, for a process called `holder`.
    pub(crate) fn settings(&self, holder: String) -> Settings {
        let environments = match self.environments.as_slice() {
            [] => Environments::All,
            some => Environments::Only(some.iter().cloned().collect()),
        };
        Settings {
            environments,
            concurrency: usize::from(self.concurrency),
            lease: self.lease,
            interval: self.interval,
            sweep: self.sweep,
            grace: self.grace,
            registry: self.registry.clone(),
            allow_replace: self.allow_replace.clone(),
            ..Settings::new(holder)
        }
    }
}
