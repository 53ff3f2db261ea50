//! Types and merge keys: what go-yaml makes of a scalar with a tag, and of `<<`.

use granit_parser::{Event, ScalarStyle, Span, Tag};
use serde_json::{Map, Value};

use super::{YamlError, scalar};

/// The key that merges.
const MERGE: &str = "<<";

pub(super) fn is_merge(event: &Event<'_>) -> bool {
    matches!(event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == MERGE)
}

/// go-yaml 2 merges where the key stands: what was written before it is overridden. Of several mappings the first wins.
pub(super) fn merge(
    map: &mut Map<String, Value>,
    merged: Value,
    span: Span,
) -> Result<(), YamlError> {
    match merged {
        Value::Object(merged) => map.extend(merged),
        Value::Array(items) => {
            for item in items.into_iter().rev() {
                let Value::Object(merged) = item else {
                    return Err(merge_error(span));
                };
                map.extend(merged);
            }
        }
        _ => return Err(merge_error(span)),
    }
    Ok(())
}

fn merge_error(span: Span) -> YamlError {
    YamlError::syntax("`<<` merges mappings only", span)
}

pub(super) fn resolved(text: &str, span: Span) -> Result<Value, YamlError> {
    scalar::resolve(text).map_err(|scalar::NotFinite| {
        YamlError::syntax("a number that JSON cannot say; write it in quotes", span)
    })
}

/// A scalar with one of the core tags; any other is a type that Kubernetes does not know.
pub(super) fn tagged(tag: &Tag, text: &str, span: Span) -> Result<Value, YamlError> {
    let Some(kind) = tag.core_suffix() else {
        return Err(foreign_tag(span));
    };
    if kind == "str" {
        return Ok(Value::String(text.to_owned()));
    }
    let value = resolved(text, span)?;
    let fits = match kind {
        "null" => value.is_null(),
        "bool" => value.is_boolean(),
        "int" => value.is_i64() || value.is_u64(),
        "float" => value.is_number(),
        _ => false,
    };
    if fits {
        Ok(value)
    } else {
        Err(YamlError::syntax(
            format!("the scalar is no `!!{kind}`"),
            span,
        ))
    }
}

pub(super) fn expect_tag(tag: Option<&Tag>, kind: &str, span: Span) -> Result<(), YamlError> {
    match tag {
        None => Ok(()),
        Some(tag) if tag.is_yaml_core_schema_tag(kind) => Ok(()),
        Some(_) => Err(foreign_tag(span)),
    }
}

fn foreign_tag(mut span: Span) -> YamlError {
    span.start = span.tag_start.unwrap_or(span.start);
    YamlError::syntax("a tag that is none of YAML's core types", span)
}
