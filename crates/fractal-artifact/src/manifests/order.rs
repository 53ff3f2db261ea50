//! In which order objects are applied: what others need first, what runs last.

use super::object::Object;

/// Kinds of the second stage, in order; every other kind comes between the two halves.
const BEFORE: [(&str, &str); 16] = [
    ("scheduling.k8s.io", "PriorityClass"),
    ("storage.k8s.io", "StorageClass"),
    ("", "ResourceQuota"),
    ("", "LimitRange"),
    ("", "ServiceAccount"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
    ("", "Secret"),
    ("", "ConfigMap"),
    ("", "PersistentVolume"),
    ("", "PersistentVolumeClaim"),
    ("networking.k8s.io", "NetworkPolicy"),
    ("policy", "PodDisruptionBudget"),
    ("", "Service"),
];
/// Kinds that run pods.
const WORKLOADS: [(&str, &str); 10] = [
    ("", "Pod"),
    ("", "ReplicationController"),
    ("apps", "ReplicaSet"),
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("batch", "Job"),
    ("batch", "CronJob"),
    ("sparkoperator.k8s.io", "SparkApplication"),
    ("sparkoperator.k8s.io", "ScheduledSparkApplication"),
];

/// The stages in which objects are applied, as indexes into `objects`. There are always three, and any may be empty.
///
/// 1. Namespaces and custom resource definitions, which have to be ready before the rest.
/// 2. Everything else that pods need: accounts, roles, configuration, volumes, services, custom resources.
/// 3. What runs pods, in the order of the documents; after it admission webhooks, which could refuse the very pods that serve them.
#[must_use]
pub fn apply_order(objects: &[Object]) -> Vec<Vec<usize>> {
    let mut stages: Vec<Vec<(usize, usize)>> = vec![Vec::new(), Vec::new(), Vec::new()];
    for (index, object) in objects.iter().enumerate() {
        let (stage, rank) = place(object);
        if let Some(stage) = stages.get_mut(stage) {
            stage.push((rank, index));
        }
    }
    let ordered = |mut stage: Vec<(usize, usize)>| {
        stage.sort_unstable();
        stage.into_iter().map(|(_, index)| index).collect()
    };
    stages.into_iter().map(ordered).collect()
}

/// Stage and rank within it.
fn place(object: &Object) -> (usize, usize) {
    let kind = (object.group(), object.kind());
    match kind {
        ("", "Namespace") => return (0, 0),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => return (0, 1),
        (
            "admissionregistration.k8s.io",
            "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration",
        ) => return (2, 1),
        _ => {}
    }
    if WORKLOADS.contains(&kind) {
        return (2, 0);
    }
    let rank = BEFORE.iter().position(|known| *known == kind);
    (1, rank.unwrap_or(BEFORE.len()))
}
