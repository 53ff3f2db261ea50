//! What a registry says about an error: untrusted text, cut and escaped before anybody reads it.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

/// Longest text shown, in characters.
const SHOWN_MAX: usize = 300;

/// A registry's error code and message; empty when it said nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said(Option<Arc<Words>>);

#[derive(Debug, PartialEq, Eq)]
struct Words {
    code: Option<String>,
    text: String,
}

#[derive(Deserialize)]
struct Body {
    errors: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    /// Vault's: words alone.
    Words(String),
    Coded {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    },
}

/// What Google's APIs say (google.rpc.Status).
#[derive(Deserialize)]
struct StatusBody {
    error: Status,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    status: String,
    #[serde(default)]
    message: String,
}

/// What token services say instead (RFC 6749 5.2, and the informal `details`).
#[derive(Deserialize)]
struct TokenBody {
    error: Option<String>,
    error_description: Option<String>,
    details: Option<String>,
}

impl Said {
    /// Reads an error body: the specification's form, Vault's, Google's, a token service's, or plain text.
    #[must_use]
    pub fn read(body: &[u8]) -> Self {
        if let Ok(Body { errors }) = serde_json::from_slice(body)
            && let Some(first) = errors.into_iter().next()
        {
            return match first {
                Entry::Words(text) => Self::of(None, &text),
                Entry::Coded { code, message } => Self::of(Some(code), &message),
            };
        }
        if let Ok(StatusBody { error }) = serde_json::from_slice(body) {
            return Self::of(Some(error.status), &error.message);
        }
        if let Ok(token) = serde_json::from_slice::<TokenBody>(body)
            && let Some(text) = token
                .error_description
                .or(token.details)
                .or_else(|| token.error.clone())
        {
            return Self::of(token.error, &text);
        }
        Self::of(None, &String::from_utf8_lossy(body))
    }

    fn of(code: Option<String>, text: &str) -> Self {
        let code = code
            .map(|code| shown(&code, 64))
            .filter(|code| !code.is_empty());
        let text = shown(text.trim(), SHOWN_MAX);
        if code.is_none() && text.is_empty() {
            Self(None)
        } else {
            Self(Some(Arc::new(Words { code, text })))
        }
    }

    /// The specification's error code, such as `NAME_UNKNOWN`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.as_ref()?.code.as_deref()
    }

    /// Did it say anything?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// At most `max` characters, controls and everything that could reorder a line escaped.
pub(crate) fn shown(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    for (at, c) in text.chars().enumerate() {
        if at == max {
            out.push_str("...");
            break;
        }
        let plain = c == ' ' || c.is_ascii_graphic() || (!c.is_ascii() && c.is_alphanumeric());
        if plain {
            out.push(c)
        } else {
            out.extend(c.escape_default())
        }
    }
    out
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_deref() {
            None => Ok(()),
            Some(Words {
                code: Some(code),
                text,
            }) if text.is_empty() || code == text => f.write_str(code),
            Some(Words {
                code: Some(code),
                text,
            }) => write!(f, "{code}: {text}"),
            Some(Words { code: None, text }) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_error_bodies_is_read() {
        let check = |body: &str, code: Option<&str>, text: &str| {
            let said = Said::read(body.as_bytes());
            assert_eq!(
                (said.code(), said.to_string().as_str()),
                (code, text),
                "{body}"
            );
        };
        check(
            r#"{"errors":[{"code":"NAME_UNKNOWN","message":"no such repository","detail":{"x":1}}]}"#,
            Some("NAME_UNKNOWN"),
            "NAME_UNKNOWN: no such repository",
        );
        check(
            r#"{"errors":[{"code":"DENIED"}]}"#,
            Some("DENIED"),
            "DENIED",
        );
        check(
            r#"{"error":"invalid_grant","error_description":"expired"}"#,
            Some("invalid_grant"),
            "invalid_grant: expired",
        );
        check(
            r#"{"details":"incorrect username or password"}"#,
            None,
            "incorrect username or password",
        );
        check(
            r#"{"errors":["permission denied"]}"#,
            None,
            "permission denied",
        );
        check(
            r#"{"error":{"code":403,"message":"no such account","status":"PERMISSION_DENIED"}}"#,
            Some("PERMISSION_DENIED"),
            "PERMISSION_DENIED: no such account",
        );
        check("Not here", None, "Not here");
        check("", None, "");
    }

    #[test]
    fn h09_hostile_words_are_escaped_and_cut() {
        let said = Said::read("a\n\u{1b}[31m\u{202e}b".as_bytes()).to_string();
        assert_eq!(said, r"a\n\u{1b}[31m\u{202e}b");
        let long = Said::read("x".repeat(70_000).as_bytes()).to_string();
        assert_eq!(long.len(), SHOWN_MAX + 3);
    }
}
