//! A container's environment: values, references to Secrets and ConfigMaps, and secrets of the environment.

use std::collections::BTreeMap;

use fractal_core::Fingerprint;
use fractal_core::contract::ParamError;
use fractal_core::reconcile::{Inputs, Value as Setting};
use serde_json::{Map, Value, json};

use super::fields::{Fields, reference};
use crate::error::Error;

const ENV: &str = "env";
const ENV_FROM: &str = "envFrom";

/// What a container's environment is made of.
#[derive(Default)]
pub(super) struct Env {
    /// `containers[].env`, in the order given.
    pub(super) entries: Vec<Value>,
    /// `containers[].envFrom`.
    pub(super) from: Vec<Value>,
    /// The Secret that holds secrets of the environment, where any are used.
    pub(super) secret: Option<Value>,
}

impl Env {
    pub(super) fn of(inputs: &Inputs, name: &str, namespace: &str) -> Result<Self, Error> {
        let mut env = Self {
            from: env_from(inputs)?,
            ..Self::default()
        };
        match inputs.parameters.get(ENV) {
            None => {}
            Some(Value::Array(items)) => env.list(items)?,
            Some(_) => env.object(inputs, name, namespace)?,
        }
        env.distinct()?;
        Ok(env)
    }

    /// Names to values, as newer SDKs send it. Secrets go into a Secret of their own: a Deployment is readable by many.
    fn object(&mut self, inputs: &Inputs, name: &str, namespace: &str) -> Result<(), Error> {
        let values = inputs.values(ENV)?;
        let sealed: BTreeMap<_, _> = values
            .iter()
            .filter(|(_, value)| matches!(value, Setting::Sealed { .. }))
            .collect();
        // Named by the versions in it: pods keep their environment, so a new version has to be a new Secret for a rollout to follow.
        let secret = secret_name(name, &sealed)?;
        for (key, value) in &values {
            self.entries.push(match value {
                Setting::Plain(text) => json!({ "name": key, "value": text }),
                Setting::Sealed { .. } => {
                    json!({ "name": key, "valueFrom": { "secretKeyRef": { "name": secret, "key": key } } })
                }
            });
        }
        if !sealed.is_empty() {
            let data: Map<_, _> = sealed
                .into_iter()
                .map(|(key, value)| (key.clone(), base64(value.expose()).into()))
                .collect();
            self.secret = Some(json!({
                "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "immutable": true,
                "metadata": { "name": secret, "namespace": namespace },
                "data": data,
            }));
        }
        Ok(())
    }

    /// Entries with a source each, as older SDKs send them.
    fn list(&mut self, items: &[Value]) -> Result<(), Error> {
        for (index, item) in items.iter().enumerate() {
            let fields = Fields::of(&format!("{ENV}[{index}]"), item)?;
            let name = fields.text("name")?;
            let source = [
                ("valueFromSecret", "secretKeyRef"),
                ("valueFromConfigMap", "configMapKeyRef"),
            ]
            .into_iter()
            .find(|(key, _)| fields.get(key).is_some());
            let entry = match source {
                Some((key, field)) => {
                    let from = fields.nested(key)?;
                    let reference = json!({ "name": from.text("name")?, "key": from.text("key")? });
                    json!({ "name": name, "valueFrom": { field: reference } })
                }
                None => json!({ "name": name, "value": fields.plain("value")? }),
            };
            self.entries.push(entry);
        }
        Ok(())
    }

    /// The API server refuses a name twice; said here, before anything is written.
    fn distinct(&self) -> Result<(), Error> {
        let mut names: Vec<&str> = self
            .entries
            .iter()
            .filter_map(|entry| entry.get("name")?.as_str())
            .collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair.first() == pair.last()) {
            None => Ok(()),
            Some(pair) => Err(Error::Twice {
                parameter: ENV,
                name: pair
                    .first()
                    .unwrap_or(&"")
                    .chars()
                    .flat_map(char::escape_debug)
                    .collect(),
            }),
        }
    }
}

/// `[{configMap: {name}} | {secret: {name}}]`.
fn env_from(inputs: &Inputs) -> Result<Vec<Value>, Error> {
    let items = super::fields::list(&inputs.parameters, ENV_FROM)?;
    let one = |(index, item): (usize, &Value)| {
        let fields = Fields::of(&format!("{ENV_FROM}[{index}]"), item)?;
        match (fields.get("configMap"), fields.get("secret")) {
            (Some(_), None) => Ok(json!({ "configMapRef": reference(&fields, "configMap")? })),
            (None, Some(_)) => Ok(json!({ "secretRef": reference(&fields, "secret")? })),
            _ => Err(ParamError::new(
                fields.place(),
                "an object with `configMap` or `secret`",
                item,
            )
            .into()),
        }
    };
    items.iter().enumerate().map(one).collect()
}

fn secret_name(name: &str, sealed: &BTreeMap<&String, &Setting>) -> Result<String, Error> {
    // Serialised by name and version, never by value.
    let hash = Fingerprint::of(sealed).map_err(|_| Error::Unplanned)?;
    let hash = hash.to_string();
    let short: String = hash
        .chars()
        .filter(char::is_ascii_hexdigit)
        .rev()
        .take(8)
        .collect();
    let room: String = name.chars().take(63 - "-env-".len() - 8).collect();
    Ok(format!("{room}-env-{short}"))
}

pub(super) fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
