//! A token service as a vendor runs one: it knows two users, and signs what the reference registry verifies.
//!
//! Tokens are JWTs signed with ES256; the certificate travels in the token and is trusted by the registry's own bundle.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{Certificate, CertificateParams, KeyPair, SigningKey as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::error::ServerError;
use super::{PASSWORD, READER, USER};

/// What the service and its registry call this machine.
pub(super) const LOCALHOST: &str = "localhost";
const ISSUER: &str = "token service of the test";
const SERVICE: &str = "registry of the test";
/// The registry takes a token for so long after it ran out.
const LEEWAY: i64 = 60;
/// Longest request read, in bytes.
const REQUEST_MAX: usize = 64 * 1024;

/// The service. It ends when it is dropped.
#[derive(Debug)]
pub struct TokenService {
    realm: String,
    bundle: PathBuf,
    state: Arc<State>,
    task: AbortHandle,
}

#[derive(Debug)]
struct State {
    key: KeyPair,
    certificate: Certificate,
    /// Tokens given, in order.
    given: Mutex<Vec<String>>,
    /// Seconds for which the next tokens are really taken. What the answer says about it stays the same.
    seconds: Mutex<i64>,
}

impl TokenService {
    pub(super) async fn start(folder: &Path) -> Result<Self, ServerError> {
        let key = KeyPair::generate()?;
        let params = CertificateParams::new(vec!["tokens.example".to_owned()])?;
        let certificate = params.self_signed(&key)?;
        let bundle = folder.join("tokens.pem");
        std::fs::write(&bundle, certificate.pem()).map_err(ServerError::file(&bundle))?;
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .map_err(ServerError::Listen)?;
        let port = listener.local_addr().map_err(ServerError::Listen)?.port();
        let state = Arc::new(State {
            key,
            certificate,
            given: Mutex::default(),
            seconds: Mutex::new(300),
        });
        let serving = state.clone();
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(serving.clone(), socket));
            }
        });
        Ok(Self {
            realm: format!("http://{LOCALHOST}:{port}/token"),
            bundle,
            state,
            task: task.abort_handle(),
        })
    }

    /// The registry's own settings for it.
    pub(super) fn settings(&self) -> Value {
        json!({ "realm": self.realm, "service": SERVICE, "issuer": ISSUER, "rootcertbundle": self.bundle })
    }

    /// Tokens given so far, in order.
    #[must_use]
    pub fn given(&self) -> Vec<String> {
        held(&self.state.given).clone()
    }

    /// From now on the registry takes a token for so many seconds, although the service says 300.
    pub fn hold_for(&self, seconds: i64) {
        *held(&self.state.seconds) = seconds;
    }
}

impl Drop for TokenService {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a test that panicked left is still what it is.
fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(state: Arc<State>, mut socket: TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < REQUEST_MAX {
        if !matches!(socket.read_buf(&mut head).await, Ok(1..)) {
            return;
        }
    }
    let granted = grant(&String::from_utf8_lossy(&head))
        .and_then(|(user, scopes)| state.token(&user, &scopes));
    let (status, body) = match granted {
        Some(token) => ("200 OK", json!({ "token": token, "expires_in": 300 })),
        None => (
            "401 Unauthorized",
            json!({ "errors": [{ "code": "UNAUTHORIZED", "message": "wrong name or password" }] }),
        ),
    };
    let body = body.to_string();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    // Who asked may have gone meanwhile.
    let _answered = socket.write_all(answer.as_bytes()).await;
    let _closed = socket.shutdown().await;
}

/// Who asks, and for what; nobody where name or password are wrong.
fn grant(head: &str) -> Option<(String, Vec<String>)> {
    let target = head.strip_prefix("GET ")?.split(' ').next()?;
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let mut scopes = Vec::new();
    for pair in query.split('&') {
        if let Some(scope) = pair.strip_prefix("scope=") {
            scopes.extend(decoded(scope)?.split(' ').map(str::to_owned));
        }
    }
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    let (_, header) = headers.find(|(name, _)| name.eq_ignore_ascii_case("authorization"))?;
    let basic = STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let (user, password) = std::str::from_utf8(&basic).ok()?.split_once(':')?;
    ([USER, READER].contains(&user) && password == PASSWORD).then(|| (user.to_owned(), scopes))
}

fn decoded(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    let mut pieces = text.split('%');
    let mut decoded = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (code, rest) = piece.split_at_checked(2)?;
        decoded.push(u8::from_str_radix(code, 16).ok()?);
        decoded.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(decoded).ok()
}

impl State {
    fn token(&self, user: &str, scopes: &[String]) -> Option<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let now = i64::try_from(now.as_secs()).ok()?;
        let mut given = held(&self.given);
        let header = json!({ "typ": "JWT", "alg": "ES256", "x5c": [STANDARD.encode(self.certificate.der())] });
        let claims = json!({
            "iss": ISSUER,
            "sub": user,
            "aud": SERVICE,
            "exp": now + *held(&self.seconds) - LEEWAY,
            "nbf": now - 5,
            "iat": now,
            "jti": given.len().to_string(),
            "access": access(user, scopes)?,
        });
        let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = raw(&self.key.sign(signed.as_bytes()).ok()?)?;
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        given.push(token.clone());
        Some(token)
    }
}

