//! Where the versions of YAML, or their parsers, read one and the same text differently.
//!
//! go-yaml reads version 1.1, this parser version 1.2. Each case here was found by comparing the two.

use granit_parser::{Event, ScalarStyle, Span};

/// The text that is being read.
pub(super) struct Source<'a> {
    text: &'a str,
    /// Whether it ends within a line that is not blank.
    cut: bool,
    /// Whether it has tabs at all.
    tabs: bool,
}

impl<'a> Source<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let last = text.rsplit(['\n', '\r']).next().unwrap_or(text);
        Self {
            text,
            cut: !last.trim().is_empty(),
            tabs: text.contains('\t'),
        }
    }

    /// What a block scalar says. Its last line has a line end only if the text has one there: this parser adds it, go-yaml does not.
    pub(super) fn block<'b>(&self, text: &'b str, span: Span) -> &'b str {
        let cut = self.cut && span.end.byte_offset() == Some(self.text.len());
        text.strip_suffix('\n').filter(|_| cut).unwrap_or(text)
    }

    /// Why a node cannot be read in one way only.
    pub(super) fn doubt(&self, event: &Event<'_>, span: Span, flow: bool) -> Option<&'static str> {
        if self.tabs && self.is_indented_by_tab(span) {
            return Some("a tab as indentation; use spaces");
        }
        // Version 1.1 ends a plain scalar there.
        let question = flow
            && matches!(event, Event::Scalar(text, ScalarStyle::Plain, ..) if text.contains('?'));
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
                .and_then(|after| after.strip_prefix(':'))
                .is_some_and(|after| after.starts_with([',', ']', '}', '[', '{']))
    }
}
