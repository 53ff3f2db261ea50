//! The edge: the JSON that Fractal clients of every version send, folded into the canonical form.
//!
//! Names differ between SDK versions; behind this module there is one spelling of each offer and parameter.
//! Blueprint parameters are merged over the posted ones where the blueprint's are not empty: that is where guardrails hold.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::component::{Component, ComponentId, IdError, Link, Offer};
use super::environment::Environment;
use super::live_system::{LiveSystem, LiveSystemId};
use super::params::Params;
use crate::fault::{Fault, Reason, chain};
use crate::json;

mod aliases;
mod userinfo;

/// A live system's body is malformed.
pub const LIVE_SYSTEM_INVALID: Reason = Reason::new("LiveSystemInvalid");
/// Two names of one parameter carry different values.
pub const ALIAS_CONFLICT: Reason = Reason::new("AliasConflict");

/// Largest body taken, in bytes.
pub const BODY_MAX: usize = 8 * 1024 * 1024;
/// Longest part of a key that is shown in a message, in characters.
const SHOWN: usize = 64;
/// Most components a live system may have.
pub const COMPONENTS_MAX: usize = 1000;

/// Why a body is no live system.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// No JSON, or a key twice.
    #[error("the document is no valid JSON")]
    Json(#[source] serde_json::Error),
    /// Larger than taken.
    #[error("the document has {found} bytes, at most {BODY_MAX} are taken")]
    TooLarge {
        /// Its size.
        found: usize,
    },
    /// A field is missing or has the wrong form.
    #[error("`{path}` must be {expected}")]
    Field {
        /// Where, as a JSON path.
        path: String,
        /// What it must be.
        expected: String,
    },
    /// An id is malformed.
    #[error("`{path}` is invalid")]
    Id {
        /// Where, as a JSON path.
        path: String,
        /// What is wrong with it.
        #[source]
        source: IdError,
    },
    /// The environment's id is malformed.
    #[error("`$.environment.id` is no environment id")]
    Environment(#[source] serde_json::Error),
    /// Two names of one parameter carry different values.
    #[error(
        "component `{component}` sets `{first}` and `{second}`, which mean the same, to different values"
    )]
    Alias {
        /// The component.
        component: ComponentId,
        /// One name.
        first: String,
        /// The other.
        second: String,
    },
}

impl From<WireError> for Fault {
    fn from(error: WireError) -> Self {
        let reason = if matches!(error, WireError::Alias { .. }) {
            ALIAS_CONFLICT
        } else {
            LIVE_SYSTEM_INVALID
        };
        let next = match &error {
            WireError::Alias { first, second, .. } => {
                format!("keep one of `{first}` and `{second}`")
            }
            _ => "correct the document and submit it again; nothing was changed".into(),
        };
        Self::terminal(reason, chain(&error)).next(next)
    }
}

/// Reads a live system's body as SDKs post it.
///
/// A `blueprint` beside `blueprintMap`, or the one passed in, is merged in.
///
/// # Errors
/// Where the body is malformed. Nothing of it is used then.
pub fn live_system(body: &[u8], blueprint: Option<&Value>) -> Result<LiveSystem, WireError> {
    if body.len() > BODY_MAX {
        return Err(WireError::TooLarge { found: body.len() });
    }
    from_value(&json::parse(body).map_err(WireError::Json)?, blueprint)
}

/// The same for a document that has been read already, from YAML for one.
///
/// # Errors
/// Where the body is malformed.
pub fn from_value(body: &Value, blueprint: Option<&Value>) -> Result<LiveSystem, WireError> {
    let root = object(body, "$")?;
    let id_text = text(root, "liveSystemId", "$")?;
    let id = LiveSystemId::decode(id_text).map_err(|source| WireError::Id {
        path: "$.liveSystemId".into(),
        source,
    })?;
    let environment = environment(root)?;
    let blueprint = blueprint
        .or_else(|| root.get("blueprint"))
        .map(blueprint_parameters)
        .transpose()?
        .unwrap_or_default();
    let components = components(root, &id, &environment, &blueprint)?;
    let fractal_id = root
        .get("fractalId")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    Ok(LiveSystem {
        id,
        fractal_id,
        environment,
        components,
    })
}

