//! One folder with a queue, a simulated cloud and a registry client: what every test begins with.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fractal_core::contract::LiveSystemId;
use fractal_core::status::LiveSystemPhase;
use fractal_queue::intake::Shrink;
use fractal_queue::store::Sqlite;
use fractal_queue::{ComponentDocument, LiveSystemView, Queue, SystemClock};
use fractal_registry::Registry;
use serde_json::Value;
use tempfile::TempDir;

use super::agent::Agent;
use super::artifacts;
use super::cloud::Cloud;
use super::until;

/// Where a test plays.
pub(crate) struct Stage {
    pub(crate) cloud: Cloud,
    pub(crate) queue: Queue,
    pub(crate) client: Registry,
    folder: TempDir,
}

impl Stage {
    /// Sets one up, with these flags for the simulated cloud.
    pub(crate) async fn new(flags: &[&str]) -> Self {
        Self::with_password(None, flags).await
    }

    /// The same where the registry lets nobody in but `user` with this password.
    pub(crate) async fn with_password(password: Option<&str>, flags: &[&str]) -> Self {
        let user = password.map(|password| format!("user:{password}"));
        let mut all = flags.to_vec();
        all.extend(user.iter().flat_map(|user| ["--registry-user", user]));
        let folder = tempfile::tempdir().unwrap();
        let cloud = Cloud::start(folder.path(), &all).await;
        let store = Sqlite::open(folder.path().join("queue.db")).unwrap();
        Self {
            queue: Queue::new(Arc::new(store), Arc::new(SystemClock::default())),
            client: artifacts::client(&cloud, password),
            cloud,
            folder,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts an agent and waits until it is connected.
    pub(crate) async fn agent(&self, name: &str, flags: &[&str]) -> Agent {
        Agent::start(self.path(), &self.cloud, name, flags).await
    }

    pub(crate) async fn submit(&self, body: &Value) {
        let submitted = self
            .queue
            .submit(body.to_string().as_bytes(), None, Shrink::Allow)
            .await;
        submitted.unwrap();
    }

    pub(crate) async fn view(&self, id: &str) -> Option<LiveSystemView> {
        self.queue.view(&parse(id)).await.unwrap()
    }

    pub(crate) async fn components(&self, id: &str) -> Vec<ComponentDocument> {
        self.queue.components(&parse(id)).await.unwrap()
    }

    /// Waits until a live system is as desired.
    pub(crate) async fn active(&self, id: &str, bound: Duration) {
        until(&format!("{id} as desired"), bound, async || {
            let view = self.view(id).await;
            view.is_some_and(|view| view.phase == LiveSystemPhase::Active)
        })
        .await;
    }

    pub(crate) async fn remove(&self, id: &str) {
        self.queue.remove_live_system(&parse(id)).await.unwrap();
    }
}

/// A live system's id.
pub(crate) fn parse(id: &str) -> LiveSystemId {
    id.parse().unwrap()
}
