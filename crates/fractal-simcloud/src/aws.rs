//! The AWS endpoint: finds account, region and service in a call's signature, and carries out faults, quotas and the ledger around the service.

mod ecr;
pub(crate) mod eks;
mod iam;
pub(crate) mod lambda;
pub(crate) mod s3;
mod sigv4;
mod sts;
mod wire;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request};
use hyper::body::Incoming;
use serde_json::{Value, json};

use self::eks::Sessions;
use self::lambda::Lambda;
use self::s3::S3;
use self::sigv4::Payload;
use self::wire::{ApiError, Dialect};
use crate::clock::Clock;
use crate::config::Config;
use crate::control;
use crate::encoding::query_pairs;
use crate::error::SimError;
use crate::exchange::{Answer, BodyError, Reply, drain, read_body};
use crate::faults::{Action, Faults, Strikes};
use crate::ledger::{Call, Done, Ledger, Struck, Transaction};
use crate::registry::Shelf;
use crate::server;

/// Query and JSON services other than Lambda; their requests are small.
const SMALL_BODY: usize = 1 << 20;

/// Everything the AWS services share.
pub(crate) struct Aws {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) ledger: Ledger,
    pub(crate) faults: Faults,
    pub(crate) lambda: Lambda,
    pub(crate) s3: S3,
    shelf: Arc<Shelf>,
    registry_endpoint: String,
    sessions: Sessions,
}

/// Whose state a call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) access_key_id: String,
}

impl Scope {
    fn user_arn(&self) -> String {
        format!("arn:aws:iam::{}:user/{}", self.account, self.access_key_id)
    }
}

