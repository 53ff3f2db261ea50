//! Copies to several places at once, against registries that count every call: what is read, what is sent, and what a fault at one
//! place means for the others.

#[cfg(test)]
mod algorithms;
#[cfg(test)]
mod counts;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod layouts;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod stalls;
#[cfg(test)]
mod tokens;
