//! Spark jobs: what is rendered, that a real API server takes it, and that what it says really runs.

#[cfg(test)]
#[path = "support/published.rs"]
#[expect(dead_code, reason = "this file needs part of it only")]
mod published;
#[cfg(test)]
#[path = "support/rig.rs"]
#[expect(dead_code, reason = "this file needs part of it only")]
mod rig;

#[cfg(test)]
#[path = "spark/accepted.rs"]
mod accepted;
#[cfg(test)]
#[path = "spark/executed.rs"]
mod executed;
#[cfg(test)]
#[path = "spark/job.rs"]
mod job;
#[cfg(test)]
#[path = "spark/kubelet.rs"]
mod kubelet;
#[cfg(test)]
#[path = "spark/launcher.rs"]
mod launcher;
#[cfg(test)]
#[path = "spark/programs.rs"]
mod programs;
#[cfg(test)]
#[path = "spark/refused.rs"]
mod refused;
#[cfg(test)]
#[path = "spark/rendered.rs"]
mod rendered;
#[cfg(test)]
#[path = "spark/rows.rs"]
mod rows;
