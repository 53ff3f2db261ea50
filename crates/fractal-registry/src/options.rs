//! What a caller decides: endpoints, time-outs, retries, credentials. Nothing here reads the environment.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fractal_core::artifact::RegistryHost;

use crate::auth::credentials::{CredentialSource, StaticCredentials};
use crate::egress::policy::HostPolicy;
use crate::egress::proxy::Proxies;

/// Settings of a [`crate::Registry`].
#[derive(Debug, Clone)]
pub struct Options {
    /// Base URL to use instead of `https://HOST`, by host.
    pub endpoints: BTreeMap<RegistryHost, String>,
    /// Hosts that speak plain HTTP. A loopback host with a port always does, where it may be reached.
    pub plain_http: BTreeSet<RegistryHost>,
    /// Which hosts may be reached. What [`Self::endpoints`] and [`Self::plain_http`] name may be private besides.
    pub hosts: HostPolicy,
    /// The proxies between here and there.
    pub proxy: Proxies,
    /// A PEM file of certificate authorities trusted besides the system's.
    pub ca_bundle: Option<PathBuf>,
    /// Where credentials come from.
    pub credentials: Arc<dyn CredentialSource>,
    /// Time-outs.
    pub timeouts: Timeouts,
    /// Retries.
    pub retry: RetryPolicy,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Seed of the jitter; `None` takes one from the system.
    pub seed: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            endpoints: BTreeMap::new(),
            plain_http: BTreeSet::new(),
            hosts: HostPolicy::default(),
            proxy: Proxies::default(),
            ca_bundle: None,
            credentials: Arc::new(StaticCredentials::default()),
            timeouts: Timeouts::default(),
            retry: RetryPolicy::default(),
            user_agent: concat!("fractal-registry/", env!("CARGO_PKG_VERSION")).into(),
            seed: None,
        }
    }
}

impl Options {
    /// The defaults, for a program that serves itself what it reads: a test, a simulated cloud. Hosts on loopback may be reached.
    #[must_use]
    pub fn on_loopback() -> Self {
        Self {
            hosts: HostPolicy::default().with_loopback(),
            ..Self::default()
        }
    }
}

/// How long each part of a request may take.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// TCP and TLS connection.
    pub connect: Duration,
    /// From the request to the head of its answer.
    pub first_byte: Duration,
    /// Without any byte while a body is read or sent.
    pub idle: Duration,
    /// A manifest, a token or another small answer as a whole.
    pub small: Duration,
    /// From a blob's last byte sent to the registry's answer: it hashes what it got.
    pub commit: Duration,
    /// Window in which a body must come at [`Self::least_rate`].
    pub rate_window: Duration,
    /// Least bytes per second of a body, measured only while we wait for it.
    pub least_rate: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            small: Duration::from_secs(60),
            commit: Duration::from_secs(300),
            rate_window: Duration::from_secs(60),
            least_rate: 16 * 1024,
        }
    }
}

/// When a failed request is sent again.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// Most attempts of one request, the first included.
    pub attempts: u32,
    /// Bound of the first pause; doubles with each. The pause itself is drawn evenly from zero to the bound.
    pub base: Duration,
    /// Largest bound.
    pub cap: Duration,
    /// Longest pause a registry may ask for within a call; a longer one is handed to the caller.
    pub patience: Duration,
    /// Bound of all attempts and pauses of one request together.
    pub total: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 4,
            base: Duration::from_millis(250),
            cap: Duration::from_secs(8),
            patience: Duration::from_secs(20),
            total: Duration::from_secs(120),
        }
    }
}
