//! Simulated Azure identities: Microsoft Entra's token endpoint and the managed identity endpoints of machines and apps.
//!
//! The access tokens are JWTs signed with the registry's own key, so that its exchange believes them. Nothing of Azure Resource
//! Manager is here.

mod entra;
mod managed;

use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::exchange::{Answer, Reply};
use crate::front::{Asked, Front};
use crate::issuer::TrustedIssuer;
use crate::ledger::Call;
use crate::registry::Shelf;
use crate::server::Service;

/// What tokens are given for.
const RESOURCES: [&str; 2] = [
    "https://containerregistry.azure.net",
    "https://management.azure.com",
];

/// Settings of simulated Azure identities.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct AzureConfig {
    /// Loopback port; 0 takes a free one.
    pub port: u16,
    /// Registered applications and managed identities.
    pub applications: Vec<AzureApplication>,
    /// Life of an access token.
    pub token_seconds: u64,
    /// The secret that an app shows its own identity endpoint.
    pub identity_header: String,
}

impl Default for AzureConfig {
    fn default() -> Self {
        Self {
            port: 0,
            applications: Vec::new(),
            token_seconds: 3599,
            identity_header: "identity-header".to_owned(),
        }
    }
}

/// An application or managed identity, and the ways it may prove itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AzureApplication {
    /// Its tenant.
    pub tenant: String,
    /// Its client id.
    pub client_id: String,
    /// Its client secret.
    #[serde(default)]
    pub secret: Option<String>,
    /// Its federated credential: a workload's token for its own.
    #[serde(default)]
    pub federation: Option<Federation>,
    /// Whether the machine has it as a managed identity.
    #[serde(default)]
    pub managed: bool,
    /// What it may do in the registry.
    pub access: AcrAccess,
}

/// A federated identity credential.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Federation {
    /// Who signs the tokens.
    pub issuer: TrustedIssuer,
    /// Their subject.
    pub subject: String,
    /// Their audience: `api://AzureADTokenExchange` by custom.
    pub audience: String,
}

/// What an identity may do in a container registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AcrAccess {
    /// Nothing.
    None,
    /// The role `AcrPull`.
    Pull,
    /// The role `AcrPush`, which includes pulling.
    Push,
}

impl AcrAccess {
    const fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Pull => "AcrPull",
            Self::Push => "AcrPush",
        }
    }
}

/// The listener's state.
pub(crate) struct Azure {
    config: AzureConfig,
    front: Front,
    shelf: Arc<Shelf>,
}

/// An error of OAuth 2 (RFC 6749 5.2): status, error, and Entra's numbered message.
pub(crate) struct OauthError {
    status: u16,
    error: &'static str,
    message: String,
}

impl OauthError {
    pub(crate) fn new(status: u16, error: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            error,
            message: message.into(),
        }
    }

    fn reply(&self) -> Reply {
        worded(self.status, self.error, &self.message)
    }
}

fn worded(status: u16, error: &str, message: &str) -> Reply {
    let number = message
        .strip_prefix("AADSTS")
        .and_then(|rest| rest.split(':').next()?.parse::<u64>().ok());
    let body = json!({
        "error": error,
        "error_description": format!("{message} Trace ID: {0} Correlation ID: {0}", crate::encoding::uuid()),
        "error_codes": number.into_iter().collect::<Vec<_>>(),
    });
    Reply::json(status, &body).coded(error)
}

enum Route {
    Token { tenant: String },
    MachineIdentity,
    AppIdentity,
    Unknown,
}

impl Azure {
    pub(crate) fn new(config: AzureConfig, front: Front, shelf: Arc<Shelf>) -> Self {
        Self {
            config,
            front,
            shelf,
        }
    }

    async fn perform(&self, asked: Asked) -> Answer {
        let (route, operation) = route(asked.path());
        let form = asked.form();
        let named =
            crate::encoding::find(&form, "client_id").or_else(|| asked.parameter("client_id"));
        let call = Call {
            service: "azure".to_owned(),
            operation: operation.to_owned(),
            resource: named.unwrap_or_default().to_owned(),
            ..Call::default()
        };
        let facts = json!({
            "method": asked.method(),
            "path": asked.path(),
            "grant_type": crate::encoding::find(&form, "grant_type"),
            "scope": crate::encoding::find(&form, "scope").or_else(|| asked.parameter("resource")),
        });
        let effect = |_: &mut crate::ledger::Transaction<'_>| {
            let done = match &route {
                Route::Token { tenant } => self.entra(tenant, &asked, &form),
                Route::MachineIdentity => self.machine(&asked),
                Route::AppIdentity => self.app(&asked),
                Route::Unknown => Err(OauthError::new(404, "not_found", "no such endpoint")),
            };
            done.map_or_else(|error| error.reply(), |body| Reply::json(200, &body))
        };
        self.front.answer(&call, facts, worded, effect).await
    }

    /// An access token of `application` for `resource`.
    fn access_token(&self, application: &AzureApplication, resource: &str) -> String {
        let claims = json!({
            "aud": resource,
            "iss": format!("https://sts.windows.net/{}/", application.tenant),
            "tid": application.tenant,
            "appid": application.client_id,
            "role": application.access.as_str(),
        });
        self.shelf
            .tokens
            .issue_jwt(claims, self.config.token_seconds)
    }

    fn application(&self, fits: impl Fn(&AzureApplication) -> bool) -> Option<&AzureApplication> {
        self.config.applications.iter().find(|one| fits(one))
    }
}

impl Service for Azure {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        match Asked::read(request).await {
            Ok(asked) => self.perform(asked).await,
            Err(answer) => answer,
        }
    }
}

fn route(path: &str) -> (Route, &'static str) {
    match path {
        "/metadata/identity/oauth2/token" => return (Route::MachineIdentity, "MachineIdentity"),
        "/msi/token" => return (Route::AppIdentity, "AppIdentity"),
        _ => {}
    }
    let tenant = path
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix("/oauth2/v2.0/token"));
    match tenant {
        Some(tenant) if !tenant.contains('/') => {
            let tenant = tenant.to_owned();
            (Route::Token { tenant }, "Token")
        }
        _ => (Route::Unknown, "Unknown"),
    }
}

/// The resource of `text`, where tokens are given for it.
fn resource(text: &str) -> Option<&'static str> {
    let wanted = text.trim_end_matches('/');
    RESOURCES.into_iter().find(|known| *known == wanted)
}

/// What a token endpoint answers.
fn granted(token: &str, seconds: u64) -> Value {
    json!({ "token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token })
}
