//! Documents from events: values, anchors, merge keys, and the limits on what they may become.

use std::collections::{HashMap, HashSet};

use granit_parser::{Event, ScalarStyle, Span, StructureStyle, Tag};
use serde_json::{Map, Value};

use super::super::error::shown;
use super::budget::{Budget, MAPPING_NODES, Size};
use super::source::Source;
use super::typed::{expect_tag, is_merge, merge, resolved, tagged};
use super::{DEPTH_MAX, DOCUMENTS_MAX, Document, Events, Scalars, YamlError, scalar};

/// The documents of a file, empty ones left out.
pub(crate) fn documents(text: &str, scalars: Scalars) -> Result<Vec<Document>, YamlError> {
    let mut reader = Reader {
        events: Events::of(text),
        source: Source::of(text),
        flow: false,
        scalars,
        budget: Budget::default(),
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
    source: Source<'a>,
    /// Whether the node being read is within `[]` or `{}`.
    flow: bool,
    scalars: Scalars,
    budget: Budget,
    anchors: HashMap<usize, Anchor>,
}

/// What an alias stands for. It is absent while its node is being read: a node cannot hold itself.
struct Anchor {
    value: Value,
    size: Size,
}

/// A value with what it takes to repeat it.
struct Node {
    value: Value,
    size: Size,
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
        if let Some(doubt) = self.source.doubt(&event, span, self.flow) {
            return Err(YamlError::syntax(doubt, span));
        }
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.budget.count(1, span)?;
                (anchor, self.scalar(&text, style, tag.as_deref(), span)?)
            }
            Event::SequenceStart(style, anchor, tag) => {
                expect_tag(tag.as_deref(), "seq", span)?;
                let outer = self.enter(style);
                let node = self.sequence(span, depth)?;
                self.flow = outer;
                (anchor, node)
            }
            Event::MappingStart(style, anchor, tag) => {
                expect_tag(tag.as_deref(), "map", span)?;
                let outer = self.enter(style);
                let node = self.mapping(span, depth)?;
                self.flow = outer;
                (anchor, node)
            }
            Event::Alias(id) => return self.alias(id, span, depth),
            _ => return Err(YamlError::syntax("a node is missing", span)),
        };
        if anchor != 0 {
            self.budget.repeat(node.size, span)?;
            let value = node.value.clone();
            let size = node.size;
            self.anchors.insert(anchor, Anchor { value, size });
        }
        Ok(node)
    }

    /// Notes the style of the collection that is being read; gives back that of the outer one.
    fn enter(&mut self, style: StructureStyle) -> bool {
        std::mem::replace(&mut self.flow, style == StructureStyle::Flow)
    }

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<Node, YamlError> {
        let text = self.source.said(text, style, span);
        let size = Size::new(1, text.len());
        let value = match (self.scalars, tag, style) {
            (Scalars::Resolved, Some(tag), _) => tagged(tag, text, span)?,
            (Scalars::Verbatim, Some(tag), _) => {
                tagged(tag, text, span)?;
                Value::String(text.to_owned())
            }
            (_, None, style) if style != ScalarStyle::Plain => Value::String(text.to_owned()),
            (Scalars::Resolved, None, _) => resolved(text, span)?,
            (Scalars::Verbatim, None, _) => match text {
                "" | "~" | "null" | "Null" | "NULL" => Value::Null,
                text => Value::String(text.to_owned()),
            },
        };
        Ok(Node { value, size })
    }

    fn sequence(&mut self, span: Span, depth: usize) -> Result<Node, YamlError> {
        self.budget.count(1, span)?;
        let mut size = Size::new(1, 0);
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
        self.budget.count(MAPPING_NODES, span)?;
        let mut size = Size::new(MAPPING_NODES, 0);
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
                self.budget.count(1, span)?;
                written.get_or_insert_with(|| map.keys().cloned().collect());
                let merged = self.next_node(depth)?;
                size.add(merged.size);
                merge(&mut map, merged.value, span)?;
                continue;
            }
            let (key, key_size) = self.key(event, span, depth)?;
            let node = self.next_node(depth)?;
            size.add(key_size);
            size.add(node.size);
            let again = match &mut written {
                None => map.contains_key(&key),
                Some(written) => !written.insert(key.clone()),
            };
            if again {
                let problem = format!("the key {} is there twice", shown(&key));
                return Err(YamlError::syntax(problem, span));
            }
            map.insert(key, node.value);
        }
    }

    fn next_node(&mut self, depth: usize) -> Result<Node, YamlError> {
        let (event, span) = self.events.next()?;
        self.node(event, span, depth + 1)
    }

    fn key(
        &mut self,
        event: Event<'a>,
        span: Span,
        depth: usize,
    ) -> Result<(String, Size), YamlError> {
        if let Some(doubt) = self.source.key_doubt(&event, span, self.flow) {
            return Err(YamlError::syntax(doubt, span));
        }
        let node = self.node(event, span, depth + 1)?;
        let key = scalar::key(node.value)
            .ok_or_else(|| YamlError::syntax("a key that is no text; write it in quotes", span))?;
        Ok((key, node.size))
    }

    fn alias(&mut self, id: usize, span: Span, depth: usize) -> Result<Node, YamlError> {
        let Some(size) = self.anchors.get(&id).map(|anchor| anchor.size) else {
            let problem = "an alias stands within what it repeats";
            return Err(YamlError::syntax(problem, span));
        };
        if depth + size.depth > DEPTH_MAX {
            return Err(YamlError::budget("deeper nesting", DEPTH_MAX, span));
        }
        self.budget.repeat(size, span)?;
        let value = self.anchors.get(&id).map(|anchor| anchor.value.clone());
        let value = value.unwrap_or_default();
        Ok(Node { value, size })
    }
}
