//! The agent as a process of its own, with its queue in a file.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fractal_core::status::{LiveSystemPhase, Status};
use fractal_queue::intake::Shrink;
use fractal_queue::store::Sqlite;
use fractal_queue::{Queue, SystemClock};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::rig::Rig;

/// Longest wait for anything the agent does.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);

/// The running agent, killed when dropped.
pub(crate) struct Running {
    process: Child,
    log: PathBuf,
    queue: Queue,
    _folder: TempDir,
}

impl Running {
    pub(crate) async fn start(rig: &Rig, registry: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("agent.log");
        let file = folder.path().join("queue.db");
        let process = Command::new(env!("CARGO_BIN_EXE_caas-agent"))
            .arg("run")
            .env_clear()
            .env("HOME", folder.path())
            .env("KUBECONFIG", rig.kubeconfig().await)
            .env("FRACTAL_QUEUE", format!("sqlite:{}", file.display()))
            .env("FRACTAL_INTERVAL", "0.5")
            .env("FRACTAL_LISTEN", "127.0.0.1:0")
            .env("FRACTAL_LOG_FORMAT", "json")
            .env("FRACTAL_REGISTRY", registry)
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(folder.path().join("agent.out")).unwrap())
            .stderr(std::fs::File::create(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let store = Sqlite::open(&file).unwrap();
        Self {
            process,
            log,
            queue: Queue::new(Arc::new(store), Arc::new(SystemClock::default())),
            _folder: folder,
        }
    }

    pub(crate) async fn submit(&self, body: &str) {
        self.queue
            .submit(body.as_bytes(), None, Shrink::Hold)
            .await
            .unwrap();
    }

    pub(crate) async fn remove(&self, system: &str) {
        self.queue
            .remove_live_system(&system.parse().unwrap())
            .await
            .unwrap();
    }

    /// One component's status.
    pub(crate) async fn status(&self, system: &str, component: &str) -> Status {
        let view = self
            .queue
            .view(&system.parse().unwrap())
            .await
            .unwrap()
            .unwrap();
        let found = view
            .components
            .into_iter()
            .find(|it| it.key.component.as_str() == component);
        found.unwrap().status
    }

    /// Waits until everything of the live system runs.
    pub(crate) async fn until_active(&self, system: &str) {
        let id = system.parse().unwrap();
        self.settled("the deployment", async || {
            let view = self.queue.view(&id).await.unwrap();
            view.is_some_and(|view| view.phase == LiveSystemPhase::Active)
        })
        .await;
    }

    /// Waits until `holds` does; says what the agent logged where it never does.
    pub(crate) async fn settled(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let began = Instant::now();
        while !holds().await {
            let log = || std::fs::read_to_string(&self.log).unwrap();
            assert!(
                began.elapsed() < PATIENCE,
                "{what}: not in time; the agent logged {}",
                log()
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How often it has looked at a component and found it in sync: no claim, no write.
    pub(crate) async fn steady(&self) -> u64 {
        let log = std::fs::read_to_string(&self.log).unwrap();
        let lines = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let address = lines
            .filter_map(|line| line["address"].as_str().map(str::to_owned))
            .next()
            .unwrap();
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let request =
            format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let line = answer
            .lines()
            .find(|line| line.starts_with("fractal_steady_total"));
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }

    /// Ends it as a platform does, and expects that it ends well.
    pub(crate) async fn stop(mut self) {
        let pid = self.process.id().unwrap().to_string();
        let sent = Command::new("/bin/sh")
            .args(["-c", &format!("kill -TERM {pid}")])
            .status();
        assert!(sent.await.unwrap().success());
        let ended = tokio::time::timeout(PATIENCE, self.process.wait()).await;
        assert!(ended.unwrap().unwrap().success());
    }
}
