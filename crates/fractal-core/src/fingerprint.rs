//! Fingerprints: SHA-256 over canonical JSON, stable across processes and releases.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::artifact::Digest;

/// The hash of everything a desired state depends on. Equal fingerprints need no render, no read, no write.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(Box<str>);

impl Fingerprint {
    /// The fingerprint of a value's canonical JSON.
    ///
    /// # Errors
    /// Where the value has no JSON form: a map whose keys are no strings.
    pub fn of(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self(Digest::sha256(canonical_json(value)?).hex().into()))
    }

    /// Its 64 hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get(..12).unwrap_or(&self.0))
    }
}

/// JSON with sorted keys and no white space: equal values give equal bytes.
///
/// # Errors
/// Where the value has no JSON form: a map whose keys are no strings.
pub fn canonical_json(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&sorted(serde_json::to_value(value)?))
}

/// Sorts keys itself: a dependency may switch on insertion-ordered maps for the whole build.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map
                .into_iter()
                .map(|(key, value)| (key, sorted(value)))
                .collect();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_order_does_not_matter_and_the_value_is_stable() {
        let a: Value = serde_json::from_str(r#"{"b":[1,{"y":1,"x":2}],"a":"t"}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{"a":"t","b":[1,{"x":2,"y":1}]}"#).unwrap();
        assert_eq!(Fingerprint::of(&a).unwrap(), Fingerprint::of(&b).unwrap());
        assert_eq!(
            canonical_json(&a).unwrap(),
            br#"{"a":"t","b":[1,{"x":2,"y":1}]}"#
        );
        // Pinned: a changed value would re-render every component of every installation on upgrade.
        assert_eq!(
            Fingerprint::of(&a).unwrap().as_str(),
            Digest::sha256(br#"{"a":"t","b":[1,{"x":2,"y":1}]}"#).hex()
        );
    }
}
