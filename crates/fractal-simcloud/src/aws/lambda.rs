//! Lambda's control plane, REST-JSON: functions, tags, versions and aliases, with asynchronous states. Nothing is invoked.

mod aliases;
mod configuration;
mod create;
mod function;
mod image;
mod names;
mod package;
mod read;
mod requests;
mod routes;
mod settle;
mod shape;
mod tags;
mod update;
mod versions;
mod zip;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub use self::function::Served;
use self::function::{Code, Function};
use self::names::Named;
use self::routes::{Operation, Route};
use self::settle::Watches;
use super::wire::{ApiError, Dialect};
use super::{Aws, Input, Scope, json_body};
use crate::config::{Config, Quotas};
use crate::encoding::{find, hex};
use crate::error::SimError;
use crate::exchange::{Answer, Reply};
use crate::faults::Strikes;
use crate::ledger::{Call, Ledger, Transaction};
use crate::quota::Buckets;
use crate::registry::Shelf;

/// The whole request, base64 and JSON included.
pub(super) const BODY_LIMIT: usize = 70_167_211;

/// Lambda's settings and what it remembers beside the ledger's state.
pub(crate) struct Lambda {
    endpoint: String,
    code: PathBuf,
    shelf: Arc<Shelf>,
    roles: Vec<String>,
    accounts: Vec<String>,
    quotas: Quotas,
    tags_move_revision: bool,
    buckets: Buckets,
    watches: Watches,
}

/// One call on the state.
struct Invocation<'a, 't> {
    lambda: &'a Lambda,
    transaction: &'a mut Transaction<'t>,
    scope: &'a Scope,
    route: &'a Route,
    input: &'a Value,
    query: &'a [(String, String)],
    strikes: &'a Strikes,
    now_ms: u64,
}

impl Lambda {
    pub(super) fn open(
        code: &Path,
        endpoint: String,
        config: &Config,
        shelf: Arc<Shelf>,
    ) -> Result<Self, SimError> {
        std::fs::create_dir_all(code).map_err(SimError::state(code))?;
        let listed = config
            .identities
            .iter()
            .map(|identity| identity.account.clone());
        Ok(Self {
            endpoint,
            code: code.to_owned(),
            shelf,
            roles: config.roles.clone(),
            accounts: listed.chain(config.default_account.clone()).collect(),
            quotas: config.quotas,
            tags_move_revision: config.tags_move_revision,
            buckets: Buckets::new(config.clock.clone()),
            watches: Watches::new(config.settling),
        })
    }

    /// Fills the quota buckets.
    pub(crate) fn reset_quotas(&self) {
        self.buckets.reset();
    }

    /// The zip package with this SHA-256 in hex, wherever it is used.
    pub(crate) fn package(&self, sha256: &str) -> Option<PathBuf> {
        let plain = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        plain
            .then(|| self.code.join(sha256))
            .filter(|path| path.exists())
    }

    /// What every function serves now, in all accounts and regions.
    pub(crate) fn served(ledger: &Ledger) -> Vec<Served> {
        ledger.read(|transaction| {
            let keys: Vec<_> = transaction
                .keys("lambda/", "")
                .filter(|key| key.contains("/function/"))
                .map(str::to_owned)
                .collect();
            keys.iter()
                .filter_map(|key| Some(Served::of(key, &transaction.get::<Function>(key)?)))
                .collect()
        })
    }

    fn throttle(&self, scope: &Scope, operation: Operation) -> Result<(), ApiError> {
        let (class, rate) = match operation {
            Operation::GetFunction => ("GetFunction", self.quotas.get_function),
            _ => ("control-plane", self.quotas.control_plane),
        };
        let key = format!("{}/{}/{class}", scope.account, scope.region);
        self.buckets
            .take(&key, rate)
            .map_err(|seconds| Dialect::RestJson.throttled().retry_after(Some(seconds)))
    }
}

