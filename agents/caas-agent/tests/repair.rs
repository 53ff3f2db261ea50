//! Drift, other managers and other owners, on a real control plane.

#[cfg(test)]
#[path = "support/rig.rs"]
#[expect(dead_code, unused_imports, reason = "this file needs part of it only")]
mod rig;

#[cfg(test)]
#[path = "repair/drift.rs"]
mod drift;
#[cfg(test)]
#[path = "repair/managers.rs"]
mod managers;
#[cfg(test)]
#[path = "repair/owners.rs"]
mod owners;
#[cfg(test)]
#[path = "repair/removal.rs"]
mod removal;

/// Every kind that a workload without a bundle is made of.
#[cfg(test)]
const KINDS: &str =
    "deployments,services,serviceaccounts,configmaps,secrets,horizontalpodautoscalers.autoscaling";
