//! Vault's tokens: their lease, their renewals and their end, and what their policies allow.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Core, Refusal, VaultRole, envelope};
use crate::encoding::{sha256_hex, uuid};
use crate::exchange::Reply;
use crate::front::Asked;
use crate::ledger::Transaction;

/// A token as it is kept: under the hash of its text, which nobody can log in with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Token {
    accessor: String,
    role: String,
    policies: Vec<String>,
    renewable: bool,
    ttl_ms: u64,
    expires_ms: u64,
    /// No renewal leads beyond this.
    ends_ms: u64,
}

fn key(token: &str) -> String {
    format!("vault/token/{}", sha256_hex(token.as_bytes()))
}

impl Token {
    /// A new token's text, and what is kept of it.
    pub(super) fn new(role: &VaultRole, now: u64) -> (String, Self) {
        let text = format!("hvs.{}", format!("{}{}", uuid(), uuid()).replace('-', ""));
        let ttl_ms = role
            .ttl_seconds
            .min(role.max_ttl_seconds)
            .saturating_mul(1000);
        let record = Self {
            accessor: uuid().replace('-', ""),
            role: role.name.clone(),
            policies: role.policies.clone(),
            renewable: role.renewable,
            ttl_ms,
            expires_ms: now.saturating_add(ttl_ms),
            ends_ms: now.saturating_add(role.max_ttl_seconds.saturating_mul(1000)),
        };
        (text, record)
    }

    pub(super) fn put(&self, text: &str, transaction: &mut Transaction<'_>) {
        transaction.put(key(text), self);
    }

    /// The `auth` member of a login or renewal.
    pub(super) fn auth(&self, text: &str, now: u64) -> Value {
        json!({
            "client_token": text,
            "accessor": self.accessor,
            "policies": self.policies,
            "token_policies": self.policies,
            "metadata": { "role": self.role },
            "lease_duration": self.expires_ms.saturating_sub(now) / 1000,
            "renewable": self.renewable,
            "entity_id": "",
            "token_type": "service",
            "orphan": true,
            "mfa_requirement": null,
            "num_uses": 0,
        })
    }
}

impl Core {
    /// The token a request shows, where it holds.
    fn shown(
        &self,
        asked: &Asked,
        transaction: &Transaction<'_>,
    ) -> Result<(String, Token), Refusal> {
        let bearer = asked
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "));
        let text = asked.header("x-vault-token").or(bearer);
        let text = text.ok_or_else(Refusal::denied)?;
        let now = self.front.clock.now_ms();
        let known: Option<Token> = transaction.get(&key(text));
        known
            .filter(|token| token.expires_ms > now)
            .map(|token| (text.to_owned(), token))
            .ok_or_else(|| {
                Refusal::new(
                    403,
                    "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n",
                )
            })
    }

    pub(super) fn renew(
        &self,
        asked: &Asked,
        transaction: &mut Transaction<'_>,
    ) -> Result<Reply, Refusal> {
        let (text, token) = self.shown(asked, transaction)?;
        if !token.renewable {
            return Err(Refusal::new(400, "lease is not renewable"));
        }
        let now = self.front.clock.now_ms();
        let wanted = now.saturating_add(token.ttl_ms);
        let renewed = Token {
            expires_ms: wanted.min(token.ends_ms),
            ..token
        };
        renewed.put(&text, transaction);
        let mut body = envelope(Value::Null, renewed.auth(&text, now));
        if let Some(object) = body.as_object_mut()
            && wanted > renewed.ends_ms
        {
            let said = "TTL exceeded the effective max_ttl; TTL value is capped accordingly";
            object.insert("warnings".to_owned(), json!([said]));
        }
        Ok(Reply::json(200, &body))
    }

    pub(super) fn lookup(
        &self,
        asked: &Asked,
        transaction: &Transaction<'_>,
    ) -> Result<Reply, Refusal> {
        let (_, token) = self.shown(asked, transaction)?;
        let left = token.expires_ms.saturating_sub(self.front.clock.now_ms()) / 1000;
        let data = json!({
            "accessor": token.accessor,
            "policies": token.policies,
            "renewable": token.renewable,
            "ttl": left,
            "type": "service",
        });
        Ok(Reply::json(200, &envelope(data, Value::Null)))
    }

    pub(super) fn revoke(
        &self,
        asked: &Asked,
        transaction: &mut Transaction<'_>,
    ) -> Result<Reply, Refusal> {
        let (text, _) = self.shown(asked, transaction)?;
        transaction.delete(key(&text));
        Ok(Reply::new(204))
    }

    /// Whether the request's token may do `capability` at `path`.
    pub(super) fn allow(
        &self,
        asked: &Asked,
        path: &str,
        capability: &str,
        transaction: &Transaction<'_>,
    ) -> Result<(), Refusal> {
        let root = self.config.root_token.as_deref();
        if root.is_some() && asked.header("x-vault-token") == root {
            return Ok(());
        }
        let (_, token) = self.shown(asked, transaction)?;
        let mut rules = self
            .config
            .policies
            .iter()
            .filter(|policy| token.policies.contains(&policy.name))
            .flat_map(|policy| &policy.rules);
        let allowed = rules.any(|(pattern, capabilities)| {
            covers(pattern, path) && capabilities.iter().any(|one| one == capability)
        });
        if allowed {
            Ok(())
        } else {
            Err(Refusal::denied())
        }
    }
}

/// `*` at the end is anything, `+` is one whole segment.
fn covers(pattern: &str, path: &str) -> bool {
    let (pattern, open) = match pattern.strip_suffix('*') {
        Some(prefix) => (prefix, true),
        None => (pattern, false),
    };
    let (mut wanted, mut found) = (pattern.split('/').peekable(), path.split('/'));
    while let Some(part) = wanted.next() {
        let Some(segment) = found.next() else {
            return false;
        };
        if open && wanted.peek().is_none() {
            return segment.starts_with(part);
        }
        if part != "+" && part != segment {
            return false;
        }
    }
    found.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_whole_segments_and_open_ends() {
        let check = |pattern: &str, path: &str, expected: bool| {
            assert_eq!(covers(pattern, path), expected, "{pattern} {path}");
        };
        check("a/b", "a/b", true);
        check("a/b", "a/b/c", false);
        check("a/+/c", "a/b/c", true);
        check("a/+/c", "a/b/d", false);
        check("a/*", "a/b/c", true);
        check("a/b*", "a/bc/d", true);
        check("a/*", "b/a", false);
        check("a/+/c", "a/c", false);
    }
}
