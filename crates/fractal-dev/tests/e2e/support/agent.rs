//! `lambda-agent` as a process, and what it logs.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::cloud::Cloud;
use super::process::{Process, command};
use super::system::{ECR, REGION};
use super::until;

/// The agents' secret access key.
pub(crate) const SECRET_KEY: &str = "canary-of-the-cloud";
const START: Duration = Duration::from_secs(60);

/// One agent process. Dropped, it is killed.
pub(crate) struct Agent {
    pub(crate) process: Process,
}

impl Agent {
    /// Starts one on the queue in `folder`, with further flags, and does not wait for it. `name` names its log.
    pub(crate) fn launch(folder: &Path, cloud: &Cloud, name: &str, flags: &[&str]) -> Self {
        let mut command = command("lambda-agent");
        command
            .arg("run")
            .arg("--queue")
            .arg(format!("sqlite:{}", folder.join("queue.db").display()))
            .args([
                "--registry-endpoint",
                &format!("{ECR}={}", cloud.endpoints.registry),
            ])
            .args(["--log-format", "json"])
            .args(flags)
            .env("AWS_ENDPOINT_URL", &cloud.endpoints.aws)
            .env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .env("AWS_REGION", REGION);
        Self {
            process: Process::start(command, folder, name),
        }
    }

    /// Starts one and waits until it is connected.
    pub(crate) async fn start(folder: &Path, cloud: &Cloud, name: &str, flags: &[&str]) -> Self {
        let mut agent = Self::launch(folder, cloud, name, flags);
        until("the agent's start", START, async || {
            let ended = agent.process.ended();
            assert!(ended.is_none(), "{ended:?}\n{}", agent.process.stderr());
            agent.holder().is_some()
        })
        .await;
        agent
    }

    /// The name it claims under, once it said that it started.
    pub(crate) fn holder(&self) -> Option<String> {
        let started = self
            .log()
            .into_iter()
            .find(|line| line["message"] == "started")?;
        Some(started["holder"].as_str()?.to_owned())
    }

    /// The log's whole lines.
    pub(crate) fn log(&self) -> Vec<Value> {
        let text = self.process.stderr();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }
}
