//! What can go wrong on the way to a registry token, and the fault each case becomes. Holds no token and no secret.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fractal_core::{Fault, Reason};
use fractal_registry::{RegistryError, Said};

/// Reasons as they appear in status, logs and metrics: part of the public contract.
const CONFIG: Reason = Reason::new("ConfigInvalid");
const FORBIDDEN: Reason = Reason::new("RegistryForbidden");
const NO_TOKEN: Reason = Reason::new("IdentityMissing");
const REFUSED: Reason = Reason::new("IdentityRefused");

/// What to do about Entra's numbered refusals.
/// <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>
const ADVICE: &[(&str, &str)] = &[
    (
        "AADSTS700016",
        "correct the client id, or register the application in this tenant",
    ),
    ("AADSTS90002", "correct the tenant id"),
    (
        "AADSTS7000215",
        "set the client secret's value (not its id)",
    ),
    ("AADSTS7000222", "the client secret expired: make a new one"),
    (
        "AADSTS700211",
        "add a federated credential with the cluster's issuer to the identity",
    ),
    (
        "AADSTS700212",
        "add a federated credential with the audience api://AzureADTokenExchange to the identity",
    ),
    (
        "AADSTS700213",
        "add a federated credential with this service account as its subject to the identity",
    ),
    (
        "AADSTS70021",
        "add a federated credential for this service account to the identity",
    ),
    (
        "AADSTS70025",
        "add a federated credential for this service account to the identity",
    ),
    (
        "AADSTS700024",
        "set the clocks of cluster and agent, and see that the projected token is renewed",
    ),
];

/// Why there is no token.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AzureError {
    /// A setting cannot be used.
    #[error("the setting {name} cannot be used: {problem}")]
    Setting {
        /// The variable.
        name: &'static str,
        /// What is wrong.
        problem: Arc<str>,
    },
    /// A service did not answer, or not as it should.
    #[error("{service} cannot be asked")]
    Service {
        /// Which one.
        service: &'static str,
        /// Why.
        #[source]
        source: RegistryError,
    },
    /// The workload's own token cannot be read.
    #[error("the token file {} cannot be used", path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// Entra, or the managed identity endpoint, refuses the identity.
    #[error("{service} refuses {identity}")]
    Refused {
        /// Which one.
        service: &'static str,
        /// As whom.
        identity: Arc<str>,
        /// Its words.
        said: Said,
    },
    /// The registry takes no token of this identity.
    #[error("the registry {registry} gives {identity} no token")]
    NoAccess {
        /// The registry.
        registry: Arc<str>,
        /// As whom.
        identity: Arc<str>,
        /// Its words.
        said: Said,
    },
}

impl AzureError {
    pub(crate) fn setting(name: &'static str, problem: impl ToString) -> Self {
        Self::Setting {
            name,
            problem: problem.to_string().into(),
        }
    }

    pub(crate) fn service(service: &'static str) -> impl FnOnce(RegistryError) -> Self {
        move |source| Self::Service { service, source }
    }

    pub(crate) fn token_file(path: &Path, source: std::io::Error) -> Self {
        Self::TokenFile {
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }
}

impl From<AzureError> for Fault {
    fn from(error: AzureError) -> Self {
        use AzureError as E;
        let what = error.to_string();
        match error {
            E::Setting { name, .. } => {
                Self::blocked(CONFIG, what).at(name).next("correct the setting and start again")
            }
            E::Service { service, source } => source.of_identity(service),
            E::TokenFile { source, .. } => Self::blocked(NO_TOKEN, what)
                .because(source)
                .next("label the pod azure.workload.identity/use: \"true\" and annotate its service account, so that the token is projected"),
            E::Refused { service, said, .. } => {
                let next = advice(&said.to_string());
                because(Self::blocked(REFUSED, what).at(service).next(next), &said)
            }
            E::NoAccess { registry, identity, said } => because(
                Self::blocked(FORBIDDEN, what)
                    .at(&registry)
                    .next(format!("assign the role AcrPull on the registry {registry} to {identity}")),
                &said,
            ),
        }
    }
}

fn because(fault: Fault, said: &Said) -> Fault {
    if said.is_empty() {
        fault
    } else {
        fault.because(said)
    }
}

fn advice(said: &str) -> &'static str {
    let number = said
        .split(|c: char| !c.is_ascii_alphanumeric())
        .find(|word| word.starts_with("AADSTS"));
    let known = ADVICE.iter().find(|(code, _)| Some(*code) == number);
    known.map_or_else(
        || match said {
            said if said.contains("Identity not found") => {
                "assign the managed identity to this machine or app, or correct AZURE_CLIENT_ID"
            }
            said if said.contains("Multiple user assigned identities") => {
                "name one of the managed identities in AZURE_CLIENT_ID"
            }
            _ => "check the identity the AZURE_ variables name",
        },
        |(_, advice)| advice,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_as_a_whole() {
        assert_eq!(
            advice("invalid_client: AADSTS7000215: Invalid client secret"),
            "set the client secret's value (not its id)"
        );
        assert_eq!(
            advice("x: AADSTS700213: No matching federated identity"),
            "add a federated credential with this service account as its subject to the identity"
        );
        assert_eq!(
            advice("AADSTS1: other"),
            "check the identity the AZURE_ variables name"
        );
    }
}
