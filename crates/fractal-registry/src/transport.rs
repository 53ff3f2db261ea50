//! One request to a registry until it is answered: shown credentials, followed redirects, named refusals, bounded retries.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::auth::{Access, Auth, Round, Shown, challenge};
use crate::counts::RequestKind;
use crate::egress::address::{Class, Reach};
use crate::egress::body::Outgoing;
use crate::egress::{Egress, Lane, Route, answered_from};
use crate::endpoint::{Origin, join, shown};
use crate::error::{Missing, RegistryError, Said};
use crate::options::RetryPolicy;

pub(crate) mod link;
pub(crate) mod read;
pub(crate) mod retry_after;

/// Most redirects followed for one request.
const REDIRECTS_MAX: usize = 5;

/// A request that can be sent again.
pub(crate) struct Call {
    pub(crate) kind: RequestKind,
    pub(crate) method: Method,
    pub(crate) url: Uri,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Option<Bytes>,
    pub(crate) lane: Lane,
    pub(crate) access: Access,
    /// What a 404 means.
    pub(crate) missing: Missing,
}

/// A successful answer, and who gave it.
pub(crate) struct Answer {
    pub(crate) response: Response<Incoming>,
    /// Where it came from, after redirects.
    pub(crate) url: Uri,
}

impl Answer {
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }
}

/// What requests need besides themselves.
#[derive(Clone, Copy)]
pub(crate) struct Transport<'a> {
    pub(crate) egress: &'a Egress,
    pub(crate) auth: &'a Auth,
    pub(crate) retry: RetryPolicy,
}

impl Transport<'_> {
    /// Sends `call` until it succeeds, fails for good, or the policy's attempts or time are used up.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, RegistryError> {
        let deadline = Instant::now() + self.retry.total;
        let mut attempt = 0;
        loop {
            let error = match self.attempt(call).await {
                Ok(answer) => return Ok(answer),
                Err(error) => self.cleaned(error),
            };
            if !self.pause(&mut attempt, &error, deadline).await {
                return Err(error);
            }
            tracing::warn!(at = %call.access.at, kind = call.kind.as_str(), attempt, error = %error, "registry request repeated");
        }
    }

    /// A registry may put what it was sent into the URLs it sends us to.
    fn cleaned(&self, error: RegistryError) -> RegistryError {
        let clean = |url: Arc<str>| self.egress.secrets.clean(&url).into();
        match error {
            RegistryError::Redirect {
                at,
                target,
                problem,
            } => RegistryError::Redirect {
                at,
                target: clean(target),
                problem,
            },
            RegistryError::Realm { at, realm, problem } => RegistryError::Realm {
                at,
                realm: clean(realm),
                problem,
            },
            other => other,
        }
    }

    /// Waits before the next attempt; `false` where there is to be none.
    pub(crate) async fn pause(
        &self,
        attempt: &mut u32,
        error: &RegistryError,
        deadline: Instant,
    ) -> bool {
        *attempt += 1;
        if !error.is_passing() || *attempt >= self.retry.attempts {
            return false;
        }
        let pause = match error.retry_after() {
            // The host's gate does this waiting, for everyone.
            Some(asked) if asked <= self.retry.patience => std::time::Duration::ZERO,
            Some(_) => return false,
            None => self.egress.jitter(
                self.retry
                    .cap
                    .min(self.retry.base.saturating_mul(1 << (*attempt - 1).min(16))),
            ),
        };
        if Instant::now() + pause > deadline {
            return false;
        }
        tokio::time::sleep(pause).await;
        true
    }

    async fn attempt(&self, call: &Call) -> Result<Answer, RegistryError> {
        let mut shown = self.auth.unasked(self.egress, &call.access).await?;
        let mut asked_anew = false;
        for _ in 0..3 {
            let (answer, class) = self.followed(call, &shown).await?;
            let own = Origin::of(&answer.url).as_ref() == Some(&call.access.origin);
            if answer.response.status() != StatusCode::UNAUTHORIZED || !own {
                return self.accepted(call, answer, &shown).await;
            }
            let round = if shown.header.is_some() {
                Round::Anew
            } else {
                Round::AtHand
            };
            // Read to its end, the connection serves the next request.
            let (parts, body) = answer.response.into_parts();
            let limit = self.egress.timeouts().small;
            let said = self.egress.secrets.said(&read::start(body, limit).await);
            if asked_anew {
                return Err(refused_again(call, &shown, &parts.headers, said));
            }
            asked_anew = round == Round::Anew;
            let next = self
                .auth
                .asked(
                    self.egress,
                    &call.access,
                    (&parts.headers, class),
                    &shown,
                    round,
                )
                .await?;
            if next.header == shown.header {
                return Err(refused_again(call, &shown, &parts.headers, said));
            }
            shown = next;
        }
        Err(refused_credential(call, &shown, Said::default()))
    }

    /// Follows redirects of a read. `Authorization` stays with the registry's own origin.
    async fn followed(
        &self,
        call: &Call,
        shown_as: &Shown,
    ) -> Result<(Answer, Class), RegistryError> {
        let mut url = call.url.clone();
        let mut registry_class = None;
        for _ in 0..=REDIRECTS_MAX {
            let own = Origin::of(&url).as_ref() == Some(&call.access.origin);
            let reach = match (own, registry_class) {
                (false, Some(class)) => Reach::Like(class),
                _ => Reach::Named,
            };
            let request = request(call, &url, shown_as.header.as_ref().filter(|_| own));
            let route = Route {
                reach,
                lane: call.lane,
            };
            let response = self
                .egress
                .once(call.kind, request, route)
                .await
                .map_err(|error| match error.refused_host() {
                    Some(problem) if !own => bad_redirect(call, &url, problem),
                    _ => error,
                })?;
            let class = *registry_class.get_or_insert_with(|| answered_from(&response));
            if !is_redirect(response.status()) || !matches!(call.method, Method::GET | Method::HEAD)
            {
                return Ok((Answer { response, url }, class));
            }
            url = next_hop(call, &url, response.headers())?;
        }
        Err(bad_redirect(call, &url, "is one redirect too many"))
    }

    async fn accepted(
        &self,
        call: &Call,
        answer: Answer,
        shown: &Shown,
    ) -> Result<Answer, RegistryError> {
        if answer.response.status().is_success() {
            return Ok(answer);
        }
        Err(self.refusal(call, answer, shown).await)
    }

    /// Names what an unsuccessful answer means.
    pub(crate) async fn refusal(
        &self,
        call: &Call,
        answer: Answer,
        shown: &Shown,
    ) -> RegistryError {
        let status = answer.response.status();
        let at = call.access.at.clone();
        if is_passing(status) {
            return passing(self.egress, &answer.url, &at, answer.response).await;
        }
        let own = Origin::of(&answer.url).as_ref() == Some(&call.access.origin);
        let limit = self.egress.timeouts().small;
        let body = read::start(answer.response.into_body(), limit).await;
        let said = self.egress.secrets.said(&body);
        match status {
            StatusCode::NOT_FOUND if own => RegistryError::NotFound {
                missing: missing(call.missing, &said),
                at,
                said,
            },
            StatusCode::FORBIDDEN if own => RegistryError::Forbidden {
                action: call.access.action,
                at,
                identity: shown.identity.clone(),
                said,
            },
            StatusCode::UNAUTHORIZED if own => refused_credential(call, shown, said),
            _ => RegistryError::Refused {
                at,
                status: status.as_u16(),
                said,
            },
        }
    }
}

