//! The lists of the distribution protocol, page by page: referrers of a manifest, and the tags that name digests.

use std::collections::BTreeSet;

use bytes::Bytes;
use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::manifest::MANIFEST_MAX;
use fractal_core::artifact::{Descriptor, Digest};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, Uri};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::client::Registry;
use crate::counts::RequestKind;
use crate::egress::Lane;
use crate::endpoint::RepositoryRef;
use crate::error::{Action, Missing, RegistryError};
use crate::transport::link::{PAGES_MAX, endless, next_page};
use crate::transport::{Call, read};

#[derive(Deserialize)]
struct Referrers {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

struct Page {
    bytes: Bytes,
    is_index: bool,
    next: Option<Uri>,
}

impl Registry {
    /// What the registry lists as referring to `subject`; `None` where it has no such list.
    pub(super) async fn referrers(
        &self,
        repository: &RepositoryRef,
        subject: &Digest,
    ) -> Result<Option<Vec<Descriptor>>, RegistryError> {
        let mut call = self.list_call(repository, &format!("referrers/{subject}"))?;
        call.headers
            .push((ACCEPT, HeaderValue::from_static(media_type::OCI_INDEX)));
        let mut all = Vec::new();
        for number in 0..PAGES_MAX {
            let page = match self.page(&call).await {
                Ok(page) => page,
                Err(error) if number == 0 && lacks_api(&error) => return Ok(None),
                Err(error) => return Err(error),
            };
            // Where nothing serves this path, something else may answer it.
            if !page.is_index && number == 0 {
                return Ok(None);
            }
            let list: Referrers = parsed(&call, &page.bytes)?;
            all.extend(list.manifests);
            match page.next {
                Some(next) => call.url = next,
                None => return Ok(Some(all)),
            }
        }
        Err(endless(&call.url))
    }

    /// The repository's tags that begin with a digest's algorithm; `None` where it does not list its tags, or has too many.
    pub(super) async fn digest_tags(
        &self,
        repository: &RepositoryRef,
    ) -> Result<Option<BTreeSet<String>>, RegistryError> {
        let mut call = self.list_call(repository, "tags/list?n=1000")?;
        let mut all = BTreeSet::new();
        for _ in 0..PAGES_MAX {
            let page = match self.page(&call).await {
                Ok(page) => page,
                Err(error) if lacks_api(&error) => return Ok(None),
                Err(RegistryError::Forbidden { .. } | RegistryError::Unauthenticated { .. }) => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            };
            let list: Tags = parsed(&call, &page.bytes)?;
            let tags = list.tags.unwrap_or_default().into_iter();
            all.extend(tags.filter(|tag| tag.starts_with("sha256-") || tag.starts_with("sha512-")));
            match page.next {
                Some(next) => call.url = next,
                None => return Ok(Some(all)),
            }
        }
        Ok(None)
    }

    fn list_call(&self, repository: &RepositoryRef, path: &str) -> Result<Call, RegistryError> {
        let (url, access) = self.address(repository, path, Action::Pull)?;
        Ok(Call {
            kind: RequestKind::List,
            method: Method::GET,
            url,
            headers: Vec::new(),
            body: None,
            lane: Lane::Small,
            access,
            missing: Missing::Manifest,
        })
    }

    async fn page(&self, call: &Call) -> Result<Page, RegistryError> {
        let at = &call.access.at;
        let answer = self.transport().send(call).await?;
        crate::manifest::refuse_encoding(&answer, at)?;
        let next = next_page(&answer.url, answer.response.headers())?;
        let content_type = answer.header(&CONTENT_TYPE).unwrap_or_default();
        let is_index = content_type.starts_with(media_type::OCI_INDEX);
        let limit = self.options().timeouts.small;
        let bytes = read::capped(answer.response.into_body(), MANIFEST_MAX, limit, at).await?;
        let bytes = bytes.ok_or_else(|| RegistryError::ManifestTooLarge {
            at: at.clone(),
            max: MANIFEST_MAX,
        })?;
        Ok(Page {
            bytes,
            is_index,
            next,
        })
    }
}

fn parsed<T: DeserializeOwned>(call: &Call, page: &[u8]) -> Result<T, RegistryError> {
    serde_json::from_slice(page).map_err(|error| {
        RegistryError::protocol(&call.access.at, format!("its list cannot be read: {error}"))
    })
}

/// The answers of registries that do not know a path.
const fn lacks_api(error: &RegistryError) -> bool {
    matches!(
        error,
        RegistryError::NotFound { .. }
            | RegistryError::Refused {
                status: 400 | 404..=406 | 501,
                ..
            }
            | RegistryError::Unavailable { status: 501, .. }
    )
}
