//! Connections by way of an HTTP proxy: a tunnel (CONNECT, RFC 9110 9.3.6) for https, the proxy itself for plain HTTP.
//!
//! The handshake is done here and not with hyper-util's `Tunnel`: that one keeps the proxy's status to itself, and a refusal is
//! somebody's to mend while an overloaded proxy is not.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use fractal_core::fault::chain;
use http::uri::Scheme;
use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower_service::Service;

use super::address::Reach;
use super::proxy::Proxies;
use super::resolver::GuardedResolver;
use crate::endpoint::Origin;

/// Longest answer to CONNECT, in bytes.
const HEAD_MAX: usize = 8 * 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type ToProxy = HttpsConnector<HttpConnector<GuardedResolver>>;
type ProxyStream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Why a proxy opens no way.
#[derive(Debug, thiserror::Error)]
#[error("the proxy {proxy} opens no way")]
pub(super) struct NoWay {
    pub(super) proxy: Arc<str>,
    pub(super) cause: Cause,
}

#[derive(Debug)]
pub(super) enum Cause {
    /// It answered with this status.
    Status(u16),
    /// It did something else.
    Failed(Arc<str>),
}

/// The mark of an answer that came through a proxy: the address it came from says nothing of the host.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByProxy;

/// Connects through the proxy that is between here and the target.
#[derive(Clone)]
pub(super) struct Dial {
    pub(super) to_proxy: ToProxy,
    pub(super) proxies: Proxies,
    /// Bound of the connection to the proxy, and again of its answer.
    pub(super) limit: Duration,
}

impl Service<Uri> for Dial {
    type Response = Line;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Line, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.to_proxy.poll_ready(cx)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let proxy = Origin::of(&target)
            .and_then(|origin| self.proxies.between(Reach::Named, &target, &origin));
        let Some(proxy) = proxy else {
            return Box::pin(async { Err(io::Error::other("no proxy is set for the URL").into()) });
        };
        let connecting = self.to_proxy.call(proxy.url().clone());
        let limit = self.limit;
        Box::pin(async move {
            let failed = |cause| NoWay {
                proxy: proxy.name(),
                cause,
            };
            let stream = within(limit, "connection", connecting)
                .await
                .map_err(failed)?;
            let stream =
                stream.map_err(|error| failed(Cause::Failed(chain(error.as_ref()).into())))?;
            if target.scheme() != Some(&Scheme::HTTPS) {
                let forwards = true;
                return Ok(Line { stream, forwards });
            }
            let opening = opened(stream, &target, proxy.authorization());
            let stream = within(limit, "answer to CONNECT", opening)
                .await
                .and_then(|it| it)
                .map_err(failed)?;
            let forwards = false;
            Ok(Line { stream, forwards })
        })
    }
}

async fn within<T>(
    limit: Duration,
    what: &str,
    future: impl Future<Output = T>,
) -> Result<T, Cause> {
    let late = |_| Cause::Failed(format!("no {what} within {limit:?}").into());
    tokio::time::timeout(limit, future).await.map_err(late)
}

/// Asks the proxy at the other end of `stream` for a tunnel to `target`.
async fn opened(
    stream: ProxyStream,
    target: &Uri,
    authorization: Option<HeaderValue>,
) -> Result<ProxyStream, Cause> {
    let broken = |error: io::Error| Cause::Failed(error.to_string().into());
    let mut stream = TokioIo::new(stream);
    stream
        .write_all(&asking(target, authorization.as_ref()))
        .await
        .map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut head = Vec::with_capacity(512);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= HEAD_MAX {
            return Err(Cause::Failed(
                "its answer to CONNECT is longer than 8 KiB".into(),
            ));
        }
        // One byte at a time: what comes after the head is the tunnel's, and the head is short.
        head.push(stream.read_u8().await.map_err(broken)?);
    }
    match status(&head) {
        Some(200..=299) => Ok(stream.into_inner()),
        Some(status) => Err(Cause::Status(status)),
        None => Err(Cause::Failed("its answer to CONNECT is no HTTP".into())),
    }
}

fn asking(target: &Uri, authorization: Option<&HeaderValue>) -> Vec<u8> {
    let host = target.host().unwrap_or_default();
    let port = target.port_u16().unwrap_or(443);
    let mut text =
        format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n").into_bytes();
    if let Some(value) = authorization {
        text.extend_from_slice(b"Proxy-Authorization: ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text
}

fn status(head: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(head).ok()?.lines().next()?;
    let (version, rest) = line.split_once(' ')?;
    let code = rest.get(..3)?;
    let ends = rest
        .get(3..)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    let known = matches!(version, "HTTP/1.1" | "HTTP/1.0");
    code.parse()
        .ok()
        .filter(|code| known && ends && (100..600).contains(code))
}

/// A connection by way of a proxy.
pub(super) struct Line {
    stream: ProxyStream,
    /// The proxy reads the requests itself, and passes them on.
    forwards: bool,
}

impl Connection for Line {
    fn connected(&self) -> Connected {
        self.stream.connected().proxy(self.forwards).extra(ByProxy)
    }
}

impl Read for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl Write for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_line_is_read_strictly() {
        let check = |line: &str, expected: Option<u16>| {
            assert_eq!(
                status(format!("{line}\r\n\r\n").as_bytes()),
                expected,
                "{line}"
            );
        };
        check("HTTP/1.1 200 Connection established", Some(200));
        check("HTTP/1.0 200", Some(200));
        check("HTTP/1.1 407 Proxy Authentication Required", Some(407));
        check("HTTP/1.1 2000 OK", None);
        check("HTTP/1.1 20", None);
        check("HTTP/2 200", None);
        check("SSH-2.0-OpenSSH_9", None);
        check("HTTP/1.1 -20 x", None);
        check("", None);
    }
}
