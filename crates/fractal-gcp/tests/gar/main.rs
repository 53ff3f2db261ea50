//! Google's registries, end to end: our registry client pulls a blob from a registry that demands Google's tokens, with an identity
//! proven at strict local endpoints in Google's wire format. Nothing leaves loopback.

#[cfg(test)]
mod authorities;
#[cfg(test)]
mod identities;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tokens;
