//! What is asked of an identity service: where, with what, and which of it is secret.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderValue, Method, Uri};
use serde_json::Value;

use crate::auth::credentials::Secret;
use crate::auth::percent;
use crate::egress::address::Reach;
use crate::egress::policy::is_loopback;
use crate::endpoint::Origin;
use crate::error::RegistryError;

/// The base URL of an identity service: https, or plain HTTP on loopback.
///
/// A metadata server speaks plain HTTP by nature, and is the only one that may be at a link-local address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUrl {
    base: Box<str>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The operator's settings name it.
    Service,
    /// A registry's own exchange: the registry's host may come from a reference.
    Registry,
    Metadata,
}

impl FromStr for ServiceUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let origin = checked(text)?;
        if !origin.https && !is_loopback(&origin) {
            return Err("it must be https: what is sent there is secret");
        }
        Ok(Self {
            base: text.trim_end_matches('/').into(),
            kind: Kind::Service,
        })
    }
}

impl ServiceUrl {
    /// A metadata server's URL, or its `host[:port]`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn metadata(text: &str) -> Result<Self, &'static str> {
        let url = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        checked(&url)?;
        Ok(Self {
            base: url.trim_end_matches('/').into(),
            kind: Kind::Metadata,
        })
    }

    /// A registry's, which was checked already.
    pub(super) fn registry(base: &str) -> Self {
        Self {
            base: base.into(),
            kind: Kind::Registry,
        }
    }

    /// Its text, without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.base
    }
}

impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

fn checked(text: &str) -> Result<Origin, &'static str> {
    let url: Uri = text.parse().map_err(|_| "it is no URL")?;
    if url.query().is_some() {
        return Err("it may have no query");
    }
    Origin::of(&url)
        .ok_or("it must be http:// or https:// with a host and without user information")
}

/// One request to an identity service. Nothing of it is ever printed but its method and path.
pub struct IdentityRequest {
    pub(super) method: Method,
    service: ServiceUrl,
    path: String,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Option<(&'static str, Bytes)>,
    pub(super) secrets: Vec<Secret>,
}

impl IdentityRequest {
    /// A GET of `path`, which begins with a slash (or is empty), below the service's URL.
    #[must_use]
    pub fn get(service: &ServiceUrl, path: &str) -> Self {
        Self::new(Method::GET, service, path, None)
    }

    /// A GET with a query.
    #[must_use]
    pub fn query(service: &ServiceUrl, path: &str, pairs: &[(&str, &str)]) -> Self {
        let path = format!("{path}?{}", encoded(pairs));
        Self::new(Method::GET, service, &path, None)
    }

    /// A POST of a form.
    #[must_use]
    pub fn form(service: &ServiceUrl, path: &str, pairs: &[(&str, &str)]) -> Self {
        let body = (
            "application/x-www-form-urlencoded",
            Bytes::from(encoded(pairs)),
        );
        Self::new(Method::POST, service, path, Some(body))
    }

    /// A POST of JSON.
    #[must_use]
    pub fn json(service: &ServiceUrl, path: &str, value: &Value) -> Self {
        let body = ("application/json", Bytes::from(value.to_string()));
        Self::new(Method::POST, service, path, Some(body))
    }

    fn new(
        method: Method,
        service: &ServiceUrl,
        path: &str,
        body: Option<(&'static str, Bytes)>,
    ) -> Self {
        Self {
            method,
            service: service.clone(),
            path: path.to_owned(),
            headers: Vec::new(),
            body,
            secrets: Vec::new(),
        }
    }

    /// With a header. One that no request may have is left out: the service will say that it misses it.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        let value = HeaderValue::from_str(value);
        self.with(name, value.ok())
    }

    /// With a header that nobody may read: `scheme` is put before the secret, such as `Bearer `.
    #[must_use]
    pub fn secret_header(self, name: &str, scheme: &str, secret: &Secret) -> Self {
        let value = HeaderValue::from_str(&format!("{scheme}{}", secret.reveal()));
        let value = value.ok().map(|mut value| {
            value.set_sensitive(true);
            value
        });
        self.with(name, value).hiding(secret)
    }

    fn with(mut self, name: &str, value: Option<HeaderValue>) -> Self {
        if let (Ok(name), Some(value)) = (HeaderName::from_bytes(name.as_bytes()), value) {
            self.headers.push((name, value));
        }
        self
    }

    /// With `secret` taken out of whatever the service says, where it repeats it.
    #[must_use]
    pub fn hiding(mut self, secret: &Secret) -> Self {
        self.secrets.push(secret.clone());
        self
    }

    pub(super) fn target(&self) -> Result<Uri, RegistryError> {
        let text = format!("{}{}", self.service, self.path);
        text.parse().map_err(|_| {
            RegistryError::protocol(&self.service.as_str().into(), "its path makes no URL")
        })
    }

    pub(super) fn reach(&self) -> Reach {
        match self.service.kind {
            Kind::Service => Reach::Operator,
            Kind::Registry => Reach::Named,
            Kind::Metadata => Reach::Metadata,
        }
    }
}

impl fmt::Debug for IdentityRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.split('?').next().unwrap_or_default();
        write!(f, "{} {}{path}", self.method, self.service)
    }
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", percent(value)));
    pairs.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_https_or_on_loopback() {
        let check = |text: &str, good: bool| {
            assert_eq!(text.parse::<ServiceUrl>().is_ok(), good, "{text}");
        };
        check("https://login.example/", true);
        check("https://vault.example:8200/prefix", true);
        check("http://127.0.0.1:8200", true);
        check("http://localhost:8200", true);
        check("http://[::1]:8200", true);
        check("http://vault.example", false);
        check("http://10.0.0.1", false);
        check("http://169.254.169.254", false);
        check("https://user:canary@vault.example", false);
        check("https://vault.example?x=1", false);
        check("vault.example", false);
        check("", false);
    }

    #[test]
    fn h08_a_request_prints_neither_query_nor_body_nor_header() {
        let service: ServiceUrl = "https://t.example".parse().unwrap();
        let secret = Secret::new("canary");
        let requests = [
            IdentityRequest::query(&service, "/t", &[("token", "canary")]),
            IdentityRequest::form(&service, "/t", &[("token", "canary")]).hiding(&secret),
            IdentityRequest::get(&service, "/t").secret_header("x-token", "", &secret),
        ];
        for request in requests {
            assert!(!format!("{request:?}").contains("canary"));
            assert!(format!("{:?}", request.headers).find("canary").is_none());
        }
    }

    #[test]
    fn a_metadata_host_may_be_plain_and_only_that_may_be_link_local() {
        let metadata = ServiceUrl::metadata("169.254.169.254").unwrap();
        assert_eq!(metadata.as_str(), "http://169.254.169.254");
        assert_eq!(
            IdentityRequest::get(&metadata, "/").reach(),
            Reach::Metadata
        );
        let named = "https://169.254.169.254".parse().unwrap();
        assert_eq!(IdentityRequest::get(&named, "/").reach(), Reach::Operator);
        let registry = ServiceUrl::registry("https://r.example");
        assert_eq!(IdentityRequest::get(&registry, "/").reach(), Reach::Named);
        assert!(ServiceUrl::metadata("u:p@host").is_err());
    }
}
