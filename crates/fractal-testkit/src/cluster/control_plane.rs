//! The five programs: how each is started, and when the cluster is ready.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::Client;
use super::error::ClusterError;
use super::files::{self, PROGRAMS};
use super::identity::Identity;
use super::process::Processes;

const NODES: [&str; 2] = ["node-1", "node-2"];

/// What a start makes.
pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) client: Client,
    pub(crate) identity: Identity,
    pub(crate) tokens: Tokens,
    pub(crate) processes: Processes,
    pub(crate) folder: TempDir,
}

/// Bearer tokens, each good for one user of this cluster and worthless elsewhere.
pub(crate) struct Tokens {
    pub(crate) admin: String,
    programs: [String; 3],
}

impl Tokens {
    fn new() -> Self {
        let token = || (0..32).map(|_| fastrand::alphanumeric()).collect();
        Self {
            admin: token(),
            programs: [token(), token(), token()],
        }
    }

    /// Token, user, id, groups. The programs may do everything too: what they do in a real cluster is not what is tested.
    fn csv(&self) -> String {
        let users = PROGRAMS.iter().zip(&self.programs);
        let all = users.chain([(&"admin", &self.admin)]);
        all.map(|(user, token)| format!("{token},{user},{user},\"system:masters\"\n"))
            .collect()
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

pub(crate) async fn start() -> Result<Running, ClusterError> {
    let folder = tempfile::Builder::new()
        .prefix("fractal-cluster-")
        .tempdir();
    let folder = folder.map_err(ClusterError::file(Path::new("the temporary folder")))?;
    let (identity, tokens, ports) = (Identity::new()?, Tokens::new(), Ports::free()?);
    let url = format!("https://127.0.0.1:{}", ports.api);
    write_files(folder.path(), &identity, &tokens, &url)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.api));
    let client = Client::new(address, identity.client()?);
    let mut processes = Processes::new(folder.path());
    processes.start("etcd", &etcd(&ports))?;
    processes.start("kube-apiserver", &api_server(&ports))?;
    let ready = client.until("/readyz", &tokens.admin, "the API server", |_| true);
    watched(&mut processes, ready).await?;
    processes.start("kube-controller-manager", &controller_manager())?;
    processes.start("kube-scheduler", &scheduler())?;
    processes.start("kwok", &kwok())?;
    let ready = populated(&client, &tokens.admin);
    watched(&mut processes, ready).await?;
    Ok(Running {
        url,
        client,
        identity,
        tokens,
        processes,
        folder,
    })
}

/// Waits for `ready`, but no longer than all programs run.
async fn watched(
    processes: &mut Processes,
    ready: impl Future<Output = Result<(), ClusterError>>,
) -> Result<(), ClusterError> {
    let mut ready = std::pin::pin!(ready);
    loop {
        tokio::select! {
            outcome = &mut ready => return outcome,
            () = tokio::time::sleep(Duration::from_millis(100)) => processes.all_run()?,
        }
    }
}

/// Nodes, a storage class, and the account that pods without one get.
async fn populated(client: &Client, admin: &str) -> Result<(), ClusterError> {
    for node in NODES {
        create(client, admin, "/api/v1/nodes", &node_object(node)).await?;
    }
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": { "name": "standard", "annotations": { "storageclass.kubernetes.io/is-default-class": "true" } },
        "provisioner": "kwok.x-k8s.io/volume", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate",
    });
    create(
        client,
        admin,
        "/apis/storage.k8s.io/v1/storageclasses",
        &class,
    )
    .await?;
    for node in NODES {
        let path = format!("/api/v1/nodes/{node}");
        client.until(&path, admin, "a ready node", is_ready).await?;
    }
    let account = "/api/v1/namespaces/default/serviceaccounts/default";
    client
        .until(account, admin, "the default account", |_| true)
        .await
}

fn node_object(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": { "kwok.x-k8s.io/node": "fake" },
            "labels": {
                "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
            },
        },
    })
}

async fn create(
    client: &Client,
    admin: &str,
    path: &str,
    object: &Value,
) -> Result<(), ClusterError> {
    let (status, answer) = client.json("POST", path, admin, Some(object)).await?;
    if status == 201 {
        return Ok(());
    }
    Err(ClusterError::Refused {
        call: format!("POST {path}"),
        status,
        answer: answer.to_string(),
    })
}

fn is_ready(object: &Value) -> bool {
    let conditions = object
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| {
        condition.get("type").and_then(Value::as_str) == Some("Ready")
            && condition.get("status").and_then(Value::as_str) == Some("True")
    })
}

