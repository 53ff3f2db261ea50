//! What once went wrong, on a real control plane: each test is named for what holds.

#[cfg(test)]
#[path = "support/rig.rs"]
#[expect(dead_code, reason = "this file needs part of it only")]
mod rig;

#[cfg(test)]
#[path = "hazards/account.rs"]
mod account;
#[cfg(test)]
#[path = "hazards/definitions.rs"]
mod definitions;
#[cfg(test)]
#[path = "hazards/early.rs"]
mod early;
#[cfg(test)]
#[path = "hazards/places.rs"]
mod places;
#[cfg(test)]
#[path = "hazards/planted.rs"]
mod planted;
#[cfg(test)]
#[path = "hazards/refused.rs"]
mod refused;
#[cfg(test)]
#[path = "hazards/runs.rs"]
mod runs;
#[cfg(test)]
#[path = "hazards/steady.rs"]
mod steady;

/// Every kind that these tests look at.
#[cfg(test)]
const KINDS: &str = "deployments,services,configmaps,horizontalpodautoscalers.autoscaling";
