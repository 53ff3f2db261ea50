//! Credentials and where they come from. Each is bound to one registry host; none is ever printed.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fractal_core::Fault;
use fractal_core::artifact::RegistryHost;
use http::HeaderValue;

/// A boxed future, so that credential sources can be trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text`, without the line end a file leaves behind.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// The text itself, for the wire.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// What we show a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential {
    /// Nothing.
    Anonymous,
    /// A user and password; exchanged for a token where the registry asks for one.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A registry token, sent as it is.
    Token(Secret),
    /// A refresh token, exchanged at the registry's token service (OAuth 2, as Azure's registry and Docker's identity tokens).
    Refresh(Secret),
}

impl Credential {
    /// A user and password.
    #[must_use]
    pub fn basic(username: &str, password: &str) -> Self {
        Self::Basic {
            username: username.to_owned(),
            password: Secret::new(password),
        }
    }

    /// Who this is, for people: no secret.
    #[must_use]
    pub fn identity(&self) -> Arc<str> {
        match self {
            Self::Anonymous => "an anonymous client".into(),
            Self::Basic { username, .. } => {
                format!("user `{}`", crate::error::shown(username, 64)).into()
            }
            Self::Token(_) => "the configured token".into(),
            Self::Refresh(_) => "the configured refresh token".into(),
        }
    }

    /// The header that shows it directly to a registry or token service.
    pub(crate) fn header(&self) -> Result<Option<HeaderValue>, &'static str> {
        let text = match self {
            Self::Anonymous | Self::Refresh(_) => return Ok(None),
            Self::Basic { username, password } => {
                format!(
                    "Basic {}",
                    STANDARD.encode(format!("{username}:{}", password.reveal()))
                )
            }
            Self::Token(token) => format!("Bearer {}", token.reveal()),
        };
        let mut header = HeaderValue::try_from(text)
            .map_err(|_| "the credential holds characters no header may have")?;
        header.set_sensitive(true);
        Ok(Some(header))
    }
}

/// Where credentials come from.
pub trait CredentialSource: fmt::Debug + Send + Sync {
    /// The credential for `host`; `fresh` says that the one given before was refused, so a cached one must not be given again.
    ///
    /// Asked before each exchange: a source whose credentials cost a call keeps them itself, and answers again after a rotation
    /// without a restart.
    ///
    /// # Errors
    /// Where a credential exists but cannot be had now, as a fault that says which and why.
    fn credential<'a>(
        &'a self,
        host: &'a RegistryHost,
        fresh: bool,
    ) -> BoxFuture<'a, Result<Credential, Fault>>;

    /// As [`Self::credential`], for what belongs to the environment with this short name.
    ///
    /// A source whose credentials are the same everywhere has nothing to add. One that wraps other sources passes the
    /// environment on.
    ///
    /// # Errors
    /// As [`Self::credential`].
    fn credential_in<'a>(
        &'a self,
        _environment: &'a str,
        host: &'a RegistryHost,
        fresh: bool,
    ) -> BoxFuture<'a, Result<Credential, Fault>> {
        self.credential(host, fresh)
    }
}

/// Credentials known from the start, by host. Hosts not named are asked anonymously.
#[derive(Debug, Clone, Default)]
pub struct StaticCredentials(BTreeMap<RegistryHost, Credential>);

impl StaticCredentials {
    /// These, by host.
    #[must_use]
    pub const fn new(by_host: BTreeMap<RegistryHost, Credential>) -> Self {
        Self(by_host)
    }
}

impl CredentialSource for StaticCredentials {
    fn credential<'a>(
        &'a self,
        host: &'a RegistryHost,
        _fresh: bool,
    ) -> BoxFuture<'a, Result<Credential, Fault>> {
        let found = self.0.get(host).cloned().unwrap_or(Credential::Anonymous);
        Box::pin(std::future::ready(Ok(found)))
    }
}

