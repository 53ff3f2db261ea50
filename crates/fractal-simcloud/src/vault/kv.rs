//! KV version 2: versions with their metadata, check-and-set, and deletion that keeps the metadata.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::format_description::well_known::Rfc3339;

use super::{Core, Refusal, Vault, envelope};
use crate::clock::at;
use crate::exchange::Reply;
use crate::front::Asked;
use crate::ledger::{Call, Done, Struck, Transaction};

/// Versions kept of one secret.
const VERSIONS: usize = 10;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Secret {
    /// The first is version `first`.
    versions: Vec<Version>,
    first: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Version {
    data: Option<Value>,
    created_ms: u64,
    deleted_ms: Option<u64>,
}

fn key(mount: &str, path: &str) -> String {
    format!("vault/kv/{mount}/{path}")
}

impl Vault {
    /// Writes a secret's next version, as somebody with every permission.
    pub fn write(&self, mount: &str, path: &str, data: &Value) {
        self.change("WriteSecret", mount, path, |secret, now| {
            secret.write(data, now)
        });
    }

    /// Deletes a secret's latest version, as somebody with every permission.
    pub fn delete(&self, mount: &str, path: &str) {
        self.change("DeleteSecret", mount, path, Secret::delete);
    }

    fn change(
        &self,
        operation: &str,
        mount: &str,
        path: &str,
        change: impl FnOnce(&mut Secret, u64),
    ) {
        let front = &self.0.front;
        let call = Call {
            service: "vault".to_owned(),
            operation: operation.to_owned(),
            resource: format!("{mount}/data/{path}"),
            mutating: true,
            ..Call::default()
        };
        let done = front.ledger.commit(&call, Struck::Nothing, |transaction| {
            let mut secret: Secret = transaction.get(&key(mount, path)).unwrap_or_default();
            change(&mut secret, front.clock.now_ms());
            transaction.put(key(mount, path), &secret);
            Done {
                reply: Reply::new(200),
                request: json!({ "from": "control" }),
            }
        });
        if let Err(error) = done {
            tracing::error!(%error, "secret not written");
        }
    }
}

impl Secret {
    fn latest(&self) -> u64 {
        self.first
            .saturating_add(self.versions.len() as u64)
            .saturating_sub(1)
    }

    fn version(&self, number: u64) -> Option<&Version> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.versions.get(index)
    }

    fn write(&mut self, data: &Value, now: u64) {
        if self.versions.is_empty() {
            self.first = 1;
        }
        self.versions.push(Version {
            data: Some(data.clone()),
            created_ms: now,
            deleted_ms: None,
        });
        if self.versions.len() > VERSIONS {
            self.versions.remove(0);
            self.first = self.first.saturating_add(1);
        }
    }

    fn delete(&mut self, now: u64) {
        if let Some(version) = self.versions.last_mut() {
            version.deleted_ms = Some(now);
        }
    }
}

impl Version {
    fn metadata(&self, number: u64) -> Value {
        json!({
            "created_time": moment(self.created_ms),
            "custom_metadata": null,
            "deletion_time": self.deleted_ms.map(moment).unwrap_or_default(),
            "destroyed": false,
            "version": number,
        })
    }
}

fn moment(milliseconds: u64) -> String {
    at(milliseconds).format(&Rfc3339).unwrap_or_default()
}

impl Core {
    pub(super) fn data(
        &self,
        mount: &str,
        path: &str,
        asked: &Asked,
        transaction: &mut Transaction<'_>,
    ) -> Result<Reply, Refusal> {
        let full = format!("{mount}/data/{path}");
        let known: Option<Secret> = transaction.get(&key(mount, path));
        let capability = match (asked.method(), &known) {
            ("GET", _) => "read",
            ("DELETE", _) => "delete",
            ("POST" | "PUT", None) => "create",
            ("POST" | "PUT", Some(_)) => "update",
            _ => return Err(Refusal::new(405, "unsupported operation")),
        };
        self.allow(asked, &full, capability, transaction)?;
        let mut secret = known.unwrap_or_default();
        match asked.method() {
            "GET" => return read(&secret, asked.parameter("version")),
            "DELETE" => secret.delete(self.front.clock.now_ms()),
            _ => {
                let data = written(asked, &secret)?;
                secret.write(&Value::Object(data), self.front.clock.now_ms());
            }
        }
        transaction.put(key(mount, path), &secret);
        let number = secret.latest();
        Ok(match secret.version(number) {
            Some(version) if asked.method() != "DELETE" => {
                Reply::json(200, &envelope(version.metadata(number), Value::Null))
            }
            _ => Reply::new(204),
        })
    }

    pub(super) fn metadata(
        &self,
        mount: &str,
        path: &str,
        asked: &Asked,
        transaction: &Transaction<'_>,
    ) -> Result<Reply, Refusal> {
        self.allow(
            asked,
            &format!("{mount}/metadata/{path}"),
            "read",
            transaction,
        )?;
        let secret: Secret = transaction
            .get(&key(mount, path))
            .ok_or_else(|| Refusal(404, Vec::new()))?;
        let numbered = (secret.first..).zip(&secret.versions);
        let versions: Map<String, Value> = numbered
            .map(|(number, version)| (number.to_string(), version.metadata(number)))
            .collect();
        let data = json!({
            "current_version": secret.latest(),
            "oldest_version": secret.first,
            "versions": versions,
        });
        Ok(Reply::json(200, &envelope(data, Value::Null)))
    }
}

fn read(secret: &Secret, version: Option<&str>) -> Result<Reply, Refusal> {
    let number = match version.unwrap_or("0").parse() {
        Ok(0) => secret.latest(),
        Ok(number) => number,
        Err(_) => {
            return Err(Refusal::new(
                400,
                "Field validation failed: error converting input for field \"version\"",
            ));
        }
    };
    let found = secret
        .version(number)
        .ok_or_else(|| Refusal(404, Vec::new()))?;
    let shown = found.data.as_ref().filter(|_| found.deleted_ms.is_none());
    let status = if shown.is_some() { 200 } else { 404 };
    let data = json!({ "data": shown, "metadata": found.metadata(number) });
    let reply = Reply::json(status, &envelope(data, Value::Null));
    Ok(if status == 404 {
        reply.coded("deleted")
    } else {
        reply
    })
}

fn written(asked: &Asked, secret: &Secret) -> Result<Map<String, Value>, Refusal> {
    let body = asked
        .json()
        .ok_or_else(|| Refusal::new(400, "failed to parse JSON input"))?;
    let expected = body.pointer("/options/cas").and_then(Value::as_u64);
    if expected.is_some_and(|expected| expected != secret.latest()) {
        return Err(Refusal::new(
            400,
            "check-and-set parameter did not match the current version",
        ));
    }
    body.get("data")
        .and_then(Value::as_object)
        .cloned()
        .ok_or_else(|| Refusal::new(400, "no data provided"))
}
