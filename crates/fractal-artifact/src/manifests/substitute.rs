//! The documented rule: `$NAME` over the raw text, once.
//!
//! A name is the longest run of ASCII letters, digits and underscores after a `$`. One without a value stays as it is, and so do
//! `$$`'s first `$` and `${NAME}`. Values are not looked at again. Nothing here knows YAML.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use super::yaml::{BYTES_MAX, YamlError};

/// Most names without a value that are listed.
const UNRESOLVED_MAX: usize = 256;

/// A name without a value, left in the text as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unresolved {
    /// The name, without its `$`.
    pub name: String,
    /// Where it is first used, from 1.
    pub line: usize,
}

/// A text after substitution.
#[derive(Debug)]
pub(super) struct Substituted<'a> {
    /// The text.
    pub(super) text: Cow<'a, str>,
    /// Names without a value.
    pub(super) unresolved: Vec<Unresolved>,
    /// Names whose values could change a document's structure.
    pub(super) suspects: Vec<String>,
}

impl Substituted<'_> {
    pub(super) fn names(&self) -> Vec<String> {
        self.unresolved.iter().map(|it| it.name.clone()).collect()
    }
}

/// Replaces the names that have a value. Fails only where the text grows beyond [`BYTES_MAX`].
pub(super) fn substitute<'a>(
    text: &'a str,
    values: &Map<String, Value>,
) -> Result<Substituted<'a>, YamlError> {
    let mut made = Made::default();
    let mut line = 1;
    let mut copied = 0;
    let mut from = 0;
    while let Some(name) = next_name(text, from) {
        line += newlines(text, from, name.dollar);
        match values.get(name.text).and_then(Value::as_str) {
            None => made.unresolved(name.text, line),
            Some(value) => {
                made.text
                    .push_str(text.get(copied..name.dollar).unwrap_or_default());
                made.text.push_str(value);
                made.suspect(name.text, value);
                copied = name.end;
            }
        }
        if made.text.len() > BYTES_MAX {
            return Err(too_large(line));
        }
        from = name.end;
    }
    if copied == 0 {
        return Ok(made.finish(Cow::Borrowed(text)));
    }
    made.text.push_str(text.get(copied..).unwrap_or_default());
    if made.text.len() > BYTES_MAX {
        return Err(too_large(line));
    }
    let text = Cow::Owned(std::mem::take(&mut made.text));
    Ok(made.finish(text))
}

fn too_large(line: usize) -> YamlError {
    YamlError::Budget {
        what: "more bytes after substitution".into(),
        line,
        max: BYTES_MAX,
    }
}

/// The names a text uses, with repetitions.
pub(super) fn names(text: &str) -> impl Iterator<Item = &str> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let name = next_name(text, from)?;
        from = name.end;
        Some(name.text)
    })
}

/// Whether a parameter's key can be a name.
pub(super) fn is_name(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(is_name_byte)
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

struct Name<'a> {
    text: &'a str,
    dollar: usize,
    end: usize,
}

fn next_name(text: &str, mut from: usize) -> Option<Name<'_>> {
    loop {
        let dollar = from + text.get(from..)?.find('$')?;
        let rest = text.get(dollar + 1..)?;
        let length = rest.bytes().take_while(|byte| is_name_byte(*byte)).count();
        let end = dollar + 1 + length;
        if length > 0 {
            let text = text.get(dollar + 1..end)?;
            return Some(Name { text, dollar, end });
        }
        from = end;
    }
}

fn newlines(text: &str, from: usize, to: usize) -> usize {
    let between = text.as_bytes().get(from..to).unwrap_or_default();
    between.iter().filter(|byte| **byte == b'\n').count()
}

#[derive(Default)]
struct Made {
    text: String,
    seen: BTreeSet<String>,
    unresolved: Vec<Unresolved>,
    suspects: Vec<String>,
}

impl Made {
    fn unresolved(&mut self, name: &str, line: usize) {
        if self.unresolved.len() < UNRESOLVED_MAX && !self.seen.contains(name) {
            self.seen.insert(name.to_owned());
            let name = name.to_owned();
            self.unresolved.push(Unresolved { name, line });
        }
    }

    fn suspect(&mut self, name: &str, value: &str) {
        if !is_harmless(value) && !self.suspects.iter().any(|known| known == name) {
            self.suspects.push(name.to_owned());
        }
    }

    fn finish(self, text: Cow<'_, str>) -> Substituted<'_> {
        Substituted {
            text,
            unresolved: self.unresolved,
            suspects: self.suspects,
        }
    }
}

/// Whether a value cannot change a document's structure wherever it stands: no blank or line end, no quote, backslash, comma or
/// bracket, a letter, digit, `/` or `_` at its beginning, and no `:` at its end. What else YAML gives a meaning has it at the
/// beginning of a word only.
fn is_harmless(value: &str) -> bool {
    let bytes = value.as_bytes();
    let word = |byte: &u8| is_name_byte(*byte) || *byte == b'/';
    bytes.first().is_some_and(word)
        && bytes.last().is_some_and(|byte| *byte != b':')
        && bytes
            .iter()
            .all(|byte| word(byte) || b".-:@+=&?%~;()|<>^*!$#".contains(byte))
}
