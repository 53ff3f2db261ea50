//! A token service as a vendor runs one: it knows two users, and signs what the reference registry verifies.
//!
//! Tokens are JWTs signed with ES256; the certificate travels in the token and is trusted by the registry's own bundle.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{Certificate, CertificateParams, KeyPair, SigningKey as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::server::{PASSWORD, USER};

const ISSUER: &str = "token service of the test";
const SERVICE: &str = "registry of the test";
/// Someone who may pull and nothing else.
pub(crate) const READER: &str = "reader";
/// The registry takes a token for so long after it ran out.
const LEEWAY: i64 = 60;

/// The service; it ends with the test's runtime.
pub(crate) struct TokenService {
    realm: String,
    bundle: PathBuf,
    state: Arc<State>,
}

struct State {
    key: KeyPair,
    certificate: Certificate,
    /// Tokens given, in order.
    given: Mutex<Vec<String>>,
    /// Seconds for which the next tokens are really taken. What the answer says about it stays the same.
    seconds: Mutex<i64>,
}

impl TokenService {
    pub(crate) async fn start(folder: &Path) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["tokens.example".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let bundle = folder.join("tokens.pem");
        std::fs::write(&bundle, certificate.pem()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // By name: crane takes no realm that names a loopback address.
        let port = listener.local_addr().unwrap().port();
        let realm = format!("http://localhost:{port}/token");
        let state = Arc::new(State {
            key,
            certificate,
            given: Mutex::default(),
            seconds: Mutex::new(300),
        });
        let serving = state.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(serving.clone(), socket));
            }
        });
        Self {
            realm,
            bundle,
            state,
        }
    }

    /// The registry's own settings for it.
    pub(crate) fn settings(&self) -> Value {
        json!({ "realm": self.realm, "service": SERVICE, "issuer": ISSUER, "rootcertbundle": self.bundle })
    }

    /// Tokens given so far.
    pub(crate) fn given(&self) -> Vec<String> {
        self.state.given.lock().unwrap().clone()
    }

    /// From now on the registry takes a token for so many seconds, although the service says more.
    pub(crate) fn hold_for(&self, seconds: i64) {
        *self.state.seconds.lock().unwrap() = seconds;
    }
}

async fn serve(state: Arc<State>, mut socket: TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && matches!(socket.read_buf(&mut head).await, Ok(1..)) {}
    let head = String::from_utf8(head).unwrap();
    let (status, body) = match grant(&head) {
        Some((user, scopes)) => (
            "200 OK",
            json!({ "token": state.token(&user, &scopes), "expires_in": 300 }),
        ),
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
    let _ = socket.write_all(answer.as_bytes()).await;
    let _ = socket.shutdown().await;
}

/// Who asks, and for what; nobody where name or password are wrong.
fn grant(head: &str) -> Option<(String, Vec<String>)> {
    let target = head.strip_prefix("GET ")?.split(' ').next()?;
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let scopes = query
        .split('&')
        .filter_map(|pair| pair.strip_prefix("scope="))
        .flat_map(|scopes| {
            decoded(scopes)
                .split(' ')
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    let header = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("authorization"))?
        .1;
    let basic = STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let (user, password) = std::str::from_utf8(&basic).ok()?.split_once(':')?;
    ([USER, READER].contains(&user) && password == PASSWORD).then(|| (user.to_owned(), scopes))
}

fn decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    let mut pieces = text.split('%');
    let mut decoded = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        decoded.push(u8::from_str_radix(&piece[..2], 16).unwrap());
        decoded.extend_from_slice(&piece.as_bytes()[2..]);
    }
    String::from_utf8(decoded).unwrap()
}

impl State {
    fn token(&self, user: &str, scopes: &[String]) -> String {
        let now = i64::try_from(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_secs(),
        )
        .unwrap();
        let mut given = self.given.lock().unwrap();
        let header = json!({ "typ": "JWT", "alg": "ES256", "x5c": [STANDARD.encode(self.certificate.der())] });
        let claims = json!({
            "iss": ISSUER,
            "sub": user,
            "aud": SERVICE,
            "exp": now + *self.seconds.lock().unwrap() - LEEWAY,
            "nbf": now - 5,
            "iat": now,
            "jti": given.len().to_string(),
            "access": access(user, scopes),
        });
        let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = raw(&self.key.sign(signed.as_bytes()).unwrap());
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        given.push(token.clone());
        token
    }
}

fn access(user: &str, scopes: &[String]) -> Vec<Value> {
    let mut granted: HashMap<(String, String), Vec<String>> = HashMap::new();
    for scope in scopes {
        let (what, actions) = scope.rsplit_once(':').unwrap();
        let (kind, name) = what.split_once(':').unwrap();
        let allowed = |action: &&str| user == USER || *action == "pull";
        granted
            .entry((kind.to_owned(), name.to_owned()))
            .or_default()
            .extend(actions.split(',').filter(allowed).map(str::to_owned));
    }
    granted
        .into_iter()
        .map(|((kind, name), actions)| json!({ "type": kind, "name": name, "actions": actions }))
        .collect()
}

/// An ECDSA signature as JOSE wants it, two numbers of 32 bytes, from the DER form certificates use.
fn raw(der: &[u8]) -> Vec<u8> {
    let number = |at: usize| {
        let length = usize::from(der[at + 1]);
        (&der[at + 2..at + 2 + length], at + 2 + length)
    };
    let (r, next) = number(2);
    let (s, _) = number(next);
    [r, s]
        .into_iter()
        .flat_map(|number| {
            let start = number
                .iter()
                .position(|byte| *byte != 0)
                .unwrap_or(number.len());
            let digits = &number[start..];
            [vec![0; 32 - digits.len()], digits.to_vec()].concat()
        })
        .collect()
}
