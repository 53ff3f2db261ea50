//! The `fractal` command beside other clients of registries, on real registry servers: each reads what the other writes, byte for byte,
//! and both name the same digest. Image, index, wheel, zip and bundle; plain, Basic, bearer tokens, TLS, and with a referrers API.
//!
//! Nothing is skipped but skopeo where it is not installed, which is said. Hostile servers and refusals are tested elsewhere.

#[cfg(test)]
mod archives;
#[cfg(test)]
mod content;
#[cfg(test)]
mod crane;
#[cfg(test)]
mod layout;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod oci_client;
#[cfg(test)]
mod oras;
#[cfg(test)]
mod ours;
#[cfg(test)]
mod referrers;
#[cfg(test)]
mod regctl;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod skopeo;
