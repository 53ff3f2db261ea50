//! The token we have with Vault: had by a login, renewed before its lease ends, had anew where renewal is refused.

use std::fmt;
use std::time::Duration;

use fractal_core::Fault;
use fractal_registry::{IdentityAnswer, IdentityClient, IdentityRequest, Secret};
use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::VaultError;
use crate::settings::VaultSettings;

/// Largest token file read, in bytes.
const TOKEN_FILE_MAX: u64 = 64 * 1024;
/// Longest time a token is believed, whatever its lease.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// After a renewal failed for a reason that may pass, a token that holds serves this long before the next try.
const RESPITE: Duration = Duration::from_secs(10);

/// A session with Vault. Whoever needs its token while it is being had waits for that one.
pub(crate) struct Session {
    client: IdentityClient,
    settings: VaultSettings,
    token: Mutex<Option<Token>>,
}

#[derive(Clone)]
struct Token {
    text: Secret,
    renewable: bool,
    /// The lease it was first given.
    lease: Duration,
    renew_at: Instant,
    until: Instant,
    since: Instant,
}

/// What a login and a renewal answer, as far as we need it.
#[derive(Deserialize)]
struct Answer {
    auth: Granted,
}

#[derive(Deserialize)]
struct Granted {
    client_token: String,
    #[serde(default)]
    lease_duration: u64,
    #[serde(default)]
    renewable: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(client: IdentityClient, settings: VaultSettings) -> Self {
        Self {
            client,
            settings,
            token: Mutex::default(),
        }
    }

    pub(crate) const fn settings(&self) -> &VaultSettings {
        &self.settings
    }

    /// Reads `path`. A token that Vault refuses is replaced once: it may have been revoked.
    pub(crate) async fn read(&self, path: &str) -> Result<IdentityAnswer, VaultError> {
        let called = Instant::now();
        let first = self.token(None).await?;
        let answer = self.get(path, &first.text).await?;
        // One that was had for this very call is not refused for its age.
        if answer.status != 403 || first.since >= called {
            return Ok(answer);
        }
        let second = self.token(Some(&first.text)).await?;
        self.get(path, &second.text).await
    }

    async fn get(&self, path: &str, token: &Secret) -> Result<IdentityAnswer, VaultError> {
        let request = IdentityRequest::get(&self.settings.address, &format!("/v1/{path}"));
        let request = self
            .named(request)
            .secret_header("x-vault-token", "", token);
        Ok(self.client.send(&request).await?)
    }

    /// The token at hand, renewed or replaced where that is due; never `refused` again.
    async fn token(&self, refused: Option<&Secret>) -> Result<Token, VaultError> {
        let mut held = self.token.lock().await;
        let at_hand = held.take().filter(|token| refused != Some(&token.text));
        let token = match at_hand {
            Some(token) if Instant::now() < token.renew_at => token,
            Some(token) => self.renewed(token).await?,
            None => self.login().await?,
        };
        *held = Some(token.clone());
        Ok(token)
    }

    /// A renewed token; a new one where that is refused, and the old one where nothing can be had just now.
    async fn renewed(&self, old: Token) -> Result<Token, VaultError> {
        let holds = Instant::now() < old.until;
        if holds && old.renewable {
            match self.renew(&old).await {
                Ok(Some(token)) => return Ok(token),
                Ok(None) => tracing::debug!("vault token not renewed, logging in again"),
                Err(error) => return survive(old, error),
            }
        }
        match self.login().await {
            Err(error) if holds => survive(old, error),
            login => login,
        }
    }

    async fn renew(&self, old: &Token) -> Result<Option<Token>, VaultError> {
        let body = json!({});
        let path = "/v1/auth/token/renew-self";
        let request = IdentityRequest::json(&self.settings.address, path, &body);
        let request = self
            .named(request)
            .secret_header("x-vault-token", "", &old.text);
        let answer = self.client.send(&request).await?;
        if !answer.is_success() {
            return Ok(None);
        }
        let Answer { auth } = answer.json()?;
        // At its longest life a token is renewed for less than a second.
        if auth.lease_duration == 0 {
            return Ok(None);
        }
        let token = held(&auth);
        // Near it, for less and less: it is replaced while it still holds.
        let worn = token.lease < old.lease / 2;
        Ok(Some(Token {
            text: old.text.clone(),
            renewable: token.renewable && !worn,
            lease: old.lease,
            ..token
        }))
    }

    async fn login(&self) -> Result<Token, VaultError> {
        let login = &self.settings.login;
        let jwt = self.workload_token().await?;
        let path = format!("/v1/auth/{}/login", login.mount);
        let body = json!({ "role": login.role, "jwt": jwt.reveal() });
        let request = IdentityRequest::json(&self.settings.address, &path, &body).hiding(&jwt);
        let answer = self.client.send(&self.named(request)).await?;
        if answer.is_success() {
            let Answer { auth } = answer.json()?;
            if auth.client_token.is_empty() {
                return Err(answer.protocol("its login gave no token").into());
            }
            return Ok(held(&auth));
        }
        Err(VaultError::LoginRefused {
            mount: login.mount.as_str().into(),
            role: login.role.as_str().into(),
            status: answer.status,
            said: answer.said,
        })
    }

    /// Read at each login: Kubernetes writes a new token there long before the old one ends.
    async fn workload_token(&self) -> Result<Secret, VaultError> {
        let path = &self.settings.login.token_file;
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
            .map_err(|error| VaultError::token_file(path, error))
    }

    fn named(&self, request: IdentityRequest) -> IdentityRequest {
        let request = request.header("x-vault-request", "true");
        match &self.settings.namespace {
            Some(namespace) => request.header("x-vault-namespace", namespace.as_str()),
            None => request,
        }
    }
}

fn held(auth: &Granted) -> Token {
    // A login's lease of zero is one without end.
    let lease = match auth.lease_duration {
        0 => LONGEST,
        seconds => Duration::from_secs(seconds).min(LONGEST),
    };
    let now = Instant::now();
    Token {
        text: Secret::new(&auth.client_token),
        renewable: auth.renewable,
        lease,
        renew_at: now + lease * 2 / 3,
        until: now + lease,
        since: now,
    }
}

fn survive(old: Token, error: VaultError) -> Result<Token, VaultError> {
    let fault = Fault::from(error.clone());
    if Instant::now() >= old.until || !matches!(fault.class, fractal_core::Class::Transient { .. })
    {
        return Err(error);
    }
    tracing::warn!(error = %fault, "vault token not renewed, the one at hand still holds");
    Ok(Token {
        renew_at: (Instant::now() + RESPITE).min(old.until),
        ..old
    })
}
