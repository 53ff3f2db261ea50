//! The permissions a workload without a bundle needs: the documented role, and what `check` asks the API server.

use fractal_core::reconcile::Grant;

macro_rules! grants {
    ($($verb:literal $resource:literal: $purpose:literal;)*) => {
        &[$(Grant { call: concat!($verb, " ", $resource), permission: concat!($verb, " ", $resource), purpose: $purpose },)*]
    };
}

/// Verb and resource, as RBAC names them, namespaced all of them. Server-side apply needs `patch`, and `create` for what is not there yet.
pub const GRANTS: &[Grant] = grants! {
    "get" "configmaps": "reads the inventory of what it made";
    "list" "configmaps": "reads many inventories with one call";
    "create" "configmaps": "writes the inventory";
    "patch" "configmaps": "writes the inventory";
    "delete" "configmaps": "removes the inventory with the workload";
    "get" "deployments.apps": "reads what runs";
    "list" "deployments.apps": "reads many with one call";
    "create" "deployments.apps": "makes workloads";
    "patch" "deployments.apps": "changes workloads";
    "delete" "deployments.apps": "removes workloads";
    "get" "services": "reads services";
    "list" "services": "reads many with one call";
    "create" "services": "makes services";
    "patch" "services": "changes services";
    "delete" "services": "removes services";
    "get" "serviceaccounts": "reads service accounts";
    "list" "serviceaccounts": "reads many with one call";
    "create" "serviceaccounts": "makes a workload's own account";
    "patch" "serviceaccounts": "changes it";
    "delete" "serviceaccounts": "removes it";
    "get" "secrets": "reads the Secret behind a workload's environment";
    "create" "secrets": "makes it";
    "patch" "secrets": "changes it";
    "delete" "secrets": "removes it";
    "get" "horizontalpodautoscalers.autoscaling": "reads autoscalers";
    "list" "horizontalpodautoscalers.autoscaling": "sees who scales a workload";
    "create" "horizontalpodautoscalers.autoscaling": "makes autoscalers";
    "patch" "horizontalpodautoscalers.autoscaling": "changes autoscalers";
    "delete" "horizontalpodautoscalers.autoscaling": "removes autoscalers";
    "list" "pods": "finds the pod that fails";
    "get" "pods/log": "shows its last lines";
};
