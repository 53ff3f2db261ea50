//! The credential source: one secret per environment, kept for minutes, shown to the registries it is for and to no other.

use std::sync::Arc;
use std::time::Duration;

use fractal_core::Fault;
use fractal_core::artifact::RegistryHost;
use fractal_registry::{
    BoxFuture, Cache, Credential, CredentialSource, IdentityClient, Issued, Options,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::VaultError;
use crate::secret::{EnvironmentName, RegistrySecret, path};
use crate::session::Session;
use crate::settings::VaultSettings;

/// How long a secret is kept: a changed one is seen after this, or as soon as the registry refuses the old one.
const KEPT: Duration = Duration::from_secs(5 * 60);

/// Credentials from Vault.
#[derive(Debug)]
pub struct VaultCredentials {
    session: Session,
    secrets: Cache<EnvironmentName, RegistrySecret>,
}

/// KV version 2's answer to a read.
#[derive(Deserialize)]
struct Answer {
    data: Option<Versioned>,
}

#[derive(Deserialize)]
struct Versioned {
    data: Option<Map<String, Value>>,
}

impl VaultCredentials {
    /// Credentials by these settings, with the time-outs and retries of `options`. Vault is not asked before it is needed.
    ///
    /// # Errors
    /// Where the CA bundle cannot be used.
    pub fn new(settings: VaultSettings, mut options: Options) -> Result<Self, VaultError> {
        if let Some(bundle) = &settings.ca_bundle {
            options.ca_bundle = Some(bundle.clone());
        }
        let client = IdentityClient::new(options)?;
        Ok(Self {
            session: Session::new(client, settings),
            secrets: Cache::default(),
        })
    }

    async fn of(
        &self,
        environment: Option<&str>,
        host: &RegistryHost,
        fresh: bool,
    ) -> Result<Credential, Fault> {
        let settings = self.session.settings();
        if !settings
            .registries
            .iter()
            .any(|pattern| pattern.matches(host))
        {
            return Ok(Credential::Anonymous);
        }
        let named: Option<EnvironmentName> = environment.map(str::parse).transpose()?;
        let environment = named
            .or_else(|| settings.environment.clone())
            .ok_or(VaultError::NoEnvironment)?;
        let path = path(&settings.kv_mount, &environment);
        let ask = || async {
            let value = self.read(&path).await?;
            Ok(Issued {
                value,
                lifetime: KEPT,
            })
        };
        let secret = self.secrets.get(&environment, fresh, ask).await?;
        Ok(secret.credential(&path, host)?)
    }

    async fn read(&self, path: &Arc<str>) -> Result<RegistrySecret, VaultError> {
        let answer = self.session.read(path).await?;
        match answer.status {
            200 => {}
            403 => {
                return Err(VaultError::Forbidden {
                    path: path.clone(),
                    role: self.session.settings().login.role.as_str().into(),
                });
            }
            404 => {
                // A deleted version is told with its metadata, what never was with nothing.
                let deleted = answer
                    .json::<Answer>()
                    .is_ok_and(|answer| answer.data.is_some());
                return Err(VaultError::Missing {
                    path: path.clone(),
                    deleted,
                });
            }
            status => {
                let problem = format!("it answered {status} {}", answer.said);
                return Err(answer.protocol(problem.trim_end()).into());
            }
        }
        let Answer { data } = answer.json()?;
        let data = data
            .and_then(|versioned| versioned.data)
            .ok_or_else(|| answer.protocol("the mount is not KV version 2"))?;
        RegistrySecret::read(path, &data)
    }
}

impl CredentialSource for VaultCredentials {
    fn credential<'a>(
        &'a self,
        host: &'a RegistryHost,
        fresh: bool,
    ) -> BoxFuture<'a, Result<Credential, Fault>> {
        Box::pin(self.of(None, host, fresh))
    }

    fn credential_in<'a>(
        &'a self,
        environment: &'a str,
        host: &'a RegistryHost,
        fresh: bool,
    ) -> BoxFuture<'a, Result<Credential, Fault>> {
        Box::pin(self.of(Some(environment), host, fresh))
    }
}
