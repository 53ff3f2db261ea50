//! Documents from events: values, anchors, merge keys, and the limits on what they may become.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use granit_parser::{Event, ScalarStyle, Span, Tag};
use serde_json::{Map, Value};

use super::{
    ALIAS_BYTES_MAX, DEPTH_MAX, DOCUMENTS_MAX, Document, Events, NODES_MAX, Scalars, YamlError,
    scalar,
};

/// What a mapping counts: the smallest one takes as much memory as several scalars.
const MAPPING_NODES: usize = 3;
/// The key that merges.
const MERGE: &str = "<<";

/// The documents of a file, empty ones left out.
pub(crate) fn documents(text: &str, scalars: Scalars) -> Result<Vec<Document>, YamlError> {
    let mut reader = Reader {
        events: Events::of(text),
        scalars,
        nodes: 0,
        copied: 0,
        anchors: HashMap::new(),
    };
    let mut documents = Vec::new();
    let mut count = 0_usize;
    loop {
        let (event, span) = reader.events.next()?;
        match event {
            Event::StreamEnd => return Ok(documents),
            Event::DocumentStart(..) => {
                count += 1;
                if count > DOCUMENTS_MAX {
                    return Err(YamlError::budget("more documents", DOCUMENTS_MAX, span));
                }
                documents.extend(reader.document()?);
            }
            _ => {}
        }
    }
}

struct Reader<'a> {
    events: Events<'a>,
    scalars: Scalars,
    nodes: usize,
    copied: usize,
    anchors: HashMap<usize, Anchor>,
}

/// What an alias stands for. It is absent while its node is being read: a node cannot hold itself.
struct Anchor {
    value: Value,
    size: Size,
}

#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

/// A value with what it takes to repeat it.
struct Node {
    value: Value,
    size: Size,
}

