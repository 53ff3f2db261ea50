//! Request shapes with their constraints, and the error the service writes when one is not met. What the members mean is not known here.

use serde_json::Value;

use super::ApiError;

/// A regular expression as the description writes it, and a function that matches it.
pub(super) type Pattern = (&'static str, fn(&str) -> bool);

/// A type of the API description.
pub(super) enum Shape {
    Text {
        min: usize,
        max: usize,
        pattern: Option<Pattern>,
    },
    Integer {
        min: i64,
        max: i64,
    },
    Number {
        min: f64,
        max: f64,
    },
    Boolean,
    /// Base64, checked where it is decoded.
    Blob,
    Enum(&'static [&'static str]),
    List {
        min: usize,
        max: usize,
        item: &'static Self,
    },
    Map {
        key: &'static Self,
        value: &'static Self,
    },
    Structure(&'static [Member]),
}

pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) shape: &'static Shape,
}

/// Checks a value against a shape: a wrong JSON type is a serialization error, everything else one list of violations.
pub(super) fn check(shape: &Shape, value: &Value) -> Result<(), ApiError> {
    let mut violations = Vec::new();
    walk(shape, value, "", &mut violations)?;
    if violations.is_empty() {
        return Ok(());
    }
    let plural = if violations.len() == 1 { "" } else { "s" };
    let message = format!(
        "{} validation error{plural} detected: {}",
        violations.len(),
        violations.join("; ")
    );
    Err(ApiError::new(400, "ValidationException", message))
}

/// Checks one text that came by path or query.
pub(super) fn check_text(shape: &Shape, text: &str, at: &str) -> Result<(), ApiError> {
    let mut violations = Vec::new();
    walk(shape, &Value::from(text), at, &mut violations)?;
    match violations.first() {
        None => Ok(()),
        Some(first) => Err(ApiError::new(
            400,
            "ValidationException",
            format!("1 validation error detected: {first}"),
        )),
    }
}

fn walk(
    shape: &Shape,
    value: &Value,
    at: &str,
    violations: &mut Vec<String>,
) -> Result<(), ApiError> {
    let broken = match (shape, value) {
        (Shape::Text { min, max, pattern }, Value::String(text)) => {
            text_rules(text, *min, *max, *pattern)
        }
        (Shape::Enum(members), Value::String(text)) if !members.contains(&text.as_str()) => {
            vec![format!(
                "Member must satisfy enum value set: [{}]",
                members.join(", ")
            )]
        }
        (Shape::Integer { min, max }, Value::Number(number)) => bounds(
            "value",
            number.as_i64().ok_or_else(|| unexpected(at))?,
            *min,
            *max,
        ),
        (Shape::Number { min, max }, Value::Number(number)) => {
            let inside = number
                .as_f64()
                .is_some_and(|number| (*min..=*max).contains(&number));
            if inside {
                Vec::new()
            } else {
                vec![format!("Member must have value between {min} and {max}")]
            }
        }
        (Shape::Enum(_) | Shape::Blob, Value::String(_)) | (Shape::Boolean, Value::Bool(_)) => {
            Vec::new()
        }
        (Shape::List { min, max, item }, Value::Array(items)) => {
            for (index, each) in items.iter().enumerate() {
                walk(
                    item,
                    each,
                    &format!("{at}.{}.member", index.saturating_add(1)),
                    violations,
                )?;
            }
            bounds("length", items.len(), *min, *max)
        }
        (Shape::Map { key, value: shape }, Value::Object(pairs)) => {
            for (name, each) in pairs {
                walk(key, &Value::from(name.as_str()), at, violations)?;
                walk(shape, each, &format!("{at}.{name}.member"), violations)?;
            }
            Vec::new()
        }
        (Shape::Structure(members), Value::Object(_)) => {
            return walk_members(members, value, at, violations);
        }
        _ => return Err(unexpected(at)),
    };
    let shown = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    let written = |constraint| {
        format!("Value '{shown}' at '{at}' failed to satisfy constraint: {constraint}")
    };
    violations.extend(broken.into_iter().map(written));
    Ok(())
}

fn text_rules(text: &str, min: usize, max: usize, pattern: Option<Pattern>) -> Vec<String> {
    let mut broken = bounds("length", text.chars().count(), min, max);
    let unmatched = pattern.filter(|(_, matches)| !matches(text));
    broken.extend(
        unmatched.map(|(written, _)| {
            format!("Member must satisfy regular expression pattern: {written}")
        }),
    );
    broken
}

fn bounds<T: PartialOrd + std::fmt::Display>(what: &str, is: T, min: T, max: T) -> Vec<String> {
    let low = (is < min).then(|| format!("Member must have {what} greater than or equal to {min}"));
    let high = (is > max).then(|| format!("Member must have {what} less than or equal to {max}"));
    low.into_iter().chain(high).collect()
}

fn walk_members(
    members: &[Member],
    value: &Value,
    at: &str,
    violations: &mut Vec<String>,
) -> Result<(), ApiError> {
    for member in members {
        let path = if at.is_empty() {
            camel(member.name)
        } else {
            format!("{at}.{}", camel(member.name))
        };
        match value.get(member.name) {
            None | Some(Value::Null) if member.required => {
                violations.push(format!(
                    "Value null at '{path}' failed to satisfy constraint: Member must not be null"
                ));
            }
            None | Some(Value::Null) => {}
            Some(inner) => walk(member.shape, inner, &path, violations)?,
        }
    }
    Ok(())
}

fn unexpected(at: &str) -> ApiError {
    ApiError::new(
        400,
        "SerializationException",
        format!("Unexpected type of value at '{at}'"),
    )
}

fn camel(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}
