//! The schema of log lines, read from the tables of `docs/reference/logs.md` itself.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

/// The schema, as the document's tables give it: members of a line, of its span, and each message's own fields.
pub(super) struct Schema {
    line: Map<String, Value>,
    span: Map<String, Value>,
    pub(super) events: BTreeMap<String, Event>,
}

pub(super) struct Event {
    pub(super) level: String,
    target: String,
    pub(super) fields: Map<String, Value>,
}

/// The cells of the table's rows under `heading`, without the backticks around names.
fn table(document: &str, heading: &str) -> Vec<Vec<String>> {
    let section = document
        .split("\n## ")
        .find(|section| section.starts_with(heading))
        .unwrap_or_else(|| panic!("no section {heading}"));
    let rows = section.lines().filter(|line| line.starts_with("| "));
    let cells = |row: &str| {
        row.trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    rows.skip(1).map(cells).collect()
}

fn plain(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

/// `name type`, comma by comma.
fn fields(cell: &str) -> Map<String, Value> {
    cell.split(", ")
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, kind) = part
                .split_once("` ")
                .unwrap_or_else(|| panic!("no type: {part}"));
            (name.trim_matches('`').to_owned(), json!(kind))
        })
        .collect()
}

impl Schema {
    pub(super) fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/logs.md");
        let document = std::fs::read_to_string(path).unwrap();
        let members = |heading| {
            let rows = table(&document, heading);
            rows.iter()
                .map(|row| (plain(&row[0]), json!(row[1])))
                .collect()
        };
        let events = table(&document, "Events").into_iter().map(|row| {
            let event = Event {
                level: row[1].clone(),
                target: plain(&row[2]),
                fields: fields(&row[3]),
            };
            (plain(&row[0]), event)
        });
        Self {
            line: members("Every line"),
            span: members("The span"),
            events: events.collect(),
        }
    }

    pub(super) fn check(&self, line: &Value) -> Result<(), String> {
        let mut line = line.as_object().ok_or("not an object")?.clone();
        let span = line.remove("span");
        if let Some(span) = &span {
            exactly(span.as_object().ok_or("the span is no object")?, &self.span)?;
        }
        let message = line["message"].as_str().ok_or("the message is no text")?;
        let event = self
            .events
            .get(message)
            .ok_or_else(|| format!("message `{message}` is not documented"))?;
        let allowed: Vec<&str> = event.level.split(" or ").collect();
        if !allowed.contains(&line["level"].as_str().unwrap_or_default()) {
            return Err(format!("level is not {}", event.level));
        }
        if !line["target"]
            .as_str()
            .unwrap_or_default()
            .starts_with(&event.target)
        {
            return Err(format!("target is not {}", event.target));
        }
        let mut expected = self.line.clone();
        expected.remove("span");
        expected.extend(event.fields.clone());
        exactly(&line, &expected)
    }
}

/// The same names, and of each the type that is documented; one that ends in `?` may be missing.
fn exactly(found: &Map<String, Value>, documented: &Map<String, Value>) -> Result<(), String> {
    for (name, kind) in documented {
        let may_be_missing = kind.as_str().is_some_and(|kind| kind.ends_with('?'));
        if !may_be_missing && !found.contains_key(name) {
            return Err(format!("`{name}` is missing"));
        }
    }
    for (name, value) in found {
        let kind = documented
            .get(name)
            .and_then(Value::as_str)
            .ok_or_else(|| format!("`{name}` is not documented"))?;
        if !is_of(kind, value) {
            return Err(format!("`{name}` is no {kind}: {value}"));
        }
    }
    Ok(())
}

fn is_of(kind: &str, value: &Value) -> bool {
    let text = value.as_str();
    match kind.trim_end_matches('?') {
        "text" => text.is_some(),
        "number" => value.as_u64().is_some(),
        "time" => {
            text.is_some_and(|text| fractal_core::Timestamp::try_from(text.to_owned()).is_ok())
        }
        "level" => matches!(text, Some("DEBUG" | "INFO" | "WARN" | "ERROR")),
        other => panic!("the document uses an unknown type: {other}"),
    }
}
