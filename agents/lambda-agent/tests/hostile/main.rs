//! Hostile references, parameters and registries against the agent as it runs: its own binary, a queue, the simulated Lambda, and a registry
//! that lies. Each row of the threat model is a test by its id.
//!
//! Every row asks the same: the fault's class, reason, text and next step; no accepted write; the last good version still served; no
//! secret anywhere; memory, bytes and time within bounds; and a healthy component beside it that is Ready meanwhile ([`row`]).

#[cfg(test)]
mod accepted;
#[cfg(test)]
mod agent;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod owners;
#[cfg(test)]
mod references;
#[cfg(test)]
mod registries;
#[cfg(test)]
mod row;
#[cfg(test)]
mod stage;
