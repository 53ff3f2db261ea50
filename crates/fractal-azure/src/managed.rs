//! Managed identities: what a machine's metadata service and an app's identity endpoint are asked, and what they answer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fractal_registry::{
    IdentityAnswer, IdentityClient, IdentityRequest, Issued, RegistryError, Secret,
};
use serde::Deserialize;
use serde_json::Value;

use crate::error::AzureError;
use crate::identity::{ManagedEndpoint, Name};

pub(crate) const SERVICE: &str = "the managed identity endpoint";
/// The metadata service answers 404 and 410 while it is updated, for up to 70 seconds.
const BRIEFLY_AWAY: [u16; 2] = [404, 410];

/// Both endpoints write numbers as texts; an app's says when a token ends, not how long it holds.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: Value,
    #[serde(default)]
    expires_on: Value,
}

pub(crate) fn request(
    endpoint: &ManagedEndpoint,
    client: Option<&Name>,
    resource: &str,
) -> IdentityRequest {
    let mut query = vec![("resource", resource)];
    query.extend(client.map(|client| ("client_id", client.as_str())));
    match endpoint {
        ManagedEndpoint::Machine(url) => {
            query.push(("api-version", "2018-02-01"));
            let path = "/metadata/identity/oauth2/token";
            IdentityRequest::query(url, path, &query).header("metadata", "true")
        }
        ManagedEndpoint::App(url, header) => {
            query.push(("api-version", "2019-08-01"));
            IdentityRequest::query(url, "", &query).secret_header("x-identity-header", "", header)
        }
    }
}

pub(crate) async fn send(
    client: &IdentityClient,
    request: &IdentityRequest,
) -> Result<IdentityAnswer, AzureError> {
    let answer = client
        .send(request)
        .await
        .map_err(AzureError::service(SERVICE))?;
    if !BRIEFLY_AWAY.contains(&answer.status) {
        return Ok(answer);
    }
    let source = RegistryError::Unavailable {
        at: answer.at().into(),
        status: answer.status,
        retry_after: None,
        said: answer.said,
    };
    Err(AzureError::Service {
        service: SERVICE,
        source,
    })
}

pub(crate) fn granted(answer: &IdentityAnswer) -> Result<Issued<Secret>, AzureError> {
    let granted: Granted = answer.json().map_err(AzureError::service(SERVICE))?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let left = number(&granted.expires_in)
        .or_else(|| number(&granted.expires_on).map(|end| end.saturating_sub(now)));
    let left =
        left.ok_or_else(|| AzureError::service(SERVICE)(answer.protocol("its token has no end")))?;
    Ok(Issued {
        value: Secret::new(&granted.access_token),
        lifetime: Duration::from_secs(left),
    })
}

fn number(value: &Value) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_str()?.trim().parse().ok())
}
