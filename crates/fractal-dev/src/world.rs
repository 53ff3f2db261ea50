//! Everything at once: a simulated AWS, a second registry, a queue and a Lambda agent, in one process and one folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fractal_aws::Session;
use fractal_core::artifact::RegistryHost;
use fractal_core::{Fault, Reason};
use fractal_queue::store::Sqlite;
use fractal_queue::{Queue, SystemClock};
use fractal_registry::{Options, Registry, StaticCredentials};
use fractal_runtime::{Metrics, Secrets, Service, Settings, Status, Stopper, Surroundings};
use fractal_simcloud::{
    Config, Quotas, Registry as SimRegistry, RegistryConfig, Settling, SimCloud,
};
use lambda_agent::{Lambda, LambdaArgs};
use tokio::task::JoinHandle;

use crate::error::Error;

/// The account of the simulated AWS.
pub(crate) const ACCOUNT: &str = "123456789012";
/// Its region.
pub(crate) const REGION: &str = "eu-central-1";
/// The registry that a Lambda function of this account can be given.
pub(crate) const ECR: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";
/// A registry of another vendor.
pub(crate) const ACR: &str = "demo.azurecr.io";
/// The execution role the simulated AWS knows.
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/lambda-role";

/// Ports to listen on; 0 takes free ones.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ports {
    pub(crate) aws: u16,
    pub(crate) registry: u16,
    pub(crate) other: u16,
}

/// Everything, running.
pub(crate) struct World {
    pub(crate) sim: SimCloud,
    pub(crate) other: SimRegistry,
    pub(crate) queue: Queue,
    pub(crate) client: Registry,
    pub(crate) metrics: Metrics,
    pub(crate) database: PathBuf,
    stopper: Stopper,
    agent: JoinHandle<()>,
}

impl World {
    /// Starts everything in `folder`. A component in sync is looked at every `interval`.
    pub(crate) async fn start(
        folder: &Path,
        ports: Ports,
        interval: Duration,
    ) -> Result<Self, Error> {
        let sim = SimCloud::start(Config {
            state_dir: Some(folder.join("aws")),
            port: ports.aws,
            registry_port: ports.registry,
            // As long as the real service often takes, and not longer: nobody wants to watch a clock.
            settling: Settling {
                reads: None,
                milliseconds: Some(600),
            },
            quotas: Quotas::default(),
            ..Config::default()
        })
        .await?;
        let other = SimRegistry::start(RegistryConfig {
            state_dir: Some(folder.join("registry")),
            port: ports.other,
            ..RegistryConfig::default()
        })
        .await?;
        let database = folder.join("queue.db");
        let store = Sqlite::open(&database).map_err(|error| Fault::from(&error))?;
        let queue = Queue::new(Arc::new(store), Arc::new(SystemClock::default()));
        let client = client(&sim, &other)?;
        let (stopper, stop) = Stopper::new();
        let metrics = Metrics::new("lambda-agent");
        let session = Session::simulated(sim.endpoint(), REGION, ACCOUNT);
        let args = LambdaArgs::default();
        let connected = Lambda::connected(session, &args);
        let settings = Settings {
            interval,
            grace: Duration::from_secs(5),
            ..Settings::new(format!("fractal-dev-{}", std::process::id()))
        };
        let installation = queue.installation().await?;
        let installation =
            installation
                .parse()
                .map_err(|error: fractal_core::contract::IdError| {
                    Fault::terminal(Reason::new("InstallationInvalid"), error.to_string())
                })?;
        let surroundings = Surroundings {
            queue: queue.clone(),
            registry: client.clone(),
            secrets: Secrets::default(),
            settings,
            installation,
            metrics: metrics.clone(),
            status: Status::default(),
            stop,
        };
        let service = Service::new(connected, surroundings)?;
        let agent = tokio::spawn(service.run());
        Ok(Self {
            sim,
            other,
            queue,
            client,
            metrics,
            database,
            stopper,
            agent,
        })
    }

    /// Stops everything in order. What is in flight may end.
    pub(crate) async fn stop(self) {
        self.stopper.stop();
        // A panic in the agent has been logged by then.
        let _ = self.agent.await;
        self.sim.stop().await;
        self.other.stop().await;
    }
}

/// A client that finds the registries' names on loopback.
fn client(sim: &SimCloud, other: &SimRegistry) -> Result<Registry, Error> {
    let host = |name: &str| {
        name.parse::<RegistryHost>()
            .map_err(|error| Fault::terminal(Reason::new("Internal"), error.to_string()))
    };
    let endpoints = BTreeMap::from([
        (host(ECR)?, sim.registry_endpoint().to_owned()),
        (host(ACR)?, other.endpoint()),
    ]);
    Ok(Registry::new(Options {
        endpoints,
        credentials: Arc::new(StaticCredentials::default()),
        ..Options::default()
    })?)
}
