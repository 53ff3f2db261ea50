//! What the simulated identity services share around a request: the body held whole, faults, the ledger.
//!
//! It knows none of the services: each says which call a request is, how its errors look, and what is done.

use bytes::Bytes;
use http::Request;
use http::request::Parts;
use hyper::body::Incoming;
use serde_json::Value;

use crate::clock::Clock;
use crate::encoding::{find, query_pairs};
use crate::exchange::{Answer, BodyError, Reply, read_body};
use crate::faults::{Action, Faults};
use crate::ledger::{Call, Done, Ledger, Struck, Transaction};

/// Requests of identity services are small.
const BODY_LIMIT: usize = 1 << 20;

/// One request with its body.
pub(crate) struct Asked {
    pub(crate) parts: Parts,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) async fn read(request: Request<Incoming>) -> Result<Self, Answer> {
        let (parts, mut body) = request.into_parts();
        let body = match read_body(&mut body, BODY_LIMIT).await {
            Ok(body) => body,
            Err(BodyError::TooLarge) => return Err(Answer::Reply(Reply::new(413))),
            Err(BodyError::Broken) => return Err(Answer::Cut),
        };
        let query = query_pairs(parts.uri.query().unwrap_or_default(), false);
        Ok(Self { parts, query, body })
    }

    pub(crate) fn method(&self) -> &str {
        self.parts.method.as_str()
    }

    pub(crate) fn path(&self) -> &str {
        self.parts.uri.path()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }

    /// The pairs of a form; none where the body is of another type.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        let kind = self.header("content-type").unwrap_or_default();
        if kind.split(';').next() == Some("application/x-www-form-urlencoded") {
            query_pairs(&String::from_utf8_lossy(&self.body), true)
        } else {
            Vec::new()
        }
    }

    /// The JSON object of the body; an empty one is an empty object.
    pub(crate) fn json(&self) -> Option<Value> {
        if self.body.is_empty() {
            return Some(Value::Object(serde_json::Map::new()));
        }
        serde_json::from_slice(&self.body)
            .ok()
            .filter(Value::is_object)
    }
}

/// How a service words an error: status, code, message.
pub(crate) type Worded = fn(u16, &str, &str) -> Reply;

/// Ledger, faults and time of a service.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    pub(crate) ledger: Ledger,
    pub(crate) faults: Faults,
    pub(crate) clock: Clock,
}

impl Front {
    /// Carries out faults and the ledger around `effect`. `facts` is what the ledger keeps of the request: nothing secret.
    pub(crate) async fn answer(
        &self,
        call: &Call,
        facts: Value,
        worded: Worded,
        effect: impl FnOnce(&mut Transaction<'_>) -> Reply,
    ) -> Answer {
        let strikes = self.faults.strike(call);
        strikes.delay().await;
        if let Some((id, action)) = strikes.before() {
            return self.struck(call, (id, action), facts, worded);
        }
        let lost = strikes.loses_answer();
        let struck = lost.map_or(Struck::Nothing, Struck::LosesAnswer);
        let committed = self.ledger.commit(call, struck, |transaction| Done {
            reply: effect(transaction),
            request: facts,
        });
        match committed {
            Ok(_) if lost.is_some() => Answer::Cut,
            Ok(reply) => Answer::Reply(reply),
            Err(error) => {
                tracing::error!(%error, "call not recorded");
                Answer::Reply(Reply::new(500))
            }
        }
    }

    fn struck(
        &self,
        call: &Call,
        (id, action): (u64, &Action),
        facts: Value,
        worded: Worded,
    ) -> Answer {
        let later = |reply: Reply, seconds: Option<u64>| match seconds {
            Some(seconds) => reply.header("retry-after", seconds.to_string()),
            None => reply,
        };
        let reply = match action {
            Action::Fail {
                status,
                code,
                message,
                retry_after,
            } => later(worded(*status, code, message), *retry_after),
            Action::Throttle { retry_after } => later(
                worded(429, "too_many_requests", "too many requests"),
                *retry_after,
            ),
            Action::Deny => worded(403, "access_denied", "permission denied"),
            _ => Reply::new(0).coded("ConnectionReset"),
        };
        let recorded = self.ledger.commit(call, Struck::Before(id), |_| Done {
            reply,
            request: facts,
        });
        match action {
            Action::Reset => Answer::Reset,
            _ => recorded.map_or(Answer::Cut, Answer::Reply),
        }
    }
}
