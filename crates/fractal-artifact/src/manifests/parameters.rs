//! The parameters file: one entry of values for each environment.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::error::{EnvironmentProblem, ManifestError};
use super::yaml::{self, Scalars};

/// Largest parameters file taken, in bytes.
pub const PARAMETERS_BYTES_MAX: usize = 256 * 1024;
/// Most parameters of one environment.
pub const PARAMETERS_MAX: usize = 256;

/// The environments that a parameters file, name and text, has an entry for: each once, in the file's order.
///
/// # Errors
/// Where the file cannot be read: no YAML, beyond a limit, or of another form.
pub fn environments(parameters: (&str, &str)) -> Result<Vec<String>, ManifestError> {
    let (file, text) = parameters;
    let parameters = Parameters::parse(file, text)?;
    let mut seen = BTreeSet::new();
    let names = parameters.entries.into_iter().map(|it| it.environment);
    Ok(names.filter(|name| seen.insert(name.clone())).collect())
}

/// A parameters file that has been read. Every value is the text that is written there.
pub(super) struct Parameters<'a> {
    file: &'a str,
    entries: Vec<Entry>,
}

/// The values of one environment.
pub(super) struct Entry {
    pub(super) environment: String,
    pub(super) values: Map<String, Value>,
}

impl<'a> Parameters<'a> {
    pub(super) fn parse(file: &'a str, text: &str) -> Result<Self, ManifestError> {
        if text.len() > PARAMETERS_BYTES_MAX {
            return Err(ManifestError::Budget {
                file: file.to_owned(),
                what: format!("{} bytes", text.len()),
                line: 1,
                max: PARAMETERS_BYTES_MAX,
            });
        }
        let documents = yaml::text(text)
            .and_then(|text| yaml::documents(text, Scalars::Verbatim))
            .map_err(|source| ManifestError::yaml(file, source))?;
        let mut documents = documents.into_iter();
        let entries = match (documents.next(), documents.next()) {
            (Some(document), None) => entries(document.value),
            _ => Err(form("one document, with `environments`")),
        };
        entries
            .map(|entries| Self { file, entries })
            .map_err(|problem| problem.in_file(file))
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The values of the one entry with exactly this name.
    pub(super) fn of(&self, environment: &str) -> Result<&Map<String, Value>, ManifestError> {
        self.find(environment)
            .map_err(|problem| problem.in_file(self.file))
    }

    fn find(&self, environment: &str) -> Result<&Map<String, Value>, EnvironmentProblem> {
        let mut found = None;
        for entry in &self.entries {
            if entry.environment == environment {
                if found.replace(entry).is_some() {
                    let environment = environment.to_owned();
                    return Err(EnvironmentProblem::Twice { environment });
                }
            } else if entry.environment.to_lowercase() == environment.to_lowercase() {
                return Err(EnvironmentProblem::Case {
                    environment: environment.to_owned(),
                    found: entry.environment.clone(),
                });
            }
        }
        found
            .map(|entry| &entry.values)
            .ok_or_else(|| EnvironmentProblem::Missing {
                environment: environment.to_owned(),
                known: self
                    .entries
                    .iter()
                    .map(|it| it.environment.clone())
                    .collect(),
            })
    }
}

impl EnvironmentProblem {
    fn in_file(self, file: &str) -> ManifestError {
        ManifestError::Environment {
            file: file.to_owned(),
            problem: self,
        }
    }
}

fn form(expected: &str) -> EnvironmentProblem {
    EnvironmentProblem::Form {
        expected: expected.to_owned(),
    }
}

fn entries(document: Value) -> Result<Vec<Entry>, EnvironmentProblem> {
    let Value::Object(mut root) = document else {
        return Err(form("a mapping with `environments`"));
    };
    match root.remove("environments") {
        Some(Value::Array(items)) => items.into_iter().map(entry).collect(),
        _ => Err(form("`environments` as a list")),
    }
}

fn entry(item: Value) -> Result<Entry, EnvironmentProblem> {
    let Value::Object(mut item) = item else {
        return Err(form(
            "mappings with `name` and `parameters` under `environments`",
        ));
    };
    let environment = match item.remove("name") {
        Some(Value::String(name)) => name,
        _ => return Err(form("a text as the `name` of each environment")),
    };
    let values = match item.remove("parameters") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(values)) => values,
        Some(_) => return Err(form("a mapping as the `parameters` of each environment")),
    };
    if values.len() > PARAMETERS_MAX {
        return Err(EnvironmentProblem::TooMany {
            environment,
            found: values.len(),
            max: PARAMETERS_MAX,
        });
    }
    let nested = values
        .iter()
        .find_map(|(name, value)| Some((name.clone(), nested(value)?)));
    match nested {
        None => Ok(Entry {
            environment,
            values,
        }),
        Some((name, what)) => Err(EnvironmentProblem::Value {
            environment,
            name,
            what,
        }),
    }
}

const fn nested(value: &Value) -> Option<&'static str> {
    match value {
        Value::Array(_) => Some("a list"),
        Value::Object(_) => Some("a mapping"),
        Value::Null | Value::Bool(_) | Value::Number(_) => Some("nothing"),
        Value::String(_) => None,
    }
}
