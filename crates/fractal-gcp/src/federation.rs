//! Workload identity federation: another issuer's token for a federated one (RFC 8693), and that for a service account's.

use std::path::Path;
use std::time::{Duration, SystemTime};

use fractal_registry::{IdentityRequest, Issued, Secret, ServiceUrl};
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::document::{self, ExternalAccount, Format, Source};
use crate::error::GcpError;
use crate::tokens::{Caller, Granted, SCOPE};

const STS: &str = "Google's Security Token Service";
const IMPERSONATION: &str = "Google's service account impersonation";
const SOURCE: &str = "the source of the token to exchange";
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Impersonated {
    access_token: String,
    expire_time: String,
}

pub(crate) async fn token(
    caller: &Caller<'_>,
    path: &Path,
    account: &ExternalAccount,
) -> Result<Issued<Secret>, GcpError> {
    let service = document::service(path, &account.token_url)?;
    let subject = subject(caller, path, &account.credential_source).await?;
    let form = [
        ("grant_type", TOKEN_EXCHANGE),
        ("audience", account.audience.as_str()),
        ("scope", SCOPE),
        ("requested_token_type", ACCESS_TOKEN),
        ("subject_token_type", account.subject_token_type.as_str()),
        ("subject_token", subject.reveal()),
    ];
    let request = IdentityRequest::form(&service, "", &form).hiding(&subject);
    let granted: Granted = caller.granted(STS, &request).await?;
    let federated = granted.issued();
    match &account.service_account_impersonation_url {
        None => Ok(federated),
        Some(url) => {
            let service = document::service(path, url)?;
            impersonate(caller, &service, &federated.value).await
        }
    }
}

async fn impersonate(
    caller: &Caller<'_>,
    service: &ServiceUrl,
    federated: &Secret,
) -> Result<Issued<Secret>, GcpError> {
    let body = json!({ "scope": [SCOPE], "lifetime": "3600s" });
    let request = IdentityRequest::json(service, "", &body).secret_header(
        "authorization",
        "Bearer ",
        federated,
    );
    let answer = caller.accepted(IMPERSONATION, &request).await?;
    let outside = GcpError::service(IMPERSONATION);
    let granted: Impersonated = answer.json().map_err(outside)?;
    let ends = OffsetDateTime::parse(&granted.expire_time, &Rfc3339).map_err(|_| {
        GcpError::service(IMPERSONATION)(answer.protocol("its token has no readable end"))
    })?;
    let left = SystemTime::from(ends).duration_since(SystemTime::now());
    Ok(Issued {
        value: Secret::new(&granted.access_token),
        lifetime: left.unwrap_or(Duration::ZERO),
    })
}

/// The token to exchange: from a file, read again each time, or from a URL.
async fn subject(caller: &Caller<'_>, path: &Path, source: &Source) -> Result<Secret, GcpError> {
    let bytes = match (&source.file, &source.url) {
        (Some(file), _) => document::bytes(Path::new(file)).await?,
        (None, Some(url)) => fetched(caller, path, url, source).await?,
        (None, None) => {
            let problem =
                "its credential_source is neither a file nor a URL, and no other is supported";
            return Err(GcpError::document(path, problem));
        }
    };
    let text = String::from_utf8(bytes).ok();
    text.as_deref()
        .and_then(|text| token_in(text, &source.format))
        .map(|token| Secret::new(&token))
        .ok_or_else(|| GcpError::document(path, "there is no token at its credential_source"))
}

async fn fetched(
    caller: &Caller<'_>,
    path: &Path,
    url: &str,
    source: &Source,
) -> Result<Vec<u8>, GcpError> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    // Another cloud's metadata server, as a rule: plain HTTP at a link-local address.
    let service = ServiceUrl::metadata(base).map_err(|problem| {
        GcpError::document(
            path,
            &format!("its credential_source cannot be used: {problem}"),
        )
    })?;
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{query}")
    };
    let request = source.headers.iter().fold(
        IdentityRequest::get(&service, &query),
        |request, (name, value)| request.secret_header(name, "", &Secret::new(value)),
    );
    let answer = caller.accepted(SOURCE, &request).await?;
    Ok(answer.body.to_vec())
}

fn token_in(text: &str, format: &Format) -> Option<String> {
    if format.kind.as_deref() != Some("json") {
        let text = text.trim();
        return (!text.is_empty()).then(|| text.to_owned());
    }
    let value: Value = serde_json::from_str(text).ok()?;
    let member = value.get(format.subject_token_field_name.as_deref()?)?;
    member.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lies_bare_or_in_a_member() {
        let bare = Format::default();
        let member = Format {
            kind: Some("json".to_owned()),
            subject_token_field_name: Some("access_token".to_owned()),
        };
        assert_eq!(token_in(" t\n", &bare).as_deref(), Some("t"));
        assert_eq!(token_in(" \n", &bare), None);
        assert_eq!(
            token_in(r#"{"access_token":"t"}"#, &member).as_deref(),
            Some("t")
        );
        assert_eq!(token_in(r#"{"other":"t"}"#, &member), None);
        assert_eq!(token_in("t", &member), None);
    }
}
