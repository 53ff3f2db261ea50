//! The simulated cloud over its wire protocols, with plain HTTP and with other people's clients.

#[cfg(test)]
mod auth;
#[cfg(test)]
mod azure;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod google;
#[cfg(test)]
mod lambda;
#[cfg(test)]
mod lambda_code;
#[cfg(test)]
mod lambda_limits;
#[cfg(test)]
mod lambda_rules;
#[cfg(test)]
mod lambda_versions;
#[cfg(test)]
mod process;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod registry_auth;
#[cfg(test)]
mod registry_lists;
#[cfg(test)]
mod s3;
#[cfg(test)]
mod second_clients;
#[cfg(test)]
mod support;
#[cfg(test)]
mod vault;
