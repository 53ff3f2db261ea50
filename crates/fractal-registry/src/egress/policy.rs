//! Which hosts may be reached: what the operator says, held against where a request is to go.
//!
//! It looks at names and addresses as they are written. What a name resolves to is checked where it is connected to.

use std::collections::HashSet;
use std::net::IpAddr;

use fractal_core::artifact::RegistryHost;
use http::Uri;

use super::address::{Class, Reach, class, literal};
use crate::auth::host_pattern::HostPattern;
use crate::endpoint::{Endpoint, Origin};
use crate::error::RegistryError;
use crate::options::Options;

/// Names of the clouds' metadata servers: Google's, AWS's, Oracle's, Tencent's. They are never a registry.
const METADATA_NAMES: [&str; 8] = [
    "metadata",
    "metadata.goog",
    "metadata.google.internal",
    "metadata.azure.internal",
    "metadata.oraclecloud.com",
    "metadata.tencentyun.com",
    "instance-data",
    "instance-data.ec2.internal",
];

/// Which hosts the operator lets a client reach, for registries, their token services and redirect targets alike.
///
/// By default every public host, and none at a private or loopback address. A pattern without port stands for the scheme's own
/// port only. Metadata servers, link-local and multicast addresses are never reached, whatever is named here.
#[derive(Debug, Clone, Default)]
pub struct HostPolicy {
    allowed: Vec<HostPattern>,
    private: Vec<HostPattern>,
    loopback: bool,
}

impl HostPolicy {
    /// Only these are reached, once there is one.
    #[must_use]
    pub fn allow(mut self, patterns: impl IntoIterator<Item = HostPattern>) -> Self {
        self.allowed.extend(patterns);
        self
    }

    /// These may be at private and loopback addresses. It puts nothing on the list of [`Self::allow`].
    #[must_use]
    pub fn allow_private(mut self, patterns: impl IntoIterator<Item = HostPattern>) -> Self {
        self.private.extend(patterns);
        self
    }

    /// `localhost` and loopback addresses may be reached at every port: for programs that serve themselves what they read.
    #[must_use]
    pub const fn with_loopback(mut self) -> Self {
        self.loopback = true;
        self
    }
}

/// Why a host is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Unlisted,
    MetadataName,
    Address(IpAddr),
}

impl Refused {
    /// As said of a host that a registry names.
    pub(crate) const fn problem(self) -> &'static str {
        match self {
            Self::Unlisted => UNLISTED,
            Self::MetadataName => METADATA,
            Self::Address(_) => NOT_NAMED,
        }
    }
}

pub(crate) const UNLISTED: &str = "is not among the hosts that may be reached";
pub(crate) const METADATA: &str = "is a metadata server's name";
pub(crate) const NOT_NAMED: &str = "is at an address that a registry may not name";

/// The policy as far as it is known before any request: with what the other settings name.
#[derive(Debug)]
pub(crate) struct Hosts {
    policy: HostPolicy,
    /// Where the operator's own settings lead: they may be private.
    settled: HashSet<Origin>,
    /// Origins of listed registries that go by another name.
    listed: HashSet<Origin>,
    /// Registries reached elsewhere than their name says: these are listed by name.
    renamed: HashSet<RegistryHost>,
}

impl Hosts {
    pub(crate) fn new(options: &Options) -> Result<Self, RegistryError> {
        let mut hosts = Self {
            policy: options.hosts.clone(),
            settled: HashSet::new(),
            listed: HashSet::new(),
            renamed: options.endpoints.keys().cloned().collect(),
        };
        for host in options.endpoints.keys().chain(&options.plain_http) {
            if let Some(origin) = origin_of(host, options)? {
                hosts.settled.insert(origin);
            }
        }
        let hub = "docker.io".parse::<RegistryHost>().ok();
        for host in options.endpoints.keys().chain(&hub) {
            if let Some(origin) = origin_of(host, options)?.filter(|_| hosts.lists(host.as_str())) {
                hosts.listed.insert(origin);
            }
        }
        Ok(hosts)
    }

