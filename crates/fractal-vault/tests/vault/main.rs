//! Vault over its HTTP API, end to end: our registry client pulls a blob with what Vault holds. Nothing leaves loopback.

#[cfg(test)]
mod login;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tls;
