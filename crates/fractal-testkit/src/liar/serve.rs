//! Connections: requests read, answers written, byte for byte. No HTTP library is in between.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::Script;
use super::ledger::{Ledger, Request};
use super::reply::{Body, Reply, Then};

/// Most bytes of a request's head.
const HEAD_MAX: usize = 1 << 20;
/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;

pub(super) async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    script: Arc<Mutex<Script>>,
    ledger: Arc<Ledger>,
) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let (tls, script, ledger) = (tls.clone(), script.clone(), ledger.clone());
        connections.spawn(async move {
            let _connected = ledger.connected();
            match tls {
                None => serve(socket, &script, &ledger).await,
                // A client that believes no certificate is gone before it sent anything.
                Some(tls) => match tls.accept(socket).await {
                    Ok(stream) => serve(stream, &script, &ledger).await,
                    Err(_) => None,
                },
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// `None` at the connection's end, whoever ended it.
async fn serve<S>(mut stream: S, script: &Mutex<Script>, ledger: &Ledger) -> Option<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer = Vec::new();
    loop {
        let request = read(&mut stream, &mut buffer).await?;
        let before = ledger.keep(request.clone());
        let script = script
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let reply = script(&request, before);
        write(&mut stream, &reply.head(), ledger).await?;
        if request.method != "HEAD" {
            body(&mut stream, &reply, ledger).await?;
        }
        match reply.then {
            Then::KeepAlive => {}
            Then::Close => {
                let _closed = stream.shutdown().await;
                return None;
            }
            Then::Stall => std::future::pending().await,
        }
    }
}

async fn body<S: AsyncWrite + Unpin>(stream: &mut S, reply: &Reply, ledger: &Ledger) -> Option<()> {
    match &reply.body {
        Body::Whole(bytes) => write(stream, bytes, ledger).await,
        Body::Endless(chunk) => loop {
            write(stream, chunk, ledger).await?;
        },
        Body::Slow(bytes, piece, pause) => {
            for part in bytes.chunks(*piece) {
                write(stream, part, ledger).await?;
                tokio::time::sleep(*pause).await;
            }
            Some(())
        }
    }
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8], ledger: &Ledger) -> Option<()> {
    // In pieces, so that what a client that went did not take is not counted.
    for part in bytes.chunks(64 << 10) {
        stream.write_all(part).await.ok()?;
        ledger.sent(part.len());
    }
    stream.flush().await.ok()
}

async fn read<S>(stream: &mut S, buffer: &mut Vec<u8>) -> Option<Request>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if buffer.len() > HEAD_MAX || stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
        if buffer.first() == Some(&HANDSHAKE) {
            // Answered as plain servers do.
            let _answered = stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                .await;
            return None;
        }
    };
    let head = String::from_utf8_lossy(&buffer.drain(..end).collect::<Vec<_>>()).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers
        .get("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    let mut cut = false;
    while buffer.len() < length && !cut {
        cut = !matches!(stream.read_buf(buffer).await, Ok(1..));
    }
    let body = buffer.drain(..length.min(buffer.len())).collect();
    Some(Request {
        method,
        target,
        headers,
        body,
        cut,
    })
}
