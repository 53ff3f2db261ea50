//! The files the control plane reads: users, kubeconfigs, what is audited, what pods do.

use std::path::Path;

use serde_json::json;

use super::error::ClusterError;

pub(crate) const AUDIT_LOG: &str = "audit.log";
pub(crate) const ADMIN_KUBECONFIG: &str = "admin.kubeconfig";
/// What kwok makes of pods, nodes and volumes.
pub(crate) const STAGES: &str = include_str!("stages.yaml");

/// The control plane's own users; what they read is not audited, what they write is.
pub(crate) const PROGRAMS: [&str; 3] = [
    "system:kube-controller-manager",
    "system:kube-scheduler",
    "kwok",
];

pub(crate) fn write(path: &Path, text: &str) -> Result<(), ClusterError> {
    std::fs::write(path, text).map_err(ClusterError::file(path))
}

/// A kubeconfig with one cluster and one user, in JSON, which is YAML.
pub(crate) fn kubeconfig(url: &str, authority: &str, token: &str) -> String {
    use base64::Engine as _;
    let authority = base64::engine::general_purpose::STANDARD.encode(authority);
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{ "name": "test", "cluster": { "server": url, "certificate-authority-data": authority } }],
        "users": [{ "name": "test", "user": { "token": token } }],
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test" } }],
    })
    .to_string()
}

/// Every call that has ended is one event, but for the control plane's reads, leases and health checks.
pub(crate) fn audit_policy() -> String {
    json!({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "rules": [
            { "level": "None", "users": ["system:apiserver"] },
            { "level": "None", "nonResourceURLs": ["/readyz*", "/livez*", "/healthz*"] },
            { "level": "None", "users": PROGRAMS, "verbs": ["get", "list", "watch"] },
            { "level": "None", "users": PROGRAMS, "resources": [
                { "group": "coordination.k8s.io", "resources": ["leases"] },
                { "group": "", "resources": ["events"] },
                { "group": "events.k8s.io", "resources": ["events"] },
            ] },
            { "level": "Metadata" },
        ],
    })
    .to_string()
}
