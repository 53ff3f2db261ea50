//! What was shown to somebody lately, so that none of it is seen in an error or log: registries and token services repeat what they
//! are sent, in their words and in the URLs they send us to.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use http::HeaderValue;

use crate::auth::credentials::{Credential, Secret};
use crate::auth::percent;
use crate::error::Said;

/// Shortest secret that is looked for, in bytes: a shorter one stands in every other word.
const MIN: usize = 4;
/// Secrets remembered: more than are in use at once.
const MAX: usize = 128;
/// So many first bytes of a secret tell it where it is cut.
const BEGINNING: usize = 12;
const REDACTED: &str = "<redacted>";

/// What was shown, with every way of writing it, the newest last.
#[derive(Default)]
pub(crate) struct Secrets(Mutex<VecDeque<Known>>);

struct Known {
    credential: Credential,
    forms: Vec<String>,
}

impl Secrets {
    /// Remembers what `credential` shows.
    pub(crate) fn note(&self, credential: &Credential) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.iter().any(|known| known.credential == *credential) {
            return;
        }
        let forms = forms(credential);
        if forms.is_empty() {
            return;
        }
        if all.len() >= MAX {
            all.pop_front();
        }
        all.push_back(Known {
            credential: credential.clone(),
            forms,
        });
    }

    /// Remembers what a header of the Basic scheme shows.
    pub(crate) fn note_basic(&self, header: &HeaderValue) {
        let coded = header
            .to_str()
            .ok()
            .and_then(|text| text.strip_prefix("Basic "));
        let pair = coded.and_then(|coded| STANDARD.decode(coded).ok());
        let pair = pair.and_then(|pair| String::from_utf8(pair).ok());
        if let Some((user, password)) = pair.as_deref().and_then(|pair| pair.split_once(':')) {
            self.note(&Credential::basic(user, password));
        }
    }

    /// `text` without any of them.
    pub(crate) fn clean(&self, text: &str) -> String {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let forms: Vec<&str> = all
            .iter()
            .flat_map(|known| known.forms.iter().map(String::as_str))
            .collect();
        clean(text, &forms)
    }

    /// What a registry said, without any of them. They go before anything is cut: a part of one would not be found any more.
    pub(crate) fn said(&self, body: &[u8]) -> Said {
        Said::read(self.clean(&String::from_utf8_lossy(body)).as_bytes())
    }
}

/// Every way of writing what a credential keeps secret.
fn forms(credential: &Credential) -> Vec<String> {
    let (secret, pair) = match credential {
        Credential::Anonymous => return Vec::new(),
        Credential::Token(token) | Credential::Refresh(token) => (token.reveal(), None),
        Credential::Basic { username, password } => {
            let password = password.reveal();
            (password, Some(format!("{username}:{password}")))
        }
    };
    if secret.len() < MIN {
        return Vec::new();
    }
    let mut forms = written(secret);
    extend(&mut forms, encoded(secret));
    if let Some(pair) = pair {
        extend(&mut forms, encoded(&pair));
    }
    forms
}

/// `text` without the secrets of one request, however they are written.
pub(crate) fn without<'a>(text: &str, secrets: impl Iterator<Item = &'a Secret>) -> String {
    let secrets = secrets.map(Secret::reveal);
    let forms: Vec<String> = secrets
        .filter(|secret| secret.len() >= MIN)
        .flat_map(written)
        .collect();
    clean(text, &forms.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Whole forms first: what begins like one of them may be another.
fn clean(text: &str, forms: &[&str]) -> String {
    let whole = forms.iter().fold(text.to_owned(), |text, form| {
        if text.contains(form) {
            text.replace(form, REDACTED)
        } else {
            text
        }
    });
    forms
        .iter()
        .fold(whole, |text, form| match form.get(..BEGINNING) {
            Some(beginning) if form.len() > BEGINNING => without_cut(text, form, beginning),
            _ => text,
        })
}

/// Whoever repeats a long secret may cut it.
fn without_cut(text: String, form: &str, beginning: &str) -> String {
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, _)) = rest.split_once(beginning) {
        out.push_str(before);
        out.push_str(REDACTED);
        let found = rest.get(before.len()..).unwrap_or_default();
        let same = found.chars().zip(form.chars()).take_while(|(a, b)| a == b);
        let length: usize = same.map(|(c, _)| c.len_utf8()).sum();
        rest = found.get(length..).unwrap_or_default();
    }
    if out.is_empty() {
        return text;
    }
    out + rest
}

