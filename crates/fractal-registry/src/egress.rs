//! The one way out: every request to a registry, token service or redirect target leaves through [`Egress::once`].
//!
//! It checks the connected address, bounds time, holds back per host what the host asked to hold back, and names what failed.
//! It knows nothing of credentials, retries or redirects.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::header::USER_AGENT;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::{HttpConnector, HttpInfo};
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tokio::sync::OnceCell;

use crate::counts::{Counts, RequestKind};
use crate::endpoint::{Origin, shown};
use crate::error::RegistryError;
use crate::options::{Options, Timeouts};

pub(crate) mod address;
pub(crate) mod body;
mod failure;
mod gate;
mod resolver;
mod tls;

use address::{Class, Reach};
use body::Outgoing;
use gate::Gates;
use resolver::GuardedResolver;

/// Read buffer of a connection that carries blobs: the size at which hyper's cost per byte reaches a plain `recv` loop's.
const BULK_BUFFER: usize = 256 * 1024;

/// Which connections a request uses: blobs have their own, with large buffers that go away with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    Small,
    Bulk,
    /// The answer comes after the body has been sent: whoever sends it bounds the time.
    Upload,
}

/// How one request leaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    pub(crate) reach: Reach,
    pub(crate) lane: Lane,
}

type HttpClient = Client<HttpsConnector<HttpConnector<GuardedResolver>>, Outgoing>;

pub(crate) struct Egress {
    options: Arc<Options>,
    agent: HeaderValue,
    clients: Mutex<HashMap<(Reach, Lane, bool), HttpClient>>,
    tls: OnceCell<Arc<ClientConfig>>,
    gates: Gates,
    pub(crate) counts: Counts,
}

impl Egress {
    pub(crate) fn new(options: Arc<Options>) -> Result<Self, RegistryError> {
        let agent =
            HeaderValue::try_from(&options.user_agent).map_err(|_| RegistryError::Setting {
                setting: "user-agent",
                problem: "it holds characters no header may have".into(),
            })?;
        if let Some(bundle) = &options.ca_bundle {
            tls::check_bundle(bundle)?;
        }
        let gates = Gates::new(options.seed);
        Ok(Self {
            options,
            agent,
            clients: Mutex::default(),
            tls: OnceCell::new(),
            gates,
            counts: Counts::default(),
        })
    }

    /// Sends one request and returns the head of its answer.
    pub(crate) async fn once(
        &self,
        kind: RequestKind,
        mut request: Request<Outgoing>,
        Route { reach, lane }: Route,
    ) -> Result<Response<Incoming>, RegistryError> {
        let at = shown(request.uri());
        let origin = Origin::of(request.uri())
            .ok_or_else(|| RegistryError::protocol(&at, "it is no http URL"))?;
        if let Some(address) = origin.address().filter(|address| !reach.allows(*address)) {
            return Err(RegistryError::Egress { at, address });
        }
        self.gates
            .pass(&origin, &at, self.options.retry.patience)
            .await?;
        let client = self.client(reach, lane, origin.https).await?;
        request.headers_mut().insert(USER_AGENT, self.agent.clone());
        self.counts.add(kind);
        let started = Instant::now();
        let answer = self.head(lane, &at, client.request(request)).await?;
        // JSON has no number as large as `as_millis` gives: it would be logged as text.
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(kind = kind.as_str(), url = %at, status = answer.status().as_u16(), elapsed_ms, "registry answered");
        Ok(answer)
    }

    async fn head(
        &self,
        lane: Lane,
        at: &Arc<str>,
        answer: ResponseFuture,
    ) -> Result<Response<Incoming>, RegistryError> {
        let limit = self.options.timeouts.first_byte;
        let answer = if lane == Lane::Upload {
            Ok(answer.await)
        } else {
            tokio::time::timeout(limit, answer).await
        };
        match answer {
            Ok(answer) => answer.map_err(|error| failure::named(at, error)),
            Err(_) => Err(RegistryError::Slow {
                at: at.clone(),
                problem: format!("no answer within {limit:?}").into(),
            }),
        }
    }

    pub(crate) fn timeouts(&self) -> &Timeouts {
        &self.options.timeouts
    }

    /// Holds back every request to `origin` for `pause`.
    pub(crate) fn hold(&self, origin: &Origin, pause: Duration) {
        self.gates.hold(origin, pause);
    }

    /// A pause drawn evenly from zero to `bound`.
    pub(crate) fn jitter(&self, bound: Duration) -> Duration {
        self.gates.jitter(bound)
    }

    async fn client(
        &self,
        reach: Reach,
        lane: Lane,
        https: bool,
    ) -> Result<HttpClient, RegistryError> {
        let key = (reach, lane, https);
        if let Some(client) = self
            .clients
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
        {
            return Ok(client.clone());
        }
        let tls = if https {
            self.tls().await?
        } else {
            tls::nobody()?
        };
        let client = build(&self.options, reach, lane, tls);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(clients.entry(key).or_insert(client).clone())
    }

    async fn tls(&self) -> Result<Arc<ClientConfig>, RegistryError> {
        let bundle = self.options.ca_bundle.clone();
        let load = || async {
            tokio::task::spawn_blocking(move || tls::trusted(bundle.as_deref()))
                .await
                .unwrap_or_else(|_| {
                    Err(RegistryError::Setting {
                        setting: "ca-bundle",
                        problem: "reading it was interrupted".into(),
                    })
                })
        };
        self.tls.get_or_try_init(load).await.cloned()
    }
}

/// What kind of place answered; a class that nothing is like where the connection does not say.
pub(crate) fn answered_from(response: &Response<Incoming>) -> Class {
    response
        .extensions()
        .get::<HttpInfo>()
        .map_or(Class::Public, |peer| {
            address::class(peer.remote_addr().ip())
        })
}

fn build(options: &Options, reach: Reach, lane: Lane, tls: Arc<ClientConfig>) -> HttpClient {
    let mut tcp = HttpConnector::new_with_resolver(GuardedResolver::new(reach));
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(options.timeouts.connect));
    tcp.set_keepalive(Some(Duration::from_secs(60)));
    let connector = HttpsConnector::from((tcp, tls));
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .retry_canceled_requests(true);
    match lane {
        Lane::Small | Lane::Upload => builder
            .pool_idle_timeout(Duration::from_secs(60))
            .pool_max_idle_per_host(4),
        Lane::Bulk => builder
            .pool_idle_timeout(Duration::from_secs(5))
            .pool_max_idle_per_host(2)
            .http1_read_buf_exact_size(BULK_BUFFER),
    };
    builder.build(connector)
}