    /// May a registry of this name be reached where the settings say it is? Its origin is checked when it is asked.
    pub(crate) fn check_name(&self, host: &RegistryHost) -> Result<(), Refused> {
        if self.renamed.contains(host) && !self.lists(host.as_str()) {
            return Err(Refused::Unlisted);
        }
        Ok(())
    }

    /// How a request may reach `origin`, where `asked` says who named it.
    pub(crate) fn check(&self, asked: Reach, origin: &Origin) -> Result<Reach, Refused> {
        let reach = match asked {
            Reach::Metadata => asked,
            _ if is_metadata(origin) => return Err(Refused::MetadataName),
            Reach::Operator => asked,
            Reach::Named | Reach::Like(_) => self.named(asked, origin)?,
        };
        match literal(&origin.host) {
            Some(address) if !reach.allows(address) => Err(Refused::Address(address)),
            _ => Ok(reach),
        }
    }

    fn named(&self, asked: Reach, origin: &Origin) -> Result<Reach, Refused> {
        let listed = self.policy.allowed.is_empty()
            || self.listed.contains(origin)
            || covers(&self.policy.allowed, origin);
        if !listed {
            return Err(Refused::Unlisted);
        }
        let operators = self.settled.contains(origin)
            || covers(&self.policy.private, origin)
            || (self.policy.loopback && is_loopback(origin));
        Ok(if operators { Reach::Operator } else { asked })
    }

    fn lists(&self, host: &str) -> bool {
        let allowed = &self.policy.allowed;
        allowed.is_empty() || allowed.iter().any(|pattern| pattern.fits(host))
    }
}

fn origin_of(host: &RegistryHost, options: &Options) -> Result<Option<Origin>, RegistryError> {
    let base = Endpoint::of(host, options)?;
    Ok(base
        .base()
        .parse::<Uri>()
        .ok()
        .as_ref()
        .and_then(Origin::of))
}

fn covers(patterns: &[HostPattern], origin: &Origin) -> bool {
    let host = origin.host.trim_end_matches('.');
    let with_port = format!("{host}:{}", origin.port);
    patterns.iter().any(|pattern| {
        pattern.fits(&with_port) || (origin.has_default_port() && pattern.fits(host))
    })
}

fn is_metadata(origin: &Origin) -> bool {
    METADATA_NAMES.contains(&origin.host.trim_end_matches('.'))
}

