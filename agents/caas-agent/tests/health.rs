//! What does not run, and why, on a real control plane.

#[cfg(test)]
#[path = "support/listener.rs"]
mod listener;
#[cfg(test)]
#[path = "support/rig.rs"]
#[expect(dead_code, unused_imports, reason = "this file needs part of it only")]
mod rig;

#[cfg(test)]
#[path = "health/admission.rs"]
mod admission;
#[cfg(test)]
#[path = "health/namespaces.rs"]
mod namespaces;
#[cfg(test)]
#[path = "health/pods.rs"]
mod pods;
