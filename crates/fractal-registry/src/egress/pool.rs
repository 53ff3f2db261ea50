//! Kinds of connections: each has a client of its own, so that none is shared that one request may use and another may not.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Builder, Client, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;

use super::address::Reach;
use super::body::Outgoing;
use super::dial::Dial;
use super::resolver::GuardedResolver;
use super::{Lane, Route};
use crate::options::Options;

/// Read buffer of a connection that carries blobs: the size at which hyper's cost per byte reaches a plain `recv` loop's.
const BULK_BUFFER: usize = 256 * 1024;

type Tcp = HttpConnector<GuardedResolver>;

/// Connections of one kind: those by way of a proxy are others than those without.
#[derive(Clone)]
pub(super) enum HttpClient {
    Direct(Client<HttpsConnector<Tcp>, Outgoing>),
    Proxied(Client<HttpsConnector<Dial>, Outgoing>),
}

impl HttpClient {
    pub(super) fn request(&self, request: Request<Outgoing>) -> ResponseFuture {
        match self {
            Self::Direct(client) => client.request(request),
            Self::Proxied(client) => client.request(request),
        }
    }
}

/// Which connections a request may share.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Pool {
    pub(super) route: Route,
    pub(super) https: bool,
    pub(super) proxied: bool,
}

/// A client that makes connections of one kind.
pub(super) fn build(options: &Options, pool: Pool, tls: Arc<ClientConfig>) -> HttpClient {
    let builder = builder(pool.route.lane);
    if !pool.proxied {
        let connector = HttpsConnector::from((tcp(options, pool.route.reach), tls));
        return HttpClient::Direct(builder.build(connector));
    }
    let dial = Dial {
        to_proxy: HttpsConnector::from((tcp(options, Reach::Operator), tls.clone())),
        proxies: options.proxy.clone(),
        limit: options.timeouts.connect,
    };
    HttpClient::Proxied(builder.build(HttpsConnector::from((dial, tls))))
}

fn tcp(options: &Options, reach: Reach) -> Tcp {
    let mut tcp = HttpConnector::new_with_resolver(GuardedResolver::new(reach));
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(options.timeouts.connect));
    tcp.set_keepalive(Some(Duration::from_secs(60)));
    tcp
}

fn builder(lane: Lane) -> Builder {
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
    builder
}
