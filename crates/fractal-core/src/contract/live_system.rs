//! Live systems: named sets of components in one environment.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::component::{Component, ComponentId, IdError, id};
use super::environment::Environment;

/// Longest live system id, in characters, decoded.
const ID_MAX: usize = 512;

id!(
    /// `<OwnerType>/<ownerId>/<boundedContext>/<name>`, each segment percent-decoded.
    LiveSystemId, check
);

fn check(text: &str) -> Result<(), IdError> {
    let what = "live system id";
    if text.is_empty() || text.len() > ID_MAX {
        return Err(IdError::new(
            what,
            text,
            format!("must have 1 to {ID_MAX} characters"),
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(IdError::new(what, text, "holds a control character"));
    }
    if text.split('/').any(|segment| matches!(segment, "." | "..")) || text.ends_with('/') {
        return Err(IdError::new(
            what,
            text,
            "has an empty last segment, `.` or `..`",
        ));
    }
    Ok(())
}

impl LiveSystemId {
    /// Reads an id whose segments may be percent-encoded, as SDKs since 2.4.4 send it.
    ///
    /// # Errors
    /// Where an escape is malformed or the decoded id is no live system id.
    pub fn decode(text: &str) -> Result<Self, IdError> {
        let segments: Option<Vec<String>> = text.split('/').map(percent_decode).collect();
        let segments = segments.ok_or_else(|| {
            IdError::new("live system id", text, "has a malformed percent escape")
        })?;
        if segments.iter().any(|segment| segment.contains('/')) {
            return Err(IdError::new(
                "live system id",
                text,
                "has an encoded slash within a segment",
            ));
        }
        segments.join("/").parse()
    }
}

fn percent_decode(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let hex = std::str::from_utf8(tail.get(..2)?).ok()?;
            // The number parser would take a sign.
            hex.bytes()
                .all(|byte| byte.is_ascii_hexdigit())
                .then_some(())?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            rest = tail.get(2..)?;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

/// A live system in canonical form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveSystem {
    /// Its id.
    pub id: LiveSystemId,
    /// The fractal (blueprint) it is an instance of.
    #[serde(default)]
    pub fractal_id: String,
    /// Its environment.
    pub environment: Environment,
    /// Its components.
    pub components: BTreeMap<ComponentId, Component>,
}
