//! The `fractal` binary as a person or a script meets it: what it prints, and how it ends.
//!
//! Registries are simulated ones on loopback. Agents are played through the queue, with the statuses and answers real ones write;
//! the way through a real agent and cloud is tested where those are.

#[cfg(test)]
mod archives;
#[cfg(test)]
mod bundles;
#[cfg(test)]
mod checking;
#[cfg(test)]
mod comparing;
#[cfg(test)]
mod copying;
#[cfg(test)]
mod inspecting;
#[cfg(test)]
mod linting;
#[cfg(test)]
mod planning;
#[cfg(test)]
mod publishing;
#[cfg(test)]
mod rendering;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod status;
#[cfg(test)]
mod submitting;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod verifying;
