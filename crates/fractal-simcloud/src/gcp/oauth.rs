//! The token endpoint: a service account's signed assertion (RFC 7523), and a user's refresh token.

use serde_json::Value;

use super::{Gcp, GcpAccount, Refusal, is_scope, required};
use crate::encoding::find;
use crate::front::Asked;
use crate::issuer::{Claims, Distrust};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// What some clients write as the audience wherever the endpoint is.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
/// Longest life of an assertion, in seconds.
const ASSERTION_MAX: u64 = 3600;
/// How far an assertion's clock may be ahead, in seconds.
const SKEW: u64 = 300;

impl Gcp {
    pub(super) fn oauth(&self, asked: &Asked, form: &[(String, String)]) -> Result<Value, Refusal> {
        if asked.method() != "POST" {
            return Err(Refusal::new(405, "invalid_request", "POST only"));
        }
        let account = match required(form, "grant_type")? {
            JWT_BEARER => self.asserted(required(form, "assertion")?)?,
            "refresh_token" => self.consented(form)?,
            _ => {
                return Err(Refusal::new(
                    400,
                    "unsupported_grant_type",
                    "Invalid grant_type",
                ));
            }
        };
        Ok(self.granted(&self.access_token(&account.email, account.access)))
    }

    fn asserted(&self, assertion: &str) -> Result<&GcpAccount, Refusal> {
        let refused = |message: &str| Refusal::new(400, "invalid_grant", message);
        let with_key = |one: &&GcpAccount| one.key.is_some();
        // Whose it is stands in the assertion itself: the first key that verifies it is that account's.
        let mut malformed = true;
        for account in self.config.accounts.iter().filter(with_key) {
            let Some(key) = &account.key else { continue };
            match key.verified(assertion) {
                Ok(claims) => return self.checked(account, &claims),
                Err(Distrust::Malformed) => {}
                Err(_) => malformed = false,
            }
        }
        Err(refused(if malformed {
            "Invalid JWT: Failed to decode"
        } else {
            "Invalid JWT Signature."
        }))
    }

    fn checked<'a>(
        &self,
        account: &'a GcpAccount,
        claims: &Claims,
    ) -> Result<&'a GcpAccount, Refusal> {
        let refused = |message: &str| Refusal::new(400, "invalid_grant", message);
        if claims.text("iss") != Some(&account.email) {
            return Err(refused("Invalid grant: account not found"));
        }
        let own = format!("{}/token", self.endpoint);
        if !claims
            .text("aud")
            .is_some_and(|audience| audience == own || audience == AUDIENCE)
        {
            return Err(refused("Invalid JWT: audience is not this token endpoint"));
        }
        let now = self.front.clock.now_ms() / 1000;
        let (issued, ends) = (claims.number("iat"), claims.number("exp"));
        let in_time = issued.zip(ends).is_some_and(|(issued, ends)| {
            issued <= now.saturating_add(SKEW)
                && ends > now
                && ends.saturating_sub(issued) <= ASSERTION_MAX
        });
        if !in_time {
            return Err(refused(
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.",
            ));
        }
        if !claims.text("scope").is_some_and(is_scope) {
            let message = "Invalid OAuth scope or ID token audience provided.";
            return Err(Refusal::new(400, "invalid_scope", message));
        }
        Ok(account)
    }

    fn consented(&self, form: &[(String, String)]) -> Result<&GcpAccount, Refusal> {
        let (client, secret, token) = (
            required(form, "client_id")?,
            required(form, "client_secret")?,
            required(form, "refresh_token")?,
        );
        let of_client = |one: &&GcpAccount| {
            let consent = one.consent.as_ref();
            consent.is_some_and(|given| given.client_id == client && given.client_secret == secret)
        };
        if !self.config.accounts.iter().any(|one| of_client(&one)) {
            return Err(Refusal::new(
                401,
                "invalid_client",
                "The OAuth client was not found.",
            ));
        }
        if find(form, "scope").is_some_and(|scopes| !is_scope(scopes)) {
            return Err(Refusal::new(
                400,
                "invalid_scope",
                "Some requested scopes were invalid.",
            ));
        }
        let mut consented = self.config.accounts.iter().filter(of_client);
        consented
            .find(|one| {
                one.consent
                    .as_ref()
                    .is_some_and(|given| given.refresh_token == token)
            })
            .ok_or_else(|| Refusal::new(400, "invalid_grant", "Token has been expired or revoked."))
    }
}
