//! How pods on EKS get credentials: STS for a service account's token (IRSA), and the pod identity agent's endpoint.
//!
//! Both give credentials of a session, whose signatures and end are checked like any other's. They are not kept across a restart,
//! and neither is in the ledger.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::wire::{ApiError, Dialect};
use super::{Aws, header};
use crate::clock::at;
use crate::config::Identity;
use crate::encoding::{find, query_pairs, uuid};
use crate::exchange::{Answer, Reply};
use crate::issuer::{Distrust, TrustedIssuer};
use crate::ledger::Call;

/// The audience of tokens for STS.
const STS_AUDIENCE: &str = "sts.amazonaws.com";
/// The audience of tokens for the pod identity agent.
const POD_AUDIENCE: &str = "pods.eks.amazonaws.com";
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
/// Where the pod identity agent serves credentials.
pub(super) const POD_IDENTITY: &str = "/v1/credentials";

/// An EKS cluster whose pods get AWS credentials.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EksConfig {
    /// Who signs its service accounts' tokens.
    pub issuer: TrustedIssuer,
    /// Which service account may be which role: `system:serviceaccount:NAMESPACE:NAME` and the role's ARN.
    pub roles: Vec<(String, String)>,
    /// Life of a session.
    pub session_seconds: u64,
}

/// Sessions given out, newest last.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<Vec<Session>>);

#[derive(Clone, Debug)]
pub(super) struct Session {
    access_key_id: String,
    secret: String,
    pub(super) token: String,
    account: String,
    expires_ms: u64,
}

impl Sessions {
    /// The identity of an access key that belongs to a session, and the token it must come with.
    pub(super) fn identity(&self, access_key_id: &str, now_ms: u64) -> Option<(Identity, String)> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions
            .iter()
            .find(|session| session.access_key_id == access_key_id)?;
        let identity = Identity {
            access_key_id: session.access_key_id.clone(),
            secret_access_key: Some(session.secret.clone()),
            account: session.account.clone(),
            expired: session.expires_ms <= now_ms,
        };
        Some((identity, session.token.clone()))
    }

    fn begin(&self, role: &str, expires_ms: u64) -> Session {
        let random = || format!("{}{}", uuid(), uuid()).replace('-', "");
        let session = Session {
            access_key_id: format!(
                "ASIA{}",
                random().get(..16).unwrap_or_default().to_uppercase()
            ),
            secret: random().get(..40).unwrap_or_default().to_owned(),
            token: random(),
            account: role.split(':').nth(4).unwrap_or_default().to_owned(),
            expires_ms,
        };
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.push(session.clone());
        session
    }
}

impl Session {
    fn expiration(&self) -> String {
        at(self.expires_ms).format(&Rfc3339).unwrap_or_default()
    }
}

impl Aws {
    /// Whether a request without signature is one of these two, which have none.
    pub(super) fn is_for_pods(&self, parts: &Parts) -> bool {
        let form = header(&parts.headers, "content-type")
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let signed = parts
            .headers
            .get("authorization")
            .is_some_and(|value| value.as_bytes().starts_with(b"AWS4-"));
        let path = parts.uri.path();
        self.config.eks.is_some() && !signed && ((path == "/" && form) || path == POD_IDENTITY)
    }

    pub(super) async fn serve_pods(&self, parts: &Parts, body: &Bytes) -> Answer {
        if parts.uri.path() == POD_IDENTITY {
            return self.serve_pod_identity(parts).await;
        }
        let form = query_pairs(&String::from_utf8_lossy(body), true);
        let operation = find(&form, "Action").unwrap_or_default().to_owned();
        let role = find(&form, "RoleArn").unwrap_or_default().to_owned();
        let call = Call {
            service: "sts".into(),
            operation: operation.clone(),
            resource: role.clone(),
            ..Call::default()
        };
        let request = json!({ "Action": operation, "RoleArn": role });
        let strikes = match self.gate(&call, Dialect::Query, &request).await {
            Ok(strikes) => strikes,
            Err(answer) => return answer,
        };
        self.finish(&call, &strikes, request, |_| {
            match self.assume(&operation, &role, &form) {
                Ok(reply) => reply,
                Err(error) => Dialect::Query.error(&error, ""),
            }
        })
    }

