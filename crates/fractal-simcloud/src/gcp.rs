//! Simulated Google identities: the metadata server, the OAuth 2 token endpoint, the Security Token Service, and impersonation.
//!
//! Access tokens are opaque to clients; the registry believes them because they are signed with its own key.

mod metadata;
mod oauth;
mod sts;

use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::encoding::find;
use crate::exchange::{Answer, Reply};
use crate::front::{Asked, Front};
use crate::issuer::TrustedIssuer;
use crate::ledger::{Call, Transaction};
use crate::registry::{Shelf, google_access_token};
use crate::server::Service;

/// The scopes a registry token is given for.
const SCOPES: [&str; 2] = [
    "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/cloud-platform.read-only",
];

/// Settings of simulated Google identities.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct GcpConfig {
    /// Loopback port; 0 takes a free one.
    pub port: u16,
    /// Service accounts and users.
    pub accounts: Vec<GcpAccount>,
    /// Workload identity pool providers.
    pub providers: Vec<GcpProvider>,
    /// Life of an access token.
    pub token_seconds: u64,
}

impl Default for GcpConfig {
    fn default() -> Self {
        Self {
            port: 0,
            accounts: Vec::new(),
            providers: Vec::new(),
            token_seconds: 3599,
        }
    }
}

/// A service account or user, and the ways it may prove itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GcpAccount {
    /// Its name.
    pub email: String,
    /// Its key, where it has one.
    #[serde(default)]
    pub key: Option<TrustedIssuer>,
    /// A user's consent, where there is one.
    #[serde(default)]
    pub consent: Option<GcpConsent>,
    /// Whether the machine runs as it.
    #[serde(default)]
    pub attached: bool,
    /// Subjects of providers that may impersonate it.
    #[serde(default)]
    pub impersonators: Vec<String>,
    /// What it may do in the registry.
    pub access: GarAccess,
}

/// What a user consented to with `gcloud auth application-default login`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GcpConsent {
    /// The OAuth client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The refresh token it was given.
    pub refresh_token: String,
}

/// A provider of a workload identity pool: whose tokens are exchanged.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GcpProvider {
    /// `//iam.googleapis.com/projects/N/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`.
    pub audience: String,
    /// Who signs the tokens.
    pub issuer: TrustedIssuer,
    /// What a workload may do in the registry without impersonating anybody.
    pub access: GarAccess,
}

/// What an account may do in Artifact Registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GarAccess {
    /// Nothing.
    None,
    /// `roles/artifactregistry.reader`.
    Reader,
    /// `roles/artifactregistry.writer`.
    Writer,
}

impl GarAccess {
    const fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Reader => "reader",
            Self::Writer => "writer",
        }
    }
}

/// The listener's state.
pub(crate) struct Gcp {
    config: GcpConfig,
    front: Front,
    shelf: Arc<Shelf>,
    /// `http://host:port` of this listener: the audience of assertions.
    endpoint: String,
}

/// An error of OAuth 2: status, error and description.
struct Refusal(u16, &'static str, String);

impl Refusal {
    fn new(status: u16, error: &'static str, message: impl Into<String>) -> Self {
        Self(status, error, message.into())
    }
}

fn oauth_error(status: u16, error: &str, message: &str) -> Reply {
    let body = json!({ "error": error, "error_description": message });
    Reply::json(status, &body).coded(error)
}

/// The error of Google's APIs.
fn api_error(status: u16, error: &str, message: &str) -> Reply {
    let body = json!({ "error": { "code": status, "message": message, "status": error } });
    Reply::json(status, &body).coded(error)
}

enum Route {
    Metadata { account: String },
    Token,
    Exchange,
    Impersonate { account: String },
    Unknown,
}

impl Gcp {
    pub(crate) fn new(
        config: GcpConfig,
        front: Front,
        shelf: Arc<Shelf>,
        endpoint: String,
    ) -> Self {
        Self {
            config,
            front,
            shelf,
            endpoint,
        }
    }

    async fn perform(&self, asked: Asked) -> Answer {
        let (route, operation) = route(asked.path());
        let form = asked.form();
        let call = Call {
            service: "gcp".to_owned(),
            operation: operation.to_owned(),
            resource: match &route {
                Route::Metadata { account } | Route::Impersonate { account } => account.clone(),
                _ => String::new(),
            },
            ..Call::default()
        };
        let facts = json!({
            "method": asked.method(),
            "path": asked.path(),
            "grant_type": find(&form, "grant_type"),
            "scope": find(&form, "scope").or_else(|| asked.parameter("scopes")),
        });
        let worded = match route {
            Route::Impersonate { .. } => api_error,
            _ => oauth_error,
        };
        let effect = |_: &mut Transaction<'_>| {
            let done = match &route {
                Route::Metadata { account } => return self.metadata(account, &asked),
                Route::Token => self.oauth(&asked, &form),
                Route::Exchange => self.exchange(&asked, &form),
                Route::Impersonate { account } => self.impersonate(account, &asked),
                Route::Unknown => Err(Refusal::new(404, "not_found", "no such endpoint")),
            };
            done.map_or_else(
                |Refusal(status, error, message)| worded(status, error, &message),
                |body| Reply::json(200, &body),
            )
        };
        self.front.answer(&call, facts, worded, effect).await
    }

    /// An access token for somebody with `access`.
    fn access_token(&self, subject: &str, access: GarAccess) -> String {
        let tokens = &self.shelf.tokens;
        google_access_token(tokens, subject, access.as_str(), self.config.token_seconds)
    }

    fn granted(&self, token: &str) -> Value {
        json!({ "access_token": token, "expires_in": self.config.token_seconds, "token_type": "Bearer" })
    }
}

impl Service for Gcp {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        match Asked::read(request).await {
            Ok(asked) => self.perform(asked).await,
            Err(answer) => answer,
        }
    }
}

fn route(path: &str) -> (Route, &'static str) {
    let within = |prefix: &str, suffix: &str| {
        let middle = path.strip_prefix(prefix)?.strip_suffix(suffix)?;
        (!middle.contains('/')).then(|| middle.to_owned())
    };
    if let Some(account) = within("/computeMetadata/v1/instance/service-accounts/", "/token") {
        return (Route::Metadata { account }, "MetadataToken");
    }
    if let Some(account) = within("/v1/projects/-/serviceAccounts/", ":generateAccessToken") {
        return (Route::Impersonate { account }, "GenerateAccessToken");
    }
    match path {
        "/token" => (Route::Token, "Token"),
        "/v1/token" => (Route::Exchange, "ExchangeToken"),
        _ => (Route::Unknown, "Unknown"),
    }
}

/// Whether one of the scopes, separated by spaces or commas, is one for registries.
fn is_scope(scopes: &str) -> bool {
    scopes
        .split([' ', ','])
        .any(|scope| SCOPES.contains(&scope))
}

fn required<'a>(form: &'a [(String, String)], name: &str) -> Result<&'a str, Refusal> {
    find(form, name)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| {
            let message = format!("Missing required parameter: {name}");
            Refusal::new(400, "invalid_request", message)
        })
}
