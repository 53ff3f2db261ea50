//! Workloads without a bundle, on a real control plane.

#[cfg(test)]
#[path = "support/rig.rs"]
#[expect(dead_code, unused_imports, reason = "this file needs part of it only")]
mod rig;

#[cfg(test)]
#[path = "workload/parameters.rs"]
mod parameters;
#[cfg(test)]
#[path = "workload/refusals.rs"]
mod refusals;
#[cfg(test)]
#[path = "workload/rollout.rs"]
mod rollout;
#[cfg(test)]
#[path = "workload/scaling.rs"]
mod scaling;
#[cfg(test)]
#[path = "workload/secrets.rs"]
mod secrets;

/// Every kind that a workload without a bundle is made of.
#[cfg(test)]
const KINDS: &str =
    "deployments,services,serviceaccounts,configmaps,secrets,horizontalpodautoscalers.autoscaling";
