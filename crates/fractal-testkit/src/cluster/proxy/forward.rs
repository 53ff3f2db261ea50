//! Bodies and answers: what goes to the API server, what comes back, and the errors it would have sent itself.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, TRANSFER_ENCODING,
};
use hyper::http::request::Parts;
use hyper::{Request, Response};
use serde_json::{Value, json};

use super::super::client::Client;
use super::super::error::ClusterError;
use super::ledger::ProxiedCall;

pub(crate) type Answer = Response<BoxBody<Bytes, hyper::Error>>;

/// The way to the API server. Connections whose last answer was read are used again: a handshake costs both sides more than most calls.
#[derive(Debug)]
pub(crate) struct Upstream {
    client: Client,
    connections: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

impl Upstream {
    pub(crate) fn new(client: Client) -> Self {
        let connections = Mutex::default();
        Self {
            client,
            connections,
        }
    }

    async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, ClusterError> {
        let mut connection = match self.idle() {
            Some(idle) => idle,
            None => self.client.connect().await?,
        };
        let answer = connection.send_request(request).await?;
        self.all().push(connection);
        Ok(answer)
    }

    fn idle(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut all = self.all();
        all.retain(|connection| !connection.is_closed());
        let ready = all.iter().position(SendRequest::is_ready)?;
        Some(all.swap_remove(ready))
    }

    fn all(&self) -> MutexGuard<'_, Vec<SendRequest<Full<Bytes>>>> {
        let all = self.connections.lock();
        all.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Passes a request on with another query, if one is given; the answer's body streams.
pub(crate) async fn forward(
    upstream: &Upstream,
    parts: &Parts,
    body: Bytes,
    query: Option<String>,
) -> Result<Response<Incoming>, ClusterError> {
    let path = parts.uri.path();
    let query = query.as_deref().or_else(|| parts.uri.query());
    let uri = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let mut request = Request::builder()
        .method(&parts.method)
        .uri(uri)
        .body(Full::new(body))?;
    *request.headers_mut() = own_headers(&parts.headers);
    if let Some(host) = parts.headers.get(HOST) {
        request.headers_mut().insert(HOST, host.clone());
    }
    upstream.send(request).await
}

pub(crate) fn passed_on(answer: Response<Incoming>) -> Answer {
    let (parts, body) = answer.into_parts();
    let length = parts.headers.get(CONTENT_LENGTH).cloned();
    let mut answer = Response::new(body.boxed());
    *answer.status_mut() = parts.status;
    *answer.headers_mut() = own_headers(&parts.headers);
    if let Some(length) = length {
        answer.headers_mut().insert(CONTENT_LENGTH, length);
    }
    answer
}

/// Without what is between two neighbours only.
fn own_headers(headers: &HeaderMap) -> HeaderMap {
    let mut own = headers.clone();
    for name in [CONNECTION, TRANSFER_ENCODING, CONTENT_LENGTH, HOST] {
        own.remove(name);
    }
    own
}

pub(crate) fn json_answer(status: u16, body: &Value) -> Answer {
    answer(status, "application/json", body.to_string())
}

fn answer(status: u16, kind: &'static str, body: String) -> Answer {
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {});
    let mut answer = Response::new(body.boxed());
    if let Ok(status) = hyper::StatusCode::from_u16(status) {
        *answer.status_mut() = status;
    }
    let kind = hyper::header::HeaderValue::from_static(kind);
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

fn status(code: u16, reason: &str, message: &str, details: &Value) -> Answer {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "details": details, "code": code,
    });
    json_answer(code, &body)
}

pub(crate) fn unavailable() -> Answer {
    let message = "the server is currently unable to handle the request";
    status(503, "ServiceUnavailable", message, &json!({}))
}

pub(crate) fn bad_gateway(error: &ClusterError) -> Answer {
    answer(502, "text/plain; charset=utf-8", error.to_string())
}

/// Plain text, as the API server's own priority and fairness answers.
pub(crate) fn throttled(after: Duration) -> Answer {
    let text = "Too many requests, please try again later.\n".to_owned();
    let mut answer = answer(429, "text/plain; charset=utf-8", text);
    let seconds = after.as_secs().max(1).into();
    answer.headers_mut().insert("retry-after", seconds);
    answer
}

/// As RBAC refuses: what is empty is left out.
pub(crate) fn forbidden(call: &ProxiedCall, headers: &HeaderMap) -> Answer {
    let target = &call.target;
    let mut subject = target.resource.clone();
    let mut details = serde_json::Map::new();
    details.insert("kind".to_owned(), json!(target.resource));
    if !target.group.is_empty() {
        subject = format!("{subject}.{}", target.group);
        details.insert("group".to_owned(), json!(target.group));
    }
    if let Some(name) = &target.name {
        subject = format!("{subject} \"{name}\"");
        details.insert("name".to_owned(), json!(name));
    }
    let resource = match &target.subresource {
        Some(subresource) => format!("{}/{subresource}", target.resource),
        None => target.resource.clone(),
    };
    let place = target.namespace.as_deref().map_or_else(
        || "at the cluster scope".to_owned(),
        |namespace| format!("in the namespace \"{namespace}\""),
    );
    let (user, verb, group) = (user(headers), verb(call), &target.group);
    let message = format!(
        "{subject} is forbidden: User \"{user}\" cannot {verb} resource \"{resource}\" in API group \"{group}\" {place}"
    );
    status(403, "Forbidden", &message, &details.into())
}

fn verb(call: &ProxiedCall) -> &'static str {
    match (call.method.as_str(), &call.target.name) {
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", Some(_)) => "delete",
        ("DELETE", None) => "deletecollection",
        _ => "get",
    }
}

/// The subject of a service account's token, unverified: it is only repeated to who sent it.
fn user(headers: &HeaderMap) -> String {
    use base64::Engine as _;
    let subject = || {
        let token = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let claims = token.split('.').nth(1)?;
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(claims)
            .ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        Some(claims.get("sub")?.as_str()?.to_owned())
    };
    subject().unwrap_or_else(|| "system:anonymous".to_owned())
}
