//! The agent's way to the cloud, in which one call's answer can be kept for ever: what a process that dies in a call never reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::sync::Notify;

/// Plain HTTP to loopback. Clones share which call hangs.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    http: SharedHttpClient,
    hang: Arc<Hang>,
}

#[derive(Debug, Default)]
struct Hang {
    /// Calls until the one whose answer is kept; 0 keeps none.
    left: AtomicUsize,
    hung: Notify,
}

impl Wire {
    pub(crate) fn new() -> Self {
        Self {
            http: Builder::new().build_http(),
            hang: Arc::default(),
        }
    }

    /// Keeps the answer of the `n`th call from now on; 0 keeps none.
    pub(crate) fn hang_at(&self, n: usize) {
        self.hang.left.store(n, Ordering::SeqCst);
    }

    /// Ready once that call has been answered.
    pub(crate) async fn hung(&self) {
        self.hang.hung.notified().await;
    }
}

impl HttpClient for Wire {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Line {
            http: self.http.http_connector(settings, components),
            hang: Arc::clone(&self.hang),
        })
    }
}

#[derive(Debug)]
struct Line {
    http: SharedHttpConnector,
    hang: Arc<Hang>,
}

impl HttpConnector for Line {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (answer, hang) = (self.http.call(request), Arc::clone(&self.hang));
        let count = |left: usize| left.checked_sub(1);
        let left = hang
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, count);
        HttpConnectorFuture::new(async move {
            let answer = answer.await;
            if left == Ok(1) {
                hang.hung.notify_one();
                std::future::pending::<()>().await;
            }
            answer
        })
    }
}
