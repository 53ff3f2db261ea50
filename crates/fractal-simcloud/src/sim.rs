//! A running simulated AWS with the registry that plays ECR, sharing one ledger and one set of faults.

mod beside;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use self::beside::Beside;
use crate::aws::Aws;
use crate::aws::lambda::{Lambda, Served};
use crate::aws::s3::{S3, StagedObject};
use crate::clock::Clock;
use crate::config::Config;
use crate::error::SimError;
use crate::faults::Faults;
use crate::front::Front;
use crate::ledger::Ledger;
use crate::registry::{Registry, Shelf, state_folder};
use crate::server::{Bound, Listener};
use crate::vault::Vault;

/// Where a simulated cloud listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// Every AWS service: the value of `AWS_ENDPOINT_URL`.
    pub aws: String,
    /// The registry that plays ECR.
    pub registry: String,
    /// Ledger, faults, state and clock over HTTP.
    pub control: String,
    /// Azure's identities, where there are some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<String>,
    /// Google's identities, where there are some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gcp: Option<String>,
    /// Vault, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault: Option<String>,
}

/// A running simulated cloud. Dropping it ends it at once; [`SimCloud::stop`] lets open exchanges finish.
pub struct SimCloud {
    aws: Arc<Aws>,
    listener: Listener,
    registry: Registry,
    beside: Beside,
    endpoints: Endpoints,
    _owned: Option<TempDir>,
}

impl fmt::Debug for SimCloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimCloud")
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}

impl SimCloud {
    /// Starts on 127.0.0.1, with whatever the state folder holds. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// When a port is taken, or the state folder cannot be used or holds a journal that is not one.
    pub async fn start(config: Config) -> Result<Self, SimError> {
        let (folder, owned) = state_folder(config.state_dir.clone())?;
        let (ledger, faults) = (
            Ledger::open(&folder, config.fsync, config.clock.clone())?,
            Faults::default(),
        );
        let shelf = Arc::new(Shelf::open(&folder.join("registry"), config.clock.clone())?);
        let (bound, registry) = (
            Bound::loopback(config.port).await?,
            Bound::loopback(config.registry_port).await?,
        );
        let registry = Registry::on(
            registry,
            config.registry_auth.clone(),
            Arc::clone(&shelf),
            ledger.clone(),
            faults.clone(),
        );
        let front = Front {
            ledger: ledger.clone(),
            faults: faults.clone(),
            clock: config.clock.clone(),
        };
        let beside = Beside::start(&config, &front, &shelf).await?;
        let aws = format!("http://{}", bound.address);
        let endpoints = beside.endpoints(&aws, &registry.endpoint());
        let service = Arc::new(Aws::new(
            config,
            &folder,
            aws,
            (shelf, registry.endpoint()),
            ledger,
            faults,
        )?);
        Ok(Self {
            listener: bound.serve(Arc::clone(&service)),
            aws: service,
            registry,
            beside,
            endpoints,
            _owned: owned,
        })
    }

    /// `http://host:port` of every AWS service.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoints.aws
    }

    /// `http://host:port` of the registry that plays ECR.
    #[must_use]
    pub fn registry_endpoint(&self) -> &str {
        &self.endpoints.registry
    }

    /// All endpoints.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The Vault, where there is one.
    #[must_use]
    pub fn vault(&self) -> Option<&Vault> {
        self.beside.vault()
    }

    /// Every call so far, the registry's included.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.aws.ledger
    }

    /// The faults to come, the registry's included.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.aws.faults
    }

    /// The time quotas, settling and tokens go by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.aws.clock
    }

    /// What every function serves now.
    #[must_use]
    pub fn functions(&self) -> Vec<Served> {
        Lambda::served(&self.aws.ledger)
    }

    /// Every object in S3.
    #[must_use]
    pub fn objects(&self) -> Vec<StagedObject> {
        S3::staged(&self.aws.ledger)
    }

    /// Counts calls for armed faults from here on again, and fills the quota buckets. The ledger stays.
    pub fn reset_counters(&self) {
        self.aws.faults.reset_counters();
        self.aws.lambda.reset_quotas();
    }

    /// Stops accepting and waits a bounded time for open exchanges.
    pub async fn stop(self) {
        self.listener.stop().await;
        self.registry.stop().await;
        self.beside.stop().await;
    }
}