    fn assume(
        &self,
        operation: &str,
        role: &str,
        form: &[(String, String)],
    ) -> Result<Reply, ApiError> {
        if operation != "AssumeRoleWithWebIdentity" {
            let message = "Request is missing Authentication Token";
            return Err(ApiError::new(403, "MissingAuthenticationToken", message));
        }
        let text = |name: &str| find(form, name).unwrap_or_default();
        if text("Version") != "2011-06-15" || text("RoleSessionName").len() < 2 {
            let message = "1 validation error detected: Value at 'roleSessionName' failed to satisfy constraint";
            return Err(ApiError::new(400, "ValidationError", message));
        }
        let subject = self.pod(text("WebIdentityToken"), STS_AUDIENCE)?;
        let session = self.session(&subject, Some(role))?;
        let name = text("RoleSessionName");
        let assumed = role
            .replacen(":iam:", ":sts:", 1)
            .replacen(":role/", ":assumed-role/", 1);
        let body = format!(
            "<AssumeRoleWithWebIdentityResponse xmlns=\"{NAMESPACE}\"><AssumeRoleWithWebIdentityResult><AssumedRoleUser><Arn>{assumed}/{name}</Arn><AssumedRoleId>AROA:{name}</AssumedRoleId></AssumedRoleUser><Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey><SessionToken>{}</SessionToken><Expiration>{}</Expiration></Credentials><SubjectFromWebIdentityToken>{subject}</SubjectFromWebIdentityToken></AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>",
            session.access_key_id,
            session.secret,
            session.token,
            session.expiration(),
            uuid(),
        );
        Ok(Reply::new(200).bytes("text/xml", body))
    }

    async fn serve_pod_identity(&self, parts: &Parts) -> Answer {
        let call = Call {
            service: "eks".into(),
            operation: "PodIdentityCredentials".into(),
            ..Call::default()
        };
        let request = json!({ "method": parts.method.as_str() });
        let strikes = match self.gate(&call, Dialect::RestJson, &request).await {
            Ok(strikes) => strikes,
            Err(answer) => return answer,
        };
        self.finish(&call, &strikes, request, |_| {
            let token = header(&parts.headers, "authorization").unwrap_or_default();
            let session = self
                .pod(token, POD_AUDIENCE)
                .and_then(|subject| self.session(&subject, None));
            match session {
                Ok(session) => Reply::json(200, &credentials(&session)),
                Err(error) => {
                    let body = json!({ "code": error.code, "message": error.message });
                    Reply::json(error.status, &body).coded(error.code)
                }
            }
        })
    }

    /// The subject of a service account's token.
    fn pod(&self, token: &str, audience: &str) -> Result<String, ApiError> {
        let trusted = self.config.eks.as_ref().map(|eks| &eks.issuer);
        let believed = trusted.map_or(Err(Distrust::Issuer), |issuer| {
            issuer.believed(token, &[audience.to_owned()], &self.clock)
        });
        let claims = believed.map_err(|distrust| match distrust {
            Distrust::Expired => {
                let message =
                    "Token expired: current date/time must be before the expiration date/time";
                ApiError::new(400, "ExpiredTokenException", message)
            }
            Distrust::Audience => {
                ApiError::new(400, "InvalidIdentityToken", "Incorrect token audience")
            }
            _ => ApiError::new(
                400,
                "InvalidIdentityToken",
                "No OpenIDConnect provider found in your account for this token",
            ),
        })?;
        Ok(claims.text("sub").unwrap_or_default().to_owned())
    }

    fn session(&self, subject: &str, role: Option<&str>) -> Result<Session, ApiError> {
        let eks = self.config.eks.iter();
        let mut bound = eks
            .clone()
            .flat_map(|eks| &eks.roles)
            .filter(|(known, _)| known == subject);
        let found = bound.find(|(_, known)| role.is_none_or(|role| role == known));
        let (_, role) = found.ok_or_else(|| {
            let message = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
            ApiError::new(403, "AccessDenied", message)
        })?;
        let seconds = eks
            .map(|eks| eks.session_seconds)
            .next()
            .unwrap_or_default();
        let expires = self
            .clock
            .now_ms()
            .saturating_add(seconds.saturating_mul(1000));
        Ok(self.sessions.begin(role, expires))
    }
}

fn credentials(session: &Session) -> Value {
    json!({
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret,
        "Token": session.token,
        "AccountId": session.account,
        "Expiration": session.expiration(),
    })
}
