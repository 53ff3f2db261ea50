//! One upload: a session (or a mount), then the whole blob in one PUT of known length.
//!
//! Chunked PATCH uploads are not spoken: ECR and others are slower or stricter with them, and a known length is enough.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use fractal_core::artifact::digest::Algorithm;
use fractal_core::artifact::{Descriptor, Digest, Repository};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Method, Request, StatusCode, Uri};

use super::{Pushed, check_stored};
use crate::auth::percent;
use crate::blob::BlobSource;
use crate::client::Registry;
use crate::counts::RequestKind;
use crate::egress::address::{Class, Reach};
use crate::egress::body::{Outgoing, Progress, Stream};
use crate::egress::{Lane, Route};
use crate::endpoint::{Origin, RepositoryRef, join, shown};
use crate::error::{Action, Missing, RegistryError};
use crate::manifest::CONTENT_DIGEST;
use crate::transport::{Answer, Call, safe_target};

/// What asking for an upload came to.
pub(crate) enum Opened {
    /// The mount made it unnecessary.
    Mounted,
    Session(Box<Session>),
}

/// An open upload session: it takes one blob.
pub(crate) struct Session {
    call: Call,
    url: Uri,
    class: Class,
}

impl Registry {
    pub(super) async fn upload(
        &self,
        repository: &RepositoryRef,
        descriptor: &Descriptor,
        source: &dyn BlobSource,
        from: Option<&Repository>,
    ) -> Result<Pushed, RegistryError> {
        match self.open_upload(repository, descriptor, from).await? {
            Opened::Mounted => Ok(Pushed::Mounted),
            Opened::Session(session) => {
                let stream = source.open(descriptor).await?;
                self.fill(*session, descriptor, (Box::pin(stream), None))
                    .await?;
                Ok(Pushed::Uploaded)
            }
        }
    }

    /// Opens an upload, or mounts the blob from the repository `from` of the same registry.
    pub(crate) async fn open_upload(
        &self,
        repository: &RepositoryRef,
        descriptor: &Descriptor,
        from: Option<&Repository>,
    ) -> Result<Opened, RegistryError> {
        let call = self.open_call(repository, descriptor, from)?;
        let Some((url, class)) = self.session(&call, from.is_some()).await? else {
            return Ok(Opened::Mounted);
        };
        let url = with_digest(&url, descriptor).ok_or_else(|| {
            RegistryError::protocol(&call.access.at, "its upload location cannot be used")
        })?;
        Ok(Opened::Session(Box::new(Session { call, url, class })))
    }

