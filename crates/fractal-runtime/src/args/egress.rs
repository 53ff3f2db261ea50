//! Flags that say which hosts are reached for artifacts and their credentials, and by which way.
//!
//! Cloud APIs are not meant here: their clients read the vendors' own variables.

use std::path::PathBuf;

use fractal_core::Fault;
use fractal_core::artifact::RegistryHost;
use fractal_registry::{HostPattern, HostPolicy, Options, Proxies, Secret};

use super::RegistryEndpoint;

/// Flags of every agent about hosts, proxies and authorities.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct EgressArgs {
    /// Fetches a registry's bytes from another address; its name stays what clouds are given
    #[arg(
        long = "registry-endpoint",
        env = "FRACTAL_REGISTRY_ENDPOINTS",
        value_name = "HOST=URL",
        value_delimiter = ',',
        global = true
    )]
    registry_endpoints: Vec<RegistryEndpoint>,

    /// Only these hosts are reached for artifacts, token services and redirects included: HOST[:PORT], or *.DOMAIN; all public
    /// ones when not given
    #[arg(
        long = "allow-host",
        env = "FRACTAL_ALLOW_HOSTS",
        value_name = "PATTERN",
        value_delimiter = ',',
        global = true
    )]
    allow_hosts: Vec<HostPattern>,

    /// These hosts may be at private or loopback addresses, as those of --registry, --registry-endpoint and --plain-http may
    #[arg(
        long = "allow-private",
        env = "FRACTAL_ALLOW_PRIVATE",
        value_name = "PATTERN",
        value_delimiter = ',',
        global = true
    )]
    allow_private: Vec<HostPattern>,

    /// A registry that speaks plain HTTP
    #[arg(
        long = "plain-http",
        env = "FRACTAL_PLAIN_HTTP",
        value_name = "HOST",
        value_delimiter = ',',
        global = true
    )]
    plain_http: Vec<RegistryHost>,

    /// A PEM file of certificate authorities trusted for registries and identity services besides the system's, which
    /// SSL_CERT_FILE and SSL_CERT_DIR replace
    #[arg(long, env = "FRACTAL_CA_BUNDLE", value_name = "FILE", global = true)]
    ca_bundle: Option<PathBuf>,

    /// The proxy for https, as http[s]://[USER:PASSWORD@]HOST[:PORT]; https_proxy is read too
    #[arg(
        long,
        env = "HTTPS_PROXY",
        hide_env_values = true,
        value_name = "URL",
        global = true
    )]
    https_proxy: Option<Secret>,

    /// The proxy for plain HTTP; http_proxy is read too
    #[arg(
        long,
        env = "HTTP_PROXY",
        hide_env_values = true,
        value_name = "URL",
        global = true
    )]
    http_proxy: Option<Secret>,

    /// Hosts reached without proxy, with all below them, and networks such as 10.0.0.0/8; no_proxy is read too
    #[arg(long, env = "NO_PROXY", value_name = "HOST,...", global = true)]
    no_proxy: Option<String>,
}

impl EgressArgs {
    /// How hosts are reached, where the operator names `registry` besides.
    pub(crate) fn options(&self, registry: Option<&RegistryHost>) -> Result<Options, Fault> {
        let endpoints = self
            .registry_endpoints
            .iter()
            .map(|endpoint| (endpoint.0.clone(), endpoint.1.clone()));
        let hosts = HostPolicy::default()
            .allow(self.allow_hosts.iter().cloned())
            .allow_private(self.allow_private.iter().cloned())
            .allow_private(registry.map(HostPattern::from));
        Ok(Options {
            endpoints: endpoints.collect(),
            plain_http: self.plain_http.iter().cloned().collect(),
            hosts,
            proxy: self.proxies()?,
            ca_bundle: self.ca_bundle.clone(),
            ..Options::default()
        })
    }

    fn proxies(&self) -> Result<Proxies, Fault> {
        let given = |flag: &Option<Secret>, lower: &str| {
            let flag = flag.as_ref().map(|url| url.reveal().to_owned());
            flag.or_else(|| std::env::var(lower).ok())
        };
        let without = self.no_proxy.clone();
        let without = without.or_else(|| std::env::var("no_proxy").ok());
        Ok(Proxies::new(
            given(&self.https_proxy, "https_proxy").as_deref(),
            given(&self.http_proxy, "http_proxy").as_deref(),
            without.as_deref(),
        )?)
    }
}
