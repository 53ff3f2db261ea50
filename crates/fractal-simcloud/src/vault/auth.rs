//! Login: a token of a trusted issuer for a token of Vault's.

use serde_json::Value;

use super::tokens::Token;
use super::{Core, Refusal, VaultLogin, VaultRole, envelope};
use crate::exchange::Reply;
use crate::front::Asked;
use crate::issuer::Distrust;
use crate::ledger::Transaction;

impl Core {
    pub(super) fn login(
        &self,
        mount: &str,
        asked: &Asked,
        transaction: &mut Transaction<'_>,
    ) -> Result<Reply, Refusal> {
        let Some(of_mount) = self.config.roles.iter().find(|role| role.mount == mount) else {
            return Err(Refusal::denied());
        };
        if !matches!(asked.method(), "POST" | "PUT") {
            return Err(Refusal::new(405, "unsupported operation"));
        }
        let body = asked
            .json()
            .ok_or_else(|| Refusal::new(400, "failed to parse JSON input"))?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let (name, jwt) = (text("role"), text("jwt"));
        if name.is_empty() || jwt.is_empty() {
            let missing = if name.is_empty() { "role" } else { "jwt" };
            return Err(Refusal::new(400, &format!("missing {missing}")));
        }
        let role = self
            .config
            .roles
            .iter()
            .find(|role| role.mount == mount && role.name == name)
            .ok_or_else(|| unknown_role(of_mount.login, name))?;
        self.prove(role, jwt)?;
        let now = self.front.clock.now_ms();
        let (token, record) = Token::new(role, now);
        record.put(&token, transaction);
        Ok(Reply::json(
            200,
            &envelope(Value::Null, record.auth(&token, now)),
        ))
    }

    fn prove(&self, role: &VaultRole, jwt: &str) -> Result<(), Refusal> {
        let audiences: Vec<String> = role.audience.iter().cloned().collect();
        let claims = role
            .issuer
            .believed(jwt, &audiences, &self.front.clock)
            .map_err(|distrust| distrusted(role.login, distrust))?;
        if claims.text("sub") == Some(&role.subject) {
            return Ok(());
        }
        Err(match role.login {
            VaultLogin::Kubernetes => Refusal::new(403, "service account name not authorized"),
            VaultLogin::Jwt => Refusal::new(
                400,
                "error validating token: sub claim does not match bound subject",
            ),
        })
    }
}

fn unknown_role(login: VaultLogin, name: &str) -> Refusal {
    let message = match login {
        VaultLogin::Kubernetes => format!("invalid role name \"{name}\""),
        VaultLogin::Jwt => format!("role \"{name}\" could not be found"),
    };
    Refusal::new(400, &message)
}

fn distrusted(login: VaultLogin, distrust: Distrust) -> Refusal {
    let why = match distrust {
        Distrust::Malformed => "malformed jwt",
        Distrust::Signature => "error verifying token signature",
        Distrust::Issuer => "invalid issuer (iss) claim",
        Distrust::Expired => "invalid expiration time (exp) claim: token is expired",
        Distrust::NotYet => "invalid not before (nbf) claim: token not yet valid",
        Distrust::Audience => {
            "invalid audience (aud) claim: audience claim does not match any expected audience"
        }
    };
    match (login, distrust) {
        (VaultLogin::Jwt, _) => Refusal::new(400, &format!("error validating token: {why}")),
        (VaultLogin::Kubernetes, Distrust::Audience) => Refusal::new(403, why),
        // TokenReview's verdict is not passed on.
        (VaultLogin::Kubernetes, _) => Refusal::denied(),
    }
}