    /// Sends the blob, which `body` gives in exactly its size, and completes the upload. `offered` counts what the body was fed.
    pub(crate) async fn fill(
        &self,
        session: Session,
        descriptor: &Descriptor,
        (body, offered): (Stream, Option<Arc<AtomicU64>>),
    ) -> Result<(), RegistryError> {
        let Session { call, url, class } = session;
        let own = Origin::of(&url).as_ref() == Some(&call.access.origin);
        let reach = if own {
            Reach::Named
        } else {
            Reach::Like(class)
        };
        let transport = self.transport();
        let shown_as = transport
            .auth
            .unasked(transport.egress, &call.access)
            .await?;
        let progress = Arc::new(Progress::fed(offered));
        let mut request = Request::new(Outgoing::Stream(body, progress.clone()));
        *request.method_mut() = Method::PUT;
        *request.uri_mut() = url.clone();
        let headers = request.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        );
        headers.insert(CONTENT_LENGTH, HeaderValue::from(descriptor.size));
        if let Some(header) = shown_as.header.clone().filter(|_| own) {
            headers.insert(AUTHORIZATION, header);
        }
        let sent = (&call, progress.as_ref(), descriptor.size);
        let response = self.watched(request, reach, sent).await;
        let response = response.map_err(|error| match error.refused_host() {
            Some(problem) if !own => RegistryError::Redirect {
                at: call.access.at.clone(),
                target: shown(&url),
                problem,
            },
            _ => error,
        })?;
        let answer = Answer { response, url };
        if !answer.response.status().is_success() {
            let refusal = transport.refusal(&call, answer, &shown_as).await;
            return Err(of_algorithm(&call, &descriptor.digest, refusal));
        }
        let stored = answer.header(&CONTENT_DIGEST);
        check_stored(&call.access.at, &descriptor.digest, stored)
    }

    async fn session(
        &self,
        call: &Call,
        mounting: bool,
    ) -> Result<Option<(Uri, Class)>, RegistryError> {
        let answer = self.transport().send(call).await?;
        if answer.response.status() == StatusCode::CREATED && mounting {
            return Ok(None);
        }
        let at = &call.access.at;
        if answer.response.status() != StatusCode::ACCEPTED {
            let status = answer.response.status().as_u16();
            return Err(RegistryError::protocol(
                at,
                format!("an upload was opened with status {status}"),
            ));
        }
        let location = answer
            .header(&LOCATION)
            .and_then(|location| join(&answer.url, location));
        let location = location.ok_or_else(|| {
            RegistryError::protocol(at, "it opened an upload without a readable location")
        })?;
        let bad = |problem| RegistryError::Redirect {
            at: at.clone(),
            target: shown(&location),
            problem,
        };
        safe_target(&answer.url, &location).map_err(bad)?;
        let class = crate::egress::answered_from(&answer.response);
        Ok(Some((location, class)))
    }

    fn open_call(
        &self,
        repository: &RepositoryRef,
        descriptor: &Descriptor,
        from: Option<&Repository>,
    ) -> Result<Call, RegistryError> {
        let endpoint = self.endpoint(&repository.host)?;
        let from = from.map(|from| endpoint.name_of(from));
        let mount = from.as_ref().map(|from| {
            format!(
                "?mount={}&from={}",
                percent(descriptor.digest.as_str()),
                percent(from)
            )
        });
        let path = format!("blobs/uploads/{}", mount.unwrap_or_default());
        let (url, mut access) = self.address(repository, &path, Action::Push)?;
        access.also_pull = from;
        Ok(Call {
            kind: RequestKind::Open,
            method: Method::POST,
            url,
            headers: vec![(CONTENT_LENGTH, HeaderValue::from_static("0"))],
            body: None,
            lane: Lane::Small,
            access,
            missing: Missing::Repository,
        })
    }

    /// Sends a streamed body and gives up where neither side moves.
    async fn watched(
        &self,
        request: Request<Outgoing>,
        reach: Reach,
        (call, progress, size): (&Call, &Progress, u64),
    ) -> Result<http::Response<hyper::body::Incoming>, RegistryError> {
        let egress = self.transport().egress;
        let sending = egress.once(
            RequestKind::Upload,
            request,
            Route {
                reach,
                lane: Lane::Upload,
            },
        );
        tokio::pin!(sending);
        let timeouts = egress.timeouts();
        let mut seen = 0;
        loop {
            let limit = if seen == size {
                timeouts.commit
            } else {
                timeouts.idle
            };
            match tokio::time::timeout(limit, &mut sending).await {
                Ok(Ok(answer)) => return Ok(answer),
                // The source's own error says more than the connection it broke.
                Ok(Err(error)) => return Err(progress.failure().unwrap_or(error)),
                // Who feeds the body has deadlines of his own, and says what is wrong there.
                Err(_) if progress.is_starved() && progress.sent() < size => seen = progress.sent(),
                Err(_) if progress.sent() == seen => return Err(stuck(call, seen, size, limit)),
                Err(_) => seen = progress.sent(),
            }
        }
    }
}

/// 400 and 405 are how registries refuse a digest whose algorithm they do not know.
fn of_algorithm(call: &Call, digest: &Digest, refusal: RegistryError) -> RegistryError {
    match refusal {
        RegistryError::Refused {
            status: 400 | 405,
            said,
            ..
        } if digest.algorithm() != Algorithm::Sha256 => RegistryError::Algorithm {
            at: call.access.at.clone(),
            digest: digest.clone(),
            said,
        },
        refusal => refusal,
    }
}

fn stuck(call: &Call, sent: u64, size: u64, limit: Duration) -> RegistryError {
    let problem = format!("{sent} of {size} bytes were sent, then nothing moved for {limit:?}");
    RegistryError::Slow {
        at: call.access.at.clone(),
        problem: problem.into(),
    }
}

/// The session's URL with the digest that completes it.
fn with_digest(url: &Uri, descriptor: &Descriptor) -> Option<Uri> {
    let separator = if url.query().is_some() { '&' } else { '?' };
    format!(
        "{}{separator}digest={}",
        url.to_string().trim_end_matches('?'),
        percent(descriptor.digest.as_str())
    )
    .parse()
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_joins_whatever_query_the_location_has() {
        let descriptor = Descriptor::new("x", Digest::sha256(b""), 0);
        let end = format!("digest=sha256%3A{}", descriptor.digest.hex());
        let check = |url: &str, expected: String| {
            assert_eq!(
                with_digest(&url.parse().unwrap(), &descriptor).unwrap(),
                expected.as_str()
            )
        };
        check("https://r.io/u/1", format!("https://r.io/u/1?{end}"));
        check(
            "https://r.io/u/1?_state=a%2Bb",
            format!("https://r.io/u/1?_state=a%2Bb&{end}"),
        );
    }
}
