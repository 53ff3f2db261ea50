//! Access tokens of one identity, kept until shortly before they end.

use std::sync::Arc;

use fractal_core::Fault;
use fractal_registry::{Cache, IdentityAnswer, IdentityClient, IdentityRequest, Issued, Secret};
use serde::Deserialize;
use serde_json::Value;

use crate::document::{self, AuthorizedUser, Document};
use crate::error::GcpError;
use crate::identity::GcpIdentity;
use crate::{federation, metadata, service_account};

/// What every token is for: pulling and pushing artifacts need no narrower one, and some registries take no narrower one.
pub(crate) const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
pub(crate) const OAUTH: &str = "Google's token service";

/// Access tokens of one identity.
#[derive(Debug)]
pub struct GoogleTokens {
    identity: GcpIdentity,
    client: IdentityClient,
    tokens: Cache<(), Secret>,
}

/// What a token service grants.
#[derive(Deserialize)]
pub(crate) struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: Value,
}

impl Granted {
    pub(crate) fn issued(self) -> Issued<Secret> {
        Issued::lasting(Secret::new(&self.access_token), &self.expires_in)
    }
}

impl GoogleTokens {
    /// Tokens of `identity`. Nobody is asked before one is needed.
    #[must_use]
    pub fn new(identity: GcpIdentity, client: IdentityClient) -> Self {
        Self {
            identity,
            client,
            tokens: Cache::default(),
        }
    }

    /// A token; with `fresh`, not the one given before.
    ///
    /// # Errors
    /// Where a file cannot be read, or a service refuses the identity or cannot be asked.
    pub async fn token(&self, fresh: bool) -> Result<Secret, Fault> {
        let ask = || async { Ok(self.ask().await?) };
        self.tokens.get(&(), fresh, ask).await
    }

    async fn ask(&self) -> Result<Issued<Secret>, GcpError> {
        let caller = Caller {
            client: &self.client,
            identity: &self.identity,
        };
        let path = match &self.identity {
            GcpIdentity::Metadata(server) => return metadata::token(&caller, server).await,
            GcpIdentity::File(path) => path,
        };
        match Document::read(path).await? {
            Document::ServiceAccount(account) => {
                service_account::token(&caller, path, &account).await
            }
            Document::AuthorizedUser(user) => {
                let service = document::service(path, &user.token_uri)?;
                let request = consented(&service, &user);
                let granted: Granted = caller.granted(OAUTH, &request).await?;
                Ok(granted.issued())
            }
            Document::ExternalAccount(account) => federation::token(&caller, path, &account).await,
        }
    }
}

/// Who asks, as whom.
pub(crate) struct Caller<'a> {
    pub(crate) client: &'a IdentityClient,
    identity: &'a GcpIdentity,
}

impl Caller<'_> {
    /// What `service` grants.
    pub(crate) async fn granted<T: serde::de::DeserializeOwned>(
        &self,
        service: &'static str,
        request: &IdentityRequest,
    ) -> Result<T, GcpError> {
        let answer = self.accepted(service, request).await?;
        answer.json().map_err(GcpError::service(service))
    }

    pub(crate) async fn accepted(
        &self,
        service: &'static str,
        request: &IdentityRequest,
    ) -> Result<IdentityAnswer, GcpError> {
        let answer = self.client.send(request).await;
        let answer = answer.map_err(GcpError::service(service))?;
        if answer.is_success() {
            return Ok(answer);
        }
        Err(GcpError::Refused {
            service,
            identity: Arc::from(self.identity.to_string()),
            said: answer.said,
        })
    }
}

fn consented(service: &fractal_registry::ServiceUrl, user: &AuthorizedUser) -> IdentityRequest {
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", user.client_id.as_str()),
        ("client_secret", user.client_secret.reveal()),
        ("refresh_token", user.refresh_token.reveal()),
    ];
    IdentityRequest::form(service, "", &form)
        .hiding(&user.client_secret)
        .hiding(&user.refresh_token)
}
