//! When nothing in a namespace is in progress any more: what a test waits for instead of a time.

use serde_json::Value;

/// The pods of namespaces whose names begin so stay pending until they are let go.
pub(crate) const HELD: &str = "held-";
/// Lets a pod of such a namespace go.
pub(crate) const RELEASED: &str = "testkit.fractal/released";

/// The collections that [`at_rest`] judges, in this order: owners before what they own, so that nothing can be missed in between.
pub(crate) const COLLECTIONS: [(&str, &str); 6] = [
    ("/apis/apps/v1", "deployments"),
    ("/apis/apps/v1", "statefulsets"),
    ("/apis/apps/v1", "daemonsets"),
    ("/apis/batch/v1", "jobs"),
    ("/apis/apps/v1", "replicasets"),
    ("/api/v1", "pods"),
];

/// Whether every workload has become what it is going to be. A pod that fails or cannot be scheduled is at rest too.
pub(crate) fn at_rest(lists: &[Value; 6]) -> bool {
    let [
        deployments,
        stateful_sets,
        daemon_sets,
        jobs,
        replica_sets,
        pods,
    ] = lists;
    let stuck = items(pods).any(is_stuck);
    let all = lists.iter().flat_map(items);
    all.clone()
        .all(|object| object.pointer("/metadata/deletionTimestamp").is_none())
        && owners_live(lists)
        && items(pods).all(has_begun)
        && items(deployments)
            .all(|object| is_observed(object) && (stuck || deployment_is_done(object)))
        && items(stateful_sets)
            .all(|object| is_observed(object) && (stuck || stateful_set_is_done(object)))
        && items(daemon_sets)
            .all(|object| is_observed(object) && (stuck || daemon_set_is_done(object)))
        && items(jobs).all(|object| stuck || job_is_done(object))
        && items(replica_sets).all(is_observed)
}

/// Pods that are held and not let go yet, by name.
pub(crate) fn held(pods: &Value) -> Vec<String> {
    let held = items(pods).filter(|pod| {
        let annotations = pod.pointer("/metadata/annotations");
        annotations.and_then(|all| all.get(RELEASED)).is_none()
    });
    held.filter_map(|pod| pod.pointer("/metadata/name")?.as_str())
        .map(str::to_owned)
        .collect()
}

fn items(list: &Value) -> impl Iterator<Item = &Value> + Clone {
    list.get("items")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

fn is_observed(object: &Value) -> bool {
    number(object, "/metadata/generation") == number(object, "/status/observedGeneration")
}

/// An object whose owner is gone is about to be collected. Owners of other kinds are not looked at.
fn owners_live(lists: &[Value; 6]) -> bool {
    let ids: Vec<&str> = lists
        .iter()
        .flat_map(items)
        .filter_map(|object| object.pointer("/metadata/uid")?.as_str())
        .collect();
    let kinds = [
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "Job",
        "ReplicaSet",
    ];
    lists.iter().flat_map(items).all(|object| {
        let owners = object
            .pointer("/metadata/ownerReferences")
            .and_then(Value::as_array);
        owners.into_iter().flatten().all(|owner| {
            let text = |key: &str| owner.get(key).and_then(Value::as_str).unwrap_or_default();
            !kinds.contains(&text("kind")) || ids.contains(&text("uid"))
        })
    })
}

fn has_condition(object: &Value, kind: &str, status: &str) -> bool {
    let conditions = object
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| {
        let text = |key: &str| condition.get(key).and_then(Value::as_str);
        text("type") == Some(kind) && text("status") == Some(status)
    })
}

fn has_begun(pod: &Value) -> bool {
    pod.pointer("/status/containerStatuses").is_some()
        || has_condition(pod, "PodScheduled", "False")
}

fn is_stuck(pod: &Value) -> bool {
    let waits = pod
        .pointer("/status/containerStatuses/0/state/waiting")
        .is_some();
    waits || has_condition(pod, "PodScheduled", "False")
}

fn deployment_is_done(object: &Value) -> bool {
    let wanted = number(object, "/spec/replicas");
    let counts = [
        "/status/updatedReplicas",
        "/status/replicas",
        "/status/availableReplicas",
    ];
    let reached = counts.iter().all(|count| number(object, count) == wanted);
    reached || has_condition(object, "ReplicaFailure", "True")
}

fn stateful_set_is_done(object: &Value) -> bool {
    let wanted = number(object, "/spec/replicas");
    let counts = ["/status/replicas", "/status/readyReplicas"];
    counts.iter().all(|count| number(object, count) == wanted)
        && object.pointer("/status/currentRevision") == object.pointer("/status/updateRevision")
}

fn daemon_set_is_done(object: &Value) -> bool {
    let wanted = number(object, "/status/desiredNumberScheduled");
    let counts = ["/status/numberReady", "/status/updatedNumberScheduled"];
    counts.iter().all(|count| number(object, count) == wanted)
}

fn job_is_done(object: &Value) -> bool {
    ["Complete", "Failed", "Suspended"]
        .iter()
        .any(|kind| has_condition(object, kind, "True"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lists(deployment: Value, pods: Value) -> [Value; 6] {
        let list = |items: Value| json!({ "items": items });
        let empty = || list(json!([]));
        [
            list(json!([deployment])),
            empty(),
            empty(),
            empty(),
            empty(),
            list(pods),
        ]
    }

    fn deployment(observed: i64, available: i64) -> Value {
        json!({
            "metadata": { "uid": "d", "generation": 2 },
            "spec": { "replicas": 1 },
            "status": {
                "observedGeneration": observed, "replicas": 1, "updatedReplicas": 1, "availableReplicas": available,
            },
        })
    }

    #[test]
    fn a_rollout_is_at_rest_when_it_is_complete_or_stuck() {
        let ready =
            json!([{ "status": { "containerStatuses": [{ "state": { "running": {} } }] } }]);
        let begun = json!([{ "status": { "phase": "Pending" } }]);
        let stuck =
            json!([{ "status": { "containerStatuses": [{ "state": { "waiting": {} } }] } }]);
        assert!(at_rest(&lists(deployment(2, 1), ready.clone())));
        assert!(
            !at_rest(&lists(deployment(1, 1), ready.clone())),
            "not observed"
        );
        assert!(!at_rest(&lists(deployment(2, 0), ready)), "not available");
        assert!(
            !at_rest(&lists(deployment(2, 1), begun)),
            "a pod has not begun"
        );
        assert!(at_rest(&lists(deployment(2, 0), stuck)), "stuck");
    }

    #[test]
    fn what_is_being_deleted_or_has_lost_its_owner_is_not_at_rest() {
        let orphan = json!([{
            "metadata": { "ownerReferences": [{ "kind": "ReplicaSet", "uid": "gone" }] },
            "status": { "containerStatuses": [] },
        }]);
        assert!(!at_rest(&lists(deployment(2, 1), orphan)));
        let mut going = deployment(2, 1);
        going["metadata"]["deletionTimestamp"] = json!("2026-11-21T00:00:00Z");
        assert!(!at_rest(&lists(going, json!([]))));
    }

    #[test]
    fn a_pod_is_let_go_once() {
        let pods = json!({ "items": [
            { "metadata": { "name": "a" } },
            { "metadata": { "name": "b", "annotations": { RELEASED: "true" } } },
        ] });
        assert_eq!(held(&pods), ["a"]);
    }
}
