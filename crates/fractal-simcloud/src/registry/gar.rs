//! Google's token service of a registry: an access token, as a password, for a token of one scope.

use http::Method;
use http::request::Parts;
use serde_json::{Value, json};

use super::access::{basic_credentials, narrow};
use super::tokens::Tokens;
use super::{header, reply};
use crate::exchange::Reply;

/// The user an access token is the password of.
const USER: &str = "oauth2accesstoken";
/// What every access token begins with.
const PREFIX: &str = "ya29.";

/// An access token of `subject`, who may do `role` in the registry.
pub(crate) fn google_access_token(
    tokens: &Tokens,
    subject: &str,
    role: &str,
    seconds: u64,
) -> String {
    let claims = json!({ "kind": "google", "sub": subject, "role": role });
    format!("{PREFIX}{}", tokens.issue_jwt(claims, seconds))
}

/// Whose access token it is, where it holds.
pub(crate) fn google_subject(tokens: &Tokens, token: &str) -> Option<String> {
    let claims = claims(tokens, token)?;
    claims.get("sub")?.as_str().map(str::to_owned)
}

fn claims(tokens: &Tokens, token: &str) -> Option<Value> {
    let claims = tokens.read_jwt(token.strip_prefix(PREFIX)?)?;
    (claims.get("kind")?.as_str() == Some("google")).then_some(claims)
}

/// `GET /v2/token`.
pub(super) fn token(
    tokens: &Tokens,
    parts: &Parts,
    form: &[(String, String)],
    seconds: u64,
) -> Reply {
    let unauthorized = || {
        let message = "authentication failed";
        reply::error(401, "UNAUTHORIZED", message)
    };
    let basic = header(&parts.headers, "authorization").and_then(basic_credentials);
    let shown = basic.filter(|(user, _)| user == USER && parts.method == Method::GET);
    let claims = shown.and_then(|(_, password)| claims(tokens, &password));
    let role = claims
        .as_ref()
        .and_then(|claims| claims.get("role"))
        .and_then(Value::as_str);
    let may_push = match role {
        None => return unauthorized(),
        Some("") => {
            let message = "Permission \"artifactregistry.repositories.downloadArtifacts\" denied on resource (or it may not exist).";
            return reply::error(403, "DENIED", message);
        }
        Some(role) => role == "writer",
    };
    let scopes = form.iter().filter(|(name, _)| name == "scope");
    let granted: Vec<String> = scopes
        .flat_map(|(_, scopes)| scopes.split(' '))
        .filter_map(|scope| narrow(scope, may_push))
        .collect();
    let token = tokens.issue_bearer(&granted.join(" "), seconds);
    Reply::json(200, &json!({ "token": token, "expires_in": seconds }))
}