impl Aws {
    pub(super) async fn serve_lambda(&self, scope: Scope, input: Input, oversized: bool) -> Answer {
        let route = routes::route(&input.parts.method, input.parts.uri.path());
        let parsed = json_body(&input.body);
        let body = parsed.as_ref().cloned().unwrap_or_default();
        let request = facts(&body, &input.query);
        let call = Call {
            service: "lambda".into(),
            operation: route
                .as_ref()
                .map_or("", |route| route.operation.name())
                .into(),
            resource: route
                .as_ref()
                .map(|route| resource(route, &body))
                .unwrap_or_default(),
            mutating: route
                .as_ref()
                .is_some_and(|route| route.operation.is_mutating()),
            ..scope.call()
        };
        let strikes = match self.gate(&call, Dialect::RestJson, &request).await {
            Ok(strikes) => strikes,
            Err(answer) => return answer,
        };
        let Some(route) = route else {
            let error = ApiError::new(404, "UnknownOperationException", "No such operation");
            return self.refuse(&call, Dialect::RestJson, error, request);
        };
        let admitted = self
            .lambda
            .throttle(&scope, route.operation)
            .and_then(|()| {
                if oversized {
                    Err(too_large(&call))
                } else {
                    Ok(())
                }
            });
        let prepared = match admitted
            .and_then(|()| parsed.map(drop))
            .and_then(|()| requests::validate(route.operation, &body, &route, &input.query))
        {
            Ok(()) => package::prepare(self, &scope, route.operation, &body).await,
            Err(error) => return self.refuse(&call, Dialect::RestJson, error, request),
        };
        self.finish(&call, &strikes, request, |transaction| {
            let invocation = Invocation {
                lambda: &self.lambda,
                transaction,
                scope: &scope,
                route: &route,
                input: &body,
                query: &input.query,
                strikes: &strikes,
                now_ms: self.clock.now_ms(),
            };
            invocation
                .perform(prepared)
                .unwrap_or_else(|error| Dialect::RestJson.error(&error, &call.resource))
        })
    }
}

impl Invocation<'_, '_> {
    fn perform(mut self, package: Option<Result<Code, ApiError>>) -> Result<Reply, ApiError> {
        match self.route.operation {
            Operation::CreateFunction => self.create(package),
            Operation::GetFunction => self.get(),
            Operation::GetFunctionConfiguration => self.get_configuration(),
            Operation::ListFunctions => self.list(),
            Operation::UpdateFunctionCode => self.update_code(package),
            Operation::UpdateFunctionConfiguration => self.update_configuration(),
            Operation::DeleteFunction => self.delete(),
            Operation::TagResource => self.tag(),
            Operation::UntagResource => self.untag(),
            Operation::ListTags => self.list_tags(),
            Operation::PublishVersion => self.publish(),
            Operation::ListVersionsByFunction => self.list_versions(),
            Operation::CreateAlias => self.create_alias(),
            Operation::GetAlias => self.get_alias(),
            Operation::UpdateAlias => self.update_alias(),
            Operation::DeleteAlias => self.delete_alias(),
            Operation::ListAliases => self.list_aliases(),
        }
    }

    fn text(&self, member: &str) -> Option<&str> {
        self.input.get(member).and_then(Value::as_str)
    }

    fn flag(&self, member: &str) -> bool {
        self.input
            .get(member)
            .and_then(Value::as_bool)
            .unwrap_or(false)
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        find(self.query, name)
    }

    /// The function the call names, as this account and region name it.
    fn named(&self) -> Result<Named, ApiError> {
        let text = if self.route.operation == Operation::CreateFunction {
            self.text("FunctionName")
        } else {
            Some(self.route.function.as_str())
        };
        Named::parse(text.unwrap_or_default(), self.scope)
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix("function"))
    }

    fn prefix(&self, kind: &str) -> String {
        format!(
            "lambda/{}/{}/{kind}/",
            self.scope.account, self.scope.region
        )
    }

    fn arn(&self, name: &str) -> String {
        format!(
            "arn:aws:lambda:{}:{}:function:{name}",
            self.scope.region, self.scope.account
        )
    }

    fn not_found(&self, name: &str) -> ApiError {
        ApiError::new(
            404,
            "ResourceNotFoundException",
            format!("Function not found: {}", self.arn(name)),
        )
    }
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidParameterValueException", message)
}

fn conflict(message: impl Into<String>) -> ApiError {
    ApiError::new(409, "ResourceConflictException", message)
}

fn too_large(call: &Call) -> ApiError {
    let message = format!(
        "Request must be smaller than {BODY_LIMIT} bytes for the {} operation",
        call.operation
    );
    ApiError::new(413, "RequestEntityTooLargeException", message)
}

/// The bare function name of a call, for the ledger and the filters of faults.
fn resource(route: &Route, body: &Value) -> String {
    let text = if route.function.is_empty() {
        body.get("FunctionName")
            .and_then(Value::as_str)
            .unwrap_or_default()
    } else {
        &route.function
    };
    names::bare(text).to_owned()
}

/// The request as the ledger keeps it: a package is its length and hash.
fn facts(body: &Value, query: &[(String, String)]) -> Value {
    let mut body = body.clone();
    for pointer in ["/ZipFile", "/Code/ZipFile"] {
        if let Some(zip) = body.pointer_mut(pointer) {
            let bytes = zip.as_str().and_then(package::decode).unwrap_or_default();
            *zip = json!({ "length": bytes.len(), "sha256": hex(&Sha256::digest(&bytes)) });
        }
    }
    match query {
        [] => body,
        _ => {
            json!({ "query": query.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>(), "body": body })
        }
    }
}
