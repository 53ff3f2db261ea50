//! Where a registry host is reached, and origins and URLs as far as requests need them.

use std::fmt;
use std::sync::Arc;

use fractal_core::artifact::{Reference, RegistryHost, Repository};
use http::Uri;
use http::uri::{PathAndQuery, Scheme};

use crate::egress::policy::{Hosts, Refused};
use crate::error::RegistryError;
use crate::options::Options;

/// A repository in a registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryRef {
    /// The registry.
    pub host: RegistryHost,
    /// The repository in it.
    pub repository: Repository,
}

impl From<&Reference> for RepositoryRef {
    fn from(reference: &Reference) -> Self {
        Self {
            host: reference.host().clone(),
            repository: reference.repository().clone(),
        }
    }
}

impl fmt::Display for RepositoryRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)
    }
}

/// Scheme, host and port: what a credential is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Origin {
    pub(crate) https: bool,
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
}

impl Origin {
    /// `None` for a URL without host, with user information, or of another scheme than `http` and `https`.
    pub(crate) fn of(url: &Uri) -> Option<Self> {
        let https = match url.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return None,
        };
        let authority = url
            .authority()
            .filter(|authority| !authority.as_str().contains('@'))?;
        let host = authority.host().to_ascii_lowercase();
        let port = authority.port_u16().unwrap_or(if https { 443 } else { 80 });
        (!host.is_empty()).then(|| Self {
            https,
            host: host.into(),
            port,
        })
    }

    /// The host as an address, where it is written as one.
    pub(crate) fn address(&self) -> Option<std::net::IpAddr> {
        crate::egress::address::literal(&self.host)
    }

    pub(crate) const fn has_default_port(&self) -> bool {
        self.port == if self.https { 443 } else { 80 }
    }

    /// The host as an operator names it: with its port where that is not the scheme's own.
    pub(crate) fn name(&self) -> Arc<str> {
        if self.has_default_port() {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port).into()
        }
    }
}

/// A registry's base URL: scheme, authority and a path prefix.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    base: String,
    /// Docker Hub keeps its official images under `library/`.
    library: bool,
}

impl Endpoint {
    pub(crate) fn of(host: &RegistryHost, options: &Options) -> Result<Self, RegistryError> {
        let library = matches!(host.as_str(), "docker.io" | "index.docker.io");
        if let Some(url) = options.endpoints.get(host) {
            return Ok(Self {
                base: checked_base(url)?,
                library,
            });
        }
        let plain = options.plain_http.contains(host) || is_loopback_with_port(host.as_str());
        let scheme = if plain { "http" } else { "https" };
        let name = if library {
            "registry-1.docker.io"
        } else {
            host.as_str()
        };
        Ok(Self {
            base: format!("{scheme}://{name}"),
            library,
        })
    }

    /// The same, where a registry of this name may be reached at all.
    pub(crate) fn listed(
        host: &RegistryHost,
        options: &Options,
        hosts: &Hosts,
    ) -> Result<Self, RegistryError> {
        let refused = |refused: Refused| RegistryError::Host {
            at: host.as_str().into(),
            host: host.as_str().into(),
            problem: refused.problem(),
        };
        hosts.check_name(host).map_err(refused)?;
        Self::of(host, options)
    }

    /// Where the registry is reached, without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The URL of `path` in a repository.
    pub(crate) fn url(&self, repository: &Repository, path: &str) -> Result<Uri, RegistryError> {
        let library = if self.library && !repository.as_str().contains('/') {
            "library/"
        } else {
            ""
        };
        let text = format!("{}/v2/{library}{repository}/{path}", self.base);
        text.parse()
            .map_err(|_| RegistryError::protocol(&text.as_str().into(), "it is no URL"))
    }

    /// The repository as the registry itself calls it.
    pub(crate) fn name_of(&self, repository: &Repository) -> String {
        if self.library && !repository.as_str().contains('/') {
            format!("library/{repository}")
        } else {
            repository.to_string()
        }
    }
}

