//! Who we are to a registry: challenges, credentials, and the tokens they are exchanged for.
//!
//! A credential belongs to one registry host. It is shown to that registry's own origin, and to the token service the registry
//! names where that one may be used; nowhere else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use fractal_core::artifact::RegistryHost;
use http::{HeaderMap, HeaderValue};

pub(crate) mod cache;
pub(crate) mod challenge;
pub(crate) mod credentials;
pub(crate) mod docker_config;
mod exchange;
pub(crate) mod host_pattern;
pub(crate) mod identity;
mod realm;
mod token;

use challenge::Challenge;
use credentials::{Credential, CredentialSource, Secret};
pub(crate) use exchange::percent;
use token::Tokens;

use crate::egress::Egress;
use crate::egress::address::Class;
use crate::endpoint::Origin;
use crate::error::{Action, RegistryError, Said};

/// What a request needs to be allowed for.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub(crate) host: RegistryHost,
    /// The repository as the registry calls it.
    pub(crate) name: String,
    pub(crate) action: Action,
    /// Another repository to be read from: the source of a mount.
    pub(crate) also_pull: Option<String>,
    /// `host/repository`, for errors.
    pub(crate) at: Arc<str>,
    /// The registry's own origin.
    pub(crate) origin: Origin,
    /// The environment it is done for, where that matters.
    pub(crate) environment: Option<Arc<str>>,
}

/// An `Authorization` header, and whose it is.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) header: Option<HeaderValue>,
    pub(crate) identity: Arc<str>,
}

impl Shown {
    /// The token, where one is shown.
    fn bearer(&self) -> Option<Secret> {
        let header = self.header.as_ref()?.to_str().ok()?;
        header.strip_prefix("Bearer ").map(Secret::new)
    }

    fn anonymous() -> Self {
        Self {
            header: None,
            identity: Credential::Anonymous.identity(),
        }
    }
}

/// How a registry wants to be shown a credential; learnt from its first challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scheme {
    Basic,
    Bearer {
        realm: Arc<str>,
        service: Option<Arc<str>>,
        seen_at: Class,
    },
}

/// How the answer to a challenge is to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Round {
    /// With the credential at hand.
    AtHand,
    /// With one asked for anew: the one at hand was refused.
    Anew,
}

pub(crate) struct Auth {
    source: Arc<dyn CredentialSource>,
    schemes: Mutex<HashMap<RegistryHost, Scheme>>,
    tokens: Tokens,
}

impl Auth {
    pub(crate) fn new(source: Arc<dyn CredentialSource>) -> Self {
        Self {
            source,
            schemes: Mutex::default(),
            tokens: Tokens::default(),
        }
    }

    /// What to show without having been asked: nothing, until the registry has said how it wants it.
    pub(crate) async fn unasked(
        &self,
        egress: &Egress,
        access: &Access,
    ) -> Result<Shown, RegistryError> {
        let known = self
            .schemes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&access.host)
            .cloned();
        match known {
            None => Ok(Shown::anonymous()),
            Some(scheme) => {
                self.show(
                    egress,
                    access,
                    &scheme,
                    Ask {
                        hint: None,
                        rejected: None,
                        round: Round::AtHand,
                    },
                )
                .await
            }
        }
    }

    /// What to show after a challenge. `rejected` is what was shown before.
    pub(crate) async fn asked(
        &self,
        egress: &Egress,
        access: &Access,
        (headers, seen_at): (&HeaderMap, Class),
        rejected: &Shown,
        round: Round,
    ) -> Result<Shown, RegistryError> {
        let challenge =
            Challenge::pick(headers).map_err(|problem| refused(access, rejected, problem))?;
        let (scheme, hint) = match challenge {
            Challenge::Basic => (Scheme::Basic, None),
            Challenge::Bearer {
                realm,
                service,
                scope,
            } => (
                Scheme::Bearer {
                    realm: realm.into(),
                    service: service.map(Into::into),
                    seen_at,
                },
                scope,
            ),
        };
        let ask = Ask {
            hint,
            rejected: rejected.header.clone(),
            round,
        };
        let shown = self.show(egress, access, &scheme, ask).await?;
        self.schemes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(access.host.clone(), scheme);
        Ok(shown)
    }

    async fn show(
        &self,
        egress: &Egress,
        access: &Access,
        scheme: &Scheme,
        ask: Ask,
    ) -> Result<Shown, RegistryError> {
        match scheme {
            Scheme::Basic => {
                let credential = self.credential(egress, access, ask.round).await?;
                let header = credential
                    .header()
                    .map_err(|problem| unusable(access, &credential, problem))?;
                Ok(Shown {
                    header,
                    identity: credential.identity(),
                })
            }
            Scheme::Bearer {
                realm,
                service,
                seen_at,
            } => {
                let service = exchange::Service {
                    realm,
                    service: service.as_deref(),
                    seen_at: *seen_at,
                };
                self.tokens
                    .get(access, &ask, || {
                        self.exchange(egress, access, &service, &ask)
                    })
                    .await
            }
        }
    }

    async fn credential(
        &self,
        egress: &Egress,
        access: &Access,
        round: Round,
    ) -> Result<Credential, RegistryError> {
        let (host, fresh) = (&access.host, round == Round::Anew);
        let credential = match access.environment.as_deref() {
            Some(environment) => self.source.credential_in(environment, host, fresh).await,
            None => self.source.credential(host, fresh).await,
        };
        let credential = credential.map_err(|fault| RegistryError::Credential(Arc::new(fault)))?;
        egress.secrets.note(&credential);
        Ok(credential)
    }
}

/// The circumstances of one request for a header.
pub(crate) struct Ask {
    hint: Option<String>,
    rejected: Option<HeaderValue>,
    round: Round,
}

fn refused(access: &Access, shown: &Shown, problem: &str) -> RegistryError {
    RegistryError::Unauthenticated {
        at: access.at.clone(),
        identity: shown.identity.clone(),
        problem: problem.into(),
        said: Said::default(),
    }
}

fn unusable(access: &Access, credential: &Credential, problem: &str) -> RegistryError {
    RegistryError::Unauthenticated {
        at: access.at.clone(),
        identity: credential.identity(),
        problem: problem.into(),
        said: Said::default(),
    }
}
