//! Signature Version 4: who calls, for which region and service, and whether the signature is theirs.
//!
//! A signature is verified where the access key's secret is configured. Chunk signatures of signed streaming uploads are not.

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::request::Parts;
use sha2::Sha256;

use super::wire::{ApiError, Dialect};
use super::{Scope, header};
use crate::config::{Config, Identity};
use crate::encoding::{hex, percent_encode, query_pairs, sha256_hex, unhex};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What a request says about its signature.
pub(super) struct Signed {
    access_key_id: String,
    date: String,
    region: String,
    pub(super) service: String,
    headers: Vec<String>,
    signature: String,
    timestamp: String,
    presigned: bool,
}

/// What is known of the body when the signature is verified.
#[derive(Clone, Copy)]
pub(super) enum Payload<'a> {
    /// Its bytes.
    Held(&'a [u8]),
    /// The hash in the request's headers; the body is held against it where it is taken.
    Stated,
    /// It was too large to be taken; the signature is not verified, since nothing but a refusal follows.
    Dropped,
}

/// A refusal of the caller, in its service's protocol where that is known.
pub(super) struct Rejected {
    pub(super) error: ApiError,
    pub(super) dialect: Option<Dialect>,
}

impl ApiError {
    pub(super) fn rejected(self, dialect: Dialect) -> Rejected {
        Rejected {
            error: self,
            dialect: Some(dialect),
        }
    }
}

/// Reads the `Authorization` header, or the query of a presigned URL.
pub(super) fn read(parts: &Parts) -> Result<Signed, Rejected> {
    let missing = || Rejected {
        error: ApiError::new(
            403,
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        ),
        dialect: None,
    };
    from_header(parts)
        .or_else(|| from_query(parts))
        .ok_or_else(missing)
}

fn from_header(parts: &Parts) -> Option<Signed> {
    let fields = header(&parts.headers, "authorization")?.strip_prefix(ALGORITHM)?;
    let field = |name: &str| {
        fields
            .split(',')
            .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
    };
    let timestamp = header(&parts.headers, "x-amz-date").unwrap_or_default();
    signed(
        field("Credential")?,
        field("SignedHeaders")?,
        field("Signature")?,
        timestamp,
        false,
    )
}

fn from_query(parts: &Parts) -> Option<Signed> {
    let pairs = query_pairs(parts.uri.query()?, false);
    let value = |name: &str| crate::encoding::find(&pairs, name);
    (value("X-Amz-Algorithm")? == ALGORITHM).then_some(())?;
    signed(
        value("X-Amz-Credential")?,
        value("X-Amz-SignedHeaders")?,
        value("X-Amz-Signature")?,
        value("X-Amz-Date")?,
        true,
    )
}

fn signed(
    credential: &str,
    headers: &str,
    signature: &str,
    timestamp: &str,
    presigned: bool,
) -> Option<Signed> {
    let mut scope = credential.rsplitn(5, '/');
    (scope.next()? == "aws4_request").then_some(())?;
    let (service, region, date, key) = (scope.next()?, scope.next()?, scope.next()?, scope.next()?);
    let complete = !key.is_empty()
        && date.len() == 8
        && !region.is_empty()
        && !service.is_empty()
        && signature.len() == 64;
    complete.then(|| Signed {
        access_key_id: key.to_owned(),
        date: date.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        headers: headers.split(';').map(str::to_owned).collect(),
        signature: signature.to_owned(),
        timestamp: timestamp.to_owned(),
        presigned,
    })
}

impl Signed {
    pub(super) fn access_key_id(&self) -> &str {
        &self.access_key_id
    }
}

/// The caller's scope, when the request carries its session's token, and the session has not expired and signed it.
pub(super) fn authenticate_session(
    identity: &Identity,
    token: &str,
    signed: &Signed,
    parts: &Parts,
    payload: Payload<'_>,
) -> Result<Scope, ApiError> {
    if header(&parts.headers, "x-amz-security-token") != Some(token) {
        return Err(unknown_key(signed));
    }
    known(identity, signed, parts, payload)
}

/// The caller's scope, when the access key is known, not expired, and signed this request.
pub(super) fn authenticate(
    config: &Config,
    signed: &Signed,
    parts: &Parts,
    payload: Payload<'_>,
) -> Result<Scope, ApiError> {
    let identity = config
        .identities
        .iter()
        .find(|identity| identity.access_key_id == signed.access_key_id);
    match (identity, &config.default_account) {
        (Some(identity), _) => known(identity, signed, parts, payload),
        (None, Some(account)) => Ok(scope(account, signed)),
        (None, None) => Err(unknown_key(signed)),
    }
}

