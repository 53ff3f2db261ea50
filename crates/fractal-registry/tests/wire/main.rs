//! The client against servers on loopback: an honest registry, and ones that lie, stall, redirect and break off.

#[cfg(test)]
mod auth;
#[cfg(test)]
mod blobs;
#[cfg(test)]
mod copying;
#[cfg(test)]
mod honest;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod lies;
#[cfg(test)]
mod manifests;
#[cfg(test)]
mod pushing;
#[cfg(test)]
mod server;
#[cfg(test)]
mod throttling;
