//! Hex, percent and XML encoding, query strings and random identifiers, where no crate of ours is worth a dependency.

use std::fmt::Write as _;
use std::hash::{BuildHasher, RandomState};

use sha2::{Digest as _, Sha256};

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(
        String::with_capacity(bytes.len().saturating_mul(2)),
        |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        },
    )
}

/// The bytes lower- or upper-case hex digits stand for.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at.saturating_add(2))?, 16).ok())
        .collect()
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Decodes `%XX`; a `+` stays a plus.
pub(crate) fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = (first == b'%').then(|| tail.get(..2)).flatten();
        let byte = escaped
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() {
            tail.get(2..).unwrap_or_default()
        } else {
            tail
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Encodes everything but RFC 3986's unreserved characters, as Signature Version 4 wants it.
pub(crate) fn percent_encode(text: &str, keep_slash: bool) -> String {
    text.bytes()
        .fold(String::with_capacity(text.len()), |mut out, byte| {
            if byte.is_ascii_alphanumeric()
                || b"-_.~".contains(&byte)
                || (keep_slash && byte == b'/')
            {
                out.push(char::from(byte));
            } else {
                let _ = write!(out, "%{byte:02X}");
            }
            out
        })
}

/// Decoded pairs of a query string, or of a form body when `form` (there a plus is a space).
pub(crate) fn query_pairs(query: &str, form: bool) -> Vec<(String, String)> {
    let decode = |text: &str| {
        if form {
            percent_decode(&text.replace('+', " "))
        } else {
            percent_decode(text)
        }
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

pub(crate) fn find<'a>(pairs: &'a [(String, String)], key: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(name, _)| name == key)
        .map(|(_, value)| value.as_str())
}

pub(crate) fn xml_escape(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut out, each| {
            match each {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\r' => out.push_str("&#13;"),
                other => out.push(other),
            }
            out
        })
}

pub(crate) fn xml_unescape(text: &str) -> String {
    [
        "&lt;:<",
        "&gt;:>",
        "&quot;:\"",
        "&#34;:\"",
        "&apos;:'",
        "&#39;:'",
        "&amp;:&",
    ]
    .iter()
    .filter_map(|pair| pair.split_once(':'))
    .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// The texts of every `<tag>…</tag>`, in order. Enough for the flat request documents of S3, which never nest a tag in itself.
pub(crate) fn xml_elements<'a>(xml: &'a str, tag: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    xml.split(open.as_str())
        .skip(1)
        .filter_map(|rest| rest.split_once(close.as_str()))
        .map(|(inner, _)| inner)
        .collect()
}

/// A random version-4 UUID. Uniqueness is all that is needed, so the standard library's keyed hasher is random enough.
pub(crate) fn uuid() -> String {
    let random = || RandomState::new().hash_one(std::time::Instant::now());
    let (high, low) = (random(), random());
    let high = (high & 0xffff_ffff_ffff_0fff) | 0x4000;
    let low = (low & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_round_trip_keeps_every_byte() {
        let text = "a b/c%+é:~";
        assert_eq!(percent_encode(text, false), "a%20b%2Fc%25%2B%C3%A9%3A~");
        assert_eq!(percent_decode(&percent_encode(text, false)), text);
        assert_eq!(percent_decode("100%"), "100%");
    }

    #[test]
    fn uuids_have_the_form_and_differ() {
        let (one, two) = (uuid(), uuid());
        assert_ne!(one, two);
        assert_eq!(one.len(), 36);
        assert_eq!(one.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&one.as_bytes()[19]));
    }

    #[test]
    fn hex_round_trip() {
        assert_eq!(unhex("00ff"), Some(vec![0, 255]));
        assert_eq!(unhex("0"), None);
        assert_eq!(hex(&[0, 255]), "00ff");
    }
}
