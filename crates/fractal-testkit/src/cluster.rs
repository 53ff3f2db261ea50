//! A real Kubernetes control plane on loopback: etcd, API server, controller manager, scheduler, and kwok as the kubelet of two nodes.
//!
//! Everything is real but the containers: pods become ready, jobs complete, and nothing runs. What a pod does follows from its image
//! (`cluster/stages.yaml` says how). It needs the installed parts and does not install them.

mod audit;
mod client;
mod control_plane;
pub(crate) mod error;
mod files;
mod identity;
pub(crate) mod part;
pub(crate) mod process;
pub mod proxy;
mod rest;

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::OnceCell;

pub use audit::AuditEvent;

use client::Client;
use control_plane::Tokens;
use error::ClusterError;
use identity::Identity;
use process::Processes;

/// How often a start that failed is tried again: the ports chosen were free a moment before, and may not be any more.
const STARTS: usize = 3;

static SHARED: OnceCell<Cluster> = OnceCell::const_new();

/// A running control plane. Its processes and its folder are gone with it, or with the test process if that ends first.
#[derive(Debug)]
pub struct Cluster {
    url: String,
    client: Client,
    identity: Identity,
    tokens: Tokens,
    /// Names files and namespaces apart.
    count: AtomicU64,
    // The processes end before their folder goes.
    _processes: Processes,
    folder: TempDir,
}

impl Cluster {
    /// Starts a control plane and waits until pods can be scheduled, 5 to 20 s.
    ///
    /// # Panics
    /// When `FRACTAL_PARTS` names no parts or a program does not serve; the message says what to do.
    pub async fn start() -> Self {
        must(Self::started().await)
    }

