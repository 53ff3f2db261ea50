//! Where the versions of YAML, or their parsers, read one and the same text differently.
//!
//! go-yaml reads version 1.1, this parser version 1.2. Each case here was found by comparing the two.

use granit_parser::{Event, ScalarStyle, Span};

/// The text that is being read.
pub(super) struct Source<'a> {
    text: &'a str,
    end: End,
    /// Whether it has tabs at all.
    tabs: bool,
}

/// How a text ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// With a line end.
    Line,
    /// Within a line.
    Within,
    /// With blanks and no line end.
    Blanks,
}

impl End {
    fn of(text: &str) -> Self {
        let last = text.rsplit(['\n', '\r']).next().unwrap_or(text);
        match (last.is_empty(), last.trim().is_empty()) {
            (true, _) => Self::Line,
            (false, true) => Self::Blanks,
            (false, false) => Self::Within,
        }
    }
}

impl<'a> Source<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self {
            text,
            end: End::of(text),
            tabs: text.contains('\t'),
        }
    }

    /// What a scalar says. The last line of a block has a line end only if the text has one there: this parser adds it, go-yaml
    /// does not.
    pub(super) fn said<'b>(&self, text: &'b str, style: ScalarStyle, span: Span) -> &'b str {
        let added = self.end == End::Within && self.is_last_block(style, span);
        text.strip_suffix('\n').filter(|_| added).unwrap_or(text)
    }

    fn is_last_block(&self, style: ScalarStyle, span: Span) -> bool {
        matches!(style, ScalarStyle::Literal | ScalarStyle::Folded)
            && span.end.byte_offset() == Some(self.text.len())
    }

    /// Why a node cannot be read in one way only.
    pub(super) fn doubt(&self, event: &Event<'_>, span: Span, flow: bool) -> Option<&'static str> {
        if self.tabs && self.is_indented_by_tab(span) {
            return Some("a tab as indentation; use spaces");
        }
        let Event::Scalar(text, style, ..) = event else {
            return None;
        };
        if self.end == End::Blanks && self.is_last_block(*style, span) {
            return Some("a block of text that ends with blanks and no line end");
        }
        // Version 1.1 ends a plain scalar there.
        let question = flow && *style == ScalarStyle::Plain && text.contains('?');
        question.then_some("a `?` between brackets; write the text in quotes")
    }

    /// Why a key cannot be read in one way only.
    pub(super) fn key_doubt(
        &self,
        event: &Event<'_>,
        span: Span,
        flow: bool,
    ) -> Option<&'static str> {
        if span.start.line() != span.end.line() {
            return Some("a key of several lines");
        }
        // In version 1.1 the colon is a part of the key, in 1.2 it ends the key.
        (flow && self.is_glued(event, span)).then_some("a `:` without a space after it")
    }

    /// Whether a tab is among what stands before a node that is the first on its line.
    fn is_indented_by_tab(&self, span: Span) -> bool {
        let start = span.start.byte_offset();
        let before = start.and_then(|at| self.text.get(..at)).unwrap_or_default();
        let line = before.trim_end_matches([' ', '\t', '-', '?']);
        let indentation = before.get(line.len()..).unwrap_or_default();
        (line.is_empty() || line.ends_with(['\n', '\r'])) && indentation.contains('\t')
    }

    /// Whether a plain key's colon is followed by a bracket or a comma.
    fn is_glued(&self, event: &Event<'_>, span: Span) -> bool {
        let after = span.end.byte_offset().and_then(|end| self.text.get(end..));
        matches!(event, Event::Scalar(_, ScalarStyle::Plain, ..))
            && after
                .and_then(|after| after.trim_start_matches(' ').strip_prefix(':'))
                .is_some_and(|after| after.starts_with([',', ']', '}', '[', '{']))
    }
}