/// A text as it is, as JSON writes it, and as URLs and forms do.
fn written(secret: &str) -> Vec<String> {
    let json = serde_json::Value::from(secret).to_string();
    let url = percent(secret);
    let mut forms = vec![secret.to_owned()];
    extend(
        &mut forms,
        vec![
            json.trim_matches('"').to_owned(),
            json.trim_matches('"').replace('/', "\\/"),
            url.replace("%20", "+"),
            // Many encoders leave slashes as they are.
            url.replace("%2F", "/"),
            lower(&url),
            url,
        ],
    );
    forms
}

/// A text as the Basic scheme encodes it, and as others do.
fn encoded(pair: &str) -> Vec<String> {
    [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE]
        .iter()
        .flat_map(|engine| written(&engine.encode(pair)))
        .collect()
}

/// Percent escapes with small letters.
fn lower(url: &str) -> String {
    let mut parts = url.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (escape, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        out.push('%');
        out.push_str(&escape.to_ascii_lowercase());
        out.push_str(rest);
    }
    out
}

/// Longer forms first: a form within another would leave the rest of that.
fn extend(forms: &mut Vec<String>, further: Vec<String>) {
    for form in further {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "can/ary+ \"secret";

    #[test]
    fn h08_a_secret_is_taken_out_however_it_is_written() {
        let secrets = Secrets::default();
        secrets.note(&Credential::basic("bob", PASSWORD));
        secrets.note(&Credential::Refresh(Secret::new("refresh-canary")));
        secrets.note(&Credential::Token(Secret::new("token-canary")));
        let pair = STANDARD.encode(format!("bob:{PASSWORD}"));
        for (text, expected) in [
            (format!("you sent {PASSWORD}"), "you sent <redacted>"),
            (format!("Basic {pair}"), "Basic <redacted>"),
            (
                format!("Basic {}", pair.trim_end_matches('=')),
                "Basic <redacted>",
            ),
            (
                "{\"p\":\"can/ary+ \\\"secret\"}".into(),
                "{\"p\":\"<redacted>\"}",
            ),
            ("p=can%2Fary%2B%20%22secret".into(), "p=<redacted>"),
            ("p=can%2fary%2b%20%22secret".into(), "p=<redacted>"),
            ("p=can%2Fary%2B+%22secret".into(), "p=<redacted>"),
            (
                "refresh-canary token-canary".into(),
                "<redacted> <redacted>",
            ),
            ("p=can/ary%2B%20%22secret".into(), "p=<redacted>"),
            ("can\\/ary+ \\\"secret".into(), "<redacted>"),
            (STANDARD.encode(PASSWORD), "<redacted>"),
            (
                "refresh-canar and token-canary...".into(),
                "<redacted> and <redacted>...",
            ),
            ("nothing of it".into(), "nothing of it"),
        ] {
            assert_eq!(secrets.clean(&text), expected, "{text}");
        }
        let said = secrets.said(format!("{}{PASSWORD}", "x".repeat(290)).as_bytes());
        assert!(!said.to_string().contains("can"), "{said}");
    }

    #[test]
    fn one_password_of_two_users_is_known_in_both_pairs_and_the_oldest_are_forgotten() {
        let secrets = Secrets::default();
        for user in ["ann", "bob"] {
            secrets.note(&Credential::basic(user, PASSWORD));
        }
        for user in ["ann", "bob"] {
            let pair = STANDARD.encode(format!("{user}:{PASSWORD}"));
            assert_eq!(secrets.clean(&pair), REDACTED);
        }
        for number in 0..=MAX {
            secrets.note(&Credential::Token(Secret::new(&format!(
                "token-{number:04}"
            ))));
        }
        assert_eq!(secrets.0.lock().unwrap().len(), MAX);
        assert_eq!(secrets.clean("token-0000"), "token-0000");
        assert_eq!(secrets.clean("token-0128"), REDACTED);
        secrets.note(&Credential::basic("u", "abc"));
        assert_eq!(secrets.clean("abc"), "abc");
    }
}