/// A request with its body, for the services whose bodies are small enough to hold.
pub(crate) struct Input {
    pub(crate) parts: Parts,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Aws {
    pub(crate) fn new(
        config: Config,
        folder: &Path,
        endpoint: String,
        registry: (Arc<Shelf>, String),
        ledger: Ledger,
        faults: Faults,
    ) -> Result<Self, SimError> {
        let clock = config.clock.clone();
        let (shelf, registry_endpoint) = registry;
        let lambda = Lambda::open(&folder.join("code"), endpoint, &config, Arc::clone(&shelf))?;
        let s3 = S3::open(&folder.join("objects"))?;
        Ok(Self {
            config,
            clock,
            ledger,
            faults,
            lambda,
            s3,
            shelf,
            registry_endpoint,
            sessions: Sessions::default(),
        })
    }

    async fn serve(&self, request: Request<Incoming>) -> Answer {
        let (parts, mut body) = request.into_parts();
        if self.is_for_pods(&parts) {
            return match read_body(&mut body, SMALL_BODY).await {
                Ok(bytes) => self.serve_pods(&parts, &bytes).await,
                Err(_) => Answer::Cut,
            };
        }
        let signed = match sigv4::read(&parts) {
            Ok(signed) => signed,
            Err(error) => return self.unauthenticated(&parts, &mut body, error).await,
        };
        let dialect = Dialect::of(&signed.service);
        if signed.service == "s3" {
            return match self.authenticate(&signed, &parts, Payload::Stated) {
                Ok(scope) => self.serve_s3(scope, parts, body).await,
                Err(error) => {
                    self.unauthenticated(&parts, &mut body, error.rejected(dialect))
                        .await
                }
            };
        }
        let limit = if signed.service == "lambda" {
            lambda::BODY_LIMIT
        } else {
            SMALL_BODY
        };
        let (bytes, oversized) = match read_body(&mut body, limit).await {
            Ok(bytes) => (bytes, false),
            Err(BodyError::TooLarge) => (Bytes::new(), true),
            Err(BodyError::Broken) => return Answer::Cut,
        };
        let payload = if oversized {
            Payload::Dropped
        } else {
            Payload::Held(&bytes)
        };
        match self.authenticate(&signed, &parts, payload) {
            Ok(scope) => {
                let query = query_pairs(parts.uri.query().unwrap_or_default(), false);
                self.serve_buffered(
                    &signed.service,
                    scope,
                    Input {
                        parts,
                        query,
                        body: bytes,
                    },
                    oversized,
                )
                .await
            }
            Err(error) => {
                self.unauthenticated(&parts, &mut body, error.rejected(dialect))
                    .await
            }
        }
    }

    fn authenticate(
        &self,
        signed: &sigv4::Signed,
        parts: &Parts,
        payload: Payload<'_>,
    ) -> Result<Scope, ApiError> {
        let session = self
            .sessions
            .identity(signed.access_key_id(), self.clock.now_ms());
        match session {
            Some((identity, token)) => {
                sigv4::authenticate_session(&identity, &token, signed, parts, payload)
            }
            None => sigv4::authenticate(&self.config, signed, parts, payload),
        }
    }

    async fn serve_buffered(
        &self,
        service: &str,
        scope: Scope,
        input: Input,
        oversized: bool,
    ) -> Answer {
        match service {
            "lambda" => self.serve_lambda(scope, input, oversized).await,
            "sts" => self.serve_sts(scope, input).await,
            "iam" => self.serve_iam(scope, input).await,
            "ecr" => self.serve_ecr(scope, input).await,
            other => {
                let error = ApiError::new(
                    400,
                    "UnrecognizedClientException",
                    format!("Service '{other}' is not simulated here."),
                );
                self.refuse(
                    &Call {
                        service: other.to_owned(),
                        ..scope.call()
                    },
                    Dialect::Json11,
                    error,
                    Value::Null,
                )
            }
        }
    }

    async fn unauthenticated(
        &self,
        parts: &Parts,
        body: &mut Incoming,
        rejected: sigv4::Rejected,
    ) -> Answer {
        drain(body).await;
        let (dialect, service) = rejected.dialect.map_or_else(
            || Dialect::guess(parts),
            |dialect| (dialect, dialect.service()),
        );
        let call = Call {
            service: service.to_owned(),
            resource: parts.uri.path().to_owned(),
            ..Call::default()
        };
        self.refuse(&call, dialect, rejected.error, Value::Null)
    }

    /// Counts the call for the armed faults, and answers in the service's place where one says so.
    async fn gate(
        &self,
        call: &Call,
        dialect: Dialect,
        request: &Value,
    ) -> Result<Strikes, Answer> {
        let strikes = self.faults.strike(call);
        strikes.delay().await;
        let Some((id, action)) = strikes.before() else {
            return Ok(strikes);
        };
        let error = match action {
            Action::Fail {
                status,
                code,
                message,
                retry_after,
            } => ApiError::new(*status, code, message.clone()).retry_after(*retry_after),
            Action::Throttle { retry_after } => dialect.throttled().retry_after(*retry_after),
            Action::Deny => dialect.denied(call),
            _ => ApiError::new(0, "ConnectionReset", String::new()),
        };
        let reply = dialect.error(&error, &call.resource);
        let recorded = self.ledger.commit(call, Struck::Before(id), |_| Done {
            reply,
            request: request.clone(),
        });
        Err(match action {
            Action::Reset => Answer::Reset,
            _ => recorded.map_or(Answer::Cut, Answer::Reply),
        })
    }

    /// Runs the call's effect, durably, and answers unless the answer is to be lost.
    fn finish(
        &self,
        call: &Call,
        strikes: &Strikes,
        request: Value,
        effect: impl FnOnce(&mut Transaction<'_>) -> Reply,
    ) -> Answer {
        let lost = strikes.loses_answer();
        let struck = lost.map_or(Struck::Nothing, Struck::LosesAnswer);
        let committed = self.ledger.commit(call, struck, |transaction| Done {
            reply: effect(transaction),
            request,
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

    fn refuse(&self, call: &Call, dialect: Dialect, error: ApiError, request: Value) -> Answer {
        self.finish(call, &Strikes::default(), request, |_| {
            dialect.error(&error, &call.resource)
        })
    }
}

impl server::Service for Aws {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        if request.uri().path().starts_with(control::PREFIX) {
            return Answer::Reply(control::answer(&self, request).await);
        }
        match Box::pin(self.serve(request)).await {
            Answer::Reply(reply) => {
                Answer::Reply(reply.header("x-amzn-requestid", crate::encoding::uuid()))
            }
            cut => cut,
        }
    }
}

impl Scope {
    /// A call of this scope, its operation still unnamed.
    fn call(&self) -> Call {
        Call {
            account: self.account.clone(),
            region: self.region.clone(),
            ..Call::default()
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The JSON of a body; an empty body is an empty object.
fn json_body(body: &[u8]) -> Result<Value, ApiError> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    let parsed = serde_json::from_slice::<Value>(body)
        .ok()
        .filter(Value::is_object);
    parsed.ok_or_else(|| {
        ApiError::new(
            400,
            "SerializationException",
            "Could not parse request body into json.",
        )
    })
}
