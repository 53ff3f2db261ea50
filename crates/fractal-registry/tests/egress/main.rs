//! The way out: which hosts are reached, by which proxies, with whose authorities and credentials, and that nothing secret shows.
//!
//! Every server is on loopback. Where a host must not be on loopback for a rule to apply, a proxy of the test's leads to it.

#[cfg(test)]
mod authorities;
#[cfg(test)]
mod credential_programs;
#[cfg(test)]
mod hosts;
#[cfg(test)]
mod proxies;
#[cfg(test)]
mod repeated;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod support;
