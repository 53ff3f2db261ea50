//! One folder with a queue, an agent on it, the simulated Lambda, and three registries: an honest one, a lying one, and one that nobody
//! but a lie or a hostile reference names.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fractal_core::artifact::Digest;
use fractal_core::contract::LiveSystemId;
use fractal_core::status::{ComponentPhase, Status};
use fractal_queue::intake::Shrink;
use fractal_queue::store::Sqlite;
use fractal_queue::{ComponentDocument, ComponentView, Queue, QueueError, SystemClock};
use fractal_simcloud::{Config, Entry, Quotas, Settling, SimCloud};
use fractal_testkit::liar::{Authority, Liar, ServerIdentity, Shelf};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::agent::{Agent, CANARIES};

/// The live system that most rows are about.
pub(crate) const SYSTEM: &str = "Personal/owner/rows/shop";
/// The execution role that the simulated AWS knows.
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/lambda-role";
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(40);

/// Everything a row needs.
pub(crate) struct Stage {
    pub(crate) cloud: SimCloud,
    pub(crate) queue: Queue,
    /// `honest.example` to the agent.
    pub(crate) honest: Liar,
    /// `lying.example` to the agent, with its credentials.
    pub(crate) liar: Liar,
    /// Known to the agent by nothing.
    pub(crate) trap: Liar,
    pub(crate) agent: Agent,
    folder: TempDir,
}

/// How the lying registry is served.
pub(crate) type Identity = fn(&Authority) -> ServerIdentity;

impl Stage {
    /// Sets one up. In `flags`, `{liar}` and `{trap}` stand for host and port.
    pub(crate) async fn new(flags: &[&str], tls: Option<Identity>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let bundle = folder.path().join("ca.pem");
        std::fs::write(&bundle, authority.pem()).unwrap();
        let liar = match tls {
            None => Liar::holding(versions()).await,
            Some(identity) => Liar::over_tls(versions(), &identity(&authority)).await,
        };
        let (honest, trap) = (
            Liar::holding(versions()).await,
            Liar::holding(versions()).await,
        );
        let cloud = SimCloud::start(Config {
            quotas: Quotas::unlimited(),
            settling: Settling {
                reads: None,
                milliseconds: Some(20),
            },
            ..Config::default()
        });
        let cloud = cloud.await.unwrap();
        let store = Sqlite::open(folder.path().join("queue.db")).unwrap();
        let queue = Queue::new(Arc::new(store), Arc::new(SystemClock::default()));
        let mut all = vec![
            format!("--registry-endpoint=honest.example={}", honest.url()),
            format!("--registry-endpoint=lying.example={}", liar.url()),
            format!("--ca-bundle={}", bundle.display()),
        ];
        all.extend(flags.iter().map(|flag| named(flag, &liar, &trap)));
        let agent = Agent::start(folder.path(), cloud.endpoint(), &all);
        Self {
            agent,
            cloud,
            queue,
            honest,
            liar,
            trap,
            folder,
        }
    }

    /// A text in which the registries stand by name.
    pub(crate) fn named(&self, text: &str) -> String {
        named(text, &self.liar, &self.trap)
    }

    pub(crate) async fn submit(&self, system: &Value) {
        self.try_submit(system.to_string().as_bytes())
            .await
            .unwrap();
    }

    pub(crate) async fn try_submit(&self, body: &[u8]) -> Result<(), QueueError> {
        let submitted = self.queue.submit(body, None, Shrink::Allow);
        submitted.await.map(drop)
    }

    /// The components of a live system, as they are shown.
    pub(crate) async fn views(&self, system: &str) -> Vec<ComponentView> {
        let view = self.queue.view(&parse(system)).await.unwrap();
        view.map(|view| view.components).unwrap_or_default()
    }

    pub(crate) async fn documents(&self, system: &str) -> Vec<ComponentDocument> {
        self.queue.components(&parse(system)).await.unwrap()
    }

    /// Waits until a component is as desired.
    pub(crate) async fn active(&mut self, system: &str, component: &str) -> ComponentView {
        self.until(&format!("{component} is active"), system, |views| {
            one(views, component).filter(|view| view.phase == ComponentPhase::Active)
        })
        .await
    }

    /// Waits until a component's desired generation has a fault, and gives the status with it.
    pub(crate) async fn faulty(&mut self, system: &str, component: &str) -> Status {
        self.until(&format!("{component} has a fault"), system, |views| {
            one(views, component)
                .filter(|view| view.status.observed_generation == view.generation)
                .map(|view| view.status)
                .filter(|status| status.fault.is_some())
        })
        .await
    }

    /// Waits until nothing is left of a live system.
    pub(crate) async fn gone(&mut self, system: &str) {
        self.until("it is gone", system, |views| views.is_empty().then_some(()))
            .await;
    }

