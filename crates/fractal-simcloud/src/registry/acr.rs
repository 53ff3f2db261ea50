//! Azure's token service of a registry: an Entra token for a refresh token, and that for an access token of one scope.

use http::Method;
use http::request::Parts;
use serde_json::{Value, json};

use super::access::{basic_credentials, narrow};
use super::tokens::Tokens;
use super::{header, reply};
use crate::encoding::find;
use crate::exchange::Reply;

/// The audience of tokens a registry takes.
const AUDIENCE: &str = "https://containerregistry.azure.net";
/// The user a refresh token is the password of.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// One registry's settings, as its authentication has them.
pub(super) struct Acr<'a> {
    pub(super) tokens: &'a Tokens,
    pub(super) login_server: &'a str,
    pub(super) refresh_seconds: u64,
    pub(super) access_seconds: u64,
}

type Form = [(String, String)];

impl Acr<'_> {
    /// `POST /oauth2/exchange`.
    pub(super) fn exchange(&self, method: &Method, form: &Form) -> Reply {
        let wrong = |message: &str| reply::error(400, "BAD_REQUEST", message);
        if method != Method::POST || find(form, "grant_type") != Some("access_token") {
            return wrong("grant_type must be access_token");
        }
        if find(form, "service") != Some(self.login_server) {
            return wrong("service is not this registry");
        }
        let shown = find(form, "access_token").unwrap_or_default();
        let claims = self.tokens.read_jwt(shown);
        let text = |name: &str| {
            let claim = claims.as_ref().and_then(|claims| claims.get(name));
            claim.and_then(Value::as_str)
        };
        let tenant = find(form, "tenant").is_none_or(|tenant| text("tid") == Some(tenant));
        let role = text("role").filter(|role| !role.is_empty());
        match role {
            Some(role) if tenant && text("aud") == Some(AUDIENCE) => {
                let claims = json!({
                    "aud": self.login_server,
                    "iss": "Azure Container Registry",
                    "grant_type": "refresh_token",
                    "appid": text("appid"),
                    "role": role,
                });
                let token = self.tokens.issue_jwt(claims, self.refresh_seconds);
                Reply::json(200, &json!({ "refresh_token": token }))
            }
            _ => unauthorized(),
        }
    }

    /// `/oauth2/token`: the form by POST, or a GET with the refresh token as nobody's password.
    pub(super) fn token(&self, parts: &Parts, form: &Form) -> Reply {
        let basic = header(&parts.headers, "authorization").and_then(basic_credentials);
        let shown = match (&parts.method, basic) {
            (&Method::GET, Some((user, password))) if user == NOBODY => password,
            (&Method::POST, _) if find(form, "grant_type") == Some("refresh_token") => {
                find(form, "refresh_token").unwrap_or_default().to_owned()
            }
            _ => return unauthorized(),
        };
        if find(form, "service") != Some(self.login_server) {
            return unauthorized();
        }
        let claims = self.tokens.read_jwt(&shown).unwrap_or_default();
        let is = |name: &str, value: &str| claims.get(name).and_then(Value::as_str) == Some(value);
        if !is("aud", self.login_server) || !is("grant_type", "refresh_token") {
            return unauthorized();
        }
        let may_push = is("role", "AcrPush");
        let scopes = form.iter().filter(|(name, _)| name == "scope");
        let granted: Vec<String> = scopes
            .flat_map(|(_, scopes)| scopes.split(' '))
            .filter_map(|scope| narrow(scope, may_push))
            .collect();
        let token = self
            .tokens
            .issue_bearer(&granted.join(" "), self.access_seconds);
        Reply::json(200, &json!({ "access_token": token }))
    }
}

fn unauthorized() -> Reply {
    let message =
        "authentication required, visit https://aka.ms/acr/authorization for more information.";
    reply::error(401, "UNAUTHORIZED", message)
}
