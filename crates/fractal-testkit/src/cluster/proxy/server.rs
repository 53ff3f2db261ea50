//! The listener, and what happens to one call.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::super::client::Client;
use super::super::error::ClusterError;
use super::fault::{Faults, Strike};
use super::forward::{self, Answer, Upstream};
use super::ledger::{Ledger, ProxiedCall};
use super::past::{Past, Stale};

/// The API server takes 3 MiB.
const BODY_MAX: usize = 4 << 20;

/// What all connections of a proxy share.
pub(crate) struct Shared {
    client: Client,
    upstream: Upstream,
    /// For reads of the proxy's own, which the caller may not be allowed.
    admin: String,
    pub(crate) ledger: Ledger,
    pub(crate) faults: Faults,
    pub(crate) past: Past,
}

/// Ends a connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("cut by an armed fault")]
struct Cut;

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("ledger", &self.ledger)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(client: Client, admin: &str) -> Self {
        Self {
            upstream: Upstream::new(client.clone()),
            client,
            admin: admin.to_owned(),
            ledger: Ledger::default(),
            faults: Faults::new(),
            past: Past::default(),
        }
    }

    async fn serve(&self, request: Request<Incoming>) -> Result<Answer, Cut> {
        let (parts, body) = request.into_parts();
        let call = self.ledger.arrived(&parts);
        let strike = self.faults.strike(&call);
        if strike.is_some() {
            self.ledger.note(call.number, |call| call.struck = true);
        }
        let body = Limited::new(body, BODY_MAX).collect().await;
        let body = body.map_err(|_| Cut)?.to_bytes();
        let sent = serde_json::from_slice(&body).ok().map(Arc::new);
        self.ledger.note(call.number, |call| call.sent = sent);
        let answer = match strike {
            None => self.pass_on(&call, &parts, body).await,
            Some(Strike::Close) => return Err(Cut),
            Some(Strike::Unavailable) => forward::unavailable(),
            Some(Strike::Throttle(after)) => forward::throttled(after),
            Some(Strike::Forbid) => forward::forbidden(&call, &parts.headers),
            Some(Strike::LoseAnswer) => {
                self.done(&call, &parts, body).await;
                return Err(Cut);
            }
            Some(Strike::Hang) => {
                self.done(&call, &parts, body).await;
                self.faults.hang().await;
                return Err(Cut);
            }
        };
        let told = answer.status().as_u16();
        self.ledger.note(call.number, |call| call.told = Some(told));
        Ok(answer)
    }

    async fn pass_on(&self, call: &ProxiedCall, parts: &Parts, body: Bytes) -> Answer {
        let stale = self.past.stale(call);
        if stale.is_some() {
            self.ledger.note(call.number, |call| call.stale = true);
        }
        let query = match stale {
            Some(Stale::Object(status, body)) => return forward::json_answer(status, &body),
            Some(Stale::List(query)) => Some(query),
            None => None,
        };
        match self.ask(call, parts, body, query).await {
            Ok(answer) => forward::passed_on(answer),
            Err(error) => forward::bad_gateway(&error),
        }
    }

    /// Has the API server do it, to the end of its answer, which nobody gets.
    async fn done(&self, call: &ProxiedCall, parts: &Parts, body: Bytes) {
        if let Ok(answer) = self.ask(call, parts, body, None).await
            && !call.is_watch()
        {
            drop(answer.into_body().collect().await);
        }
    }

    async fn ask(
        &self,
        call: &ProxiedCall,
        parts: &Parts,
        body: Bytes,
        query: Option<String>,
    ) -> Result<Response<Incoming>, ClusterError> {
        if let Some(reads) = self.faults.stale_reads().filter(|_| call.is_write()) {
            let (client, admin) = (&self.client, &self.admin);
            self.past
                .remember(client, admin, call, &body, reads)
                .await?;
        }
        let answer = forward::forward(&self.upstream, parts, body, query).await?;
        let served = answer.status().as_u16();
        self.ledger
            .note(call.number, |call| call.served = Some(served));
        Ok(answer)
    }
}

/// Serves until the task is aborted, which ends every connection too.
pub(crate) async fn start(
    shared: Arc<Shared>,
    tls: Arc<ServerConfig>,
) -> Result<(SocketAddr, JoinHandle<()>), ClusterError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.map_err(ClusterError::Connect)?;
    let address = listener.local_addr().map_err(ClusterError::Connect)?;
    let acceptor = TlsAcceptor::from(tls);
    let server = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(connection(Arc::clone(&shared), acceptor.clone(), stream));
            while connections.try_join_next().is_some() {}
        }
    });
    Ok((address, server))
}

async fn connection(shared: Arc<Shared>, acceptor: TlsAcceptor, stream: TcpStream) {
    // Head and body are written apart: together with a delayed acknowledgement each answer would take 40 ms longer.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { shared.serve(request).await }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    // A cut connection is an error here, and meant.
    drop(served);
}
