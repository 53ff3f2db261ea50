//! Whether two texts have one shape: the same documents, keys and lists, and scalars where scalars were.
//!
//! The event streams are compared side by side; no values are built.

use std::borrow::Cow;

use granit_parser::{Event, ScalarStyle, Tag};

use super::Events;

/// How the shapes compare.
#[derive(Debug)]
pub(crate) enum ShapeError {
    /// The first text cannot be read.
    Before {
        /// Its line, from 1.
        line: usize,
    },
    /// They differ, or the second cannot be read.
    Differs {
        /// The first text's line, from 1.
        line: usize,
    },
}

/// What a scalar of the first text is to be in the second one; none where that has grown beyond a limit.
pub(crate) type Becomes<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Compares the texts before and after substitution.
pub(crate) fn same_shape(
    before: &str,
    after: &str,
    becomes: &Becomes<'_>,
) -> Result<(), ShapeError> {
    let mut firsts = Events::of(before);
    let mut seconds = Events::of(after);
    let mut line = 1;
    loop {
        let (first, span) = firsts
            .next()
            .map_err(|error| ShapeError::Before { line: error.line() })?;
        line = line.max(span.start.line());
        let differs = || ShapeError::Differs { line };
        let (second, _) = seconds.next().map_err(|_| differs())?;
        if !same(&first, &second, becomes) {
            return Err(differs());
        }
        if matches!(first, Event::StreamEnd) {
            return Ok(());
        }
    }
}

fn same(first: &Event<'_>, second: &Event<'_>, becomes: &Becomes<'_>) -> bool {
    match (first, second) {
        (
            Event::Scalar(before, style, anchor, tag),
            Event::Scalar(after, style_after, anchor_after, tag_after),
        ) => {
            anchor == anchor_after
                && same_tag(tag.as_ref(), tag_after.as_ref())
                && same_style(*style, *style_after)
                && same_text(before, after, *style_after, becomes)
        }
        (
            Event::SequenceStart(_, anchor, tag),
            Event::SequenceStart(_, anchor_after, tag_after),
        )
        | (Event::MappingStart(_, anchor, tag), Event::MappingStart(_, anchor_after, tag_after)) => {
            anchor == anchor_after && same_tag(tag.as_ref(), tag_after.as_ref())
        }
        (Event::Alias(before), Event::Alias(after)) => before == after,
        (first, second) => std::mem::discriminant(first) == std::mem::discriminant(second),
    }
}

fn same_tag(before: Option<&Cow<'_, Tag>>, after: Option<&Cow<'_, Tag>>) -> bool {
    before.map(|tag| tag.parts()) == after.map(|tag| tag.parts())
}

/// A plain scalar may come to stand in quotes, which are part of the value then; every other style stays.
fn same_style(before: ScalarStyle, after: ScalarStyle) -> bool {
    use ScalarStyle::{DoubleQuoted, Plain, SingleQuoted};
    before == after || (before == Plain && matches!(after, SingleQuoted | DoubleQuoted))
}

/// A scalar without a name must not change at all. One with a name is what its value makes of it, in quotes or blocks with their
/// own escapes; a plain one must still say the whole value, which a `#` in it would cut off.
fn same_text(before: &str, after: &str, style: ScalarStyle, becomes: &Becomes<'_>) -> bool {
    if !before.contains('$') {
        return before == after;
    }
    if style != ScalarStyle::Plain {
        return true;
    }
    let Some(expected) = becomes(before) else {
        return false;
    };
    expected.split_whitespace().eq(after.split_whitespace())
}