/// Several sources: the first that knows the host answers.
#[derive(Debug, Clone, Default)]
pub struct Chain(Vec<Arc<dyn CredentialSource>>);

impl Chain {
    /// These, in order.
    #[must_use]
    pub const fn new(sources: Vec<Arc<dyn CredentialSource>>) -> Self {
        Self(sources)
    }
}

impl Chain {
    async fn first(
        &self,
        environment: Option<&str>,
        host: &RegistryHost,
        fresh: bool,
    ) -> Result<Credential, Fault> {
        for source in &self.0 {
            let credential = match environment {
                Some(environment) => source.credential_in(environment, host, fresh).await?,
                None => source.credential(host, fresh).await?,
            };
            if credential != Credential::Anonymous {
                return Ok(credential);
            }
        }
        Ok(Credential::Anonymous)
    }
}

impl CredentialSource for Chain {
    fn credential<'a>(
        &'a self,
        host: &'a RegistryHost,
        fresh: bool,
    ) -> BoxFuture<'a, Result<Credential, Fault>> {
        Box::pin(self.first(None, host, fresh))
    }

    fn credential_in<'a>(
        &'a self,
        environment: &'a str,
        host: &'a RegistryHost,
        fresh: bool,
    ) -> BoxFuture<'a, Result<Credential, Fault>> {
        Box::pin(self.first(Some(environment), host, fresh))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h08_credentials_are_not_printed() {
        let all = [
            Credential::basic("u", "canary"),
            Credential::Token(Secret::new("canary")),
            Credential::Refresh(Secret::new("canary")),
        ];
        for credential in &all {
            assert!(!format!("{credential:?} {}", credential.identity()).contains("canary"));
        }
        assert!(!format!("{:?}", all[0].header().unwrap().unwrap()).contains("Basic"));
    }

    /// Knows one host, and tells environments apart.
    #[derive(Debug)]
    struct OneHost(&'static str);

    impl CredentialSource for OneHost {
        fn credential<'a>(
            &'a self,
            host: &'a RegistryHost,
            fresh: bool,
        ) -> BoxFuture<'a, Result<Credential, Fault>> {
            self.credential_in("none", host, fresh)
        }

        fn credential_in<'a>(
            &'a self,
            environment: &'a str,
            host: &'a RegistryHost,
            fresh: bool,
        ) -> BoxFuture<'a, Result<Credential, Fault>> {
            let known = host.as_str() == self.0;
            let credential = if known {
                Credential::basic(self.0, &format!("{environment} {fresh}"))
            } else {
                Credential::Anonymous
            };
            Box::pin(std::future::ready(Ok(credential)))
        }
    }

    #[tokio::test]
    async fn a_chain_asks_who_knows_the_host_and_passes_the_environment_on() {
        let chain = Chain::new(vec![
            Arc::new(OneHost("a.example")),
            Arc::new(Chain::new(vec![Arc::new(OneHost("b.example"))])),
        ]);
        let (a, b, c) = (
            "a.example".parse().unwrap(),
            "b.example".parse().unwrap(),
            "c.example".parse().unwrap(),
        );
        let expected = |user: &str, password: &str| Ok(Credential::basic(user, password));
        let found = chain.credential_in("dev", &a, true).await;
        assert_eq!(found, expected("a.example", "dev true"));
        let found = chain.credential_in("prod", &b, false).await;
        assert_eq!(found, expected("b.example", "prod false"));
        assert_eq!(
            chain.credential(&b, false).await,
            expected("b.example", "none false")
        );
        assert_eq!(
            chain.credential_in("dev", &c, false).await,
            Ok(Credential::Anonymous)
        );
    }

    #[test]
    fn a_secret_from_a_file_loses_its_line_end_and_a_broken_one_is_refused() {
        assert_eq!(Secret::new("token\r\n").reveal(), "token");
        assert!(Credential::Token(Secret::new("a\nb")).header().is_err());
    }
}
