//! `WWW-Authenticate` (RFC 9110 11.6.1), read from whoever answers: malformed, duplicate and oversized challenges are survived.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// Longest header value looked at, in bytes. Real challenges stay below one KiB.
const HEADER_MAX: usize = 8 * 1024;
/// Most challenges looked at.
const CHALLENGES_MAX: usize = 16;

/// A challenge we can answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    Bearer {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

impl Challenge {
    /// The best of all challenges: Bearer before Basic.
    pub(crate) fn pick(headers: &HeaderMap) -> Result<Self, &'static str> {
        let values: Vec<_> = headers.get_all(WWW_AUTHENTICATE).iter().collect();
        if values.is_empty() {
            return Err("it asks for authentication without saying which");
        }
        if values.iter().any(|value| value.len() > HEADER_MAX) {
            return Err("its challenge is longer than any real one");
        }
        let found: Vec<_> = values
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|text| Reader { rest: text }.challenges())
            .take(CHALLENGES_MAX)
            .filter_map(Raw::known)
            .collect();
        let bearer = found
            .iter()
            .find(|challenge| matches!(challenge, Self::Bearer { .. }));
        bearer
            .or_else(|| found.first())
            .cloned()
            .ok_or("its challenge is malformed, or of a scheme other than Basic and Bearer")
    }
}

/// Whether a challenge says that the token shown was good, but not for this (RFC 6750 3.1).
pub(crate) fn lacks_scope(headers: &HeaderMap) -> bool {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter(|value| value.len() <= HEADER_MAX)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| Reader { rest: text }.challenges())
        .any(|challenge| {
            challenge.scheme.eq_ignore_ascii_case("bearer")
                && challenge
                    .once("error")
                    .flatten()
                    .is_some_and(|error| error == "insufficient_scope")
        })
}

#[derive(Debug, Default)]
struct Raw<'a> {
    scheme: &'a str,
    params: Vec<(&'a str, String)>,
}

impl Raw<'_> {
    fn known(self) -> Option<Challenge> {
        if self.scheme.eq_ignore_ascii_case("basic") {
            return Some(Challenge::Basic);
        }
        if !self.scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let realm = self.once("realm")??;
        Some(Challenge::Bearer {
            realm,
            service: self.once("service")?,
            scope: self.once("scope")?,
        })
    }

    /// A parameter's value; `None` outside where it is given twice, which no honest registry does.
    fn once(&self, name: &str) -> Option<Option<String>> {
        let mut values = self
            .params
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.clone());
        let first = values.next();
        values.next().is_none().then_some(first)
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn challenges(mut self) -> Vec<Raw<'a>> {
        let mut all: Vec<Raw<'a>> = Vec::new();
        while all.len() <= CHALLENGES_MAX {
            self.skip(|c| c == ' ' || c == '\t' || c == ',');
            let word = self.take(is_token);
            if word.is_empty() {
                // Not a token: whatever stands here cannot be read further.
                break;
            }
            self.skip(|c| c == ' ' || c == '\t');
            match (self.rest.strip_prefix('='), all.last_mut()) {
                (Some(rest), Some(current)) => {
                    self.rest = rest;
                    let Some(value) = self.value() else { break };
                    current.params.push((word, value));
                }
                (Some(_), None) => break,
                (None, _) => all.push(Raw {
                    scheme: word,
                    params: Vec::new(),
                }),
            }
        }
        all
    }

    /// A quoted string or a token; `None` where the quote never ends.
    fn value(&mut self) -> Option<String> {
        self.skip(|c| c == ' ' || c == '\t');
        let Some(inner) = self.rest.strip_prefix('"') else {
            return Some(
                self.take(|c| is_token(c) || c == '=' || c == '/' || c == ':')
                    .to_owned(),
            );
        };
        let mut value = String::new();
        let mut characters = inner.char_indices();
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => {
                    self.rest = inner.get(at + 1..)?;
                    return Some(value);
                }
                '\\' => value.push(characters.next()?.1),
                c => value.push(c),
            }
        }
        None
    }

    fn skip(&mut self, unwanted: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(unwanted);
    }

    fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }
}

/// RFC 9110 `tchar`, and the rest of `token68`.
const fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(
            c,
            '!' | '#'
                | '$'
                | '%'
                | '&'
                | '\''
                | '*'
                | '+'
                | '-'
                | '.'
                | '^'
                | '_'
                | '`'
                | '|'
                | '~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(values: &[&str]) -> Result<Challenge, &'static str> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        Challenge::pick(&headers)
    }

    fn bearer(
        realm: &str,
        service: Option<&str>,
        scope: Option<&str>,
    ) -> Result<Challenge, &'static str> {
        Ok(Challenge::Bearer {
            realm: realm.into(),
            service: service.map(Into::into),
            scope: scope.map(Into::into),
        })
    }

    #[test]
    fn real_challenges_are_read() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        assert_eq!(
            pick(&[hub]),
            bearer(
                "https://auth.docker.io/token",
                Some("registry.docker.io"),
                Some("repository:a/b:pull,push")
            )
        );
        assert_eq!(
            pick(&[r#"Basic realm="Registry Realm", service="ecr.amazonaws.com""#]),
            Ok(Challenge::Basic)
        );
        assert_eq!(pick(&["basic"]), Ok(Challenge::Basic));
        assert_eq!(
            pick(&["BEARER realm=https://t.example/x"]),
            bearer("https://t.example/x", None, None)
        );
    }

    #[test]
    fn g01_bearer_wins_over_basic_in_one_header_or_several() {
        let expected = bearer("https://t", None, None);
        assert_eq!(
            pick(&[r#"Basic realm="x", Bearer realm="https://t""#]),
            expected
        );
        assert_eq!(
            pick(&[r#"Bearer realm="https://t""#, r#"Basic realm="x""#]),
            expected
        );
        assert_eq!(
            pick(&["Negotiate abc==", r#"Bearer realm="https://t""#]),
            expected
        );
    }

    #[test]
    fn g01_escaped_quotes_stay_within_their_value() {
        assert_eq!(
            pick(&[r#"Bearer realm="https://t\"x, y=z",scope="s""#]),
            bearer("https://t\"x, y=z", None, Some("s"))
        );
    }

    #[test]
    fn g01_hostile_challenges_are_refused() {
        let long = format!(r#"Bearer realm="https://{}""#, "a".repeat(64 * 1024));
        for value in [
            r#"Bearer realm="https://t"#,
            "Bearer",
            "Digest realm=x",
            "=,=,",
            r#"Bearer realm="a",realm="b""#,
            "",
            &long,
        ] {
            assert!(pick(&[value]).is_err(), "{value:.40}");
        }
        assert!(pick(&[]).is_err());
        assert_eq!(pick(&[&"Basic, ".repeat(1000)]), Ok(Challenge::Basic));
    }

    #[test]
    fn only_a_bearer_challenge_can_lack_scope() {
        let check = |value: &str, expected: bool| {
            let headers = [(WWW_AUTHENTICATE, value.parse().unwrap())];
            assert_eq!(
                lacks_scope(&headers.into_iter().collect()),
                expected,
                "{value}"
            );
        };
        check(
            r#"Bearer realm="https://t",scope="repository:a:push",error="insufficient_scope""#,
            true,
        );
        check(
            r#"Basic realm="t", Bearer realm="https://t",error=insufficient_scope"#,
            true,
        );
        check(r#"Bearer realm="https://t",error="invalid_token""#, false);
        check(r#"Bearer realm="insufficient_scope""#, false);
        check(r#"Basic realm="t",error="insufficient_scope""#, false);
    }
}
