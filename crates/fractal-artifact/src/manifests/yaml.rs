//! YAML as Kubernetes reads it. The only module that names the parser.
//!
//! The API server, `kubectl` and every tool on `sigs.k8s.io/yaml` decode through go-yaml 2, which is YAML 1.1 with exceptions.
//! What a scalar means follows that decoder (`scalar`), and so do merge keys and keys that are no texts (`reader`).
//! Where the two YAML versions see different lines, tags or keys, a document is refused instead of read in one of the two ways.
//!
//! Everything is bounded before it is built: bytes, documents, depth, and nodes after aliases.

mod budget;
mod check;
mod reader;
mod scalar;
mod shape;
mod source;
#[cfg(test)]
mod tests;
mod typed;

use granit_parser::{Event, Options, Parser, ScanError, Span, StrInput};
use serde_json::Value;

pub(super) use check::text;
pub(super) use reader::documents;
pub(super) use shape::{ShapeError, same_shape};

/// Largest file taken, in bytes, before and after substitution.
pub const BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most documents in one file.
pub const DOCUMENTS_MAX: usize = 1000;
/// Deepest nesting, aliases followed.
pub const DEPTH_MAX: usize = 64;
/// Most nodes in one file, aliases followed: a key, a scalar or a list counts one, a mapping three.
pub const NODES_MAX: usize = 100_000;
/// Most bytes of text that anchors and aliases may repeat.
pub const ALIAS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One document of a file that is not empty.
#[derive(Debug)]
pub(super) struct Document {
    /// What it says.
    pub(super) value: Value,
    /// Where it begins, from 1.
    pub(super) line: usize,
}

/// What becomes of scalars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalars {
    /// Numbers, booleans and null are told from texts.
    Resolved,
    /// Each is the text that is written, and null where nothing or `~` is.
    Verbatim,
}

/// Why a file is not read.
#[derive(Debug)]
pub(super) enum YamlError {
    /// Beyond a limit.
    Budget {
        what: String,
        line: usize,
        max: usize,
    },
    /// Malformed, or read differently by other parsers.
    Syntax {
        line: usize,
        column: usize,
        problem: String,
    },
}

impl YamlError {
    fn budget(what: &str, max: usize, span: Span) -> Self {
        Self::Budget {
            what: what.to_owned(),
            line: span.start.line(),
            max,
        }
    }

    const fn line(&self) -> usize {
        match self {
            Self::Budget { line, .. } | Self::Syntax { line, .. } => *line,
        }
    }

    fn syntax(problem: impl Into<String>, span: Span) -> Self {
        Self::Syntax {
            line: span.start.line(),
            column: span.start.col() + 1,
            problem: problem.into(),
        }
    }
}

impl From<ScanError> for YamlError {
    fn from(error: ScanError) -> Self {
        use granit_parser::ErrorKind;
        let marker = error.marker();
        match error.kind() {
            ErrorKind::RecursionLimitExceeded => Self::Budget {
                what: "deeper nesting".into(),
                line: marker.line(),
                max: DEPTH_MAX,
            },
            _ => Self::Syntax {
                line: marker.line(),
                column: marker.col() + 1,
                problem: error.info(),
            },
        }
    }
}

/// The parser's events.
struct Events<'a>(Parser<'a, StrInput<'a>>);

impl<'a> Events<'a> {
    fn of(text: &'a str) -> Self {
        let mut options = Options::default();
        // go-yaml takes version 1.1 only, and a `%TAG` would rename the tags that are checked.
        options.disallow_directives = true;
        options.flow_nesting_limit = DEPTH_MAX;
        options.block_nesting_limit = DEPTH_MAX;
        options.set_emit_comments(false);
        Self(Parser::new_from_str_with_options(text, options))
    }

    /// The next event. The end of the stream repeats, so that no caller waits for more.
    fn next(&mut self) -> Result<(Event<'a>, Span), YamlError> {
        match self.0.next_event() {
            Some(event) => Ok(event?),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }
}
