//! How Azure container registries are logged in to: an Entra token is exchanged at the registry for its refresh token.
//!
//! What comes of that at the registry's token service, an access token for one repository, is the registry client's business.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fractal_core::Fault;
use fractal_core::artifact::RegistryHost;
use fractal_registry::{
    BoxFuture, Cache, Credential, CredentialSource, IdentityAnswer, IdentityClient,
    IdentityRequest, Issued, Options, Secret,
};
use serde::Deserialize;

use crate::entra::EntraTokens;
use crate::error::AzureError;
use crate::identity::{AzureIdentity, Name};

/// The audience registries take in every cloud; one of Azure Resource Manager's is refused where a registry is told to.
const AUDIENCE: &str = "https://containerregistry.azure.net";
/// Domains of registries: the public cloud's and the sovereign ones'.
const DOMAINS: [&str; 3] = [".azurecr.io", ".azurecr.cn", ".azurecr.us"];
/// How long a refresh token is believed whose end cannot be read: they hold for three hours.
const UNREADABLE: Duration = Duration::from_secs(3600);

/// Credentials for Azure container registries, by one identity.
#[derive(Debug)]
pub struct AcrCredentials {
    client: IdentityClient,
    entra: Arc<EntraTokens>,
    refresh: Cache<RegistryHost, Secret>,
}

#[derive(Deserialize)]
struct Exchanged {
    refresh_token: String,
}

/// The one claim of a refresh token that matters: it is not verified, only believed about its own end.
#[derive(Deserialize)]
struct Claims {
    exp: u64,
}

impl AcrCredentials {
    /// Credentials of `identity`, with the time-outs, retries, authorities and registry endpoints of `options`.
    ///
    /// # Errors
    /// Where one of those cannot be used.
    pub fn new(identity: AzureIdentity, options: Options) -> Result<Self, AzureError> {
        let client = IdentityClient::new(options).map_err(AzureError::service("the client"))?;
        let entra = Arc::new(EntraTokens::new(identity, client.clone()));
        Ok(Self {
            client,
            entra,
            refresh: Cache::default(),
        })
    }

    /// The identity's tokens, for other services of Azure.
    #[must_use]
    pub const fn entra(&self) -> &Arc<EntraTokens> {
        &self.entra
    }

    async fn of(&self, host: &RegistryHost, fresh: bool) -> Result<Credential, Fault> {
        if !is_registry(host.as_str()) {
            return Ok(Credential::Anonymous);
        }
        let ask = || self.exchange(host);
        let token = self.refresh.get(host, fresh, ask).await?;
        Ok(Credential::Refresh(token))
    }

    /// An Entra token that the registry refuses is replaced once: it may have been revoked.
    async fn exchange(&self, host: &RegistryHost) -> Result<Issued<Secret>, Fault> {
        let first = self.entra.token(AUDIENCE, false).await?;
        let mut answer = self.ask(host, &first).await?;
        if answer.status == 401 {
            let second = self.entra.token(AUDIENCE, true).await?;
            answer = self.ask(host, &second).await?;
        }
        Ok(self.refresh_token(host, &answer)?)
    }

    async fn ask(&self, host: &RegistryHost, token: &Secret) -> Result<IdentityAnswer, AzureError> {
        let mut form = vec![
            ("grant_type", "access_token"),
            ("service", host.as_str()),
            ("access_token", token.reveal()),
        ];
        let tenant = self.entra.identity().tenant().map(Name::as_str);
        form.extend(tenant.map(|tenant| ("tenant", tenant)));
        let registry = "the registry's token exchange";
        let service = self
            .client
            .registry(host)
            .map_err(AzureError::service(registry))?;
        let request = IdentityRequest::form(&service, "/oauth2/exchange", &form).hiding(token);
        let answer = self.client.send(&request).await;
        answer.map_err(AzureError::service(registry))
    }

    fn refresh_token(
        &self,
        host: &RegistryHost,
        answer: &IdentityAnswer,
    ) -> Result<Issued<Secret>, AzureError> {
        if matches!(answer.status, 401 | 403) {
            return Err(AzureError::NoAccess {
                registry: host.to_string().into(),
                identity: self.entra.identity().to_string().into(),
                said: answer.said.clone(),
            });
        }
        let outside = AzureError::service("the registry's token exchange");
        if !answer.is_success() {
            let problem = format!("it answered {} {}", answer.status, answer.said);
            return Err(outside(answer.protocol(problem.trim_end())));
        }
        let Exchanged { refresh_token } = answer.json().map_err(outside)?;
        Ok(Issued {
            lifetime: left(&refresh_token).unwrap_or(UNREADABLE),
            value: Secret::new(&refresh_token),
        })
    }
}

impl CredentialSource for AcrCredentials {
    fn credential<'a>(
        &'a self,
        host: &'a RegistryHost,
        fresh: bool,
    ) -> BoxFuture<'a, Result<Credential, Fault>> {
        Box::pin(self.of(host, fresh))
    }
}

/// `<name>.azurecr.io` and its sovereign likes, nothing below.
fn is_registry(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let name = DOMAINS.iter().find_map(|domain| host.strip_suffix(domain));
    name.is_some_and(|name| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

fn left(token: &str) -> Option<Duration> {
    let claims = token.split('.').nth(1)?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    let end = UNIX_EPOCH.checked_add(Duration::from_secs(claims.exp))?;
    Some(end.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r07_only_azures_own_hosts_are_registries() {
        for host in [
            "fractal.azurecr.io",
            "contoso-a1b2.azurecr.io",
            "x.azurecr.cn",
            "X.AzureCR.us",
        ] {
            assert!(is_registry(host), "{host}");
        }
        for host in [
            "azurecr.io",
            ".azurecr.io",
            "fractal.azurecr.io.evil.tld",
            "fractal.evilazurecr.io",
            "a.b.azurecr.io",
            "fractal.azurecr.io:443",
            "ghcr.io",
        ] {
            assert!(!is_registry(host), "{host}");
        }
    }

    #[test]
    fn a_token_is_believed_about_its_end_only() {
        let token = |claims: &str| format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims));
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let hour = left(&token(&format!(r#"{{"exp":{}}}"#, now + 3600))).unwrap();
        assert!(hour <= Duration::from_secs(3600) && hour > Duration::from_secs(3500));
        assert_eq!(left(&token(r#"{"exp":5}"#)), Some(Duration::ZERO));
        for broken in [
            "",
            "a.b.c",
            "opaque",
            &token("{}"),
            &token(r#"{"exp":18446744073709551615}"#),
        ] {
            assert_eq!(left(broken), None, "{broken}");
        }
    }
}
