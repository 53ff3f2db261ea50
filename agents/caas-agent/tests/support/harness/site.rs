//! Where one test deploys: a namespace, and another one for a component that moves.

use std::sync::{Arc, OnceLock};

use fractal_testkit::conformance::Spec;
use serde_json::json;
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Duration, sleep};

use super::admin::{ACCOUNT, Admin};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
/// Namespaces that are made before they are asked for.
const AHEAD: usize = 4;

static READY: OnceLock<Arc<Mutex<mpsc::Receiver<String>>>> = OnceLock::new();

/// The namespaces of one test.
pub(crate) struct Site {
    home: String,
    away: OnceLock<String>,
}

impl Site {
    pub(super) async fn take(admin: &'static Admin) -> Self {
        Self {
            home: admin.run(next(admin)).await,
            away: OnceLock::new(),
        }
    }

    pub(super) fn home(&self) -> &str {
        &self.home
    }

    /// The namespace of a deployment.
    pub(super) fn namespace(&self, admin: &'static Admin, spec: Spec) -> &str {
        match spec {
            Spec::OtherPlace => self.away.get_or_init(|| admin.wait(next(admin))),
            _ => &self.home,
        }
    }

    /// The namespaces in which anything was deployed.
    pub(super) fn used(&self) -> Vec<String> {
        let all = [Some(&self.home), self.away.get()];
        all.into_iter().flatten().cloned().collect()
    }
}

/// A namespace that nobody has.
async fn next(admin: &'static Admin) -> String {
    let ready = READY.get_or_init(|| {
        let (sender, receiver) = mpsc::channel(AHEAD);
        admin.begin(make_all(admin, sender));
        Arc::new(Mutex::new(receiver))
    });
    ready.lock().await.recv().await.unwrap()
}

async fn make_all(admin: &'static Admin, ready: mpsc::Sender<String>) {
    loop {
        let namespace = make(admin).await;
        if ready.send(namespace).await.is_err() {
            return;
        }
    }
}

/// A namespace whose pods are held, in which the agent has the documented role.
async fn make(admin: &'static Admin) -> String {
    let namespace = admin.cluster.held_namespace("suite").await;
    let within = format!("{RBAC}/namespaces/{namespace}");
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": { "name": ACCOUNT }, "rules": admin.rules,
    });
    admin.post(&format!("{within}/roles"), &role).await;
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": { "name": ACCOUNT },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT },
        "subjects": [{ "kind": "ServiceAccount", "name": ACCOUNT, "namespace": admin.agent_namespace }],
    });
    admin
        .post(&format!("{within}/rolebindings"), &binding)
        .await;
    // The authorizer learns of a role a moment after it is made.
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {
            "user": format!("system:serviceaccount:{}:{ACCOUNT}", admin.agent_namespace),
            "resourceAttributes": { "namespace": namespace, "verb": "get", "group": "apps", "resource": "deployments" },
        },
    });
    for _ in 0..1_000 {
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        if admin.post(path, &review).await["status"]["allowed"] == true {
            return namespace;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("the agent has no rights in {namespace}");
}
