//! The one way to the services that registry credentials come from: token endpoints, Vault, metadata servers.
//!
//! It leaves through the egress layer like every other request, follows no redirect, and shows nothing of what it was given:
//! a service may repeat what it was sent. It knows none of the services; the vendor crates do.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use fractal_core::artifact::RegistryHost;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, LOCATION};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::counts::{RequestKind, Requests};
use crate::egress::body::Outgoing;
use crate::egress::secrets::without;
use crate::egress::{Egress, Lane, Route};
use crate::endpoint::{Endpoint, Origin, join, shown};
use crate::error::{RegistryError, Said};
use crate::options::Options;
use crate::transport::{is_passing, is_redirect, read, retry_after};

mod request;

pub use request::{IdentityRequest, ServiceUrl};

/// Largest answer of an identity service, in bytes.
const ANSWER_MAX: usize = 1024 * 1024;

/// A client of identity services. Clones share connections and gates.
#[derive(Clone)]
pub struct IdentityClient(Arc<Inner>);

struct Inner {
    options: Arc<Options>,
    egress: Egress,
}

/// An answer other than a passing failure or a redirect.
pub struct IdentityAnswer {
    /// HTTP status.
    pub status: u16,
    /// Its body, at most 1 MiB.
    pub body: Bytes,
    /// Where a refusal, the service's words, without anything secret that was sent.
    pub said: Said,
    headers: HeaderMap,
    at: Arc<str>,
}

impl IdentityClient {
    /// A client with the time-outs, retries, authorities, proxies and registry endpoints of `options`; its credentials are not
    /// used. The services asked are the operator's own: they may be private, and are on no list of hosts.
    ///
    /// # Errors
    /// As [`crate::Registry::new`].
    pub fn new(options: Options) -> Result<Self, RegistryError> {
        let options = Arc::new(options);
        let egress = Egress::new(options.clone())?;
        Ok(Self(Arc::new(Inner { options, egress })))
    }

    /// Where `host` itself is reached: vendors have exchanges of their own beside the registry's API.
    ///
    /// # Errors
    /// Where the endpoint set for the host cannot be used, or the operator's list does not have the host.
    pub fn registry(&self, host: &RegistryHost) -> Result<ServiceUrl, RegistryError> {
        let endpoint = Endpoint::listed(host, &self.0.options, self.0.egress.hosts())?;
        Ok(ServiceUrl::registry(endpoint.base()))
    }

    /// How many requests have left since this client was made.
    #[must_use]
    pub fn requests(&self) -> Requests {
        self.0.egress.counts.snapshot()
    }

    /// Sends `request` until it is answered with anything but a passing failure, or the policy's attempts or time are used up.
    ///
    /// # Errors
    /// Where no answer came, it is a redirect, larger than 1 MiB, or still a passing failure (408, 425, 429, 5xx).
    pub async fn send(&self, request: &IdentityRequest) -> Result<IdentityAnswer, RegistryError> {
        let policy = self.0.options.retry;
        let deadline = Instant::now() + policy.total;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let error = match self.once(request).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let pause = match error.retry_after() {
                // The host's gate does this waiting, for everyone.
                Some(asked) if asked <= policy.patience => std::time::Duration::ZERO,
                Some(_) => return Err(error),
                None => {
                    let bound = policy.base.saturating_mul(1 << (attempt - 1).min(16));
                    self.0.egress.jitter(policy.cap.min(bound))
                }
            };
            let spent = attempt >= policy.attempts || Instant::now() + pause > deadline;
            if spent || !error.is_passing() {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            tracing::warn!(attempt, error = %error, "identity request repeated");
        }
    }

    async fn once(&self, request: &IdentityRequest) -> Result<IdentityAnswer, RegistryError> {
        let url = request.target()?;
        let at = shown(&url);
        let route = Route {
            reach: request.reach(),
            lane: Lane::Small,
        };
        let outgoing = outgoing(request, &url);
        let answer = self.0.egress.once(RequestKind::Token, outgoing, route);
        let answer = answer.await?;
        self.read(request, &url, at, answer).await
    }

    async fn read(
        &self,
        request: &IdentityRequest,
        url: &Uri,
        at: Arc<str>,
        answer: Response<Incoming>,
    ) -> Result<IdentityAnswer, RegistryError> {
        let (parts, body) = answer.into_parts();
        if is_redirect(parts.status) {
            return Err(redirected(at, url, &parts.headers));
        }
        let limit = self.0.egress.timeouts().small;
        let body = read::capped(body, ANSWER_MAX, limit, &at).await?;
        let body =
            body.ok_or_else(|| RegistryError::protocol(&at, "its answer is larger than 1 MiB"))?;
        let said = said(request, parts.status, &body);
        if is_passing(parts.status) {
            return Err(self.passing(url, at, parts.status, &parts.headers, said));
        }
        Ok(IdentityAnswer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
            said,
            at,
        })
    }

    fn passing(
        &self,
        url: &Uri,
        at: Arc<str>,
        status: StatusCode,
        headers: &HeaderMap,
        said: Said,
    ) -> RegistryError {
        let retry_after = retry_after::read(headers, SystemTime::now());
        if let (Some(pause), Some(origin)) = (retry_after, Origin::of(url)) {
            self.0.egress.hold(&origin, pause);
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            return RegistryError::Throttled {
                at,
                retry_after,
                said,
            };
        }
        RegistryError::Unavailable {
            at,
            status: status.as_u16(),
            retry_after,
            said,
        }
    }
}

impl IdentityAnswer {
    /// Did it succeed?
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Its JSON.
    ///
    /// # Errors
    /// Where it is none of this form. The error repeats nothing of it.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, RegistryError> {
        serde_json::from_slice(&self.body)
            .map_err(|_| self.protocol("its answer has not the form it should have"))
    }

    /// That this answer is outside the service's protocol.
    #[must_use]
    pub fn protocol(&self, problem: &str) -> RegistryError {
        RegistryError::protocol(&self.at, problem)
    }

    /// Where it came from, without query.
    #[must_use]
    pub fn at(&self) -> &str {
        &self.at
    }
}

impl fmt::Debug for IdentityAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityAnswer")
            .field("status", &self.status)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for IdentityClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentityClient")
    }
}

fn outgoing(request: &IdentityRequest, url: &Uri) -> Request<Outgoing> {
    let body = request.body.as_ref().map(|(_, bytes)| bytes.clone());
    let mut outgoing = Request::new(Outgoing::Bytes(body));
    *outgoing.method_mut() = request.method.clone();
    *outgoing.uri_mut() = url.clone();
    let headers = outgoing.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some((kind, _)) = &request.body {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    let own = request.headers.iter();
    headers
        .extend(own.map(|(name, value): &(HeaderName, HeaderValue)| (name.clone(), value.clone())));
    outgoing
}

/// The words of a refusal. Secrets go before anything is cut: a part of one would not be found any more.
fn said(request: &IdentityRequest, status: StatusCode, body: &[u8]) -> Said {
    if status.is_success() {
        return Said::default();
    }
    let text = String::from_utf8_lossy(body);
    Said::read(without(&text, request.secrets.iter()).as_bytes())
}

fn redirected(at: Arc<str>, url: &Uri, headers: &HeaderMap) -> RegistryError {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let target = location.and_then(|location| join(url, location));
    RegistryError::Redirect {
        at,
        target: target.map_or_else(|| "nowhere".into(), |target| shown(&target)),
        problem: "is not followed with a credential",
    }
}
