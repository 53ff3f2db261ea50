//! The client against real registries: the reference one, plain, with Basic, with bearer tokens and over TLS, and one that serves
//! referrers; and beside two other clients.
//!
//! Nothing is skipped: where a part is missing, the test fails and names `cargo xtask test`. Hostile servers are in `wire`; every client
//! and every kind of artifact, with the `fractal` command, in fractal-cli's `interop`.

#[cfg(test)]
mod artifacts;
#[cfg(test)]
mod client;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod publishing;
#[cfg(test)]
mod referrers;