/// Is the host this machine, as it is written? `localhost` and what is below it are (RFC 6761 6.3).
pub(crate) fn is_loopback(origin: &Origin) -> bool {
    let host = origin.host.trim_end_matches('.');
    host == "localhost"
        || host.ends_with(".localhost")
        || literal(host).is_some_and(|address| class(address) == Class::Loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Origin {
        Origin::of(&url.parse().unwrap()).unwrap()
    }

    fn patterns(texts: &[&str]) -> Vec<HostPattern> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn hosts(policy: HostPolicy) -> Hosts {
        let mut options = Options {
            hosts: policy,
            ..Options::default()
        };
        let mirror = "http://10.1.1.1:5000/cache".to_owned();
        options.endpoints.insert("ghcr.io".parse().unwrap(), mirror);
        options
            .plain_http
            .insert("registry.lan:5000".parse().unwrap());
        Hosts::new(&options).unwrap()
    }

    fn at(hosts: &Hosts, url: &str) -> Result<Reach, Refused> {
        hosts.check(Reach::Named, &origin(url))
    }

    #[test]
    fn r07_a_host_outside_the_list_is_refused_on_label_boundaries() {
        let listed = hosts(HostPolicy::default().allow(patterns(&[
            "*.azurecr.io",
            "r.example:8443",
            "docker.io",
        ])));
        let good = [
            "https://a.azurecr.io",
            "https://A.AZURECR.IO:443",
            "https://r.example:8443",
            "https://registry-1.docker.io",
        ];
        for url in good {
            assert!(at(&listed, url).is_ok(), "{url}");
        }
        let bad = [
            "https://azurecr.io.evil.tld",
            "https://evilazurecr.io",
            "https://azurecr.io",
            "https://a.azurecr.io:8443",
            "https://r.example",
            "https://auth.docker.io",
            "http://10.1.1.1:5000",
        ];
        for url in bad {
            assert_eq!(at(&listed, url), Err(Refused::Unlisted), "{url}");
            assert_eq!(
                listed.check(Reach::Like(Class::Public), &origin(url)),
                Err(Refused::Unlisted)
            );
        }
        assert_eq!(
            listed.check_name(&"ghcr.io".parse().unwrap()),
            Err(Refused::Unlisted)
        );
        let mirrored = hosts(HostPolicy::default().allow(patterns(&["ghcr.io"])));
        assert!(mirrored.check_name(&"ghcr.io".parse().unwrap()).is_ok());
        assert_eq!(at(&mirrored, "http://10.1.1.1:5000"), Ok(Reach::Operator));
        assert_eq!(at(&mirrored, "https://10.1.1.1"), Err(Refused::Unlisted));
        // Services that the operator's own settings name are on no list.
        assert_eq!(
            listed.check(Reach::Operator, &origin("https://vault.lan:8200")),
            Ok(Reach::Operator)
        );
    }

    #[test]
    fn r08_private_and_loopback_addresses_are_refused_unless_the_operator_names_them() {
        let strict = hosts(HostPolicy::default());
        let disguises = [
            "127.0.0.1",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "127.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::7f00:1]",
        ];
        for host in disguises {
            let refused = at(&strict, &format!("http://{host}:5000"));
            assert!(
                matches!(refused, Err(Refused::Address(_))),
                "{host}: {refused:?}"
            );
            let named = hosts(HostPolicy::default().with_loopback());
            assert_eq!(
                at(&named, &format!("http://{host}:5000")),
                Ok(Reach::Operator),
                "{host}"
            );
        }
        assert!(matches!(
            at(&strict, "https://10.0.0.1"),
            Err(Refused::Address(_))
        ));
        let named =
            hosts(HostPolicy::default().allow_private(patterns(&["10.0.0.1", "*.azurecr.io"])));
        assert_eq!(at(&named, "https://10.0.0.1"), Ok(Reach::Operator));
        assert_eq!(
            named.check(Reach::Like(Class::Public), &origin("https://10.0.0.1")),
            Ok(Reach::Operator)
        );
        assert!(at(&named, "https://10.0.0.1:8443").is_err());
        assert!(at(&named, "https://10.0.0.2").is_err());
        assert_eq!(at(&named, "https://a.azurecr.io"), Ok(Reach::Operator));
        assert_eq!(at(&named, "http://registry.lan:5000"), Ok(Reach::Operator));
        assert_eq!(at(&named, "https://registry.lan:5000"), Ok(Reach::Named));
        assert_eq!(at(&named, "http://10.1.1.1:5000"), Ok(Reach::Operator));
    }

    #[test]
    fn r08_metadata_servers_are_never_reached() {
        let all = [
            "metadata.google.internal",
            "metadata",
            "169.254.169.254",
            "[fd00:ec2::254]",
            "168.63.129.16",
            "100.100.100.200",
        ];
        let named = hosts(
            HostPolicy::default()
                .with_loopback()
                .allow_private(patterns(&all[..1]))
                .allow_private(patterns(&["169.254.169.254"])),
        );
        for host in all.iter().chain(&[
            "metadata.google.internal.",
            "METADATA.goog",
            "2852039166",
            "0xa9fea9fe",
        ]) {
            let url = format!("http://{host}");
            assert!(at(&named, &url).is_err(), "{host}");
            assert!(
                named.check(Reach::Operator, &origin(&url)).is_err(),
                "{host}"
            );
        }
        assert_eq!(
            named.check(Reach::Metadata, &origin("http://metadata.google.internal")),
            Ok(Reach::Metadata)
        );
    }
}
