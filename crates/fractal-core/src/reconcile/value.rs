//! Setting values, some of which must never be seen.

use std::fmt;

use serde::{Serialize, Serializer};

/// A setting's value. A sealed one is compared by its bytes and shows only its name and version.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Anyone may read it.
    Plain(String),
    /// A secret.
    Sealed {
        /// The secret's name in its store.
        name: String,
        /// Its version there: what a fingerprint covers.
        version: String,
        /// What is handed to the cloud and to nobody else.
        value: String,
    },
}

impl Value {
    /// The value itself: for the call to the cloud, and for comparing with what it reports.
    #[must_use]
    pub fn expose(&self) -> &str {
        match self {
            Self::Plain(value) | Self::Sealed { value, .. } => value,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(value) => f.write_str(value),
            Self::Sealed { name, version, .. } => write!(f, "<{name}@{version}>"),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(value) => write!(f, "{value:?}"),
            Self::Sealed { .. } => write!(f, "{self}"),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_shows_its_name_and_version_only() {
        let value = Value::Sealed {
            name: "db".into(),
            version: "7".into(),
            value: "hunter2".into(),
        };
        let shown = [
            format!("{value}"),
            format!("{value:?}"),
            serde_json::to_string(&value).unwrap(),
        ];
        assert_eq!(shown, ["<db@7>", "<db@7>", "\"<db@7>\""]);
        assert_eq!(value.expose(), "hunter2");
    }
}
