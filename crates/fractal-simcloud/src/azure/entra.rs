//! Entra's token endpoint, version 2.0: the client credentials grant with a secret or with a federated token.

use serde_json::Value;

use super::{Azure, AzureApplication, OauthError, granted, resource};
use crate::encoding::find;
use crate::front::Asked;
use crate::issuer::Distrust;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

type Form = [(String, String)];

impl Azure {
    pub(super) fn entra(
        &self,
        tenant: &str,
        asked: &Asked,
        form: &Form,
    ) -> Result<Value, OauthError> {
        if asked.method() != "POST" {
            return Err(OauthError::new(
                405,
                "invalid_request",
                "AADSTS900561: The endpoint only accepts POST requests.",
            ));
        }
        if required(form, "grant_type")? != "client_credentials" {
            return Err(OauthError::new(
                400,
                "unsupported_grant_type",
                "AADSTS70003: The app requested an unsupported grant type.",
            ));
        }
        let client = required(form, "client_id")?;
        let wanted = required(form, "scope")?;
        let application = self.registered(tenant, client)?;
        self.prove(application, form)?;
        let resource = wanted
            .strip_suffix("/.default")
            .ok_or_else(|| OauthError::new(400, "invalid_scope", format!("AADSTS1002012: The provided value for scope {wanted} is not valid.")))
            .map(resource)?
            .ok_or_else(|| OauthError::new(400, "invalid_resource", format!("AADSTS500011: The resource principal named {wanted} was not found in the tenant.")))?;
        let token = self.access_token(application, resource);
        Ok(granted(&token, self.config.token_seconds))
    }

    fn registered(&self, tenant: &str, client: &str) -> Result<&AzureApplication, OauthError> {
        if self.application(|one| one.tenant == tenant).is_none() {
            let message = format!("AADSTS90002: Tenant '{tenant}' not found.");
            return Err(OauthError::new(400, "invalid_request", message));
        }
        self.application(|one| one.tenant == tenant && one.client_id == client)
            .ok_or_else(|| {
                let message = format!("AADSTS700016: Application with identifier '{client}' was not found in the directory '{tenant}'.");
                OauthError::new(400, "unauthorized_client", message)
            })
    }

    fn prove(&self, application: &AzureApplication, form: &Form) -> Result<(), OauthError> {
        if let Some(shown) = find(form, "client_secret") {
            let right = application.secret.as_deref() == Some(shown);
            let message = "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID.";
            return right
                .then_some(())
                .ok_or_else(|| OauthError::new(401, "invalid_client", message));
        }
        let Some(assertion) = find(form, "client_assertion") else {
            let message = "AADSTS7000218: The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
            return Err(OauthError::new(401, "invalid_client", message));
        };
        if required(form, "client_assertion_type")? != ASSERTION_TYPE {
            let message = "AADSTS50027: The client assertion type is not supported.";
            return Err(OauthError::new(400, "invalid_request", message));
        }
        self.federated(application, assertion)
    }

    fn federated(&self, application: &AzureApplication, assertion: &str) -> Result<(), OauthError> {
        let refused = |message: String| OauthError::new(401, "invalid_client", message);
        let Some(federation) = &application.federation else {
            let message =
                "AADSTS70025: The client has no configured federated identity credentials.";
            return Err(refused(message.to_owned()));
        };
        let audiences = [federation.audience.clone()];
        let believed = federation
            .issuer
            .believed(assertion, &audiences, &self.front.clock);
        let claims = believed.map_err(|distrust| refused(distrusted(distrust).to_owned()))?;
        if claims.text("sub") == Some(&federation.subject) {
            return Ok(());
        }
        let subject = claims.text("sub").unwrap_or_default();
        Err(refused(format!(
            "AADSTS700213: No matching federated identity record found for presented assertion subject '{subject}'."
        )))
    }
}

fn distrusted(distrust: Distrust) -> &'static str {
    match distrust {
        Distrust::Malformed => "AADSTS50027: JWT token is invalid or malformed.",
        Distrust::Signature => {
            "AADSTS700027: The certificate with identifier used to sign the client assertion is not registered on application."
        }
        Distrust::Issuer => {
            "AADSTS700211: No matching federated identity record found for presented assertion issuer."
        }
        Distrust::Expired | Distrust::NotYet => {
            "AADSTS700024: Client assertion is not within its valid time range."
        }
        Distrust::Audience => {
            "AADSTS700212: No matching federated identity record found for presented assertion audience."
        }
    }
}

fn required<'a>(form: &'a Form, name: &str) -> Result<&'a str, OauthError> {
    find(form, name)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| {
            let message = format!(
                "AADSTS900144: The request body must contain the following parameter: '{name}'."
            );
            OauthError::new(400, "invalid_request", message)
        })
}
