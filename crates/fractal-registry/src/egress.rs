//! The one way out: every request to a registry, token service or redirect target leaves through [`Egress::once`].
//!
//! It checks the host and the connected address, takes the way by a proxy where one is set, bounds time, holds back per host what
//! the host asked to hold back, and names what failed. It knows nothing of credentials, retries or redirects.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::header::{PROXY_AUTHORIZATION, USER_AGENT};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::client::legacy::ResponseFuture;
use hyper_util::client::legacy::connect::HttpInfo;
use rustls::ClientConfig;
use tokio::sync::OnceCell;

use crate::counts::{Counts, RequestKind};
use crate::endpoint::{Origin, shown};
use crate::error::RegistryError;
use crate::options::{Options, Timeouts};

pub(crate) mod address;
pub(crate) mod body;
mod dial;
mod failure;
mod gate;
pub(crate) mod policy;
mod pool;
pub(crate) mod proxy;
mod resolver;
pub(crate) mod secrets;
mod tls;

use address::{Class, Reach};
use body::Outgoing;
use dial::ByProxy;
use gate::Gates;
use policy::{Hosts, Refused};
use pool::{HttpClient, Pool};
use proxy::Proxy;
use secrets::Secrets;

/// Which connections a request uses: blobs have their own, with large buffers that go away with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    Small,
    Bulk,
    /// The answer comes after the body has been sent: whoever sends it bounds the time.
    Upload,
}

/// How one request leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Route {
    pub(crate) reach: Reach,
    pub(crate) lane: Lane,
}

pub(crate) struct Egress {
    options: Arc<Options>,
    agent: HeaderValue,
    hosts: Hosts,
    clients: Mutex<HashMap<Pool, HttpClient>>,
    tls: OnceCell<Arc<ClientConfig>>,
    gates: Gates,
    pub(crate) counts: Counts,
    pub(crate) secrets: Secrets,
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
        let hosts = Hosts::new(&options)?;
        Ok(Self {
            options,
            agent,
            hosts,
            clients: Mutex::default(),
            tls: OnceCell::new(),
            gates,
            counts: Counts::default(),
            secrets: Secrets::default(),
        })
    }

    /// Which hosts may be reached.
    pub(crate) const fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// Sends one request and returns the head of its answer.
    pub(crate) async fn once(
        &self,
        kind: RequestKind,
        mut request: Request<Outgoing>,
        route: Route,
    ) -> Result<Response<Incoming>, RegistryError> {
        let at: Arc<str> = self.secrets.clean(&shown(request.uri())).into();
        let origin = Origin::of(request.uri())
            .ok_or_else(|| RegistryError::protocol(&at, "it is no http URL"))?;
        let reach = self.hosts.check(route.reach, &origin);
        let reach = reach.map_err(|refused| denied(&at, &origin, refused))?;
        let patience = self.options.retry.patience;
        self.gates.pass(&origin, &at, patience).await?;
        let proxy = self.options.proxy.between(reach, request.uri(), &origin);
        let pool = Pool {
            route: Route { reach, ..route },
            https: origin.https,
            proxied: proxy.is_some(),
        };
        let client = self.client(pool).await?;
        let forwarded = proxy.filter(|_| !origin.https);
        self.sign(&mut request, forwarded.as_ref());
        self.counts.add(kind);
        let started = Instant::now();
        let answer = client.request(request);
        let answer = self.head(route.lane, (&at, &origin), answer).await?;
        // JSON has no number as large as `as_millis` gives: it would be logged as text.
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(kind = kind.as_str(), url = %at, status = answer.status().as_u16(), elapsed_ms, "registry answered");
        match forwarded {
            Some(proxy) => by_proxy(&at, &proxy, answer),
            None => Ok(answer),
        }
    }

    /// Who asks, and who asks the proxy that reads the request itself.
    fn sign(&self, request: &mut Request<Outgoing>, proxy: Option<&Proxy>) {
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, self.agent.clone());
        if let Some(shown) = proxy.and_then(Proxy::authorization) {
            self.secrets.note_basic(&shown);
            headers.insert(PROXY_AUTHORIZATION, shown);
        }
    }

    async fn head(
        &self,
        lane: Lane,
        (at, origin): (&Arc<str>, &Origin),
        answer: ResponseFuture,
    ) -> Result<Response<Incoming>, RegistryError> {
        let limit = self.options.timeouts.first_byte;
        let answer = if lane == Lane::Upload {
            Ok(answer.await)
        } else {
            tokio::time::timeout(limit, answer).await
        };
        match answer {
            Ok(answer) => answer.map_err(|error| failure::named(at, origin, error)),
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

    async fn client(&self, pool: Pool) -> Result<HttpClient, RegistryError> {
        let at_hand = self
            .clients
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&pool)
            .cloned();
        if let Some(client) = at_hand {
            return Ok(client);
        }
        // A proxy may be reached over TLS itself.
        let tls = if pool.https || pool.proxied {
            self.tls().await?
        } else {
            tls::nobody()?
        };
        let client = pool::build(&self.options, pool, tls);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(clients.entry(pool).or_insert(client).clone())
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

/// What kind of place answered; a class that nothing is like where the connection does not say, as one by a proxy does not.
pub(crate) fn answered_from(response: &Response<Incoming>) -> Class {
    let extensions = response.extensions();
    if extensions.get::<ByProxy>().is_some() {
        return Class::Public;
    }
    extensions.get::<HttpInfo>().map_or(Class::Public, |peer| {
        address::class(peer.remote_addr().ip())
    })
}

fn denied(at: &Arc<str>, origin: &Origin, refused: Refused) -> RegistryError {
    let (at, host) = (at.clone(), origin.name());
    tracing::warn!(%host, problem = refused.problem(), "host not asked");
    match refused {
        Refused::Address(address) => RegistryError::Egress { at, host, address },
        other => RegistryError::Host {
            at,
            host,
            problem: other.problem(),
        },
    }
}

/// What a proxy that passes requests on says on its own behalf.
fn by_proxy(
    at: &Arc<str>,
    proxy: &Proxy,
    answer: Response<Incoming>,
) -> Result<Response<Incoming>, RegistryError> {
    if answer.status() != StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        return Ok(answer);
    }
    Err(RegistryError::ProxyRefused {
        at: at.clone(),
        proxy: proxy.name(),
        status: answer.status().as_u16(),
    })
}
