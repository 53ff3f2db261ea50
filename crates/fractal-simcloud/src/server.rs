//! A loopback HTTP/1.1 listener that can also cut or reset a connection instead of answering. No routing.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::error::SimError;
use crate::exchange::{Answer, ReplyBody};

/// Open connections are given this long to finish at a graceful stop.
const GRACE: Duration = Duration::from_secs(2);

/// What a listener serves.
pub(crate) trait Service: Send + Sync + 'static {
    fn answer(self: Arc<Self>, request: Request<Incoming>) -> impl Future<Output = Answer> + Send;
}

/// A running listener; dropping it ends it and its connections.
pub(crate) struct Listener {
    address: SocketAddr,
    stopping: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listener({})", self.address)
    }
}

/// A bound socket, so that a service can know its own address before it serves.
pub(crate) struct Bound {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Bound {
    /// Binds 127.0.0.1; port 0 takes a free one.
    pub(crate) async fn loopback(port: u16) -> Result<Self, SimError> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| SimError::Listen { address, source })?;
        let address = listener
            .local_addr()
            .map_err(|source| SimError::Listen { address, source })?;
        Ok(Self { listener, address })
    }

    pub(crate) fn serve<S: Service>(self, service: Arc<S>) -> Listener {
        let (stopping, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept(self.listener, service, stopped));
        Listener {
            address: self.address,
            stopping,
            accepting,
        }
    }
}

impl Listener {
    /// `http://host:port`.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops accepting, and waits a bounded time for open exchanges.
    pub(crate) async fn stop(mut self) {
        let _ = self.stopping.send(true);
        let _ = tokio::time::timeout(GRACE, &mut self.accepting).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept<S: Service>(
    listener: TcpListener,
    service: Arc<S>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, Arc::clone(&service), stopped.clone()));
                }
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// The exchange ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("cut on purpose")]
struct Cut;

async fn connection<S: Service>(
    stream: TcpStream,
    service: Arc<S>,
    mut stopped: watch::Receiver<bool>,
) {
    let Ok((stream, twin)) = twins(stream) else {
        return;
    };
    let served = service_fn(|request| exchange(Arc::clone(&service), request, &twin));
    let mut http = hyper::server::conn::http1::Builder::new();
    let mut running = std::pin::pin!(
        http.max_buf_size(1 << 20)
            .serve_connection(TokioIo::new(stream), served)
    );
    let ended = tokio::select! {
        ended = &mut running => ended,
        _ = stopped.changed() => {
            running.as_mut().graceful_shutdown();
            running.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended early");
    }
}

async fn exchange<S: Service>(
    service: Arc<S>,
    request: Request<Incoming>,
    twin: &TcpStream,
) -> Result<Response<ReplyBody>, Cut> {
    let head = request.method() == Method::HEAD;
    match service.answer(request).await {
        Answer::Reply(reply) => Ok(reply.into_response(head).await),
        Answer::Cut => Err(Cut),
        Answer::Reset => {
            // Closing a socket with zero linger sends RST; the option belongs to the socket, whichever descriptor set it.
            let _ = twin.set_zero_linger();
            Err(Cut)
        }
    }
}

/// The same socket twice: one to serve on, one to set options on while it is served.
fn twins(stream: TcpStream) -> std::io::Result<(TcpStream, TcpStream)> {
    stream.set_nodelay(true)?;
    let stream = stream.into_std()?;
    let twin = stream.try_clone()?;
    Ok((TcpStream::from_std(stream)?, TcpStream::from_std(twin)?))
}
