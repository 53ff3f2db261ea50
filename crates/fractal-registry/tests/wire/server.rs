//! A scripted HTTP/1.1 server on raw sockets: it can send what no HTTP library would.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fractal_registry::{Options, Registry, RetryPolicy, Timeouts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    /// The body ended before its stated length.
    pub(crate) cut: bool,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// What the server does with one request.
pub(crate) struct Reply {
    head: String,
    body: Vec<u8>,
    then: Then,
}

pub(crate) enum Then {
    KeepAlive,
    Close,
    /// Neither sends nor closes.
    Stall,
}

impl Reply {
    pub(crate) fn new(status: u16) -> Self {
        Self {
            head: format!("HTTP/1.1 {status} Scripted\r\n"),
            body: Vec::new(),
            then: Then::KeepAlive,
        }
    }

    pub(crate) fn header(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// A body with its true length.
    pub(crate) fn body(self, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let length = body.len();
        self.body_of_length(body, length)
    }

    /// A body whose stated length is another.
    pub(crate) fn body_of_length(mut self, body: impl Into<Vec<u8>>, length: usize) -> Self {
        self.body = body.into();
        self.header("Content-Length", length)
    }

    /// A body without a stated length.
    pub(crate) fn chunked(mut self, chunks: &[&[u8]]) -> Self {
        for chunk in chunks {
            self.body.extend(format!("{:x}\r\n", chunk.len()).bytes());
            self.body.extend(*chunk);
            self.body.extend(b"\r\n");
        }
        self.body.extend(b"0\r\n\r\n");
        self.header("Transfer-Encoding", "chunked")
    }

    pub(crate) fn then(mut self, then: Then) -> Self {
        self.then = then;
        self
    }

    /// A Range request answered as a registry does.
    pub(crate) fn ranged(request: &Request, content: &[u8]) -> Self {
        match request
            .header("range")
            .and_then(|range| range.strip_prefix("bytes=")?.split_once('-'))
        {
            None => Self::new(200).body(content),
            Some((first, last)) => {
                let first: usize = first.parse().unwrap();
                let last = last
                    .parse::<usize>()
                    .unwrap_or(content.len() - 1)
                    .min(content.len() - 1);
                Self::new(206)
                    .header(
                        "Content-Range",
                        format!("bytes {first}-{last}/{}", content.len()),
                    )
                    .body(&content[first..=last])
            }
        }
    }

    pub(crate) fn missing(code: &str) -> Self {
        Self::new(404).body(format!(
            r#"{{"errors":[{{"code":"{code}","message":"not here"}}]}}"#
        ))
    }
}

pub(crate) struct Server {
    pub(crate) host: String,
    seen: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Answers every request with `script(request, how many came before)`.
    pub(crate) async fn start(
        script: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, script)
    }

    pub(crate) fn on(
        listener: TcpListener,
        script: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let host = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let script = Arc::new(script);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let (script, log) = (script.clone(), log.clone());
                connections.spawn(async move { serve(socket, script.as_ref(), &log).await });
            }
        });
        Self { host, seen, task }
    }

    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Request::line).collect()
    }

    pub(crate) fn reference(&self, rest: &str) -> fractal_core::artifact::Reference {
        format!("{}/{rest}", self.host).parse().unwrap()
    }
}

async fn serve(
    mut socket: TcpStream,
    script: &(impl Fn(&Request, usize) -> Reply + ?Sized),
    log: &Mutex<Vec<Request>>,
) {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut socket, &mut buffer).await {
        let before = {
            let mut log = log.lock().unwrap();
            log.push(request.clone());
            log.len() - 1
        };
        let reply = script(&request, before);
        let mut head = reply.head;
        if !head.contains("Content-Length") && !head.contains("Transfer-Encoding") {
            head.push_str("Content-Length: 0\r\n");
        }
        head.push_str("\r\n");
        if socket.write_all(head.as_bytes()).await.is_err() {
            return;
        }
        if request.method != "HEAD" && socket.write_all(&reply.body).await.is_err() {
            return;
        }
        match reply.then {
            Then::KeepAlive => {}
            Then::Close => return,
            Then::Stall => std::future::pending().await,
        }
    }
}

async fn read_request(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
        if buffer.first() == Some(&0x16) {
            // A TLS handshake: answered as plain servers do.
            let _ = socket
                .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                .await;
            return None;
        }
    };
    let head = String::from_utf8(buffer.drain(..end).collect()).unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut cut = false;
    while buffer.len() < length && !cut {
        cut = !matches!(socket.read_buf(buffer).await, Ok(1..));
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

/// Settings with which a test waits for nothing longer than it must.
pub(crate) fn quick() -> Options {
    Options {
        timeouts: Timeouts {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_millis(400),
            idle: Duration::from_millis(300),
            small: Duration::from_millis(800),
            commit: Duration::from_secs(2),
            rate_window: Duration::from_millis(500),
            least_rate: 16 * 1024,
        },
        retry: RetryPolicy {
            base: Duration::from_millis(1),
            cap: Duration::from_millis(4),
            patience: Duration::from_secs(2),
            ..RetryPolicy::default()
        },
        seed: Some(7),
        ..Options::default()
    }
}

pub(crate) fn client() -> Registry {
    Registry::new(quick()).unwrap()
}