/// What each scope comes to for this user; `None` where one cannot be read.
fn access(user: &str, scopes: &[String]) -> Option<Vec<Value>> {
    let mut granted: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for scope in scopes {
        let (what, actions) = scope.rsplit_once(':')?;
        let (kind, name) = what.split_once(':')?;
        let allowed = |action: &&str| user == USER || *action == "pull";
        granted
            .entry((kind.to_owned(), name.to_owned()))
            .or_default()
            .extend(actions.split(',').filter(allowed).map(str::to_owned));
    }
    let granted = granted
        .into_iter()
        .map(|((kind, name), actions)| json!({ "type": kind, "name": name, "actions": actions }));
    Some(granted.collect())
}

/// An ECDSA signature on P-256 as JOSE wants it, two numbers of 32 bytes, from the DER sequence certificates use.
fn raw(der: &[u8]) -> Option<Vec<u8>> {
    let [0x30, _, numbers @ ..] = der else {
        return None;
    };
    let (r, numbers) = number(numbers)?;
    let (s, _) = number(numbers)?;
    Some([r, s].concat())
}

/// The number a DER integer holds, and what follows it. DER puts a zero before a number whose first bit is set.
fn number(der: &[u8]) -> Option<([u8; 32], &[u8])> {
    let [0x02, length, rest @ ..] = der else {
        return None;
    };
    let (number, rest) = rest.split_at_checked(usize::from(*length))?;
    let digits = number.strip_prefix(&[0]).unwrap_or(number);
    let mut wide = [0; 32];
    let at = wide.len().checked_sub(digits.len())?;
    wide.get_mut(at..)?.copy_from_slice(digits);
    Some((wide, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_two_numbers_of_one_width() {
        let der = [0x30, 8, 0x02, 2, 0, 0x80, 0x02, 1, 7, 9];
        let signature = raw(&der).unwrap();
        assert_eq!(signature.len(), 64);
        assert_eq!((signature[31], signature[63]), (0x80, 7));
        assert_eq!(signature.iter().filter(|byte| **byte != 0).count(), 2);
        for short in [&der[..7], &[0x30, 0], &[]] {
            assert_eq!(raw(short), None, "{short:?}");
        }
    }

    #[test]
    fn the_reader_is_granted_pulling_only() {
        let scopes = ["repository:a/b:pull,push".to_owned()];
        let actions = |user| access(user, &scopes).unwrap()[0]["actions"].clone();
        assert_eq!(actions(USER), json!(["pull", "push"]));
        assert_eq!(actions(READER), json!(["pull"]));
    }

    #[test]
    fn wrong_passwords_and_broken_requests_are_granted_nothing() {
        let head = |password: &str, scope: &str| {
            let basic = STANDARD.encode(format!("{USER}:{password}"));
            format!("GET /token?scope={scope} HTTP/1.1\r\nAuthorization: Basic {basic}\r\n\r\n")
        };
        let (user, scopes) = grant(&head(PASSWORD, "repository%3Aa:pull+x")).unwrap();
        assert_eq!((user.as_str(), scopes.len()), (USER, 2));
        for broken in [head("x", "a"), head(PASSWORD, "%4"), head(PASSWORD, "%zz")] {
            assert_eq!(grant(&broken), None, "{broken}");
        }
    }
}
