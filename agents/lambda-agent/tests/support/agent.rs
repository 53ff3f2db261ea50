//! The agent's binary as an operator runs it: variables, a queue in a file, and SIGTERM at the end.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fractal_queue::store::Sqlite;
use fractal_queue::{LiveSystemView, Queue, SystemClock};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::ministack::REGION;

/// Longest wait for anything the agent does.
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(100);

/// The running agent, killed when dropped.
pub(crate) struct Agent {
    process: Child,
    log: PathBuf,
    folder: TempDir,
}

impl Agent {
    pub(crate) fn start(endpoint: &str, bucket: &str, registry: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("agent.log");
        let process = Command::new(env!("CARGO_BIN_EXE_lambda-agent"))
            .arg("run")
            .env_clear()
            .env("HOME", folder.path())
            .env(
                "FRACTAL_QUEUE",
                format!("sqlite:{}", folder.path().join("queue.db").display()),
            )
            .env("FRACTAL_INTERVAL", "0.5")
            .env("FRACTAL_ALLOW_PRIVATE", registry)
            .env("FRACTAL_LAMBDA_STAGING_BUCKET", bucket)
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(folder.path().join("agent.out")).unwrap())
            .stderr(std::fs::File::create(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            process,
            log,
            folder,
        }
    }

    /// The agent's queue, as another process opens it.
    pub(crate) fn queue(&self) -> Queue {
        let store = Sqlite::open(self.folder.path().join("queue.db")).unwrap();
        Queue::new(Arc::new(store), Arc::new(SystemClock::default()))
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until `done` says so of the live system's status.
    pub(crate) async fn until(
        &self,
        queue: &Queue,
        system: &str,
        what: &str,
        done: impl Fn(Option<&LiveSystemView>) -> bool,
    ) {
        let id = system.parse().unwrap();
        settled(self, what, async || {
            done(queue.view(&id).await.unwrap().as_ref())
        })
        .await;
    }

    /// Ends it as a platform does, and expects that it ends well.
    pub(crate) async fn stop(mut self) {
        let pid = self.process.id().unwrap().to_string();
        let sent = Command::new("/bin/sh")
            .args(["-c", &format!("kill -TERM {pid}")])
            .status();
        assert!(sent.await.unwrap().success());
        let ended = tokio::time::timeout(PATIENCE, self.process.wait()).await;
        assert!(ended.unwrap().unwrap().success(), "{}", self.log());
    }
}

/// Waits until `holds` does; says what the agent logged where it never does.
pub(crate) async fn settled(agent: &Agent, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(
            began.elapsed() < PATIENCE,
            "{what}: not within {} s; the agent logged {}",
            PATIENCE.as_secs(),
            agent.log()
        );
        tokio::time::sleep(LOOK).await;
    }
}