fn known(
    identity: &Identity,
    signed: &Signed,
    parts: &Parts,
    payload: Payload<'_>,
) -> Result<Scope, ApiError> {
    if identity.expired {
        return Err(expired(signed));
    }
    if let Some(secret) = identity.secret_access_key.as_deref() {
        verify(secret, signed, parts, payload)?;
    }
    Ok(scope(&identity.account, signed))
}

fn scope(account: &str, signed: &Signed) -> Scope {
    Scope {
        account: account.to_owned(),
        region: signed.region.clone(),
        access_key_id: signed.access_key_id.clone(),
    }
}

fn unknown_key(signed: &Signed) -> ApiError {
    let token = "The security token included in the request is invalid.";
    match signed.service.as_str() {
        "s3" => ApiError::new(
            403,
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
        )
        .member("AWSAccessKeyId", signed.access_key_id.clone()),
        "sts" | "iam" => ApiError::new(403, "InvalidClientTokenId", token),
        "lambda" => ApiError::new(403, "UnrecognizedClientException", token),
        _ => ApiError::new(400, "UnrecognizedClientException", token),
    }
}

fn expired(signed: &Signed) -> ApiError {
    match signed.service.as_str() {
        "s3" => ApiError::new(400, "ExpiredToken", "The provided token has expired."),
        "sts" | "iam" => ApiError::new(
            403,
            "ExpiredToken",
            "The security token included in the request is expired",
        ),
        "lambda" => ApiError::new(
            403,
            "ExpiredTokenException",
            "The security token included in the request is expired",
        ),
        _ => ApiError::new(
            400,
            "ExpiredTokenException",
            "The security token included in the request is expired",
        ),
    }
}

fn verify(
    secret: &str,
    signed: &Signed,
    parts: &Parts,
    payload: Payload<'_>,
) -> Result<(), ApiError> {
    let claimed = header(&parts.headers, "x-amz-content-sha256");
    let payload = match (claimed, payload) {
        (_, Payload::Dropped) => return Ok(()),
        (Some(claimed), Payload::Held(body)) if claimed != sha256_hex(body) => {
            return Err(mismatch(signed));
        }
        (Some(claimed), _) => claimed.to_owned(),
        (None, Payload::Held(body)) => sha256_hex(body),
        (None, Payload::Stated) if signed.presigned => "UNSIGNED-PAYLOAD".to_owned(),
        (None, Payload::Stated) => {
            return Err(ApiError::new(
                400,
                "InvalidRequest",
                "Missing required header for this request: x-amz-content-sha256",
            ));
        }
    };
    let scope = format!(
        "{}/{}/{}/aws4_request",
        signed.date, signed.region, signed.service
    );
    let to_sign = format!(
        "{ALGORITHM}\n{}\n{scope}\n{}",
        signed.timestamp,
        sha256_hex(canonical(signed, parts, &payload).as_bytes())
    );
    let steps = [
        signed.date.as_str(),
        &signed.region,
        &signed.service,
        "aws4_request",
    ];
    let key = steps
        .iter()
        .fold(format!("AWS4{secret}").into_bytes(), |key, step| {
            mac(&key, step.as_bytes())
        });
    let matches = unhex(&signed.signature)
        .is_some_and(|signature| hex(&mac(&key, to_sign.as_bytes())) == hex(&signature));
    if matches {
        Ok(())
    } else {
        Err(mismatch(signed))
    }
}

fn mismatch(signed: &Signed) -> ApiError {
    let text = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";
    match signed.service.as_str() {
        "s3" | "sts" | "iam" => ApiError::new(403, "SignatureDoesNotMatch", text),
        "lambda" => ApiError::new(403, "InvalidSignatureException", text),
        _ => ApiError::new(400, "InvalidSignatureException", text),
    }
}

fn mac(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length; the error cannot occur.
    Hmac::<Sha256>::new_from_slice(key)
        .map(|mac| mac.chain_update(bytes).finalize().into_bytes().to_vec())
        .unwrap_or_default()
}

fn canonical(signed: &Signed, parts: &Parts, payload: &str) -> String {
    // Every service but S3 signs the path encoded once more than it is sent.
    let path = if signed.service == "s3" {
        parts.uri.path().to_owned()
    } else {
        percent_encode(parts.uri.path(), true)
    };
    let mut query: Vec<_> = query_pairs(parts.uri.query().unwrap_or_default(), false)
        .into_iter()
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| {
            format!(
                "{}={}",
                percent_encode(&name, false),
                percent_encode(&value, false)
            )
        })
        .collect();
    query.sort();
    let headers: String = signed
        .headers
        .iter()
        .map(|name| format!("{name}:{}\n", header_value(parts, name)))
        .collect();
    format!(
        "{}\n{path}\n{}\n{headers}\n{}\n{payload}",
        parts.method,
        query.join("&"),
        signed.headers.join(";")
    )
}

fn header_value(parts: &Parts, name: &str) -> String {
    let values = parts
        .headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values
        .map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join(",")
}
