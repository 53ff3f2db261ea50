//! Metrics and health on one port: `/metrics`, `/livez`, `/readyz`. Read-only, no names of components.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::metrics::Metrics;
use crate::service::Status;

/// Content type of OpenMetrics text.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves until dropped. Says where, since port 0 takes any free one.
pub(crate) async fn listen(
    address: SocketAddr,
    metrics: Metrics,
    status: Status,
) -> std::io::Result<(SocketAddr, tokio::task::JoinHandle<()>)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((address, tokio::spawn(serve(listener, metrics, status))))
}

async fn serve(listener: TcpListener, metrics: Metrics, status: Status) {
    loop {
        // Out of file descriptors for one: the next connection may work again.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            continue;
        };
        let (metrics, status) = (metrics.clone(), status.clone());
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                std::future::ready(Ok::<_, Infallible>(answer(&request, &metrics, &status)))
            });
            // A client that goes away early is its own business.
            let _ = hyper::server::conn::http1::Builder::new()
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

fn answer(
    request: &Request<Incoming>,
    metrics: &Metrics,
    status: &Status,
) -> Response<Full<Bytes>> {
    let (code, kind, body) = match request.uri().path() {
        "/metrics" => (StatusCode::OK, OPEN_METRICS, metrics.text()),
        "/livez" => health(status.is_alive(), "the loop has not turned for too long"),
        "/readyz" => health(status.is_ready(), "not connected yet"),
        _ => (
            StatusCode::NOT_FOUND,
            "text/plain",
            "there is /metrics, /livez and /readyz\n".to_owned(),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = code;
    response.headers_mut().insert(
        hyper::header::CONTENT_TYPE,
        hyper::header::HeaderValue::from_static(kind),
    );
    response
}

fn health(good: bool, problem: &str) -> (StatusCode, &'static str, String) {
    if good {
        (StatusCode::OK, "text/plain", "ok\n".to_owned())
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "text/plain",
            format!("{problem}\n"),
        )
    }
}
