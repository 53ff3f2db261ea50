//! An OCI registry on loopback: the distribution API with its checks, optional authentication, faults and a ledger.
//!
//! Alone it is any vendor's registry; inside [`SimCloud`](crate::SimCloud) it plays ECR. Garbage is never collected: a deleted blob leaves its
//! repository, not the disk. Digests are SHA-256 only.

mod access;
mod acr;
mod blobs;
mod gar;
mod manifests;
mod reply;
mod routes;
mod shelf;
mod tokens;
mod uploads;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Request};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tempfile::TempDir;

use self::access::Access;
pub(crate) use self::gar::{google_access_token, google_subject};
use self::routes::{Route, Target};
pub(crate) use self::routes::{is_repository, is_tag, sha256_digest};
pub(crate) use self::shelf::{Shelf, Stored, file_sha256};
use crate::clock::Clock;
use crate::encoding::query_pairs;
use crate::error::SimError;
use crate::exchange::{Answer, Reply, drain};
use crate::faults::{Action, Faults};
use crate::ledger::{Call, Done, Ledger, Struck};
use crate::server::{Bound, Listener, Service};

/// Who may use a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistryAuth {
    /// Everybody.
    Open,
    /// Name and password with every request.
    Basic {
        /// User name.
        username: String,
        /// Password.
        password: String,
    },
    /// A challenge naming the token endpoint, which gives short-lived tokens for a scope.
    Bearer {
        /// User name at the token endpoint.
        username: String,
        /// Password at the token endpoint.
        password: String,
        /// Life of a token.
        token_seconds: u64,
        /// Whether a token for pulling is given without name and password.
        anonymous_pull: bool,
    },
    /// Azure's: an Entra token is exchanged for a refresh token, and that for access tokens.
    Azure {
        /// What the registry calls itself, such as `fractal.azurecr.io`.
        login_server: String,
        /// Life of a refresh token.
        refresh_seconds: u64,
        /// Life of an access token.
        access_seconds: u64,
    },
    /// Google's: an access token is the password of `oauth2accesstoken` at the token endpoint.
    Google {
        /// Life of a token of one scope.
        token_seconds: u64,
    },
}

/// Settings of one [`Registry`].
#[derive(Clone, Debug)]
pub struct RegistryConfig {
    /// Where blobs, tags and ledger live; a temporary folder, removed at the end, when absent.
    pub state_dir: Option<PathBuf>,
    /// Loopback port; 0 takes a free one.
    pub port: u16,
    /// Who may use it.
    pub auth: RegistryAuth,
    /// Whether each journal record is forced to the disk.
    pub fsync: bool,
    /// Time.
    pub clock: Clock,
}

impl Default for RegistryConfig {
    fn default() -> Self {
        Self {
            state_dir: None,
            port: 0,
            auth: RegistryAuth::Open,
            fsync: false,
            clock: Clock::system(),
        }
    }
}

/// A running registry. Dropping it ends it; [`Registry::stop`] lets open exchanges finish.
pub struct Registry {
    address: std::net::SocketAddr,
    listener: Listener,
    ledger: Ledger,
    faults: Faults,
    _owned: Option<TempDir>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registry({})", self.address)
    }
}

impl Registry {
    /// Starts a registry with a ledger and faults of its own. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// When the port is taken or the state folder cannot be used.
    pub async fn start(config: RegistryConfig) -> Result<Self, SimError> {
        let (folder, owned) = state_folder(config.state_dir.clone())?;
        let ledger = Ledger::open(&folder, config.fsync, config.clock.clone())?;
        let shelf = Arc::new(Shelf::open(&folder.join("registry"), config.clock.clone())?);
        let bound = Bound::loopback(config.port).await?;
        let registry = Self::on(bound, config.auth, shelf, ledger, Faults::default());
        Ok(Self {
            _owned: owned,
            ..registry
        })
    }

    /// Serves `shelf` on a bound socket, recording into a ledger shared with others.
    pub(crate) fn on(
        bound: Bound,
        auth: RegistryAuth,
        shelf: Arc<Shelf>,
        ledger: Ledger,
        faults: Faults,
    ) -> Self {
        let address = bound.address;
        let access = Access::new(auth, address.to_string());
        let core = Core {
            shelf,
            access,
            ledger: ledger.clone(),
            faults: faults.clone(),
        };
        Self {
            address,
            listener: bound.serve(Arc::new(core)),
            ledger,
            faults,
            _owned: None,
        }
    }

    /// `host:port`, as references name it.
    #[must_use]
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// `http://host:port`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every call so far.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The faults to come.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Stops accepting and waits a bounded time for open exchanges.
    pub async fn stop(self) {
        self.listener.stop().await;
    }
}

/// The folder given, or a temporary one and its owner.
pub(crate) fn state_folder(given: Option<PathBuf>) -> Result<(PathBuf, Option<TempDir>), SimError> {
    if let Some(folder) = given {
        return Ok((folder, None));
    }
    let owned = tempfile::Builder::new()
        .prefix("fractal-simcloud-")
        .tempdir()
        .map_err(SimError::state(std::env::temp_dir()))?;
    Ok((owned.path().to_owned(), Some(owned)))
}

