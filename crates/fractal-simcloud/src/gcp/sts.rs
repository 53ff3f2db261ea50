//! Workload identity federation: another issuer's token for a federated one (RFC 8693), and that for a service account's.

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::{GarAccess, Gcp, GcpAccount, GcpProvider, Refusal, is_scope, required};
use crate::clock::at;
use crate::front::Asked;
use crate::issuer::Distrust;
use crate::registry::google_subject;

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// The scope of a token that serves impersonation only.
const IMPERSONATION: &str = "https://www.googleapis.com/auth/iam";
/// What the subject of a federated token begins with.
const FEDERATED: &str = "principal:";

impl Gcp {
    pub(super) fn exchange(
        &self,
        asked: &Asked,
        form: &[(String, String)],
    ) -> Result<Value, Refusal> {
        let expected = [
            ("grant_type", TOKEN_EXCHANGE),
            ("requested_token_type", ACCESS_TOKEN),
            ("subject_token_type", JWT),
        ];
        for (name, value) in expected {
            if asked.method() != "POST" || required(form, name)? != value {
                return Err(Refusal::new(
                    400,
                    "invalid_request",
                    format!("Invalid {name}"),
                ));
            }
        }
        let scope = required(form, "scope")?;
        if scope != IMPERSONATION && !is_scope(scope) {
            return Err(Refusal::new(400, "invalid_scope", "Invalid scope"));
        }
        let audience = required(form, "audience")?;
        let provider = self.provider(audience)?;
        let token = required(form, "subject_token")?;
        // The pool's own name, with https: before it, is the audience a token has by default.
        let audiences = [audience.to_owned(), format!("https:{audience}")];
        let claims = provider
            .issuer
            .believed(token, &audiences, &self.front.clock);
        let claims =
            claims.map_err(|distrust| Refusal::new(400, "invalid_grant", distrusted(distrust)))?;
        let subject = format!("{FEDERATED}{}", claims.text("sub").unwrap_or_default());
        let token = self.access_token(&subject, provider.access);
        let mut body = self.granted(&token);
        if let Some(body) = body.as_object_mut() {
            body.insert("issued_token_type".to_owned(), json!(ACCESS_TOKEN));
        }
        Ok(body)
    }

    fn provider(&self, audience: &str) -> Result<&GcpProvider, Refusal> {
        let mut providers = self.config.providers.iter();
        providers
            .find(|one| one.audience == audience)
            .ok_or_else(|| {
                let message =
                    "The target service indicated by the \"audience\" parameters is invalid.";
                Refusal::new(400, "invalid_target", message)
            })
    }

    pub(super) fn impersonate(&self, account: &str, asked: &Asked) -> Result<Value, Refusal> {
        let bearer = asked
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "));
        let subject = bearer.and_then(|token| google_subject(&self.shelf.tokens, token));
        let subject = subject.ok_or_else(|| {
            Refusal::new(
                401,
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials.",
            )
        })?;
        let body = asked
            .json()
            .filter(|_| asked.method() == "POST")
            .ok_or_else(|| {
                Refusal::new(400, "INVALID_ARGUMENT", "Invalid JSON payload received.")
            })?;
        let scopes = body.get("scope").and_then(Value::as_array);
        let fits = |scope: &Value| scope.as_str().is_some_and(is_scope);
        if !scopes.is_some_and(|scopes| scopes.iter().any(fits)) {
            return Err(Refusal::new(
                400,
                "INVALID_ARGUMENT",
                "Request contains an invalid argument.",
            ));
        }
        let may = |one: &&GcpAccount| {
            let named = subject.strip_prefix(FEDERATED);
            one.email == account
                && named.is_some_and(|name| one.impersonators.iter().any(|who| who == name))
        };
        let found = self.config.accounts.iter().find(may);
        let (email, access): (&str, GarAccess) = found
            .map(|one| (one.email.as_str(), one.access))
            .ok_or_else(|| {
                Refusal::new(403, "PERMISSION_DENIED", "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).")
            })?;
        // In whole seconds: Google's own clients read no fraction.
        let now = self.front.clock.now_ms() / 1000;
        let ends = now.saturating_add(self.config.token_seconds);
        Ok(json!({
            "accessToken": self.access_token(email, access),
            "expireTime": at(ends.saturating_mul(1000)).format(&Rfc3339).unwrap_or_default(),
        }))
    }
}

fn distrusted(distrust: Distrust) -> &'static str {
    match distrust {
        Distrust::Malformed => "Unable to parse the ID Token.",
        Distrust::Signature => {
            "Error connecting to the given credential's issuer, or its signature is invalid."
        }
        Distrust::Issuer => "The issuer in ID Token does not match the expected ones.",
        Distrust::Expired => "ID Token is stale to sign-in.",
        Distrust::NotYet => "ID Token issued in the future.",
        Distrust::Audience => "The audience in ID Token does not match the expected audience.",
    }
}
