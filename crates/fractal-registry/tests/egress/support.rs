//! A proxy of the test's, and clients that wait for nothing longer than they must.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fractal_core::Fault;
use fractal_registry::{Options, Proxies, Registry, RetryPolicy, Timeouts};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

pub(crate) const USER: &str = "proxy-user";
pub(crate) const PASSWORD: &str = "canary-of-the-proxy";

/// What a proxy does when it is asked for a tunnel.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Opens it to there, whatever was asked for.
    To(SocketAddr),
    /// Says these bytes and closes.
    Bytes(Vec<u8>),
    /// Nothing at all, until the other side goes.
    Silence,
    /// Headers without end.
    Endless,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self::Bytes(format!("HTTP/1.1 {status} Scripted\r\nContent-Length: 0\r\n\r\n").into_bytes())
    }
}

/// A proxy on loopback. It is gone when dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    pub(crate) async fn start(answer: Answer) -> Self {
        Self::serve(answer, None).await
    }

    pub(crate) async fn over_tls(answer: Answer, acceptor: TlsAcceptor) -> Self {
        Self::serve(answer, Some(acceptor)).await
    }

    async fn serve(answer: Answer, acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = heads.clone();
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let (answer, seen, acceptor) = (answer.clone(), seen.clone(), acceptor.clone());
                open.spawn(async move {
                    match acceptor {
                        None => exchange(socket, &answer, &seen).await,
                        Some(acceptor) => match acceptor.accept(socket).await {
                            Ok(socket) => exchange(socket, &answer, &seen).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        Self {
            address,
            heads,
            task,
        }
    }

    /// What it was asked, head by head.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// With user and password.
    pub(crate) fn url(&self) -> String {
        format!("http://{USER}:{PASSWORD}@{}", self.address)
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }
}

async fn exchange(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    answer: &Answer,
    seen: &Mutex<Vec<String>>,
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    seen.lock().unwrap().push(String::from_utf8(head).unwrap());
    match answer {
        Answer::To(address) => {
            let mut other = TcpStream::connect(address).await.ok()?;
            socket
                .write_all(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
                .await
                .ok()?;
            socket.flush().await.ok()?;
            tokio::io::copy_bidirectional(&mut socket, &mut other)
                .await
                .ok()?;
        }
        Answer::Bytes(bytes) => {
            socket.write_all(bytes).await.ok()?;
            socket.shutdown().await.ok()?;
        }
        Answer::Silence => {
            tokio::io::copy(&mut socket, &mut tokio::io::sink())
                .await
                .ok()?;
        }
        Answer::Endless => {
            socket.write_all(b"HTTP/1.1 200 OK\r\n").await.ok()?;
            loop {
                socket.write_all(b"x: y\r\n").await.ok()?;
            }
        }
    }
    Some(())
}

/// Strict about hosts, and quick.
pub(crate) fn quick() -> Options {
    Options {
        timeouts: Timeouts {
            connect: Duration::from_millis(500),
            first_byte: Duration::from_secs(5),
            ..Timeouts::default()
        },
        retry: RetryPolicy {
            attempts: 1,
            ..RetryPolicy::default()
        },
        seed: Some(7),
        ..Options::default()
    }
}

pub(crate) fn through(https: &str, http: &str) -> Options {
    Options {
        proxy: Proxies::new(Some(https), Some(http), None).unwrap(),
        ..quick()
    }
}

pub(crate) async fn resolve(options: Options, reference: &str) -> Result<(), Fault> {
    let registry = Registry::new(options).unwrap();
    let resolved = registry.resolve(&reference.parse().unwrap()).await;
    resolved.map(drop).map_err(Fault::from)
}

/// Everything a fault can show.
pub(crate) fn whole(fault: &Fault) -> String {
    format!(
        "{fault:?}\n{fault}\n{}",
        serde_json::to_string(fault).unwrap()
    )
}
