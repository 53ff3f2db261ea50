//! The client against the reference registry, plain, with Basic, with bearer tokens and over TLS, and beside two other clients.
//!
//! Nothing is skipped: where a part is missing, the test fails and names `cargo xtask parts`. Hostile servers are in `wire`.

#[cfg(test)]
mod artifacts;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod part;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod publishing;
#[cfg(test)]
mod server;
#[cfg(test)]
mod tokens;
