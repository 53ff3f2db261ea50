//! Manifest bundles, on a real control plane.

#[cfg(test)]
#[path = "support/published.rs"]
#[expect(dead_code, reason = "this file pushes bundles in ways of its own")]
mod published;
#[cfg(test)]
#[path = "support/rig.rs"]
#[expect(dead_code, unused_imports, reason = "this file needs part of it only")]
mod rig;

#[cfg(test)]
#[path = "bundle/crash.rs"]
mod crash;
#[cfg(test)]
#[path = "bundle/demo.rs"]
mod demo;
#[cfg(test)]
#[path = "bundle/prune.rs"]
mod prune;
#[cfg(test)]
#[path = "bundle/replace.rs"]
mod replace;
#[cfg(test)]
#[path = "bundle/scalars.rs"]
mod scalars;
#[cfg(test)]
#[path = "bundle/suite.rs"]
mod suite;