impl Size {
    fn add(&mut self, child: Self) {
        self.nodes += child.nodes;
        self.bytes += child.bytes;
        self.depth = self.depth.max(child.depth + 1);
    }
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Option<Document>, YamlError> {
        self.anchors.clear();
        let (event, span) = self.events.next()?;
        let line = span.start.line();
        let node = self.node(event, span, 0)?;
        Ok((!node.value.is_null()).then_some(Document {
            value: node.value,
            line,
        }))
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, YamlError> {
        if depth > DEPTH_MAX {
            return Err(YamlError::budget("deeper nesting", DEPTH_MAX, span));
        }
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(1, span)?;
                (anchor, self.scalar(&text, style, tag.as_deref(), span)?)
            }
            Event::SequenceStart(_, anchor, tag) => {
                expect_tag(tag.as_deref(), "seq", span)?;
                (anchor, self.sequence(span, depth)?)
            }
            Event::MappingStart(_, anchor, tag) => {
                expect_tag(tag.as_deref(), "map", span)?;
                (anchor, self.mapping(span, depth)?)
            }
            Event::Alias(id) => return self.alias(id, span, depth),
            _ => return Err(YamlError::syntax("a node is missing", span)),
        };
        if anchor != 0 {
            self.copy(node.size, span)?;
            let value = node.value.clone();
            let size = node.size;
            self.anchors.insert(anchor, Anchor { value, size });
        }
        Ok(node)
    }

    fn scalar(
        &self,
        text: &Cow<'a, str>,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<Node, YamlError> {
        let size = Size {
            nodes: 1,
            bytes: text.len(),
            depth: 0,
        };
        let value = match (self.scalars, tag, style) {
            (Scalars::Resolved, Some(tag), _) => tagged(tag, text, span)?,
            (Scalars::Verbatim, Some(tag), _) => {
                tagged(tag, text, span)?;
                Value::String(text.to_string())
            }
            (_, None, style) if style != ScalarStyle::Plain => Value::String(text.to_string()),
            (Scalars::Resolved, None, _) => resolved(text, span)?,
            (Scalars::Verbatim, None, _) => match text.as_ref() {
                "" | "~" | "null" | "Null" | "NULL" => Value::Null,
                text => Value::String(text.to_owned()),
            },
        };
        Ok(Node { value, size })
    }

    fn sequence(&mut self, span: Span, depth: usize) -> Result<Node, YamlError> {
        self.count(1, span)?;
        let mut size = Size {
            nodes: 1,
            ..Size::default()
        };
        let mut items = Vec::new();
        loop {
            let (event, span) = self.events.next()?;
            if matches!(event, Event::SequenceEnd) {
                let value = Value::Array(items);
                return Ok(Node { value, size });
            }
            let item = self.node(event, span, depth + 1)?;
            size.add(item.size);
            items.push(item.value);
        }
    }

    fn mapping(&mut self, span: Span, depth: usize) -> Result<Node, YamlError> {
        self.count(MAPPING_NODES, span)?;
        let mut size = Size {
            nodes: MAPPING_NODES,
            ..Size::default()
        };
        let mut map = Map::new();
        // Keys written here, kept once something was merged: those may be written again, these may not.
        let mut written: Option<HashSet<String>> = None;
        loop {
            let (event, span) = self.events.next()?;
            if matches!(event, Event::MappingEnd) {
                let value = Value::Object(map);
                return Ok(Node { value, size });
            }
            if is_merge(&event) {
                self.count(1, span)?;
                written.get_or_insert_with(|| map.keys().cloned().collect());
                let merged = self.next_node(depth)?;
                size.add(merged.size);
                merge(&mut map, merged.value, span)?;
                continue;
            }
            let key = self.key(event, span, &mut size)?;
            let node = self.next_node(depth)?;
            size.add(node.size);
            let again = match &mut written {
                None => map.contains_key(&key),
                Some(written) => !written.insert(key.clone()),
            };
            if again {
                let problem = format!(
                    "the key {} is there twice",
                    super::super::error::shown(&key)
                );
                return Err(YamlError::syntax(problem, span));
            }
            map.insert(key, node.value);
        }
    }

    fn next_node(&mut self, depth: usize) -> Result<Node, YamlError> {
        let (event, span) = self.events.next()?;
        self.node(event, span, depth + 1)
    }

    fn key(&mut self, event: Event<'a>, span: Span, size: &mut Size) -> Result<String, YamlError> {
        let node = self.node(event, span, 0)?;
        size.nodes += node.size.nodes;
        size.bytes += node.size.bytes;
        scalar::key(node.value)
            .ok_or_else(|| YamlError::syntax("a key that is no text; write it in quotes", span))
    }

    fn alias(&mut self, id: usize, span: Span, depth: usize) -> Result<Node, YamlError> {
        let Some(size) = self.anchors.get(&id).map(|anchor| anchor.size) else {
            let problem = "an alias stands within what it repeats";
            return Err(YamlError::syntax(problem, span));
        };
        if depth + size.depth > DEPTH_MAX {
            return Err(YamlError::budget("deeper nesting", DEPTH_MAX, span));
        }
        self.copy(size, span)?;
        let value = self.anchors.get(&id).map(|anchor| anchor.value.clone());
        let value = value.unwrap_or_default();
        Ok(Node { value, size })
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), YamlError> {
        self.nodes += nodes;
        if self.nodes > NODES_MAX {
            return Err(YamlError::budget("more nodes", NODES_MAX, span));
        }
        Ok(())
    }

    /// Counts what is about to be repeated.
    fn copy(&mut self, size: Size, span: Span) -> Result<(), YamlError> {
        self.count(size.nodes, span)?;
        self.copied += size.bytes;
        if self.copied > ALIAS_BYTES_MAX {
            let what = "more bytes repeated by anchors and aliases";
            return Err(YamlError::budget(what, ALIAS_BYTES_MAX, span));
        }
        Ok(())
    }
}

fn is_merge(event: &Event<'_>) -> bool {
    matches!(event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == MERGE)
}

/// go-yaml 2 merges where the key stands: what was written before it is overridden. Of several mappings the first wins.
fn merge(map: &mut Map<String, Value>, merged: Value, span: Span) -> Result<(), YamlError> {
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

fn resolved(text: &str, span: Span) -> Result<Value, YamlError> {
    scalar::resolve(text).map_err(|scalar::NotFinite| {
        YamlError::syntax("a number that JSON cannot say; write it in quotes", span)
    })
}

/// A scalar with one of the core tags; any other is a type that Kubernetes does not know.
fn tagged(tag: &Tag, text: &str, span: Span) -> Result<Value, YamlError> {
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

fn expect_tag(tag: Option<&Tag>, kind: &str, span: Span) -> Result<(), YamlError> {
    match tag {
        None => Ok(()),
        Some(tag) if tag.is_yaml_core_schema_tag(kind) => Ok(()),
        Some(_) => Err(foreign_tag(span)),
    }
}

fn foreign_tag(span: Span) -> YamlError {
    YamlError::syntax("a tag that is none of YAML's core types", span)
}
