//! A simulated HashiCorp Vault over its HTTP API: Kubernetes and JWT login, tokens with lease and end, policies, KV version 2.
//!
//! Other auth methods, response wrapping and lease lists are not there. State is in the ledger's documents; secrets and tokens
//! are never in its entries.

mod auth;
mod config;
mod kv;
mod tokens;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Request;
use hyper::body::Incoming;
use serde_json::{Value, json};

pub use self::config::{VaultConfig, VaultLogin, VaultPolicy, VaultRole};
use crate::encoding::uuid;
use crate::exchange::{Answer, Reply};
use crate::front::{Asked, Front};
use crate::ledger::{Call, Transaction};
use crate::server::Service;

/// The simulated Vault of a running cloud.
#[derive(Clone, Debug)]
pub struct Vault(Arc<Core>);

#[derive(Debug)]
struct Core {
    config: VaultConfig,
    front: Front,
    sealed: AtomicBool,
}

/// A refusal: status and messages.
struct Refusal(u16, Vec<String>);

impl Refusal {
    fn new(status: u16, message: &str) -> Self {
        Self(status, vec![message.to_owned()])
    }

    fn denied() -> Self {
        Self::new(403, "permission denied")
    }

    fn reply(self) -> Reply {
        let code = self
            .1
            .first()
            .cloned()
            .unwrap_or_else(|| "not found".to_owned());
        Reply::json(self.0, &json!({ "errors": self.1 })).coded(code)
    }
}

impl Vault {
    pub(crate) fn new(config: VaultConfig, front: Front) -> Self {
        Self(Arc::new(Core {
            config,
            front,
            sealed: AtomicBool::new(false),
        }))
    }

    /// Seals or unseals it.
    pub fn seal(&self, sealed: bool) {
        self.0.sealed.store(sealed, Ordering::SeqCst);
    }

    pub(crate) fn service(&self) -> Arc<impl Service + use<>> {
        Arc::new(Served(Arc::clone(&self.0)))
    }
}

struct Served(Arc<Core>);

impl Service for Served {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        match Asked::read(request).await {
            Ok(asked) => self.0.answer(asked).await,
            Err(answer) => answer,
        }
    }
}

/// What a path below `v1/` names.
enum Route {
    Login { mount: String },
    RenewSelf,
    LookupSelf,
    RevokeSelf,
    Data { mount: String, path: String },
    Metadata { mount: String, path: String },
    Health,
    Unknown,
}

impl Core {
    async fn answer(&self, asked: Asked) -> Answer {
        let route = self.route(asked.path());
        let call = Call {
            service: "vault".to_owned(),
            operation: operation(&route, asked.method()).to_owned(),
            resource: asked.path().trim_start_matches("/v1/").to_owned(),
            mutating: matches!(route, Route::Data { .. }) && asked.method() != "GET",
            ..Call::default()
        };
        let role = asked.json().and_then(|body| body.get("role").cloned());
        let facts = json!({ "method": asked.method(), "role": role, "namespace": asked.header("x-vault-namespace") });
        let worded =
            |status, code: &str, message: &str| Refusal::new(status, message).reply().coded(code);
        self.front
            .answer(&call, facts, worded, |transaction| {
                self.perform(&route, &asked, transaction)
                    .unwrap_or_else(Refusal::reply)
            })
            .await
    }

    fn route(&self, path: &str) -> Route {
        let Some(path) = path.strip_prefix("/v1/") else {
            return Route::Unknown;
        };
        match path {
            "auth/token/renew-self" => return Route::RenewSelf,
            "auth/token/lookup-self" => return Route::LookupSelf,
            "auth/token/revoke-self" => return Route::RevokeSelf,
            "sys/health" => return Route::Health,
            _ => {}
        }
        let login = path
            .strip_prefix("auth/")
            .and_then(|rest| rest.strip_suffix("/login"));
        if let Some(mount) = login {
            return Route::Login {
                mount: mount.to_owned(),
            };
        }
        let below = self.config.kv_mounts.iter().find_map(|mount| {
            let rest = path.strip_prefix(mount.as_str())?.strip_prefix('/')?;
            Some((mount.clone(), rest.to_owned()))
        });
        let Some((mount, rest)) = below else {
            return Route::Unknown;
        };
        match rest.split_once('/') {
            Some(("data", path)) => Route::Data {
                mount,
                path: path.to_owned(),
            },
            Some(("metadata", path)) => Route::Metadata {
                mount,
                path: path.to_owned(),
            },
            _ => Route::Unknown,
        }
    }

    fn perform(
        &self,
        route: &Route,
        asked: &Asked,
        transaction: &mut Transaction<'_>,
    ) -> Result<Reply, Refusal> {
        let sealed = self.sealed.load(Ordering::SeqCst);
        if let Route::Health = route {
            let status = if sealed { 503 } else { 200 };
            let body = json!({ "initialized": true, "sealed": sealed, "standby": false, "version": "1.20.0" });
            return Ok(Reply::json(status, &body));
        }
        if sealed {
            return Err(Refusal::new(503, "Vault is sealed"));
        }
        let named = asked
            .header("x-vault-namespace")
            .map(|name| name.trim_matches('/'))
            .filter(|name| !name.is_empty());
        if named != self.config.namespace.as_deref() {
            return Err(no_route(asked.path()));
        }
        match route {
            Route::Login { mount } => self.login(mount, asked, transaction),
            Route::RenewSelf => self.renew(asked, transaction),
            Route::LookupSelf => self.lookup(asked, transaction),
            Route::RevokeSelf => self.revoke(asked, transaction),
            Route::Data { mount, path } => self.data(mount, path, asked, transaction),
            Route::Metadata { mount, path } => self.metadata(mount, path, asked, transaction),
            Route::Health | Route::Unknown => Err(no_route(asked.path())),
        }
    }
}

fn no_route(path: &str) -> Refusal {
    let path = path.trim_start_matches("/v1/");
    Refusal::new(
        404,
        &format!("no handler for route \"{path}\". route entry not found."),
    )
}

fn operation(route: &Route, method: &str) -> &'static str {
    match (route, method) {
        (Route::Login { .. }, _) => "Login",
        (Route::RenewSelf, _) => "RenewSelf",
        (Route::LookupSelf, _) => "LookupSelf",
        (Route::RevokeSelf, _) => "RevokeSelf",
        (Route::Data { .. }, "GET") => "ReadSecret",
        (Route::Data { .. }, "DELETE") => "DeleteSecret",
        (Route::Data { .. }, _) => "WriteSecret",
        (Route::Metadata { .. }, _) => "ReadMetadata",
        (Route::Health, _) => "Health",
        (Route::Unknown, _) => "Unknown",
    }
}

/// The envelope of every successful answer.
fn envelope(data: Value, auth: Value) -> Value {
    json!({
        "request_id": uuid(),
        "lease_id": "",
        "renewable": false,
        "lease_duration": 0,
        "data": data,
        "wrap_info": null,
        "warnings": null,
        "auth": auth,
    })
}
