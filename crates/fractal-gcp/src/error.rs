//! What can go wrong on the way to an access token, and the fault each case becomes. Holds no token and no key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fractal_core::{Fault, Reason};
use fractal_registry::{RegistryError, Said};

/// Reasons as they appear in status, logs and metrics: part of the public contract.
const CONFIG: Reason = Reason::new("ConfigInvalid");
const MISSING: Reason = Reason::new("IdentityMissing");
const REFUSED: Reason = Reason::new("IdentityRefused");

/// What to do about the refusals of Google's token services, by what they say.
const ADVICE: &[(&str, &str)] = &[
    (
        "Invalid JWT Signature",
        "make a new key for the service account: this one was deleted",
    ),
    (
        "account not found",
        "correct the service account: it was deleted",
    ),
    ("reasonable timeframe", "set the clock of the agent's host"),
    (
        "expired or revoked",
        "log in again with gcloud auth application-default login",
    ),
    (
        "getAccessToken",
        "give this workload roles/iam.workloadIdentityUser on the service account",
    ),
    (
        "not attached",
        "attach a service account to the machine or node pool",
    ),
    (
        "\"audience\" parameters",
        "correct the workload identity provider the file names",
    ),
    (
        "ID Token",
        "correct issuer and audience of the workload identity provider, and see that the token is renewed",
    ),
];

/// Why there is no access token.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum GcpError {
    /// A setting cannot be used.
    #[error("the setting {name} cannot be used: {problem}")]
    Setting {
        /// The variable.
        name: &'static str,
        /// What is wrong.
        problem: &'static str,
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
    /// A file cannot be read.
    #[error("the file {} cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// A file does not hold what it should.
    #[error("the credentials file {} cannot be used: {problem}", path.display())]
    Document {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: Arc<str>,
    },
    /// A service refuses the identity.
    #[error("{service} refuses {identity}")]
    Refused {
        /// Which one.
        service: &'static str,
        /// As whom.
        identity: Arc<str>,
        /// Its words.
        said: Said,
    },
}

impl GcpError {
    pub(crate) fn service(service: &'static str) -> impl FnOnce(RegistryError) -> Self {
        move |source| Self::Service { service, source }
    }

    pub(crate) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }

    pub(crate) fn document(path: &Path, problem: &str) -> Self {
        Self::Document {
            path: path.to_owned(),
            problem: problem.into(),
        }
    }
}

impl From<GcpError> for Fault {
    fn from(error: GcpError) -> Self {
        use GcpError as E;
        let what = error.to_string();
        match error {
            E::Setting { name, .. } => Self::blocked(CONFIG, what)
                .at(name)
                .next("correct the setting and start again"),
            E::Service { service, source } => source.of_identity(service),
            E::File { source, .. } => Self::blocked(MISSING, what)
                .because(source)
                .next("mount the file, or correct GOOGLE_APPLICATION_CREDENTIALS"),
            E::Document { .. } => Self::blocked(MISSING, what).next(
                "write the file again with gcloud, or correct GOOGLE_APPLICATION_CREDENTIALS",
            ),
            E::Refused { service, said, .. } => refused(what, service, &said),
        }
    }
}

fn refused(what: String, service: &str, said: &Said) -> Fault {
    let words = said.to_string();
    let known = ADVICE.iter().find(|(says, _)| words.contains(says));
    let next = known.map_or(
        "check the identity of the application default credentials",
        |(_, next)| next,
    );
    let fault = Fault::blocked(REFUSED, what).at(service).next(next);
    if said.is_empty() {
        fault
    } else {
        fault.because(said)
    }
}