struct Core {
    shelf: Arc<Shelf>,
    access: Access,
    ledger: Ledger,
    faults: Faults,
}

/// One request to a repository.
struct Asked {
    parts: Parts,
    query: Vec<(String, String)>,
    repository: String,
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        header(&self.parts.headers, name)
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        crate::encoding::find(&self.query, name)
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl Service for Core {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        let (parts, mut body) = request.into_parts();
        let route = routes::route(&parts);
        let call = call(&route);
        let facts = json!({ "method": parts.method.as_str(), "target": parts.uri.to_string() });
        let strikes = self.faults.strike(&call);
        strikes.delay().await;
        if let Some((id, action)) = strikes.before() {
            return self.struck(&call, id, action, facts, &mut body).await;
        }
        let reply = Box::pin(self.perform(route, parts, &mut body)).await;
        if !reply.is_success() {
            drain(&mut body).await;
        }
        let lost = strikes.loses_answer();
        match self.ledger.commit(
            &call,
            lost.map_or(Struck::Nothing, Struck::LosesAnswer),
            |_| Done {
                reply,
                request: facts,
            },
        ) {
            Ok(_) if lost.is_some() => Answer::Cut,
            Ok(reply) => Answer::Reply(Reply {
                cut_after: strikes.cuts_answer(),
                ..reply.header("docker-distribution-api-version", "registry/2.0")
            }),
            Err(error) => {
                tracing::error!(%error, "call not recorded");
                Answer::Reply(Reply::new(500))
            }
        }
    }
}

impl Core {
    async fn perform(&self, route: Route, parts: Parts, body: &mut Incoming) -> Reply {
        let query = query_pairs(parts.uri.query().unwrap_or_default(), false);
        if matches!(route.target, Target::Token | Target::Exchange) {
            let tokens = &self.shelf.tokens;
            return self
                .access
                .token(tokens, &route.target, &parts, &query, body)
                .await;
        }
        if let Err(challenge) = self.access.check(&self.shelf.tokens, &parts, &route) {
            return challenge;
        }
        if !route.repository.is_empty() && !routes::is_repository(&route.repository) {
            return reply::error(400, "NAME_INVALID", "invalid repository name");
        }
        let asked = Asked {
            parts,
            query,
            repository: route.repository,
        };
        match route.target {
            Target::Token | Target::Exchange | Target::Api => Reply::json(200, &json!({})),
            Target::Catalog => self.catalog(&asked),
            Target::Blob(digest) => self.blob(&asked, &digest).await,
            Target::Uploads => self.start_upload(&asked, body).await,
            Target::Upload(id) => self.upload(&asked, &id, body).await,
            Target::Manifest(reference) => self.manifest(&asked, &reference, body).await,
            Target::Tags => self.tags(&asked),
            Target::Referrers(digest) => self.referrers(&asked, &digest),
            Target::Unknown => reply::error(404, "UNSUPPORTED", "no such resource"),
        }
    }

    async fn struck(
        &self,
        call: &Call,
        id: u64,
        action: &Action,
        facts: Value,
        body: &mut Incoming,
    ) -> Answer {
        let reply = match action {
            Action::Fail {
                status,
                code,
                message,
                retry_after,
            } => {
                let reply = reply::error(*status, code, message);
                retry_after.map_or(reply.clone(), |seconds| {
                    reply.header("retry-after", seconds.to_string())
                })
            }
            Action::Throttle { retry_after } => {
                let reply = reply::error(429, "TOOMANYREQUESTS", "too many requests");
                retry_after.map_or(reply.clone(), |seconds| {
                    reply.header("retry-after", seconds.to_string())
                })
            }
            Action::Deny => {
                reply::error(403, "DENIED", "requested access to the resource is denied")
            }
            _ => Reply::new(0).coded("ConnectionReset"),
        };
        let recorded = self.ledger.commit(call, Struck::Before(id), |_| Done {
            reply,
            request: facts,
        });
        match (action, recorded) {
            (Action::Reset, _) => Answer::Reset,
            (_, Ok(reply)) => {
                drain(body).await;
                Answer::Reply(reply)
            }
            (_, Err(_)) => Answer::Cut,
        }
    }
}

fn call(route: &Route) -> Call {
    let resource = match &route.target {
        Target::Blob(digest) | Target::Referrers(digest) => {
            format!("{}@{digest}", route.repository)
        }
        Target::Manifest(reference) if reference.contains(':') => {
            format!("{}@{reference}", route.repository)
        }
        Target::Manifest(tag) => format!("{}:{tag}", route.repository),
        _ => route.repository.clone(),
    };
    Call {
        service: "registry".into(),
        operation: route.operation.to_owned(),
        resource,
        mutating: route.mutating,
        ..Call::default()
    }
}