    /// Waits until a component's function serves the zip that says `text`.
    pub(crate) async fn until_it_serves(&self, component: &str, text: &str) {
        let began = Instant::now();
        while self.serves(component) != Some(zip_digest(text)) {
            assert!(began.elapsed() < PATIENCE, "{}", self.agent.said());
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn until<T>(
        &mut self,
        what: &str,
        system: &str,
        found: impl Fn(&[ComponentView]) -> Option<T>,
    ) -> T {
        let began = Instant::now();
        loop {
            let views = self.views(system).await;
            if let Some(found) = found(&views) {
                return found;
            }
            assert!(
                self.agent.runs() && began.elapsed() < PATIENCE,
                "{what}: not within {PATIENCE:?}: {views:#?}\n{}",
                self.agent.said()
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Accepted writes after `since`.
    pub(crate) fn writes(&self, since: u64) -> Vec<Entry> {
        let mut entries = self.cloud.ledger().since(since);
        entries.retain(Entry::is_accepted_write);
        entries
    }

    /// Accepted writes after `since` on a component's function.
    pub(crate) fn writes_on(&self, component: &str, since: u64) -> Vec<Entry> {
        let mut entries = self.writes(since);
        entries.retain(|entry| entry.resource.starts_with(component));
        entries
    }

    /// What a component's function serves now.
    pub(crate) fn serves(&self, component: &str) -> Option<String> {
        let functions = self.cloud.functions();
        let mine = functions
            .into_iter()
            .find(|one| one.function.starts_with(component));
        mine.and_then(|one| one.digest)
    }

    /// Asserts that no secret came out: not in what the agent said, not in the store, not in the cloud, and not at other registries.
    pub(crate) async fn assert_no_secret(&self, more: &[&str]) {
        let mut sinks = vec![("the log", self.agent.said().into_bytes())];
        for name in ["queue.db", "queue.db-wal"] {
            let bytes = std::fs::read(self.folder.path().join(name)).unwrap_or_default();
            sinks.push(("the store", bytes));
        }
        let views = format!("{:?}", self.views(SYSTEM).await);
        sinks.push(("a status", views.into_bytes()));
        let calls = serde_json::to_vec(&self.cloud.ledger().since(0)).unwrap();
        sinks.push(("the cloud's ledger", calls));
        for other in [&self.honest, &self.trap] {
            sinks.push((
                "another registry",
                format!("{:?}", other.seen()).into_bytes(),
            ));
        }
        for canary in CANARIES.iter().chain(more) {
            for (sink, bytes) in &sinks {
                let found = bytes
                    .windows(canary.len())
                    .any(|window| window == canary.as_bytes());
                assert!(!found, "`{canary}` is in {sink}");
            }
        }
    }
}

/// Version 1 of everything, and versions 2 and 3 of the zip.
fn versions() -> Shelf {
    let mut shelf = Shelf::stocked();
    shelf.shelve_zip("shop/zip:2", "two");
    shelf.shelve_zip("shop/zip:3", "three");
    shelf
}

/// The digest of the zip that says `text`.
pub(crate) fn zip_digest(text: &str) -> String {
    Digest::sha256(fractal_testkit::liar::function_zip(text)).to_string()
}

fn one(views: &[ComponentView], component: &str) -> Option<ComponentView> {
    let is = |view: &&ComponentView| view.key.component.as_str() == component;
    views.iter().find(is).cloned()
}

fn named(text: &str, liar: &Liar, trap: &Liar) -> String {
    text.replace("{liar}", &liar.host())
        .replace("{trap}", &trap.host())
        .replace("{port}", &trap.port().to_string())
}

pub(crate) fn parse(id: &str) -> LiveSystemId {
    id.parse().unwrap()
}

/// A function as SDKs post it, with some parameters set otherwise.
pub(crate) fn function(id: &str, artifact: &str, otherwise: &Value) -> Value {
    let mut parameters = json!({
        "sourceArtifact": artifact,
        "runtime": "python3.13",
        "handler": "app.handler",
        "memoryMb": 256,
        "roleArn": ROLE,
    });
    let members = otherwise.as_object().unwrap().clone();
    parameters.as_object_mut().unwrap().extend(members);
    json!({
        "id": id,
        "type": "CustomWorkloads.FaaS.AwsLambda",
        "displayName": id,
        "provider": "AWS",
        "deliveryModel": "FaaS",
        "parameters": parameters,
        "dependencies": [],
        "links": [],
    })
}

/// A live system of these components.
pub(crate) fn live_system(id: &str, components: &[Value]) -> Value {
    let named = components.iter().map(|component| {
        (
            component["id"].as_str().unwrap().to_owned(),
            component.clone(),
        )
    });
    json!({
        "liveSystemId": id,
        "fractalId": format!("{id}:1.0.0"),
        "blueprintMap": named.collect::<serde_json::Map<_, _>>(),
        "environment": {
            "id": { "type": "Personal", "ownerId": "owner", "shortName": "dev" },
            "parameters": {},
        },
    })
}