/// A token that is good but does not reach so far is refused with 401 by registries of the token protocol, and not with 403.
fn refused_again(call: &Call, shown: &Shown, headers: &HeaderMap, said: Said) -> RegistryError {
    if challenge::lacks_scope(headers) {
        return RegistryError::Forbidden {
            action: call.access.action,
            at: call.access.at.clone(),
            identity: shown.identity.clone(),
            said,
        };
    }
    refused_credential(call, shown, said)
}

fn refused_credential(call: &Call, shown: &Shown, said: Said) -> RegistryError {
    RegistryError::Unauthenticated {
        at: call.access.at.clone(),
        identity: shown.identity.clone(),
        problem: format!("{} was refused", call.access.action).into(),
        said,
    }
}

fn request(call: &Call, url: &Uri, authorization: Option<&HeaderValue>) -> Request<Outgoing> {
    let mut request = Request::new(Outgoing::Bytes(call.body.clone()));
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = url.clone();
    request.headers_mut().extend(call.headers.iter().cloned());
    if let Some(header) = authorization {
        request.headers_mut().insert(AUTHORIZATION, header.clone());
    }
    request
}

pub(crate) const fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

pub(crate) fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429)
}

fn next_hop(call: &Call, url: &Uri, headers: &HeaderMap) -> Result<Uri, RegistryError> {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let target = location.and_then(|location| join(url, location));
    let target = target.ok_or_else(|| {
        RegistryError::protocol(&call.access.at, "it redirects without a readable location")
    })?;
    safe_target(url, &target).map_err(|problem| bad_redirect(call, &target, problem))?;
    Ok(target)
}

/// May a registry that answered at `from` send us to `target`? The address is checked when it is connected to.
pub(crate) fn safe_target(from: &Uri, target: &Uri) -> Result<Origin, &'static str> {
    let origin = Origin::of(target).ok_or("is no http URL, or carries user information")?;
    let from_https = Origin::of(from).is_none_or(|from| from.https);
    if from_https && !origin.https {
        Err("is not https")
    } else {
        Ok(origin)
    }
}

fn bad_redirect(call: &Call, target: &Uri, problem: &'static str) -> RegistryError {
    RegistryError::Redirect {
        at: call.access.at.clone(),
        target: shown(target),
        problem,
    }
}

/// Registries say `NAME_UNKNOWN` where the whole repository is missing.
fn missing(asked: Missing, said: &Said) -> Missing {
    match said.code() {
        Some("NAME_UNKNOWN") => Missing::Repository,
        Some("MANIFEST_UNKNOWN" | "TAG_UNKNOWN") => Missing::Manifest,
        Some("BLOB_UNKNOWN") => Missing::Blob,
        _ => asked,
    }
}

/// An answer that may be different a moment later; holds back the host where it asks for that.
pub(crate) async fn passing(
    egress: &Egress,
    url: &Uri,
    at: &Arc<str>,
    response: Response<Incoming>,
) -> RegistryError {
    let status = response.status();
    let retry_after = retry_after::read(response.headers(), std::time::SystemTime::now());
    if let (Some(pause), Some(origin)) = (retry_after, Origin::of(url)) {
        egress.hold(&origin, pause);
    }
    let said = egress
        .secrets
        .said(&read::start(response.into_body(), egress.timeouts().small).await);
    let at = at.clone();
    if status == StatusCode::TOO_MANY_REQUESTS {
        RegistryError::Throttled {
            at,
            retry_after,
            said,
        }
    } else {
        RegistryError::Unavailable {
            at,
            status: status.as_u16(),
            retry_after,
            said,
        }
    }
}