fn environment(root: &Map<String, Value>) -> Result<Environment, WireError> {
    let value = root
        .get("environment")
        .ok_or_else(|| field("$.environment", "an object with an `id`"))?;
    let environment = object(value, "$.environment")?;
    let id = environment
        .get("id")
        .ok_or_else(|| field("$.environment.id", "an object {type, ownerId, shortName}"))?;
    object(id, "$.environment.id")?;
    let id = serde_json::from_value(id.clone()).map_err(WireError::Environment)?;
    let mut parameters = optional_object(environment, "parameters", "$.environment")?;
    userinfo::hide_in_environment(&mut parameters);
    Ok(Environment { id, parameters })
}

type Blueprint = BTreeMap<String, Map<String, Value>>;

/// Components of a blueprint: a list of objects with an `id`, or an object keyed by id.
fn blueprint_parameters(blueprint: &Value) -> Result<Blueprint, WireError> {
    let path = "$.blueprint.components";
    let entry = |id: &str, component: &Value| -> Result<(String, Map<String, Value>), WireError> {
        let component = object(component, path)?;
        Ok((
            id.to_owned(),
            optional_object(component, "parameters", path)?
                .as_map()
                .clone(),
        ))
    };
    match object(blueprint, "$.blueprint")?.get("components") {
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| entry(text(object(item, path)?, "id", path)?, item))
            .collect(),
        Some(Value::Object(map)) => map.iter().map(|(id, item)| entry(id, item)).collect(),
        _ => Err(field(path, "a list of components")),
    }
}

fn components(
    root: &Map<String, Value>,
    live_system: &LiveSystemId,
    environment: &Environment,
    blueprint: &Blueprint,
) -> Result<BTreeMap<ComponentId, Component>, WireError> {
    let map = root
        .get("blueprintMap")
        .ok_or_else(|| field("$.blueprintMap", "an object keyed by component id"))?;
    let map = object(map, "$.blueprintMap")?;
    if map.len() > COMPONENTS_MAX {
        return Err(field(
            "$.blueprintMap",
            &format!("at most {COMPONENTS_MAX} components, it has {}", map.len()),
        ));
    }
    map.iter()
        .map(|(key, value)| {
            let shown: String = key
                .chars()
                .take(SHOWN)
                .flat_map(char::escape_debug)
                .collect();
            let path = format!("$.blueprintMap.{shown}");
            let id: ComponentId = key.parse().map_err(|source| WireError::Id {
                path: path.clone(),
                source,
            })?;
            let draft = Draft {
                live_system,
                environment,
                id: &id,
                path: &path,
            };
            let component = draft.component(object(value, &path)?, blueprint.get(key))?;
            Ok((id, component))
        })
        .collect()
}

struct Draft<'a> {
    live_system: &'a LiveSystemId,
    environment: &'a Environment,
    id: &'a ComponentId,
    path: &'a str,
}

