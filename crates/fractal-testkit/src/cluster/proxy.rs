//! A proxy in front of the API server that keeps its own ledger and can be told to fail: what happens to a call between an agent and Kubernetes.
//!
//! It speaks HTTP/1.1 over TLS with a certificate of the cluster's own authority and passes the caller's token on, so a caller needs nothing but
//! another address. It does not judge permissions and knows no upgraded connections (`exec`, `attach`).

mod fault;
mod forward;
mod ledger;
mod past;
mod server;
mod target;

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::task::JoinHandle;

pub use fault::Fault;
pub use ledger::ProxiedCall;
pub use target::Target;

use super::error::ClusterError;
use super::{Cluster, files, must};
use server::Shared;

/// A proxy of its own for one test. It ends when it is dropped, with all its connections.
#[derive(Debug)]
pub struct FaultProxy {
    url: String,
    authority_pem: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
    folder: TempDir,
}

impl FaultProxy {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn before(cluster: &Cluster) -> Self {
        must(Self::listening(cluster).await)
    }

    async fn listening(cluster: &Cluster) -> Result<Self, ClusterError> {
        let folder = tempfile::Builder::new().prefix("fractal-proxy-").tempdir();
        let folder = folder.map_err(ClusterError::file(&std::env::temp_dir()))?;
        let tls = cluster.identity().server()?;
        let client = cluster.client().clone();
        let shared = Arc::new(Shared::new(client, cluster.admin_token()));
        let (address, server) = server::start(Arc::clone(&shared), tls).await?;
        Ok(Self {
            url: format!("https://{address}"),
            authority_pem: cluster.ca_pem().to_owned(),
            shared,
            server,
            folder,
        })
    }

    /// `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A kubeconfig that leads through this proxy.
    ///
    /// # Panics
    /// When the file cannot be written.
    #[must_use]
    pub fn kubeconfig(&self, token: &str) -> PathBuf {
        let name = format!("kubeconfig-{}", fastrand::u64(..));
        let path = self.folder.path().join(name);
        let text = files::kubeconfig(&self.url, &self.authority_pem, token);
        must(files::write(&path, &text));
        path
    }

    /// Arms a fault beside those that are armed. Calls are counted from now on, from 1.
    pub fn arm(&self, fault: Fault) {
        self.shared.faults.arm(fault);
    }

    /// Ends all faults; calls that hang are cut.
    pub fn heal(&self) {
        self.shared.faults.heal();
        self.shared.past.forget();
    }

    /// Ready once the call of [`Fault::Hangs`] has taken effect.
    pub async fn hung(&self) {
        self.shared.faults.hung().await;
    }

    /// Where the ledger stands.
    #[must_use]
    pub fn mark(&self) -> u64 {
        self.shared.ledger.mark()
    }

    /// Every call that came in after a mark, in the order of arrival.
    #[must_use]
    pub fn calls(&self, since: u64) -> Vec<ProxiedCall> {
        self.shared.ledger.since(since)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}
