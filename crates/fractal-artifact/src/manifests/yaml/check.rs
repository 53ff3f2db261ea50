//! What is checked on the bytes, before they are parsed: size, byte order mark, and characters that parsers disagree on.

use super::{BYTES_MAX, YamlError};

/// The text without its byte order mark, once its size and characters are known to be sound.
pub(crate) fn text(text: &str) -> Result<&str, YamlError> {
    if text.len() > BYTES_MAX {
        return Err(YamlError::Budget {
            what: format!("{} bytes", text.len()),
            line: 1,
            max: BYTES_MAX,
        });
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.bytes().position(suspicious) {
        None => Ok(text),
        Some(first) => slow(text, first),
    }
}

/// Whether a byte is a control character, or begins one of the characters that [`refused`] knows.
const fn suspicious(byte: u8) -> bool {
    matches!(byte, 0..=8 | 11 | 12 | 14..=31 | 127 | 0xc2 | 0xe2 | 0xef)
}

fn slow(text: &str, from: usize) -> Result<&str, YamlError> {
    let rest = text.get(from..).unwrap_or_default();
    let Some((offset, problem)) = rest
        .char_indices()
        .find_map(|(offset, character)| Some((offset, refused(character)?)))
    else {
        return Ok(text);
    };
    let before = text.get(..from + offset).unwrap_or_default();
    Err(YamlError::Syntax {
        line: before.matches('\n').count() + 1,
        column: before.chars().rev().take_while(|it| *it != '\n').count() + 1,
        problem: problem.into(),
    })
}

/// libyaml, which go-yaml is a translation of, refuses control characters and breaks lines at the Unicode line ends;
/// YAML 1.2 keeps the latter as content. Written as escapes in double quotes all of them mean the same everywhere.
const fn refused(character: char) -> Option<&'static str> {
    match character {
        '\0' => Some("a NUL character: the file is no UTF-8 text, UTF-16 is not read"),
        '\t' | '\n' | '\r' => None,
        '\u{85}' | '\u{2028}' | '\u{2029}' => Some(
            "a Unicode line end, which YAML's versions read differently; write it as an escape in double quotes",
        ),
        '\u{feff}' => Some("a byte order mark inside the file"),
        '\u{1}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {
            Some("a control character; write it as an escape in double quotes")
        }
        _ => None,
    }
}
