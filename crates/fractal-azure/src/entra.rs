//! Access tokens of Entra: by a workload's token, a client secret, or from a managed identity's endpoint.

use std::path::Path;
use std::sync::Arc;

use fractal_core::Fault;
use fractal_registry::{
    Cache, IdentityAnswer, IdentityClient, IdentityRequest, Issued, Secret, ServiceUrl,
};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;

use crate::error::AzureError;
use crate::identity::{AzureIdentity, Name};
use crate::managed;

/// Largest token file read, in bytes.
const TOKEN_FILE_MAX: u64 = 64 * 1024;
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
pub(crate) const ENTRA: &str = "Microsoft Entra";

/// Access tokens of one identity, by resource.
#[derive(Debug)]
pub struct EntraTokens {
    client: IdentityClient,
    identity: AzureIdentity,
    tokens: Cache<Box<str>, Secret>,
}

/// What Entra grants.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: Value,
}

impl EntraTokens {
    /// Tokens of `identity`. Nobody is asked before one is needed.
    #[must_use]
    pub fn new(identity: AzureIdentity, client: IdentityClient) -> Self {
        Self {
            client,
            identity,
            tokens: Cache::default(),
        }
    }

    /// Whose they are.
    #[must_use]
    pub const fn identity(&self) -> &AzureIdentity {
        &self.identity
    }

    /// A token for `resource`, such as `https://management.azure.com`; with `fresh`, not the one given before.
    ///
    /// # Errors
    /// Where Entra or the managed identity's endpoint refuses the identity, or cannot be asked.
    pub async fn token(&self, resource: &str, fresh: bool) -> Result<Secret, Fault> {
        let ask = || async { Ok(self.ask(resource).await?) };
        self.tokens.get(&resource.into(), fresh, ask).await
    }

    async fn ask(&self, resource: &str) -> Result<Issued<Secret>, AzureError> {
        match &self.identity {
            AzureIdentity::Workload {
                authority,
                tenant,
                client,
                token_file,
            } => {
                let token = workload_token(token_file).await?;
                let proof = [
                    ("client_assertion_type", ASSERTION_TYPE),
                    ("client_assertion", token.reveal()),
                ];
                let whom = (authority, tenant, client);
                self.grant(whom, resource, &proof, &token).await
            }
            AzureIdentity::Secret {
                authority,
                tenant,
                client,
                secret,
            } => {
                let proof = [("client_secret", secret.reveal())];
                let whom = (authority, tenant, client);
                self.grant(whom, resource, &proof, secret).await
            }
            AzureIdentity::Managed {
                endpoint, client, ..
            } => {
                let asked = managed::request(endpoint, client.as_ref(), resource);
                let answer = managed::send(&self.client, &asked).await?;
                managed::granted(&self.accepted(answer, managed::SERVICE)?)
            }
        }
    }

    /// The client credentials grant.
    async fn grant(
        &self,
        (authority, tenant, client): (&ServiceUrl, &Name, &Name),
        resource: &str,
        proof: &[(&str, &str)],
        hidden: &Secret,
    ) -> Result<Issued<Secret>, AzureError> {
        let scope = format!("{resource}/.default");
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", client.as_str()),
            ("scope", &scope),
        ];
        form.extend(proof);
        let path = format!("/{tenant}/oauth2/v2.0/token");
        let request = IdentityRequest::form(authority, &path, &form).hiding(hidden);
        let answer = self.client.send(&request).await;
        let answer = answer.map_err(AzureError::service(ENTRA))?;
        let answer = self.accepted(answer, ENTRA)?;
        let granted: Granted = answer.json().map_err(AzureError::service(ENTRA))?;
        let token = Secret::new(&granted.access_token);
        Ok(Issued::lasting(token, &granted.expires_in))
    }

    fn accepted(
        &self,
        answer: IdentityAnswer,
        service: &'static str,
    ) -> Result<IdentityAnswer, AzureError> {
        if answer.is_success() {
            return Ok(answer);
        }
        Err(AzureError::Refused {
            service,
            identity: Arc::from(self.identity.to_string()),
            said: answer.said,
        })
    }
}

/// Read each time: the kubelet writes a new token there long before the old one ends.
async fn workload_token(path: &Path) -> Result<Secret, AzureError> {
    let read = async {
        let file = tokio::fs::File::open(path).await?;
        let mut text = String::new();
        file.take(TOKEN_FILE_MAX).read_to_string(&mut text).await?;
        if text.trim().is_empty() {
            return Err(std::io::Error::other("it is empty"));
        }
        Ok(Secret::new(text.trim()))
    };
    read.await
        .map_err(|error| AzureError::token_file(path, error))
}
