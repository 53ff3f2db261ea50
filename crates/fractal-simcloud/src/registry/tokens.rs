//! Passwords and bearer tokens that carry their own expiry and scope, signed with a key kept beside the blobs: they outlive a restart.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use crate::clock::Clock;
use crate::encoding::{hex, uuid};

pub(crate) struct Tokens {
    key: Vec<u8>,
    clock: Clock,
}

impl Tokens {
    pub(super) fn new(key: Vec<u8>, clock: Clock) -> Self {
        Self { key, clock }
    }

    /// An ECR password.
    pub(crate) fn issue_password(&self, expires_ms: u64) -> String {
        self.issue("password", expires_ms)
    }

    pub(crate) fn is_password(&self, password: &str) -> bool {
        self.read(password).is_some_and(|scope| scope == "password")
    }

    /// A bearer token for `scope`: `repository:name:pull,push` entries separated by spaces.
    pub(super) fn issue_bearer(&self, scope: &str, seconds: u64) -> String {
        let expires = self
            .clock
            .now_ms()
            .saturating_add(seconds.saturating_mul(1000));
        self.issue(&format!("scope {scope}"), expires)
    }

    /// The scope of a bearer token that is ours and has not expired.
    pub(super) fn scope(&self, token: &str) -> Option<String> {
        self.read(token)?.strip_prefix("scope ").map(str::to_owned)
    }

    /// A JWT (HS256) with these claims, `iat` and `exp`.
    pub(crate) fn issue_jwt(&self, mut claims: Value, seconds: u64) -> String {
        let now = self.clock.now_ms() / 1000;
        if let Some(claims) = claims.as_object_mut() {
            claims.insert("iat".to_owned(), now.into());
            claims.insert("exp".to_owned(), now.saturating_add(seconds).into());
            // Two tokens of one second differ.
            claims.insert("jti".to_owned(), uuid().into());
        }
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = URL_SAFE_NO_PAD.encode(self.sign(&signed));
        format!("{signed}.{signature}")
    }

    /// The claims of a JWT that is ours and has not expired.
    pub(crate) fn read_jwt(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (_, claims) = signed.split_once('.')?;
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        let holds = self.clock.now_ms() / 1000 < claims.get("exp")?.as_u64()?;
        let ours = URL_SAFE_NO_PAD.encode(self.sign(signed)) == signature;
        (holds && ours).then_some(claims)
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    fn issue(&self, content: &str, expires_ms: u64) -> String {
        let payload = format!("{expires_ms}|{}|{content}", uuid());
        URL_SAFE_NO_PAD.encode(format!("{}|{payload}", self.sign(&payload)))
    }

    fn read(&self, token: &str) -> Option<String> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (signature, payload) = text.split_once('|')?;
        let mut fields = payload.splitn(3, '|');
        let expires: u64 = fields.next()?.parse().ok()?;
        let content = fields.nth(1)?;
        (signature == self.sign(payload) && self.clock.now_ms() < expires)
            .then(|| content.to_owned())
    }

    fn sign(&self, payload: &str) -> String {
        // HMAC takes keys of any length; the error cannot occur.
        Hmac::<Sha256>::new_from_slice(&self.key)
            .map(|mac| hex(&mac.chain_update(payload.as_bytes()).finalize().into_bytes()))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_expire_and_cannot_be_changed() {
        let clock = Clock::manual();
        let tokens = Tokens::new(b"key".to_vec(), clock.clone());
        let token = tokens.issue_bearer("repository:a:pull", 60);
        assert_eq!(tokens.scope(&token).as_deref(), Some("repository:a:pull"));
        assert!(!tokens.is_password(&token));
        assert_eq!(
            Tokens::new(b"other".to_vec(), clock.clone()).scope(&token),
            None
        );
        clock.advance(60_000);
        assert_eq!(tokens.scope(&token), None);
    }
}
