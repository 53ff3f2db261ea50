//! Nested parameters, read with their full path in every message.

use fractal_core::contract::{ParamError, Params};
use serde_json::{Map, Value, json};

/// An object somewhere below a parameter.
pub(super) struct Fields<'a> {
    place: String,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(place: &str, value: &'a Value) -> Result<Self, ParamError> {
        match value {
            Value::Object(map) => Ok(Self {
                place: place.to_owned(),
                map,
            }),
            other => Err(ParamError::new(place, "an object", other)),
        }
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// A field; null counts as absent.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn nested(&self, key: &str) -> Result<Self, ParamError> {
        let value = self.get(key).unwrap_or(&Value::Null);
        Self::of(&self.path(key), value)
    }

    /// A text that has to be there.
    pub(super) fn text(&self, key: &str) -> Result<&'a str, ParamError> {
        match self.get(key) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text),
            other => Err(ParamError::new(
                &self.path(key),
                "a text",
                other.unwrap_or(&Value::Null),
            )),
        }
    }

    /// A text, or a number or boolean as its text; nothing is the empty text.
    pub(super) fn plain(&self, key: &str) -> Result<String, ParamError> {
        match self.get(key) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(value.to_string()),
            Some(other) => Err(ParamError::new(&self.path(key), "a text", other)),
        }
    }

    /// Yes or no, as a boolean or as the text some clients send.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, ParamError> {
        Params::new(self.map.clone())
            .flag(key)
            .map_err(|_| ParamError::new(&self.path(key), "true or false", &self.raw(key)))
    }

    /// Items of a list; nothing is the empty list.
    pub(super) fn list(&self, key: &str) -> Result<&'a [Value], ParamError> {
        items(self.get(key), &self.path(key))
    }

    fn raw(&self, key: &str) -> Value {
        self.map.get(key).cloned().unwrap_or_default()
    }

    fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.place)
    }
}

/// A parameter that is a list; nothing is the empty list.
pub(super) fn list<'a>(params: &'a Params, name: &str) -> Result<&'a [Value], ParamError> {
    items(params.get(name), name)
}

/// `imagePullSecrets`: names of Secrets, each a text or `{name}`.
pub(super) fn pull_secrets(params: &Params) -> Result<Vec<String>, ParamError> {
    const PARAMETER: &str = "imagePullSecrets";
    let one = |(index, item): (usize, &Value)| {
        let place = format!("{PARAMETER}[{index}]");
        match item {
            Value::String(name) if !name.is_empty() => Ok(name.clone()),
            Value::Object(_) => Ok(Fields::of(&place, item)?.text("name")?.to_owned()),
            other => Err(ParamError::new(&place, "the name of a Secret", other)),
        }
    };
    list(params, PARAMETER)?
        .iter()
        .enumerate()
        .map(one)
        .collect()
}

/// `{name}`, as Kubernetes refers to an object of the same namespace.
pub(super) fn reference(fields: &Fields<'_>, key: &str) -> Result<Value, ParamError> {
    Ok(json!({ "name": fields.nested(key)?.text("name")? }))
}

fn items<'a>(value: Option<&'a Value>, place: &str) -> Result<&'a [Value], ParamError> {
    match value {
        None => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(other) => Err(ParamError::new(place, "a list", other)),
    }
}
