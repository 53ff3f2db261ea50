//! What can go wrong on the way to a secret, and the fault each case becomes. Holds no token and no value of a secret.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fractal_core::{Fault, Reason};
use fractal_registry::{RegistryError, Said};

/// Reasons as they appear in status, logs and metrics: part of the public contract.
const CONFIG: Reason = Reason::new("ConfigInvalid");
const ENVIRONMENT: Reason = Reason::new("EnvironmentInvalid");
const FORBIDDEN: Reason = Reason::new("VaultForbidden");
const INCOMPLETE: Reason = Reason::new("VaultSecretInvalid");
const MISSING: Reason = Reason::new("VaultSecretMissing");
const NO_TOKEN: Reason = Reason::new("IdentityMissing");
const REFUSED: Reason = Reason::new("IdentityRefused");

/// Why there is no credential from Vault.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// Vault did not answer, or not as it should.
    #[error("Vault cannot be asked")]
    Service(#[from] RegistryError),
    /// A setting cannot be used.
    #[error("the setting {name} cannot be used: {problem}")]
    Setting {
        /// The variable.
        name: &'static str,
        /// What is wrong.
        problem: Arc<str>,
    },
    /// The name of an environment cannot be part of a path.
    #[error("the environment name `{name}` cannot be used: {problem}")]
    Environment {
        /// The name, cut and escaped.
        name: Arc<str>,
        /// What is wrong.
        problem: &'static str,
    },
    /// Nobody says which environment.
    #[error("it is not known which environment a registry credential is for")]
    NoEnvironment,
    /// The token to log in with cannot be read.
    #[error("the token file {} cannot be used", path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// Vault refuses the login.
    #[error("Vault refuses the login as role `{role}` at auth/{mount} with {status}")]
    LoginRefused {
        /// The auth method's mount.
        mount: Arc<str>,
        /// The role.
        role: Arc<str>,
        /// HTTP status.
        status: u16,
        /// Vault's words.
        said: Said,
    },
    /// The role may not read the secret.
    #[error("Vault forbids role `{role}` to read {path}")]
    Forbidden {
        /// The API path.
        path: Arc<str>,
        /// The role.
        role: Arc<str>,
    },
    /// There is no such secret.
    #[error("Vault has no secret at {path}{}", if *deleted { ": it was deleted" } else { "" })]
    Missing {
        /// The API path.
        path: Arc<str>,
        /// Whether it was there once.
        deleted: bool,
    },
    /// The secret lacks a key, or one of its values is no text.
    #[error("the secret at {path} has no text under {}", missing.join(", nor under "))]
    Incomplete {
        /// The API path.
        path: Arc<str>,
        /// The keys looked for.
        missing: Vec<&'static str>,
    },
    /// The secret is for another registry.
    #[error("the secret at {path} is for the registry {named}, not for {asked}")]
    OtherRegistry {
        /// The API path.
        path: Arc<str>,
        /// The host it names, cut and escaped.
        named: Arc<str>,
        /// The host a credential was asked for.
        asked: Arc<str>,
    },
}

impl VaultError {
    pub(crate) fn setting(name: &'static str, problem: impl ToString) -> Self {
        Self::Setting {
            name,
            problem: problem.to_string().into(),
        }
    }

    pub(crate) fn token_file(path: &Path, source: std::io::Error) -> Self {
        Self::TokenFile {
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }
}

impl From<VaultError> for Fault {
    fn from(error: VaultError) -> Self {
        use VaultError as E;
        let what = error.to_string();
        match error {
            E::Service(source) => source.of_identity("Vault"),
            E::Setting { name, .. } => {
                Self::blocked(CONFIG, what).at(name).next("correct the setting and start again")
            }
            E::Environment { .. } => Self::terminal(ENVIRONMENT, what)
                .next("name the environment with letters, digits, `-`, `_` and `.`, the first a letter or digit"),
            E::NoEnvironment => Self::blocked(CONFIG, what)
                .next(format!("set {} for an agent of one environment", crate::variable::ENVIRONMENT)),
            E::TokenFile { source, .. } => Self::blocked(NO_TOKEN, what)
                .because(source)
                .next(format!("mount the pod's service account token, or name another file in {}", crate::variable::TOKEN_FILE)),
            E::LoginRefused { mount, role, said, .. } => refused(what, &mount, &role, &said),
            E::Forbidden { path, role } => Self::blocked(FORBIDDEN, what).at(&path).next(format!(
                "give role `{role}` a policy with: path \"{path}\" {{ capabilities = [\"read\"] }}"
            )),
            E::Missing { path, .. } => Self::blocked(MISSING, what)
                .at(path)
                .next("write the registry's `registry`, `username` and `password` there; it is picked up by itself"),
            E::Incomplete { path, .. } => Self::blocked(INCOMPLETE, what)
                .at(path)
                .next("write the registry's `registry`, `username` and `password` there; it is picked up by itself"),
            E::OtherRegistry { path, asked, .. } => Self::blocked(INCOMPLETE, what)
                .at(path)
                .next(format!("write the credential of {asked} there, or name the secret's registry in the reference")),
        }
    }
}

fn refused(what: String, mount: &str, role: &str, said: &Said) -> Fault {
    let fault = Fault::blocked(REFUSED, what)
        .at(format!("auth/{mount}/login"))
        .next(format!(
            "create role `{role}` at auth/{mount} and bind it to this workload: its service account and namespace, or its subject, and its audience"
        ));
    if said.is_empty() {
        fault
    } else {
        fault.because(said)
    }
}
