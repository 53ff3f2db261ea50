//! TLS in front of a server that speaks plain HTTP, as a load balancer ends it. It adds no fault of its own and hides none.
//!
//! Where the server names itself in a header, the client is told the front's address, so that no realm leads back to plain HTTP.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::liar::Authority;

/// Who the front says it is, in certificates and URLs.
const NAME: &str = "127.0.0.1";
/// Its certificate holds to the first day of this year.
const UNTIL: i32 = 2100;

/// The front. It and its connections end when it is dropped.
#[derive(Debug)]
pub struct TlsFront {
    url: String,
    _serving: JoinSet<()>,
}

/// Where requests go, and what is said instead of that.
#[derive(Debug)]
struct Names {
    behind: String,
    front: String,
}

type Answer = Response<BoxBody<Bytes, hyper::Error>>;

impl TlsFront {
    /// Ends TLS in front of `endpoint`, an `http://HOST:PORT`, with a certificate that `authority` signs. Needs a Tokio runtime.
    ///
    /// # Panics
    /// When no port can be had.
    #[expect(clippy::expect_used, reason = "without a port there is no test")]
    pub async fn before(endpoint: &str, authority: &Authority) -> Self {
        let listener = TcpListener::bind((NAME, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("its own address").port();
        let behind = endpoint.trim_start_matches("http://").trim_end_matches('/');
        let names = Arc::new(Names {
            behind: behind.to_owned(),
            front: format!("{NAME}:{port}"),
        });
        let url = format!("https://{}", names.front);
        let acceptor = authority.issue(NAME, UNTIL).acceptor();
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, acceptor, names));
        Self {
            url,
            _serving: serving,
        }
    }

    /// Its root, `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, names: Arc<Names>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(connection(stream, acceptor.clone(), names.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, names: Arc<Names>) {
    // Who does not trust the authority hangs up here.
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let service = service_fn(move |request| {
        let names = names.clone();
        async move { Ok::<_, Infallible>(answer(request, &names).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    // An answer that breaks off behind breaks off here too.
    drop(served);
}

async fn answer(request: Request<Incoming>, names: &Names) -> Answer {
    let Some(mut answer) = forward(request, &names.behind).await else {
        let mut answer = Response::new(Empty::new().map_err(|never| match never {}).boxed());
        *answer.status_mut() = StatusCode::BAD_GATEWAY;
        return answer;
    };
    let (from, to) = (
        format!("http://{}", names.behind),
        format!("https://{}", names.front),
    );
    for value in answer.headers_mut().values_mut() {
        let renamed = value.to_str().ok().filter(|text| text.contains(&from));
        let renamed = renamed.map(|text| HeaderValue::try_from(text.replace(&from, &to)));
        if let Some(Ok(renamed)) = renamed {
            *value = renamed;
        }
    }
    answer
}

/// `None` where there is no answer at all.
async fn forward(request: Request<Incoming>, behind: &str) -> Option<Answer> {
    let stream = TcpStream::connect(behind).await.ok()?;
    let io = TokioIo::new(stream);
    let (mut send, connection) = hyper::client::conn::http1::handshake(io).await.ok()?;
    tokio::spawn(connection);
    let answer = send.send_request(request).await.ok()?;
    Some(answer.map(BodyExt::boxed))
}
