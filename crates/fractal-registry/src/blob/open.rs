//! Opening a blob at a registry, whole or from a byte on, and holding the answer to what was asked.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fractal_core::artifact::Descriptor;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, HeaderName, RANGE};
use http::{HeaderValue, Method, StatusCode};
use http_body_util::BodyExt as _;

use super::supply::{Opened, Source, Supply};
use crate::auth::credentials::BoxFuture;
use crate::client::Registry;
use crate::counts::RequestKind;
use crate::egress::Lane;
use crate::endpoint::RepositoryRef;
use crate::error::{Action, Missing, RegistryError};
use crate::manifest::refuse_encoding;
use crate::transport::{Answer, Call};

/// A blob that is missing is asked for again after these: a replica may lag behind the manifest it belongs to.
const MISSING_PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

#[derive(Clone)]
pub(super) struct HttpSupply {
    registry: Registry,
    repository: RepositoryRef,
    descriptor: Descriptor,
    at: Arc<str>,
}

impl Supply for HttpSupply {
    fn at(&self) -> Arc<str> {
        self.at.clone()
    }

    fn open(&self, offset: u64) -> BoxFuture<'static, Result<Opened, RegistryError>> {
        let this = self.clone();
        Box::pin(async move { this.opened(offset).await })
    }
}

impl HttpSupply {
    pub(super) fn new(
        registry: Registry,
        repository: RepositoryRef,
        descriptor: Descriptor,
    ) -> Self {
        let at = format!("{repository}@{}", descriptor.digest).into();
        Self {
            registry,
            repository,
            descriptor,
            at,
        }
    }

    async fn opened(&self, offset: u64) -> Result<Opened, RegistryError> {
        let size = self.descriptor.size;
        let range = (offset > 0).then(|| (offset, size.saturating_sub(1)));
        let answer = self.answer(range, Lane::Bulk).await?;
        let offset = match (answer.response.status(), offset) {
            (StatusCode::PARTIAL_CONTENT, 1..) => {
                self.check_range(&answer, offset)?;
                offset
            }
            (StatusCode::OK, _) => {
                self.check_length(&answer, size)?;
                0
            }
            (status, _) => {
                return Err(RegistryError::protocol(
                    &self.at,
                    format!("the blob was answered with status {}", status.as_u16()),
                ));
            }
        };
        Ok(Opened {
            offset,
            bytes: Source::Http(answer.response.into_body()),
        })
    }

    /// The first `length` bytes, unverified.
    pub(super) async fn prefix(&self, length: u64) -> Result<Bytes, RegistryError> {
        let answer = self.answer(Some((0, length - 1)), Lane::Small).await?;
        let limit = self.registry.options().timeouts.small;
        let mut body = answer.response.into_body();
        let mut all = bytes::BytesMut::new();
        let wanted = usize::try_from(length).unwrap_or(usize::MAX);
        let reading = async {
            while all.len() < wanted {
                match body.frame().await {
                    Some(Ok(frame)) => {
                        all.extend_from_slice(frame.data_ref().map_or(&[], |data| data))
                    }
                    Some(Err(error)) => {
                        return Err(RegistryError::Unreachable {
                            at: self.at.clone(),
                            source: Arc::new(error),
                        });
                    }
                    None => {
                        return Err(RegistryError::Truncated {
                            at: self.at.clone(),
                            received: all.len() as u64,
                            expected: length,
                        });
                    }
                }
            }
            all.truncate(wanted);
            Ok(all.freeze())
        };
        let slow = |_| RegistryError::Slow {
            at: self.at.clone(),
            problem: format!("its first bytes did not come within {limit:?}").into(),
        };
        tokio::time::timeout(limit, reading).await.map_err(slow)?
    }

    async fn answer(&self, range: Option<(u64, u64)>, lane: Lane) -> Result<Answer, RegistryError> {
        let call = self.call(range, lane)?;
        let mut pauses = MISSING_PAUSES.into_iter();
        loop {
            match self.registry.transport().send(&call).await {
                Ok(answer) => {
                    refuse_encoding(&answer, &self.at)?;
                    return Ok(answer);
                }
                Err(RegistryError::NotFound {
                    missing: Missing::Blob,
                    at,
                    said,
                }) => match pauses.next() {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => {
                        return Err(RegistryError::NotFound {
                            missing: Missing::Blob,
                            at,
                            said,
                        });
                    }
                },
                Err(error) => return Err(error),
            }
        }
    }

    fn call(&self, range: Option<(u64, u64)>, lane: Lane) -> Result<Call, RegistryError> {
        let path = format!("blobs/{}", self.descriptor.digest);
        let (url, mut access) = self
            .registry
            .address(&self.repository, &path, Action::Pull)?;
        access.at = self.at.clone();
        let mut headers = vec![(ACCEPT_ENCODING, HeaderValue::from_static("identity"))];
        if let Some(value) = range
            .and_then(|(first, last)| HeaderValue::try_from(format!("bytes={first}-{last}")).ok())
        {
            headers.push((RANGE, value));
        }
        Ok(Call {
            kind: RequestKind::Blob,
            method: Method::GET,
            url,
            headers,
            body: None,
            lane,
            access,
            missing: Missing::Blob,
        })
    }

    fn check_length(&self, answer: &Answer, expected: u64) -> Result<(), RegistryError> {
        match number(answer, &CONTENT_LENGTH) {
            Some(found) if found != expected => {
                let found = format!("the registry announces {found}").into();
                Err(RegistryError::SizeMismatch {
                    at: self.at.clone(),
                    expected: self.descriptor.size,
                    found,
                })
            }
            _ => Ok(()),
        }
    }

    /// `bytes FIRST-LAST/SIZE`, exactly as asked; a registry may not know the size.
    fn check_range(&self, answer: &Answer, offset: u64) -> Result<(), RegistryError> {
        let size = self.descriptor.size;
        let said = answer.header(&CONTENT_RANGE).unwrap_or_default();
        let last = size.saturating_sub(1);
        let exact = said.strip_prefix("bytes ").map(str::trim);
        let fits = exact.is_some_and(|said| {
            said == format!("{offset}-{last}/{size}") || said == format!("{offset}-{last}/*")
        });
        if fits {
            return Ok(());
        }
        let problem = format!(
            "it answered with the range `{}`",
            crate::error::shown(said, 60)
        );
        Err(RegistryError::Range {
            at: self.at.clone(),
            offset,
            problem: problem.into(),
        })
    }
}

fn number(answer: &Answer, name: &HeaderName) -> Option<u64> {
    answer.header(name)?.trim().parse().ok()
}
