//! A folder, a queue in it, and the binary run there with an environment of its own.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use fractal_core::artifact::Digest;
use fractal_core::contract::ComponentKey;
use fractal_core::fault::Fault;
use fractal_core::status::{ArtifactStatus, Condition, ConditionStatus, ConditionType, Status};
use fractal_queue::{
    Claim, Company, NextDue, Outcome, Presence, Queue, QueueUrl, Scope, Settlement, SystemClock,
    Take, Tenure,
};
use fractal_simcloud::{Registry, RegistryAuth, RegistryConfig};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

pub(crate) const SYSTEM: &str = "Personal/o/bc/shop";
pub(crate) const OFFER: &str = "CustomWorkloads.FaaS.AwsLambda";
/// Longer than any command here takes on a busy machine.
const BOUND: Duration = Duration::from_secs(60);

pub(crate) struct Rig {
    folder: TempDir,
    /// Texts that differ from run to run, and what stands for them in snapshots.
    unstable: Vec<(String, &'static str)>,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "exit code: {}\n--- standard output\n{}--- standard error\n{}",
            self.code, self.out, self.err
        )
    }
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl Rig {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display().to_string();
        Self {
            folder,
            unstable: vec![(path, "[FOLDER]")],
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// A zip of these files, the same bytes every time.
    pub(crate) fn zip(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default()
            .last_modified_time(zip::DateTime::default())
            .unix_permissions(0o644);
        for (name, content) in files {
            zip.start_file(*name, options).unwrap();
            zip.write_all(content.as_bytes()).unwrap();
        }
        self.write(name, zip.finish().unwrap().into_inner())
    }

    pub(crate) async fn registry(&mut self, name: &'static str, auth: RegistryAuth) -> Registry {
        let config = RegistryConfig {
            auth,
            ..RegistryConfig::default()
        };
        let registry = Registry::start(config).await.unwrap();
        self.unstable.push((registry.host(), name));
        registry
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fractal"));
        let temporary = self.path("temporary");
        std::fs::create_dir_all(&temporary).unwrap();
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("TMPDIR", temporary)
            .env("FRACTAL_QUEUE", "sqlite:queue.db")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs the command to its end.
    pub(crate) async fn run(&self, args: &[&str]) -> Ran {
        self.finish(self.command(args).spawn().unwrap()).await
    }

    pub(crate) async fn run_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Ran {
        let mut command = self.command(args);
        command.envs(variables.iter().copied());
        self.finish(command.spawn().unwrap()).await
    }

    /// Runs the command with its answer going somewhere else.
    #[cfg(target_os = "linux")]
    pub(crate) async fn run_into(&self, args: &[&str], out: Stdio) -> Ran {
        let child = self.command(args).stdout(out).spawn().unwrap();
        self.finish(child).await
    }

    pub(crate) async fn run_reading(&self, args: &[&str], input: &str) -> Ran {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that ends before it has read all of it says why itself.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        self.finish(child).await
    }

    /// Begins the command; it ends with the test.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    pub(crate) async fn finish(&self, child: Child) -> Ran {
        let output = tokio::time::timeout(BOUND, child.wait_with_output());
        let output = output.await.expect("the command did not end").unwrap();
        let left = std::fs::read_dir(self.path("temporary")).unwrap().count();
        assert_eq!(left, 0, "temporary files were left behind");
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: self.stable(&String::from_utf8(output.stdout).unwrap()),
            err: self.stable(&String::from_utf8(output.stderr).unwrap()),
        }
    }

    /// With what differs from run to run replaced: paths, hosts, times.
    pub(crate) fn stable(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (unstable, name) in &self.unstable {
            text = text.replace(unstable, name);
        }
        let text: String = text
            .split_inclusive(['\n', ' ', '"', ','])
            .map(|word| {
                let bare = word.trim_end_matches(['\n', ' ', '"', ',']);
                let time = bare.len() >= 20 && bare.ends_with('Z') && bare.get(10..11) == Some("T");
                if time {
                    word.replace(bare, "[TIME]")
                } else {
                    word.to_owned()
                }
            })
            .collect();
        text.split_inclusive('\n').map(unaligned).collect()
    }

    /// The queue that the command works on.
    pub(crate) fn queue(&self) -> Queue {
        let url = QueueUrl::Sqlite(self.path("queue.db"));
        Queue::new(url.open().unwrap(), Arc::new(SystemClock::default()))
    }

    /// A live system's file with these components.
    pub(crate) fn live_system(&self, name: &str, components: &[&str]) -> PathBuf {
        let map: serde_json::Map<String, Value> = components
            .iter()
            .map(|id| {
                let component = json!({
                    "id": id, "type": OFFER, "provider": "AWS",
                    "parameters": {"sourceArtifact": format!("{id}:1"), "handler": "app.handler", "runtime": "python3.13"},
                });
                ((*id).to_owned(), component)
            })
            .collect();
        let body = json!({
            "liveSystemId": SYSTEM, "fractalId": "bc/shop:1.0.0",
            "environment": {"id": {"type": "Personal", "ownerId": "o", "shortName": "dev"}, "parameters": {}},
            "blueprintMap": map,
        });
        self.write(name, serde_json::to_vec(&body).unwrap())
    }
}