    /// The one control plane of this test process, for all tests that keep to namespaces of their own.
    ///
    /// # Panics
    /// As [`Cluster::start`].
    pub async fn shared() -> &'static Self {
        SHARED.get_or_init(Self::start).await
    }

    async fn started() -> Result<Self, ClusterError> {
        let mut failure = None;
        for _ in 0..STARTS {
            match control_plane::start().await {
                Ok(running) => {
                    return Ok(Self {
                        url: running.url,
                        client: running.client,
                        identity: running.identity,
                        tokens: running.tokens,
                        count: AtomicU64::new(0),
                        _processes: running.processes,
                        folder: running.folder,
                    });
                }
                Err(error @ ClusterError::Part { .. }) => return Err(error),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or(ClusterError::Unready { what: "a start" }))
    }

    /// The API server's address, `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The authority that signed the API server's certificate, and that of every proxy in front of it.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.identity.authority_pem()
    }

    /// The bearer token of the user `admin`, of `system:masters`.
    #[must_use]
    pub fn admin_token(&self) -> &str {
        &self.tokens.admin
    }

    /// A kubeconfig of its own for a bearer token.
    ///
    /// # Panics
    /// When the file cannot be written.
    #[must_use]
    pub fn kubeconfig(&self, token: &str) -> PathBuf {
        self.kubeconfig_for(&self.url, token)
    }

    pub(crate) fn kubeconfig_for(&self, url: &str, token: &str) -> PathBuf {
        let path = self.file("kubeconfig");
        let text = files::kubeconfig(url, self.ca_pem(), token);
        must(files::write(&path, &text));
        path
    }

    /// The calls that have ended so far, in the order in which they ended. Reads of the control plane's own programs are left out.
    ///
    /// # Panics
    /// When the audit log cannot be read or understood.
    #[must_use]
    pub fn audit(&self) -> Vec<AuditEvent> {
        self.audit_since(0)
    }

    /// Where the audit log stands, for [`Cluster::audit_since`].
    ///
    /// # Panics
    /// As [`Cluster::audit`].
    #[must_use]
    pub fn audit_mark(&self) -> u64 {
        must(audit::end(&self.folder.path().join(files::AUDIT_LOG)))
    }

    /// The calls that have ended after a mark.
    ///
    /// # Panics
    /// As [`Cluster::audit`].
    #[must_use]
    pub fn audit_since(&self, mark: u64) -> Vec<AuditEvent> {
        let path = self.folder.path().join(files::AUDIT_LOG);
        must(audit::read(&path, mark))
    }

    /// A token for a service account, valid for an hour, as a pod of it would get.
    ///
    /// # Panics
    /// When the service account does not exist.
    pub async fn service_account_token(&self, namespace: &str, name: &str) -> String {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token");
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": { "expirationSeconds": 3600 },
        });
        let answer = must(self.change("POST", &path, &request).await);
        let token = answer.pointer("/status/token").and_then(Value::as_str);
        must(token.map(str::to_owned).ok_or(ClusterError::Unready {
            what: "the answer's token",
        }))
    }

    /// Runs `kubectl` as `admin`, with `stdin` as its input. It does not judge the outcome.
    ///
    /// # Panics
    /// When `kubectl` cannot be run.
    pub async fn kubectl(&self, args: &[&str], stdin: Option<&str>) -> Output {
        must(self.run_kubectl(args, stdin).await)
    }

    async fn run_kubectl(
        &self,
        args: &[&str],
        stdin: Option<&str>,
    ) -> Result<Output, ClusterError> {
        let failed = |source| ClusterError::Start {
            program: "kubectl",
            source,
        };
        let mut command = tokio::process::Command::new(part::program("kubectl")?);
        command
            .arg("--kubeconfig")
            .arg(self.folder.path().join(files::ADMIN_KUBECONFIG))
            .args(args)
            .env_clear()
            .env("HOME", self.folder.path())
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(failed)?;
        let mut input = child.stdin.take();
        let text = stdin.unwrap_or_default().to_owned();
        // A program that ends without reading its input is no fault of ours.
        let written = async move {
            if let Some(input) = input.as_mut() {
                let _closed = input.write_all(text.as_bytes()).await;
            }
            drop(input);
        };
        let (output, ()) = tokio::join!(child.wait_with_output(), written);
        output.map_err(failed)
    }

    /// One call as `admin`: status and body, `null` where the body is no JSON. A `PATCH` is a JSON merge patch.
    ///
    /// # Panics
    /// When the API server does not answer.
    pub async fn api(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        must(
            self.client
                .json(method, path, &self.tokens.admin, body)
                .await,
        )
    }

    /// Makes a namespace that no other test has, and waits until pods can be made in it.
    ///
    /// # Panics
    /// When the API server refuses.
    pub async fn namespace(&self, prefix: &str) -> String {
        let name = format!("{prefix}-{}", self.count.fetch_add(1, Ordering::Relaxed));
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name },
        });
        must(self.change("POST", "/api/v1/namespaces", &namespace).await);
        let account = format!("/api/v1/namespaces/{name}/serviceaccounts/default");
        must(
            self.client
                .until(&account, &self.tokens.admin, "the default account", |_| {
                    true
                })
                .await,
        );
        name
    }

    /// As [`Cluster::namespace`], but pods in it stay pending until [`Cluster::settle`] lets them go.
    ///
    /// # Panics
    /// As [`Cluster::namespace`].
    pub async fn held_namespace(&self, prefix: &str) -> String {
        self.namespace(&format!("{}{prefix}", rest::HELD)).await
    }

    /// Lets held pods go and waits until nothing in a namespace is in progress: rollouts are complete or stuck, jobs have ended,
    /// what was deleted is gone. Volumes, services and custom resources are not waited for.
    ///
    /// # Panics
    /// When that takes more than two minutes.
    pub async fn settle(&self, namespace: &str) {
        must(self.settled(namespace).await);
    }

    async fn settled(&self, namespace: &str) -> Result<(), ClusterError> {
        let began = Instant::now();
        while began.elapsed() < client::PATIENCE {
            let mut lists: [Value; 6] = Default::default();
            for (list, (root, resource)) in lists.iter_mut().zip(rest::COLLECTIONS) {
                let path = format!("{root}/namespaces/{namespace}/{resource}");
                (_, *list) = self
                    .client
                    .json("GET", &path, &self.tokens.admin, None)
                    .await?;
            }
            let [.., pods] = &lists;
            let held = match namespace.starts_with(rest::HELD) {
                true => rest::held(pods),
                false => Vec::new(),
            };
            if held.is_empty() && rest::at_rest(&lists) {
                return Ok(());
            }
            for pod in held {
                let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}");
                let released = json!({ "metadata": { "annotations": { rest::RELEASED: "true" } } });
                // A pod that is gone meanwhile needs no letting go.
                self.client
                    .json("PATCH", &path, &self.tokens.admin, Some(&released))
                    .await?;
            }
            tokio::time::sleep(client::INTERVAL).await;
        }
        Err(ClusterError::Unready {
            what: "rollouts and jobs to end",
        })
    }

    /// [`Cluster::api`] for callers that cannot wait asynchronously; it blocks the thread.
    ///
    /// # Panics
    /// As [`Cluster::api`].
    #[must_use]
    pub fn api_blocking(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        // A runtime of its own on a thread of its own: the caller's may be waiting for this very call.
        let outcome = std::thread::scope(|scope| {
            let call = || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .map_err(ClusterError::Connect)?;
                runtime.block_on(self.client.json(method, path, &self.tokens.admin, body))
            };
            scope.spawn(call).join()
        });
        must(outcome.unwrap_or(Err(ClusterError::Unready {
            what: "a thread of its own",
        })))
    }

    async fn change(&self, method: &str, path: &str, body: &Value) -> Result<Value, ClusterError> {
        let admin = &self.tokens.admin;
        let (status, answer) = self.client.json(method, path, admin, Some(body)).await?;
        if (200..300).contains(&status) {
            Ok(answer)
        } else {
            Err(ClusterError::Refused {
                call: format!("{method} {path}"),
                status,
                answer: answer.to_string(),
            })
        }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// A path in the cluster's folder that nothing has yet.
    fn file(&self, name: &str) -> PathBuf {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        self.folder.path().join(format!("{name}-{number}"))
    }

    /// The folder with every program's log, `NAME.log`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// A cluster that fails has nothing to hand on to the test but its message.
#[expect(
    clippy::panic,
    reason = "tests call this, and a panic is how a test fails"
)]
fn must<T>(result: Result<T, ClusterError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
            panic!("{error}{}", source.unwrap_or_default())
        }
    }
}
