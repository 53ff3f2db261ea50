//! The words of a program that handles secrets: cut, escaped, and without what looks like one.

use crate::error::shown;

/// Longest text shown, in characters.
const SHOWN_MAX: usize = 300;
/// Shortest word taken for a secret for its looks, in characters: tokens are longer, words of a language shorter.
const SECRET_MIN: usize = 20;

/// The start of `text`. Long words of letters and digits go, URLs with user information, and what follows `password=`, `token:`,
/// `Bearer` and the like.
pub(super) fn without_secrets(text: &str) -> String {
    let mut out = String::new();
    let mut hides_next = false;
    let ends = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '&');
    for part in text.split_inclusive(ends) {
        let word = part.trim_end_matches(ends);
        let (name, value) = word
            .find(['=', ':'])
            .map_or(("", word), |at| word.split_at(at + 1));
        let named = is_name(name);
        let end = part.get(word.len()..).unwrap_or_default().trim();
        if word.is_empty() {
            out.push_str(end);
            continue;
        }
        if hides_next || (named && !value.is_empty()) || looks_secret(word) {
            out.push_str(if named { name } else { "" });
            out.push_str("<redacted>");
            hides_next = false;
        } else {
            out.push_str(word);
        }
        hides_next |= named && value.is_empty();
        hides_next |= matches!(
            word.to_ascii_lowercase().as_str(),
            "bearer" | "basic" | "=" | ":"
        );
        out.push_str(end);
        out.push_str(if part.ends_with(char::is_whitespace) {
            " "
        } else {
            ""
        });
    }
    shown(out.trim_end(), SHOWN_MAX)
}

fn is_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [
        "password",
        "passwd",
        "secret",
        "token",
        "authorization",
        "key",
        "auth",
    ]
    .iter()
    .any(|known| {
        name.trim_matches(['"', '\'', '=', ':', '{', ','])
            .ends_with(known)
    })
}

/// Letters and digits without the marks of a path, an address or a sentence.
fn looks_secret(word: &str) -> bool {
    if word.contains("://") && word.contains('@') {
        return true;
    }
    let parts = word.split([
        '"', '\'', '=', ':', ',', ';', '(', ')', '@', '{', '}', '<', '>', '&', '?',
    ]);
    parts.into_iter().any(|part| {
        let coded =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_' | '.' | '~');
        let path = part.starts_with(['/', '.', '~']);
        part.len() >= SECRET_MIN
            && !path
            && part.chars().all(coded)
            && part.contains(|c: char| c.is_ascii_digit())
            && part.contains(|c: char| c.is_ascii_alphabetic())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h08_what_looks_like_a_secret_is_taken_out() {
        let check = |text: &str, expected: &str| assert_eq!(without_secrets(text), expected);
        check("no such profile: dev", "no such profile: dev");
        check(
            "cannot open /var/lib/ci/.config/gcloud/credentials1.db",
            "cannot open /var/lib/ci/.config/gcloud/credentials1.db",
        );
        check("password=canary x", "password=<redacted> x");
        check("got token: canary", "got token: <redacted>");
        check(
            "sent Authorization: Bearer canary",
            "sent Authorization: <redacted> <redacted>",
        );
        check(
            "{\"Secret\":\"canary\",\"Username\":\"u\"}",
            "{\"Secret\":<redacted>,\"Username\":\"u\"}",
        );
        check(
            "refused eyJhbGciOiJSUzI1NiIsInR5cCI6.x",
            "refused <redacted>",
        );
        check(
            "at https://u:ghp_0123456789abcdefghij@r.example/x",
            "at <redacted>",
        );
        check("a\u{1b}[31m", r"a\u{1b}[31m");
    }

    #[test]
    fn h09_it_is_cut() {
        assert_eq!(
            without_secrets(&"word ".repeat(10_000)).len(),
            SHOWN_MAX + 3
        );
    }
}