/// A line whose columns are two spaces apart: how wide they are depends on what was replaced in them.
fn unaligned(line: &str) -> String {
    let bare = line.trim_start_matches(' ');
    let (indent, _) = line.split_at(line.len() - bare.len());
    let columns: Vec<&str> = bare.split("  ").filter(|part| !part.is_empty()).collect();
    let columns = columns.iter().map(|part| part.trim_start_matches(' '));
    format!("{indent}{}", columns.collect::<Vec<_>>().join("  "))
}

/// An agent that serves Lambda, as far as the queue sees one.
pub(crate) struct Agent {
    pub(crate) queue: Queue,
}

impl Agent {
    pub(crate) async fn start(rig: &Rig) -> Self {
        let queue = rig.queue();
        let scope = Scope {
            offers: [OFFER.parse().unwrap()].into(),
            ..Scope::everything()
        };
        let presence = Presence::new("agent-1", "lambda-agent 0.1.0", "installation", scope);
        queue.announce(&presence).await.unwrap();
        Self { queue }
    }

    pub(crate) async fn key(&self, component: &str) -> ComponentKey {
        let all = self
            .queue
            .components(&SYSTEM.parse().unwrap())
            .await
            .unwrap();
        let mut keys = all.into_iter().map(|document| document.key);
        keys.find(|key| key.component.as_str() == component)
            .unwrap()
    }

    async fn claim(&self, component: &str) -> Claim {
        let tenure = Tenure {
            holder: "agent-1".into(),
            length: Duration::from_secs(90),
            company: Company::Shared,
        };
        let key = self.key(component).await;
        match self.queue.claim(&key, None, &tenure).await.unwrap() {
            Take::Claimed(claim) => *claim,
            Take::Refused(refusal) => panic!("{component}: {refusal:?}"),
        }
    }

    /// Settles a component as one that runs.
    pub(crate) async fn ready(&self, component: &str) {
        let claim = self.claim(component).await;
        let mut status = self.status(&claim, ConditionStatus::True, "Ready");
        let name = format!("arn:aws:lambda:eu-central-1:123456789012:function:{component}");
        status.outputs.insert("arn".into(), name);
        self.settle(claim, status, Outcome::InSync).await;
    }

    /// Settles a component as one that runs `digest`.
    pub(crate) async fn runs(&self, component: &str, reference: &str, digest: &Digest) {
        let claim = self.claim(component).await;
        let mut status = self.status(&claim, ConditionStatus::True, "Ready");
        status.artifact = Some(ArtifactStatus {
            reference: reference.parse().unwrap(),
            desired: digest.clone(),
            image: None,
            beside: Vec::new(),
            running: Some(digest.clone()),
            coordinates: Vec::new(),
        });
        self.settle(claim, status, Outcome::InSync).await;
    }

    /// Settles a component as one that `fault` stands in the way of, since two minutes.
    pub(crate) async fn faulty(&self, component: &str, fault: Fault) {
        let claim = self.claim(component).await;
        let reason = fault.reason.as_str().to_owned();
        let mut status = self.status(&claim, ConditionStatus::False, &reason);
        let now = self.queue.clock().wall().unix_millis();
        let since = fractal_core::Timestamp::from_unix_millis(now - 120_000);
        status.waiting_since = Some(since);
        status.attempts = claim.document().attempts;
        status.next_attempt = Some(self.queue.clock().wall().plus_millis(300_000));
        status.fault = Some(fault);
        self.settle(claim, status, Outcome::Failed).await;
    }

    /// Confirms that nothing of a component is left.
    pub(crate) async fn gone(&self, component: &str) {
        let claim = self.claim(component).await;
        self.settle(claim, Status::default(), Outcome::Gone).await;
    }

    fn status(&self, claim: &Claim, ready: ConditionStatus, reason: &str) -> Status {
        let mut status = Status {
            observed_generation: claim.generation(),
            agent: "lambda-agent 0.1.0".into(),
            ..Status::default()
        };
        status.set(Condition {
            kind: ConditionType::Ready,
            status: ready,
            reason: reason.into(),
            message: String::new(),
            next: None,
            observed_generation: claim.generation(),
            since: self.queue.clock().wall(),
        });
        status
    }

    async fn settle(&self, claim: Claim, status: Status, outcome: Outcome) {
        let settlement = Settlement {
            status,
            record: None,
            due: NextDue::In(Duration::from_secs(300)),
            outcome,
        };
        self.queue.settle(claim, settlement).await.unwrap();
    }

    /// Waits until a component is to be removed.
    pub(crate) async fn sees_removal(&self, component: &str) {
        let key = self.key(component).await;
        let removed = async {
            let mut agenda = self.queue.agenda(Scope::everything());
            loop {
                agenda.refresh().await.unwrap();
                let document = self.queue.component(&key).await.unwrap().unwrap();
                if document.tombstone {
                    break;
                }
                agenda.changed().await.unwrap();
            }
        };
        tokio::time::timeout(BOUND, removed).await.unwrap();
    }

    /// Answers questions until it is dropped: each component's with what `answer` says.
    pub(crate) async fn answer(&self, answer: impl Fn(&str) -> Value) {
        let mut agenda = self.queue.agenda(Scope::everything());
        loop {
            agenda.refresh().await.unwrap();
            for ask in agenda.asks() {
                let answer = answer(ask.key.component.as_str());
                self.queue.answer(&ask.id, answer).await.unwrap();
            }
            agenda.changed().await.unwrap();
        }
    }
}
