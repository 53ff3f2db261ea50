//! The client itself: cheap to clone, one per process, shared by everything that talks to registries.

use std::fmt;
use std::sync::Arc;

use fractal_core::artifact::{Reference, RegistryHost};
use http::Uri;

use crate::auth::{Access, Auth};
use crate::counts::Requests;
use crate::egress::Egress;
use crate::endpoint::{Endpoint, Origin, RepositoryRef};
use crate::error::{Action, RegistryError};
use crate::options::Options;
use crate::site::{Located, Site};
use crate::transport::Transport;

/// A client of OCI registries. Clones share connections, tokens and gates.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
    environment: Option<Arc<str>>,
}

struct Inner {
    options: Arc<Options>,
    egress: Egress,
    auth: Auth,
}

impl Registry {
    /// A client with these settings. Nothing is connected, and the system's certificate authorities are not read, before the
    /// first request that needs them.
    ///
    /// # Errors
    /// Where a setting cannot be used: an endpoint is no base URL, or the CA bundle holds no certificate.
    pub fn new(options: Options) -> Result<Self, RegistryError> {
        for host in options.endpoints.keys() {
            Endpoint::of(host, &options)?;
        }
        let options = Arc::new(options);
        let egress = Egress::new(options.clone())?;
        let auth = Auth::new(options.credentials.clone());
        Ok(Self {
            inner: Arc::new(Inner {
                options,
                egress,
                auth,
            }),
            environment: None,
        })
    }

    /// This client for what belongs to the environment with this short name: its credentials and tokens are that environment's,
    /// connections and gates stay shared.
    #[must_use]
    pub fn in_environment(&self, short_name: &str) -> Self {
        Self {
            inner: self.inner.clone(),
            environment: Some(short_name.into()),
        }
    }

    /// How many requests have left since this client was made.
    #[must_use]
    pub fn requests(&self) -> Requests {
        self.inner.egress.counts.snapshot()
    }

    /// An artifact in a registry, as source or target of a copy.
    #[must_use]
    pub fn locate(&self, reference: &Reference) -> Located {
        Located {
            site: Site::Registry(self.clone(), reference.into()),
            tag: reference.tag().cloned(),
            digest: reference.digest().cloned(),
        }
    }

    pub(crate) fn options(&self) -> &Options {
        &self.inner.options
    }

    pub(crate) fn transport(&self) -> Transport<'_> {
        Transport {
            egress: &self.inner.egress,
            auth: &self.inner.auth,
            retry: self.inner.options.retry,
        }
    }

    pub(crate) fn endpoint(&self, host: &RegistryHost) -> Result<Endpoint, RegistryError> {
        Endpoint::listed(host, &self.inner.options, self.inner.egress.hosts())
    }

    /// The URL of `path` in a repository, and what a request to it needs to be allowed for.
    pub(crate) fn address(
        &self,
        repository: &RepositoryRef,
        path: &str,
        action: Action,
    ) -> Result<(Uri, Access), RegistryError> {
        let endpoint = self.endpoint(&repository.host)?;
        let url = endpoint.url(&repository.repository, path)?;
        let at: Arc<str> = repository.to_string().into();
        let origin = Origin::of(&url)
            .ok_or_else(|| RegistryError::protocol(&at, "its endpoint is no http URL"))?;
        let name = endpoint.name_of(&repository.repository);
        Ok((
            url,
            Access {
                host: repository.host.clone(),
                name,
                action,
                also_pull: None,
                at,
                origin,
                environment: self.environment.clone(),
            },
        ))
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("options", &self.inner.options)
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}
