//! Parameters: free-form JSON from clients, read through typed, range-checked accessors.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::fault::{Fault, Reason};

/// A parameter has the wrong type, is out of range or is missing.
pub const PARAMETER_INVALID: Reason = Reason::new("ParameterInvalid");

/// A component's, link's or environment's parameters.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Params(Map<String, Value>);

/// A parameter that cannot be used as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("parameter `{name}` must be {expected}, found {found}")]
pub struct ParamError {
    name: String,
    expected: String,
    found: String,
}

impl ParamError {
    /// A parameter that is not of the form expected. A text in `found` is never repeated: it may be a secret.
    #[must_use]
    pub fn new(name: &str, expected: impl Into<String>, found: &Value) -> Self {
        Self {
            name: name.into(),
            expected: expected.into(),
            found: shape(found),
        }
    }

    /// A parameter that has to be there and is not.
    #[must_use]
    pub fn missing(name: &str, expected: &str) -> Self {
        Self {
            name: name.into(),
            expected: expected.into(),
            found: "nothing".into(),
        }
    }
}

impl From<ParamError> for Fault {
    fn from(error: ParamError) -> Self {
        let place = format!("parameters.{}", error.name);
        Self::terminal(PARAMETER_INVALID, error.to_string())
            .at(place)
            .next("correct the parameter and deploy again")
    }
}

/// What a value is, for a message: numbers as they are, texts by their length only, since one may be a secret.
fn shape(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(text) => format!("a text of {} characters", text.chars().count()),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => "an object".into(),
    }
}

impl Params {
    /// Parameters from a JSON object.
    #[must_use]
    pub const fn new(map: Map<String, Value>) -> Self {
        Self(map)
    }

    /// The raw map.
    #[must_use]
    pub const fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The raw map, to be changed by the edge.
    pub(super) const fn as_map_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.0
    }

    /// A raw value; null counts as absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text; an empty or blank one counts as absent, since clients send unset fields so.
    ///
    /// # Errors
    /// Where it is no text.
    pub fn text(&self, name: &str) -> Result<Option<&str>, ParamError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
            Some(other) => Err(ParamError::new(name, "a text", other)),
        }
    }

    /// A whole number within `range`, as a JSON number or as the decimal text some clients send.
    ///
    /// # Errors
    /// Where it is no whole number or out of range.
    pub fn integer(
        &self,
        name: &str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<i64>, ParamError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let number = match value {
            Value::String(text) if text.trim().is_empty() => return Ok(None),
            Value::String(text) => decimal(text.trim()),
            Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
            _ => None,
        };
        let expected = || format!("a whole number from {} to {}", range.start(), range.end());
        number
            .filter(|number| range.contains(number))
            .map(Some)
            .ok_or_else(|| ParamError::new(name, expected(), value))
    }

    /// A yes or no, as a JSON boolean or as the text some clients send.
    ///
    /// # Errors
    /// Where it is neither.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, ParamError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if text == "true" => Ok(Some(true)),
            Some(Value::String(text)) if text == "false" => Ok(Some(false)),
            Some(other) => Err(ParamError::new(name, "true or false", other)),
        }
    }

    /// A nested object.
    ///
    /// # Errors
    /// Where it is no object.
    pub fn object(&self, name: &str) -> Result<Option<Self>, ParamError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Self(map.clone()))),
            Some(other) => Err(ParamError::new(name, "an object", other)),
        }
    }

    /// An object whose values are texts, numbers or booleans; the latter two become their JSON text.
    ///
    /// # Errors
    /// Where it is no such object.
    pub fn text_map(&self, name: &str) -> Result<BTreeMap<String, String>, ParamError> {
        let Some(object) = self.object(name)? else {
            return Ok(BTreeMap::new());
        };
        let text = |(key, value): (String, Value)| match value {
            Value::String(text) => Ok((key, text)),
            Value::Number(_) | Value::Bool(_) => Ok((key, value.to_string())),
            other => Err(ParamError::new(&format!("{name}.{key}"), "a text", &other)),
        };
        object.0.into_iter().map(text).collect()
    }
}

/// A plain decimal: `0x10`, `1e3`, `+1` and `007` are not what a person means by a number of megabytes.
fn decimal(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// JavaScript clients send `512` as `512.0` at times.
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to be whole and exactly representable"
    )]
    let integer = || number as i64;
    (number.fract() == 0.0 && number.abs() <= EXACT).then(integer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(json: &str) -> Params {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn numbers_are_taken_as_numbers_and_as_decimal_text() {
        let p = params(r#"{"a":512,"b":"512","c":512.0,"d":"","e":null}"#);
        for name in ["a", "b", "c"] {
            assert_eq!(p.integer(name, 128..=10240), Ok(Some(512)), "{name}");
        }
        for name in ["d", "e", "missing"] {
            assert_eq!(p.integer(name, 128..=10240), Ok(None), "{name}");
        }
    }

    #[test]
    fn r17_odd_numbers_are_refused_with_the_range() {
        let p = params(r#"{"a":-1,"b":1e300,"c":"0x10","d":1.5,"e":true,"f":"NaN","g":10241}"#);
        for name in ["a", "b", "c", "d", "e", "f", "g"] {
            let error = p.integer(name, 128..=10240).unwrap_err();
            assert!(
                error
                    .to_string()
                    .contains("a whole number from 128 to 10240"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_text_is_never_repeated_in_an_error() {
        let p = params(r#"{"memoryMb":"hunter2"}"#);
        let error = p.integer("memoryMb", 1..=2).unwrap_err();
        assert_eq!(
            error.to_string(),
            "parameter `memoryMb` must be a whole number from 1 to 2, found a text of 7 characters"
        );
    }
}
