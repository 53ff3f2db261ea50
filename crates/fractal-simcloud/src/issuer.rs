//! Issuers of signed identity tokens: what a cluster gives its workloads, and what a cloud that federates with it verifies.
//!
//! RS256 only. Discovery documents are not served: who trusts an issuer is given its key.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::encoding::uuid;
use crate::error::SimError;

/// Signs tokens with an RSA key of its own, made at the start.
#[derive(Clone)]
pub struct TokenIssuer {
    issuer: String,
    key: Arc<KeyPair>,
    key_id: String,
}

impl fmt::Debug for TokenIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenIssuer({})", self.issuer)
    }
}

impl TokenIssuer {
    /// An issuer whose tokens say `iss: issuer`.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub fn new(issuer: &str) -> Result<Self, SimError> {
        let key = KeyPair::generate(KeySize::Rsa2048).map_err(|_| SimError::Key)?;
        Ok(Self {
            issuer: issuer.to_owned(),
            key: Arc::new(key),
            key_id: uuid(),
        })
    }

    /// A token for `subject` and `audience` that holds for `seconds` from now by `clock`.
    #[must_use]
    pub fn token(&self, clock: &Clock, subject: &str, audience: &str, seconds: u64) -> String {
        let now = clock.now_ms() / 1000;
        self.sign(&json!({
            "iss": self.issuer,
            "sub": subject,
            "aud": [audience],
            "iat": now,
            "nbf": now,
            "exp": now.saturating_add(seconds),
        }))
    }

    /// A token with exactly these claims.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.key_id });
        let signed = format!("{}.{}", part(&header), part(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        // Signing fails for a message or buffer of impossible size only.
        let _ = self.key.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            signed.as_bytes(),
            &mut signature,
        );
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// What a service needs to believe this issuer.
    #[must_use]
    pub fn trusted(&self) -> TrustedIssuer {
        TrustedIssuer {
            issuer: self.issuer.clone(),
            public_key: self.key.public_key().as_ref().to_vec(),
        }
    }

    /// The name of the key in the tokens' headers.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The public key as a PEM block, as the program's identities file has it.
    #[must_use]
    pub fn public_key_pem(&self) -> String {
        pem("RSA PUBLIC KEY", self.key.public_key().as_ref())
    }

    /// The private key as a PKCS #8 PEM block, as Google's key files have it.
    #[must_use]
    pub fn private_key_pem(&self) -> String {
        let der: Option<Pkcs8V1Der<'static>> = self.key.as_der().ok();
        der.map(|der| pem("PRIVATE KEY", der.as_ref()))
            .unwrap_or_default()
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .filter_map(|line| std::str::from_utf8(line).ok())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// An issuer some service believes: its name and its public key.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Named")]
pub struct TrustedIssuer {
    issuer: String,
    /// PKCS #1 `RSAPublicKey` or X.509 `SubjectPublicKeyInfo`, in DER.
    public_key: Vec<u8>,
}

/// An issuer as a file names it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Named {
    issuer: String,
    /// PEM of either form.
    public_key: String,
}

impl TryFrom<Named> for TrustedIssuer {
    type Error = &'static str;

    fn try_from(named: Named) -> Result<Self, &'static str> {
        let lines = named.public_key.lines().map(str::trim);
        let encoded: String = lines.filter(|line| !line.starts_with("-----")).collect();
        let public_key = STANDARD
            .decode(encoded)
            .ok()
            .filter(|bytes| !bytes.is_empty())
            .ok_or("publicKey is no PEM")?;
        Ok(Self {
            issuer: named.issuer,
            public_key,
        })
    }
}

impl fmt::Debug for TrustedIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustedIssuer({})", self.issuer)
    }
}

/// Why a token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Distrust {
    Malformed,
    Signature,
    Issuer,
    Expired,
    NotYet,
    Audience,
}

/// A token's claims, its signature verified.
#[derive(Clone, Debug)]
pub(crate) struct Claims(Value);

impl TrustedIssuer {
    /// The issuer's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.issuer
    }

    /// The claims of a token whose signature is this issuer's; nothing else of it is checked.
    pub(crate) fn verified(&self, token: &str) -> Result<Claims, Distrust> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Distrust::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Distrust::Malformed)?;
        let header = decoded(header).ok_or(Distrust::Malformed)?;
        if header.get("alg").and_then(Value::as_str) != Some("RS256") {
            return Err(Distrust::Signature);
        }
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| Distrust::Malformed)?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public_key)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| Distrust::Signature)?;
        decoded(claims).map(Claims).ok_or(Distrust::Malformed)
    }

    /// The claims of a token of this issuer that holds now and is for one of `audiences`, or for anybody where there are none.
    pub(crate) fn believed(
        &self,
        token: &str,
        audiences: &[String],
        clock: &Clock,
    ) -> Result<Claims, Distrust> {
        let claims = self.verified(token)?;
        let now = clock.now_ms() / 1000;
        if claims.text("iss") != Some(&self.issuer) {
            return Err(Distrust::Issuer);
        }
        if claims.number("exp").is_none_or(|exp| exp <= now) {
            return Err(Distrust::Expired);
        }
        if claims.number("nbf").is_some_and(|nbf| nbf > now) {
            return Err(Distrust::NotYet);
        }
        if !audiences.is_empty() && !audiences.iter().any(|audience| claims.is_for(audience)) {
            return Err(Distrust::Audience);
        }
        Ok(claims)
    }
}

impl Claims {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name).and_then(Value::as_u64)
    }

    fn is_for(&self, audience: &str) -> bool {
        match self.0.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(all)) => all.iter().any(|one| one == audience),
            _ => false,
        }
    }
}

fn decoded(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_believed_for_its_audience_and_time_only() {
        let (issuer, clock) = (
            TokenIssuer::new("https://issuer.example").unwrap(),
            Clock::manual(),
        );
        let trusted = issuer.trusted();
        let token = issuer.token(&clock, "me", "you", 60);
        let you = ["you".to_owned()];
        let claims = trusted.believed(&token, &you, &clock).unwrap();
        assert_eq!(claims.text("sub"), Some("me"));
        let check = |token: &str, audience: &str, expected: Distrust| {
            let audience = [audience.to_owned()];
            assert_eq!(
                trusted.believed(token, &audience, &clock).unwrap_err(),
                expected
            );
        };
        check(&token, "others", Distrust::Audience);
        check("a.b", "you", Distrust::Malformed);
        check(&format!("{token}AA"), "you", Distrust::Signature);
        let other = TokenIssuer::new("https://issuer.example").unwrap();
        check(
            &other.token(&clock, "me", "you", 60),
            "you",
            Distrust::Signature,
        );
        let unsigned = token.replacen(
            token.split('.').next().unwrap(),
            &part(&json!({ "alg": "none" })),
            1,
        );
        check(&unsigned, "you", Distrust::Signature);
        clock.advance(60_000);
        check(&token, "you", Distrust::Expired);
    }
}
