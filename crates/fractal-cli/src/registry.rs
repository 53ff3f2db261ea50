//! The registries a command talks to: credentials, endpoints, hosts, proxies and authorities, from flags and variables only.
//!
//! No `~/.docker/config.json` is read unasked: which credentials leave this machine is said on the command line.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use fractal_core::Fault;
use fractal_core::artifact::{Reference, RegistryHost};
use fractal_registry::{
    Chain, Credential, CredentialSource, DockerConfig, HostPattern, HostPolicy, Options, Proxies,
    Registry, RegistryError, Secret, StaticCredentials,
};

use crate::error::CliError;

/// Longest password read, in bytes: registry tokens of some vendors have several thousand.
const PASSWORD_MAX: u64 = 64 * 1024;

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
        let host = host
            .parse()
            .map_err(|error: fractal_core::artifact::ReferenceError| error.to_string())?;
        Ok(Self(host, url.to_owned()))
    }
}

/// Flags of commands that talk to registries.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Registries")]
pub(crate) struct RegistryArgs {
    /// A Docker config.json with registry credentials, such as ~/.docker/config.json, which is not read unasked; its credential
    /// helpers are looked for on PATH
    #[arg(
        long,
        env = "FRACTAL_REGISTRY_CONFIG",
        hide_env_values = true,
        value_name = "FILE"
    )]
    registry_config: Option<PathBuf>,
    /// The user at the registry
    #[arg(long, requires = "password_stdin")]
    username: Option<String>,
    /// Reads the user's password, or an access token, from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
    /// Reaches a registry at another address; references keep its name
    #[arg(
        long = "registry-endpoint",
        env = "FRACTAL_REGISTRY_ENDPOINTS",
        hide_env_values = true,
        value_name = "HOST=URL",
        value_delimiter = ','
    )]
    endpoints: Vec<RegistryEndpoint>,
    /// Only these hosts are reached, token services and redirects included: HOST[:PORT], or *.DOMAIN; all public ones when not
    /// given
    #[arg(
        long = "allow-host",
        env = "FRACTAL_ALLOW_HOSTS",
        hide_env_values = true,
        value_name = "PATTERN",
        value_delimiter = ','
    )]
    allow_hosts: Vec<HostPattern>,
    /// These hosts may be at private or loopback addresses, as those typed in references may
    #[arg(
        long = "allow-private",
        env = "FRACTAL_ALLOW_PRIVATE",
        hide_env_values = true,
        value_name = "PATTERN",
        value_delimiter = ','
    )]
    allow_private: Vec<HostPattern>,
    /// A PEM file of certificate authorities trusted besides the system's, which SSL_CERT_FILE and SSL_CERT_DIR replace
    #[arg(
        long,
        env = "FRACTAL_CA_BUNDLE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    ca_bundle: Option<PathBuf>,
    /// A registry that speaks plain HTTP; one on this machine with a port always may
    #[arg(long, value_name = "HOST")]
    plain_http: Vec<RegistryHost>,
    /// The proxy for https, as http[s]://[USER:PASSWORD@]HOST[:PORT]; https_proxy is read too
    #[arg(long, env = "HTTPS_PROXY", hide_env_values = true, value_name = "URL")]
    https_proxy: Option<Secret>,
    /// The proxy for plain HTTP; http_proxy is read too
    #[arg(long, env = "HTTP_PROXY", hide_env_values = true, value_name = "URL")]
    http_proxy: Option<Secret>,
    /// Hosts reached without proxy, with all below them, and networks such as 10.0.0.0/8; no_proxy is read too
    #[arg(
        long,
        env = "NO_PROXY",
        hide_env_values = true,
        value_name = "HOST,..."
    )]
    no_proxy: Option<String>,
}

impl RegistryArgs {
    /// A client for the registries of `references`, which somebody typed: they may be private.
    pub(crate) fn client(&self, references: &[Reference]) -> Result<Registry, CliError> {
        let hosts: BTreeSet<&RegistryHost> = references.iter().map(Reference::host).collect();
        let mut sources: Vec<Arc<dyn CredentialSource>> = Vec::new();
        if let Some(username) = &self.username {
            sources.push(Arc::new(password(username, &hosts)?));
        }
        if let Some(path) = &self.registry_config {
            let config = DockerConfig::read(path).map_err(|error| unusable(path, error))?;
            sources.push(Arc::new(config.with_helpers_in(std::env::var_os("PATH"))));
        }
        let endpoints = self
            .endpoints
            .iter()
            .map(|endpoint| (endpoint.0.clone(), endpoint.1.clone()));
        Ok(Registry::new(Options {
            endpoints: endpoints.collect(),
            plain_http: self.plain_http.iter().cloned().collect(),
            hosts: HostPolicy::default()
                .allow(self.allow_hosts.iter().cloned())
                .allow_private(self.allow_private.iter().cloned())
                .allow_private(hosts.into_iter().map(HostPattern::from)),
            proxy: self.proxies()?,
            ca_bundle: self.ca_bundle.clone(),
            credentials: Arc::new(Chain::new(sources)),
            user_agent: concat!("fractal/", env!("CARGO_PKG_VERSION")).into(),
            ..Options::default()
        })?)
    }

    fn proxies(&self) -> Result<Proxies, CliError> {
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

/// What is wrong with a Docker configuration, by the flag that names it.
fn unusable(path: &Path, error: RegistryError) -> CliError {
    let RegistryError::Setting { problem, .. } = &error else {
        return error.into();
    };
    Fault::blocked(
        error.reason(),
        "the file of --registry-config cannot be used",
    )
    .at(path.display())
    .because(problem)
    .next("name a Docker config.json, as `docker login` writes it")
    .into()
}

/// One password is for one registry: it is never shown to another.
fn password(
    username: &str,
    hosts: &BTreeSet<&RegistryHost>,
) -> Result<StaticCredentials, CliError> {
    let mut hosts = hosts.iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(CliError::usage(
            "--username is for one registry, and not exactly one is named",
            "give the credentials of several registries with --registry-config",
        ));
    };
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(PASSWORD_MAX)
        .read_to_string(&mut text)
        .map_err(|error| CliError::file(Path::new("standard input"), error))?;
    if text.trim().is_empty() {
        return Err(CliError::usage(
            "standard input holds no password",
            "pass it on, for example `aws ecr get-login-password | fractal publish … --username AWS --password-stdin`",
        ));
    }
    let credential = Credential::basic(username, &text);
    Ok(StaticCredentials::new(BTreeMap::from([(
        (*host).clone(),
        credential,
    )])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_host_and_a_url() {
        let endpoint: RegistryEndpoint = "ghcr.io=http://127.0.0.1:5000".parse().unwrap();
        assert_eq!(endpoint.1, "http://127.0.0.1:5000");
        for text in ["ghcr.io", "ghcr.io=ftp://x", "no host=http://x"] {
            assert!(text.parse::<RegistryEndpoint>().is_err(), "{text}");
        }
    }
}
