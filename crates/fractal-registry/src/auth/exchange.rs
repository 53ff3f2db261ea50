//! A credential for a token, at the service the registry names (the distribution token protocol, and its OAuth 2 form).

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use serde::Deserialize;

use super::credentials::Credential;
use super::token::{Minted, scopes};
use super::{Access, Ask, Auth, Round, Shown, realm};
use crate::counts::RequestKind;
use crate::egress::address::Class;
use crate::egress::body::Outgoing;
use crate::egress::{Egress, Lane, Route};
use crate::endpoint::shown;
use crate::error::RegistryError;
use crate::transport::read;

/// Largest answer of a token service, in bytes.
const ANSWER_MAX: usize = 1024 * 1024;

/// The token service as a challenge describes it.
pub(super) struct Service<'a> {
    pub(super) realm: &'a str,
    pub(super) service: Option<&'a str>,
    /// What kind of place the challenge came from.
    pub(super) seen_at: Class,
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    #[serde(default)]
    expires_in: serde_json::Value,
}

impl Auth {
    /// A token for the credential at hand; where its service refuses that one, for one asked for anew.
    pub(super) async fn exchange(
        &self,
        egress: &Egress,
        access: &Access,
        service: &Service<'_>,
        ask: &Ask,
    ) -> Result<Minted, RegistryError> {
        let at_hand = self.credential(egress, access, ask.round).await?;
        let first = self.mint(egress, access, service, ask, &at_hand).await;
        let refused = matches!(
            first,
            Err(RegistryError::Unauthenticated { .. } | RegistryError::Forbidden { .. })
        );
        if ask.is_anew() || !refused {
            return first;
        }
        let anew = self.credential(egress, access, Round::Anew).await?;
        if anew == at_hand {
            first
        } else {
            self.mint(egress, access, service, ask, &anew).await
        }
    }

    async fn mint(
        &self,
        egress: &Egress,
        access: &Access,
        service: &Service<'_>,
        ask: &Ask,
        credential: &Credential,
    ) -> Result<Minted, RegistryError> {
        let identity = credential.identity();
        if let Credential::Token(_) = credential {
            let header = credential
                .header()
                .map_err(|problem| super::unusable(access, credential, problem))?;
            return Ok(Minted {
                shown: Shown { header, identity },
                seconds: 0.0,
            });
        }
        let (url, route) = whither(egress, access, service)?;
        let request = request(&url, service, &scopes(access, ask), credential)
            .map_err(|problem| super::unusable(access, credential, problem))?;
        let sent = egress.once(RequestKind::Token, request, route).await;
        let answer = sent.map_err(|error| match error.refused_host() {
            Some(problem) => refused_realm(access, shown(&url), problem),
            None => error,
        })?;
        if answer.status().is_redirection() {
            let problem = "answers with a redirect";
            return Err(refused_realm(access, shown(&url), problem));
        }
        if !answer.status().is_success() {
            return Err(self.refusal(egress, access, &url, identity, answer).await);
        }
        let (place, limit) = (shown(&url), egress.timeouts().small);
        let body = read::capped(answer.into_body(), ANSWER_MAX, limit, &place).await?;
        let minted = body
            .ok_or("the token is larger than 1 MiB")
            .and_then(|body| minted(&body, identity))
            .map_err(|problem| RegistryError::protocol(&place, problem))?;
        if let Some(token) = minted.shown.bearer() {
            egress.secrets.note(&Credential::Token(token));
        }
        Ok(minted)
    }

    async fn refusal(
        &self,
        egress: &Egress,
        access: &Access,
        url: &Uri,
        identity: Arc<str>,
        answer: http::Response<hyper::body::Incoming>,
    ) -> RegistryError {
        let status = answer.status();
        if status.is_server_error()
            || status == StatusCode::TOO_MANY_REQUESTS
            || status == StatusCode::REQUEST_TIMEOUT
        {
            return crate::transport::passing(egress, url, &shown(url), answer).await;
        }
        let said = egress
            .secrets
            .said(&read::start(answer.into_body(), egress.timeouts().small).await);
        if status == StatusCode::FORBIDDEN {
            return RegistryError::Forbidden {
                action: access.action,
                at: access.at.clone(),
                identity,
                said,
            };
        }
        let problem = format!(
            "its token service {} answered {}",
            shown(url),
            status.as_u16()
        );
        RegistryError::Unauthenticated {
            at: access.at.clone(),
            identity,
            problem: problem.into(),
            said,
        }
    }
}

/// The token service's URL, and how it may be reached.
fn whither(
    egress: &Egress,
    access: &Access,
    service: &Service<'_>,
) -> Result<(Uri, Route), RegistryError> {
    let unreadable = |_| refused_realm(access, "unreadable".into(), "is no URL");
    let url: Uri = service.realm.parse().map_err(unreadable)?;
    let reach = realm::reach(egress.hosts(), &access.origin, service.seen_at, &url)
        .map_err(|problem| refused_realm(access, shown(&url), problem))?;
    let lane = Lane::Small;
    Ok((url, Route { reach, lane }))
}

