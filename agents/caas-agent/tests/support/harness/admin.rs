//! The administrator beside the agent: one client, on a runtime of its own that no test's runtime can block.

use std::future::Future;
use std::path::Path;
use std::sync::{OnceLock, mpsc};

use fractal_testkit::cluster::Cluster;
use http::{Method, Request};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// The role the documentation gives.
const ROLE: &str = include_str!("../../../deploy/role.yaml");
/// The agent's service account, and the namespace it is in.
pub(super) const ACCOUNT: &str = "caas-agent";

static ADMIN: OnceLock<Admin> = OnceLock::new();

/// The cluster, and what all sites of it share.
pub(crate) struct Admin {
    runtime: Runtime,
    pub(super) cluster: &'static Cluster,
    client: kube::Client,
    pub(super) agent_token: String,
    /// The namespace of the agent's service account.
    pub(super) agent_namespace: String,
    /// Rules of the documented role.
    pub(super) rules: Value,
}

struct Setup {
    cluster: &'static Cluster,
    client: kube::Client,
    agent_token: String,
    agent_namespace: String,
    rules: Value,
}

impl Admin {
    pub(super) fn get() -> &'static Self {
        ADMIN.get_or_init(|| {
            fractal_runtime::install_crypto_provider();
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            let setup = blocking(&runtime, setup());
            Self {
                runtime,
                cluster: setup.cluster,
                client: setup.client,
                agent_token: setup.agent_token,
                agent_namespace: setup.agent_namespace,
                rules: setup.rules,
            }
        })
    }

    /// Runs `work` and gives its outcome; the thread waits.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        blocking(&self.runtime, work)
    }

    /// Runs `work` and gives its outcome.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        self.runtime.spawn(work).await.unwrap()
    }

    /// Begins `work`, which goes on by itself.
    pub(super) fn begin(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime.spawn(work));
    }

    /// The object at `path`, `null` where there is none.
    pub(super) async fn get_object(&self, path: &str) -> Value {
        match self.call(Method::GET, path, None).await {
            Ok(object) => object,
            Err(kube::Error::Api(status)) if status.code == 404 => Value::Null,
            Err(error) => panic!("GET {path}: {error}"),
        }
    }

    /// The objects of the collection at `path`.
    pub(super) async fn list(&self, path: &str) -> Vec<Value> {
        let mut list = self.get_object(path).await;
        serde_json::from_value(list["items"].take()).unwrap()
    }

    pub(super) async fn post(&self, path: &str, object: &Value) -> Value {
        self.must(Method::POST, path, object).await
    }

    /// A JSON merge patch.
    pub(super) async fn patch(&self, path: &str, change: &Value) {
        self.must(Method::PATCH, path, change).await;
    }

    /// A strategic merge patch, as `kubectl` makes it.
    pub(super) async fn edit(&self, path: &str, change: &Value) {
        let request = request(Method::PATCH, path, "strategic-merge-patch", Some(change));
        self.client.request::<Value>(request).await.unwrap();
    }

    /// Deletes what is at `path`, if anything is.
    pub(super) async fn delete(&self, path: &str) {
        let options = json!({ "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background" });
        match self.call(Method::DELETE, path, Some(&options)).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => panic!("DELETE {path}: {error}"),
        }
    }

    async fn must(&self, method: Method, path: &str, body: &Value) -> Value {
        let answer = self.call(method.clone(), path, Some(body)).await;
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> kube::Result<Value> {
        let kind = if method == Method::PATCH {
            "merge-patch"
        } else {
            ""
        };
        self.client.request(request(method, path, kind, body)).await
    }
}

fn request(method: Method, path: &str, kind: &str, body: Option<&Value>) -> Request<Vec<u8>> {
    let content = match kind {
        "" => "application/json".to_owned(),
        kind => format!("application/{kind}+json"),
    };
    let body = body.map(Value::to_string).unwrap_or_default();
    Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", content)
        .header("accept", "application/json")
        .body(body.into_bytes())
        .unwrap()
}

fn blocking<T: Send + 'static>(
    runtime: &Runtime,
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    let (done, outcome) = mpsc::channel();
    runtime.spawn(async move { done.send(work.await) });
    outcome.recv().expect("the administrator's work failed")
}

async fn setup() -> Setup {
    let cluster = Cluster::shared().await;
    let kubeconfig = cluster.kubeconfig(cluster.admin_token());
    let client = kube::Client::try_from(way(&kubeconfig).await).unwrap();
    let namespace = cluster.namespace("agent").await;
    let account = ["-n", &namespace, "create", "serviceaccount", ACCOUNT];
    let role = ["-n", &namespace, "create", "-o", "json", "-f", "-"];
    for args in [&account[..], &role[..]] {
        let output = cluster.kubectl(args, Some(ROLE)).await;
        assert!(output.status.success(), "{output:?}");
    }
    let path =
        format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles/caas-agent");
    let (_, role) = cluster.api("GET", &path, None).await;
    Setup {
        cluster,
        client,
        agent_token: cluster.service_account_token(&namespace, ACCOUNT).await,
        agent_namespace: namespace,
        rules: role["rules"].clone(),
    }
}

/// A kubeconfig as the client takes it, without retries of the client's own.
pub(super) async fn way(kubeconfig: &Path) -> kube::Config {
    let file = kube::config::Kubeconfig::read_from(kubeconfig).unwrap();
    let mut config = kube::Config::from_custom_kubeconfig(file, &Default::default())
        .await
        .unwrap();
    config.default_retry = false;
    // A proxy of whoever runs the tests has no way to this cluster.
    config.proxy_url = None;
    config
}