fn write_files(
    folder: &Path,
    identity: &Identity,
    tokens: &Tokens,
    url: &str,
) -> Result<(), ClusterError> {
    let authority = identity.authority_pem();
    let config = |token: &str| files::kubeconfig(url, authority, token);
    let [manager, scheduler, kwok] = &tokens.programs;
    for (name, text) in [
        ("ca.crt", authority.to_owned()),
        ("apiserver.crt", identity.certificate_pem().to_owned()),
        ("apiserver.key", identity.key_pem()),
        ("accounts.key", identity.accounts_key_pem()),
        ("accounts.pub", identity.accounts_public_pem()),
        ("tokens.csv", tokens.csv()),
        ("audit-policy.json", files::audit_policy()),
        ("stages.yaml", files::STAGES.to_owned()),
        (files::ADMIN_KUBECONFIG, config(&tokens.admin)),
        ("controller-manager.kubeconfig", config(manager)),
        ("scheduler.kubeconfig", config(scheduler)),
        ("kwok.kubeconfig", config(kwok)),
    ] {
        files::write(&folder.join(name), &text)?;
    }
    Ok(())
}

/// Ports that were free when they were asked for; the programs do not say which one they took if told 0.
struct Ports {
    etcd: u16,
    peer: u16,
    api: u16,
}

impl Ports {
    fn free() -> Result<Self, ClusterError> {
        let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(ClusterError::Connect);
        // All are held at once, so that they differ.
        let held = (listen()?, listen()?, listen()?);
        let port = |held: &TcpListener| held.local_addr().map(|address| address.port());
        Ok(Self {
            etcd: port(&held.0).map_err(ClusterError::Connect)?,
            peer: port(&held.1).map_err(ClusterError::Connect)?,
            api: port(&held.2).map_err(ClusterError::Connect)?,
        })
    }
}

/// Flags as the programs' own references document them. Paths are below the folder the programs run in.
fn flags<const N: usize>(flags: [(&str, &str); N]) -> Vec<String> {
    flags
        .map(|(name, value)| format!("--{name}={value}"))
        .to_vec()
}

fn etcd(ports: &Ports) -> Vec<String> {
    let client = format!("http://127.0.0.1:{}", ports.etcd);
    let peer = format!("http://127.0.0.1:{}", ports.peer);
    flags([
        ("data-dir", "etcd"),
        ("listen-client-urls", &client),
        ("advertise-client-urls", &client),
        ("listen-peer-urls", &peer),
        ("initial-advertise-peer-urls", &peer),
        ("initial-cluster", &format!("default={peer}")),
        // Nothing here is to survive a crash of the machine.
        ("unsafe-no-fsync", "true"),
    ])
}

fn api_server(ports: &Ports) -> Vec<String> {
    flags([
        ("bind-address", "127.0.0.1"),
        ("advertise-address", "127.0.0.1"),
        ("secure-port", &ports.api.to_string()),
        ("etcd-servers", &format!("http://127.0.0.1:{}", ports.etcd)),
        // The API server refuses to advertise a loopback address, so nothing is to be advertised.
        ("endpoint-reconciler-type", "none"),
        ("tls-cert-file", "apiserver.crt"),
        ("tls-private-key-file", "apiserver.key"),
        ("token-auth-file", "tokens.csv"),
        ("authorization-mode", "RBAC"),
        ("service-account-issuer", "https://kubernetes.default.svc"),
        ("service-account-key-file", "accounts.pub"),
        ("service-account-signing-key-file", "accounts.key"),
        ("service-cluster-ip-range", "10.0.0.0/16"),
        ("allow-privileged", "true"),
        ("audit-policy-file", "audit-policy.json"),
        ("audit-log-path", files::AUDIT_LOG),
        // In megabytes: what is rotated away is not read.
        ("audit-log-maxsize", "100000"),
        // The event of a call is in the file before its answer is complete.
        ("audit-log-mode", "blocking"),
        // The taint of a new node is taken away by the controller that watches nodes' leases, which is off below.
        ("disable-admission-plugins", "TaintNodesByCondition"),
    ])
}

fn controller_manager() -> Vec<String> {
    flags([
        ("kubeconfig", "controller-manager.kubeconfig"),
        // A test machine that stalls must not evict the pods of a node whose lease ran out.
        (
            "controllers",
            "*,-node-lifecycle-controller,-bootstrap-signer-controller,-token-cleaner-controller",
        ),
        ("leader-elect", "false"),
        ("root-ca-file", "ca.crt"),
        ("service-account-private-key-file", "accounts.key"),
        ("kube-api-qps", "200"),
        ("kube-api-burst", "400"),
        ("secure-port", "0"),
    ])
}

fn scheduler() -> Vec<String> {
    flags([
        ("kubeconfig", "scheduler.kubeconfig"),
        ("leader-elect", "false"),
        ("secure-port", "0"),
    ])
}

fn kwok() -> Vec<String> {
    flags([
        ("kubeconfig", "kwok.kubeconfig"),
        ("manage-all-nodes", "true"),
        ("node-lease-duration-seconds", "40"),
        ("config", "stages.yaml"),
    ])
}