fn refused_realm(access: &Access, realm: Arc<str>, problem: &'static str) -> RegistryError {
    RegistryError::Realm {
        at: access.at.clone(),
        realm,
        problem,
    }
}

fn request(
    url: &Uri,
    service: &Service<'_>,
    scopes: &[String],
    credential: &Credential,
) -> Result<Request<Outgoing>, &'static str> {
    let mut pairs: Vec<(&str, &str)> = service
        .service
        .map(|service| ("service", service))
        .into_iter()
        .collect();
    let joined = scopes.join(" ");
    let builder = Request::builder().header(ACCEPT, "application/json");
    if let Credential::Refresh(token) = credential {
        pairs.extend([
            ("scope", joined.as_str()),
            ("grant_type", "refresh_token"),
            ("client_id", "fractal"),
            ("refresh_token", token.reveal()),
        ]);
        let form = Bytes::from(form(&pairs));
        let request = builder
            .method(Method::POST)
            .uri(url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        return request
            .body(Outgoing::Bytes(Some(form)))
            .map_err(|_| "the token service's URL cannot be used");
    }
    pairs.extend(scopes.iter().map(|scope| ("scope", scope.as_str())));
    let separator = if url.query().is_some() { '&' } else { '?' };
    let target = format!(
        "{}{separator}{}",
        url.to_string().trim_end_matches('?'),
        form(&pairs)
    );
    let mut request = builder
        .method(Method::GET)
        .uri(target)
        .body(Outgoing::empty())
        .map_err(|_| "the token service's URL cannot be used")?;
    if let Some(header) = credential.header()? {
        request.headers_mut().insert(AUTHORIZATION, header);
    }
    Ok(request)
}

fn form(pairs: &[(&str, &str)]) -> String {
    pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", percent(value)))
        .collect::<Vec<_>>()
        .join("&")
}

/// Percent-encodes all but RFC 3986's unreserved characters.
pub(crate) fn percent(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes()
        .fold(String::with_capacity(text.len() + 8), |mut out, byte| {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                out.push(char::from(byte));
            } else {
                // Writing to a String cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
            out
        })
}

fn minted(body: &[u8], identity: Arc<str>) -> Result<Minted, &'static str> {
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|_| "the token service answered something other than a token")?;
    let token = answer
        .token
        .or(answer.access_token)
        .filter(|token| !token.is_empty())
        .ok_or("the token service gave no token")?;
    let mut header = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| "the token holds characters no header may have")?;
    header.set_sensitive(true);
    // Some services write the number as a text.
    let seconds = answer
        .expires_in
        .as_f64()
        .or_else(|| answer.expires_in.as_str()?.parse().ok())
        .unwrap_or_default();
    Ok(Minted {
        shown: Shown {
            header: Some(header),
            identity,
        },
        seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_a_token_and_both_forms_of_its_lifetime_are_read() {
        let check = |body: &str, token: &str, seconds: f64| {
            let minted = minted(body.as_bytes(), "x".into())
                .unwrap_or_else(|problem| panic!("{body}: {problem}"));
            assert_eq!(
                minted.shown.header.unwrap(),
                format!("Bearer {token}").as_str()
            );
            assert!((minted.seconds - seconds).abs() < f64::EPSILON);
        };
        check(r#"{"token":"a","expires_in":300}"#, "a", 300.0);
        check(r#"{"access_token":"b","expires_in":"60"}"#, "b", 60.0);
        check(r#"{"token":"a","access_token":"b"}"#, "a", 0.0);
        check(r#"{"token":"a","expires_in":-1}"#, "a", -1.0);
    }

    #[test]
    fn g07_what_is_no_token_is_refused() {
        for body in [
            "",
            "{}",
            "[]",
            r#"{"token":""}"#,
            r#"{"token":"a\nb"}"#,
            r#"{"token":7}"#,
        ] {
            assert!(minted(body.as_bytes(), "x".into()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_realm_keeps_its_own_query() {
        let service = Service {
            realm: "",
            service: Some("reg istry"),
            seen_at: Class::Public,
        };
        let request = request(
            &"https://t.example/x?account=1".parse().unwrap(),
            &service,
            &["repository:a/b:pull".into()],
            &Credential::Anonymous,
        )
        .unwrap();
        assert_eq!(
            request.uri(),
            "https://t.example/x?account=1&service=reg%20istry&scope=repository%3Aa%2Fb%3Apull"
        );
        assert!(!request.headers().contains_key(AUTHORIZATION));
    }
}
