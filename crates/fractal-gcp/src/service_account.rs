//! A service account's key: an assertion signed with it (RFC 7523, RS256) for an access token.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fractal_registry::{IdentityRequest, Issued, Secret};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use crate::document::{self, ServiceAccount};
use crate::error::GcpError;
use crate::tokens::{Caller, Granted, OAUTH, SCOPE};

/// Life of an assertion: the longest the service takes.
const LIFE: Duration = Duration::from_secs(3600);
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

pub(crate) async fn token(
    caller: &Caller<'_>,
    path: &Path,
    account: &ServiceAccount,
) -> Result<Issued<Secret>, GcpError> {
    let service = document::service(path, &account.token_uri)?;
    let assertion = assertion(path, account, SystemTime::now())?;
    let form = [
        ("grant_type", JWT_BEARER),
        ("assertion", assertion.reveal()),
    ];
    let request = IdentityRequest::form(&service, "", &form).hiding(&assertion);
    let granted: Granted = caller.granted(OAUTH, &request).await?;
    Ok(granted.issued())
}

fn assertion(path: &Path, account: &ServiceAccount, now: SystemTime) -> Result<Secret, GcpError> {
    let broken = || GcpError::document(path, "its private key is no RSA key in PKCS #8 PEM");
    let key = PrivatePkcs8KeyDer::from_pem_slice(account.private_key.reveal().as_bytes())
        .map_err(|_| broken())?;
    let key = KeyPair::from_pkcs8(key.secret_pkcs8_der()).map_err(|_| broken())?;
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": account.private_key_id });
    let claims = json!({
        "iss": account.client_email,
        "scope": SCOPE,
        "aud": account.token_uri,
        "iat": now.as_secs(),
        "exp": (now + LIFE).as_secs(),
    });
    let signed = format!("{}.{}", part(&header), part(&claims));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .map_err(|_| broken())?;
    Ok(Secret::new(&format!(
        "{signed}.{}",
        URL_SAFE_NO_PAD.encode(signature)
    )))
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h08_a_broken_key_is_named_by_its_file_and_not_shown() {
        for key in [
            "canary",
            "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n",
        ] {
            let account = ServiceAccount {
                client_email: "a@p.iam.gserviceaccount.com".to_owned(),
                private_key_id: String::new(),
                private_key: Secret::new(key),
                token_uri: String::new(),
            };
            let error = assertion(Path::new("/key.json"), &account, UNIX_EPOCH).unwrap_err();
            assert_eq!(
                error.to_string(),
                "the credentials file /key.json cannot be used: its private key is no RSA key in PKCS #8 PEM"
            );
            assert!(!format!("{error:?}").contains("canary"));
        }
    }
}
