//! How Google's registries are logged in to: an access token is the password.

use fractal_core::Fault;
use fractal_core::artifact::RegistryHost;
use fractal_registry::{BoxFuture, Credential, CredentialSource, IdentityClient, Options};

use crate::error::GcpError;
use crate::identity::GcpIdentity;
use crate::tokens::GoogleTokens;

/// The user whose password an access token is.
const USER: &str = "oauth2accesstoken";

/// Credentials for Artifact Registry and Container Registry, by one identity.
#[derive(Debug)]
pub struct GarCredentials {
    tokens: GoogleTokens,
}

impl GarCredentials {
    /// Credentials of `identity`, with the time-outs, retries and authorities of `options`.
    ///
    /// # Errors
    /// Where one of those cannot be used.
    pub fn new(identity: GcpIdentity, options: Options) -> Result<Self, GcpError> {
        let client = IdentityClient::new(options).map_err(GcpError::service("the client"))?;
        Ok(Self {
            tokens: GoogleTokens::new(identity, client),
        })
    }

    async fn of(&self, host: &RegistryHost, fresh: bool) -> Result<Credential, Fault> {
        if !is_registry(host.as_str()) {
            return Ok(Credential::Anonymous);
        }
        let token = self.tokens.token(fresh).await?;
        Ok(Credential::Basic {
            username: USER.to_owned(),
            password: token,
        })
    }
}

impl CredentialSource for GarCredentials {
    fn credential<'a>(
        &'a self,
        host: &'a RegistryHost,
        fresh: bool,
    ) -> BoxFuture<'a, Result<Credential, Fault>> {
        Box::pin(self.of(host, fresh))
    }
}

/// `<location>-docker.pkg.dev`, `gcr.io` and `<location>.gcr.io`, nothing below.
fn is_registry(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let location = host
        .strip_suffix("-docker.pkg.dev")
        .or_else(|| host.strip_suffix(".gcr.io"));
    host == "gcr.io"
        || location.is_some_and(|name| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r07_only_googles_own_hosts_are_registries() {
        for host in [
            "europe-west1-docker.pkg.dev",
            "us-docker.pkg.dev",
            "gcr.io",
            "EU.gcr.io",
        ] {
            assert!(is_registry(host), "{host}");
        }
        for host in [
            "-docker.pkg.dev",
            "docker.pkg.dev",
            "us-docker.pkg.dev.evil.tld",
            "a.us-docker.pkg.dev",
            "us-npm.pkg.dev",
            "evilgcr.io",
            ".gcr.io",
            "a.b.gcr.io",
            "gcr.io:443",
            "ghcr.io",
        ] {
            assert!(!is_registry(host), "{host}");
        }
    }
}
