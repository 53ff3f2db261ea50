//! Managed identities: the instance metadata service of a machine, and the endpoint an app finds in its environment.

use serde_json::{Value, json};

use super::{Azure, AzureApplication, OauthError, resource};
use crate::front::Asked;

impl Azure {
    /// `GET /metadata/identity/oauth2/token`, `Metadata: true`, not through a proxy.
    pub(super) fn machine(&self, asked: &Asked) -> Result<Value, OauthError> {
        let refused = |message: &str| OauthError::new(400, "invalid_request", message);
        if asked.header("metadata") != Some("true") || asked.header("x-forwarded-for").is_some() {
            return Err(refused("Required metadata header not specified"));
        }
        // Versions are dates: their order is that of their text.
        let version = asked.parameter("api-version").unwrap_or_default();
        if asked.method() != "GET" || version < "2018-02-01" {
            return Err(refused("Invalid api-version"));
        }
        let (application, resource) = self.managed(asked)?;
        let expires = self.expires();
        Ok(json!({
            "access_token": self.access_token(application, resource),
            "client_id": application.client_id,
            "expires_in": self.config.token_seconds.to_string(),
            "expires_on": expires.to_string(),
            "ext_expires_in": self.config.token_seconds.to_string(),
            "not_before": expires.saturating_sub(self.config.token_seconds).to_string(),
            "resource": resource,
            "token_type": "Bearer",
        }))
    }

    /// `GET $IDENTITY_ENDPOINT` with `X-IDENTITY-HEADER`; says when a token ends, not how long it holds.
    pub(super) fn app(&self, asked: &Asked) -> Result<Value, OauthError> {
        if asked.header("x-identity-header") != Some(&self.config.identity_header) {
            return Err(OauthError::new(
                401,
                "unauthorized",
                "The identity header is wrong",
            ));
        }
        if asked.method() != "GET" || asked.parameter("api-version") != Some("2019-08-01") {
            return Err(OauthError::new(
                400,
                "invalid_request",
                "Unsupported api-version",
            ));
        }
        let (application, resource) = self.managed(asked)?;
        Ok(json!({
            "access_token": self.access_token(application, resource),
            "client_id": application.client_id,
            "expires_on": self.expires().to_string(),
            "resource": resource,
            "token_type": "Bearer",
        }))
    }

    fn expires(&self) -> u64 {
        (self.front.clock.now_ms() / 1000).saturating_add(self.config.token_seconds)
    }

    fn managed(&self, asked: &Asked) -> Result<(&AzureApplication, &'static str), OauthError> {
        let refused = |message: &str| OauthError::new(400, "invalid_request", message);
        let resource = asked
            .parameter("resource")
            .and_then(resource)
            .ok_or_else(|| {
                OauthError::new(
                    400,
                    "invalid_resource",
                    "AADSTS500011: The resource principal was not found in the tenant.",
                )
            })?;
        let mut managed = self.config.applications.iter().filter(|one| one.managed);
        if let Some(client) = asked.parameter("client_id") {
            return managed
                .find(|one| one.client_id == client)
                .map(|one| (one, resource))
                .ok_or_else(|| refused("Identity not found"));
        }
        match (managed.next(), managed.next()) {
            (None, _) => Err(refused("Identity not found")),
            (Some(only), None) => Ok((only, resource)),
            (Some(_), Some(_)) => Err(refused(
                "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request",
            )),
        }
    }
}