fn checked_base(url: &str) -> Result<String, RegistryError> {
    let setting = |problem: &str| RegistryError::Setting {
        setting: "endpoint",
        problem: problem.into(),
    };
    let parsed: Uri = url.parse().map_err(|_| setting("it is no URL"))?;
    if Origin::of(&parsed).is_none() {
        return Err(setting(
            "it must be http:// or https:// with a host and without user information",
        ));
    }
    if parsed.query().is_some() {
        return Err(setting("it may have no query"));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

fn is_loopback_with_port(host: &str) -> bool {
    matches!(host.split_once(':'), Some(("localhost" | "127.0.0.1", _)))
}

/// A URL for people and logs: no query, no user information.
pub(crate) fn shown(url: &Uri) -> Arc<str> {
    let host = url.authority().map_or("", |authority| {
        authority.as_str().rsplit('@').next().unwrap_or_default()
    });
    let text = format!(
        "{}://{host}{}",
        url.scheme_str().unwrap_or_default(),
        url.path()
    );
    crate::error::shown(&text, 200).into()
}

/// Resolves a `Location` against the URL that answered with it (RFC 3986 5.2, without dot segments).
pub(crate) fn join(base: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next().unwrap_or_default();
    if location.contains("://") {
        return location.parse().ok();
    }
    let scheme = base.scheme_str()?;
    if let Some(rest) = location.strip_prefix("//") {
        return format!("{scheme}://{rest}").parse().ok();
    }
    let path = match location {
        "" => return None,
        absolute if absolute.starts_with('/') => absolute.to_owned(),
        query if query.starts_with('?') => format!("{}{query}", base.path()),
        relative => {
            let folder = base
                .path()
                .rfind('/')
                .and_then(|slash| base.path().get(..=slash))
                .unwrap_or("/");
            format!("{folder}{relative}")
        }
    };
    let mut parts = base.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_of_every_form_is_joined() {
        let base: Uri = "https://r.example:8443/v2/a/blobs/uploads/?x=1"
            .parse()
            .unwrap();
        let check = |location: &str, expected: &str| {
            assert_eq!(join(&base, location).unwrap(), expected, "{location}")
        };
        check("https://cdn.example/b?sig=1", "https://cdn.example/b?sig=1");
        check("//cdn.example/b", "https://cdn.example/b");
        check(
            "/v2/a/blobs/uploads/7?_state=q",
            "https://r.example:8443/v2/a/blobs/uploads/7?_state=q",
        );
        check(
            "7?_state=q",
            "https://r.example:8443/v2/a/blobs/uploads/7?_state=q",
        );
        check(
            "?_state=q",
            "https://r.example:8443/v2/a/blobs/uploads/?_state=q",
        );
        check("/b#fragment", "https://r.example:8443/b");
        assert_eq!(join(&base, ""), None);
    }

    #[test]
    fn hosts_become_base_urls() {
        let mut options = Options::default();
        options.endpoints.insert(
            "ghcr.io".parse().unwrap(),
            "http://127.0.0.1:5000/cache/".into(),
        );
        options.plain_http.insert("registry.lan".parse().unwrap());
        let check = |host: &str, expected: &str| {
            let endpoint = Endpoint::of(&host.parse().unwrap(), &options).unwrap();
            assert_eq!(
                endpoint.url(&"app".parse().unwrap(), "x").unwrap(),
                expected
            );
        };
        check("ghcr.io", "http://127.0.0.1:5000/cache/v2/app/x");
        check("registry.lan", "http://registry.lan/v2/app/x");
        check("localhost:5000", "http://localhost:5000/v2/app/x");
        check("127.0.0.1:5000", "http://127.0.0.1:5000/v2/app/x");
        check("docker.io", "https://registry-1.docker.io/v2/library/app/x");
        check("r.example.com", "https://r.example.com/v2/app/x");
    }

    #[test]
    fn an_origin_has_no_user_information_and_knows_its_default_port() {
        let origin = |url: &str| Origin::of(&url.parse().unwrap());
        assert_eq!(
            origin("https://R.example/x"),
            origin("https://r.example:443/")
        );
        assert_ne!(origin("https://r.example/"), origin("http://r.example/"));
        assert_eq!(origin("https://user:secret@r.example/"), None);
        assert_eq!(origin("ftp://r.example/"), None);
    }

    #[test]
    fn h08_a_shown_url_has_neither_query_nor_user() {
        assert_eq!(
            &*shown(&"https://u:p@r.example/a?token=s".parse().unwrap()),
            "https://r.example/a"
        );
    }
}