impl Draft<'_> {
    fn component(
        &self,
        raw: &Map<String, Value>,
        blueprint: Option<&Map<String, Value>>,
    ) -> Result<Component, WireError> {
        if let Some(inner) = raw
            .get("id")
            .and_then(Value::as_str)
            .filter(|inner| *inner != self.id.as_str())
        {
            return Err(field(
                &format!("{}.id", self.path),
                &format!("the key it stands under, it is `{}`", inner.escape_debug()),
            ));
        }
        let wire_type = text(raw, "type", self.path)?.to_owned();
        let provider = raw
            .get("provider")
            .and_then(Value::as_str)
            .filter(|p| !p.is_empty())
            .map(str::to_owned);
        let offer = aliases::offer(&wire_type, provider.as_deref());
        let offer: Offer = offer
            .parse()
            .map_err(|source| self.id_error("type", source))?;
        let parameters = self.parameters(raw, blueprint, &offer)?;
        Ok(Component {
            live_system: self.live_system.clone(),
            id: self.id.clone(),
            offer,
            wire_type,
            provider,
            parameters,
            dependencies: self.dependencies(raw)?,
            links: self.links(raw)?,
            environment: self.environment.clone(),
        })
    }

    /// Both sides are folded before they are merged: a blueprint wins whatever name the client uses for the same parameter.
    fn parameters(
        &self,
        raw: &Map<String, Value>,
        blueprint: Option<&Map<String, Value>>,
        offer: &Offer,
    ) -> Result<Params, WireError> {
        let fold = |parameters: &mut Map<String, Value>| {
            aliases::fold(offer, parameters).map_err(|(first, second)| WireError::Alias {
                component: self.id.clone(),
                first,
                second,
            })
        };
        let mut parameters = optional_object(raw, "parameters", self.path)?;
        fold(parameters.as_map_mut())?;
        let mut blueprint = blueprint.cloned().unwrap_or_default();
        fold(&mut blueprint)?;
        merge(parameters.as_map_mut(), blueprint);
        userinfo::hide_in_component(&mut parameters);
        Ok(parameters)
    }

    /// Order is kept and repetitions are dropped: old clients send the platform's id twice.
    fn dependencies(&self, raw: &Map<String, Value>) -> Result<Vec<ComponentId>, WireError> {
        let mut all: Vec<ComponentId> = Vec::new();
        for item in list(raw, "dependencies", self.path)? {
            let text = item.as_str().ok_or_else(|| {
                field(
                    &format!("{}.dependencies", self.path),
                    "a list of component ids",
                )
            })?;
            let id = text
                .parse()
                .map_err(|source| self.id_error("dependencies", source))?;
            if !all.contains(&id) {
                all.push(id);
            }
        }
        Ok(all)
    }

    fn links(&self, raw: &Map<String, Value>) -> Result<Vec<Link>, WireError> {
        let path = format!("{}.links", self.path);
        let link = |item: &Value| {
            let link = object(item, &path)?;
            let id = text(link, "componentId", &path)?;
            let component_id = id
                .parse()
                .map_err(|source| self.id_error("links", source))?;
            Ok(Link {
                component_id,
                settings: optional_object(link, "settings", &path)?,
            })
        };
        list(raw, "links", self.path)?.iter().map(link).collect()
    }

    fn id_error(&self, name: &str, source: IdError) -> WireError {
        WireError::Id {
            path: format!("{}.{name}", self.path),
            source,
        }
    }
}

/// A blueprint's value wins where it is not empty.
fn merge(parameters: &mut Map<String, Value>, blueprint: Map<String, Value>) {
    parameters.extend(blueprint.into_iter().filter(|(_, value)| !is_empty(value)));
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn field(path: &str, expected: &str) -> WireError {
    WireError::Field {
        path: path.into(),
        expected: expected.into(),
    }
}

fn object<'a>(value: &'a Value, path: &str) -> Result<&'a Map<String, Value>, WireError> {
    value.as_object().ok_or_else(|| field(path, "an object"))
}

fn text<'a>(map: &'a Map<String, Value>, name: &str, path: &str) -> Result<&'a str, WireError> {
    map.get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| field(&format!("{path}.{name}"), "a text"))
}

fn list<'a>(map: &'a Map<String, Value>, name: &str, path: &str) -> Result<&'a [Value], WireError> {
    match map.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(field(&format!("{path}.{name}"), "a list")),
    }
}

fn optional_object(map: &Map<String, Value>, name: &str, path: &str) -> Result<Params, WireError> {
    match map.get(name) {
        None | Some(Value::Null) => Ok(Params::default()),
        Some(Value::Object(inner)) => Ok(Params::new(inner.clone())),
        Some(_) => Err(field(&format!("{path}.{name}"), "an object")),
    }
}
