//! Calls to the API server, one connection each, so that a call belongs to the runtime it is made on and to no other test's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::error::ClusterError;

/// Longest wait for anything the control plane does by itself. A starting API server on a busy machine is the slowest.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
pub(crate) const INTERVAL: Duration = Duration::from_millis(50);

/// The way to one API server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    tls: Arc<ClientConfig>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, tls: Arc<ClientConfig>) -> Self {
        Self { address, tls }
    }

    /// Sends a request as it is on a connection of its own; the body of the answer streams.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, ClusterError> {
        let mut connection = self.connect().await?;
        Ok(connection.send_request(request).await?)
    }

    /// A new connection. It lasts as long as the runtime it was made on.
    pub(crate) async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, ClusterError> {
        let stream = TcpStream::connect(self.address).await;
        let stream = stream.map_err(ClusterError::Connect)?;
        stream.set_nodelay(true).map_err(ClusterError::Connect)?;
        let name = ServerName::IpAddress(self.address.ip().into());
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector.connect(name, stream).await;
        let stream = TokioIo::new(stream.map_err(ClusterError::Connect)?);
        let (sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
        // It ends with its sender and the last answer's body, or when nobody reads that any more.
        tokio::spawn(connection);
        Ok(sender)
    }

    /// Status and body, `null` where the body is no JSON.
    pub(crate) async fn json(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value), ClusterError> {
        let method = Method::from_bytes(method.as_bytes()).map_err(hyper::http::Error::from)?;
        let kind = if method == Method::PATCH {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let body = body.map(|body| Bytes::from(body.to_string()));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.to_string())
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header(USER_AGENT, "fractal-testkit")
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, kind)
            .body(Full::new(body.unwrap_or_default()))?;
        let answer = self.send(request).await?;
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await?.to_bytes();
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    /// Reads `path` until it is there and `holds`. Failures in between are what is waited out.
    pub(crate) async fn until(
        &self,
        path: &str,
        token: &str,
        what: &'static str,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<(), ClusterError> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Ok((200, answer)) = self.json("GET", path, token, None).await
                && holds(&answer)
            {
                return Ok(());
            }
            tokio::time::sleep(INTERVAL).await;
        }
        Err(ClusterError::Unready { what })
    }
}
