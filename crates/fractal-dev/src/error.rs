//! What can go wrong here.

use fractal_core::Fault;
use fractal_simcloud::SimError;

/// A failure, said in full: there is nobody to look further than this line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// A part said what is wrong.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// A simulated cloud did not start.
    #[error("the simulated cloud failed")]
    Sim(#[from] SimError),
    /// Publishing failed.
    #[error(transparent)]
    Cli(#[from] fractal_cli::CliError),
    /// A file or socket failed.
    #[error("{what} failed")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// A zip could not be packed.
    #[error("packing the zip failed")]
    Zip(#[from] zip::result::ZipError),
    /// Something did not come out as it has to.
    #[error("{0}")]
    Unexpected(String),
    /// Ctrl-C or SIGTERM.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    pub(crate) fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}

impl From<fractal_queue::QueueError> for Error {
    fn from(error: fractal_queue::QueueError) -> Self {
        Self::Fault(Fault::from(&error))
    }
}

impl From<fractal_registry::RegistryError> for Error {
    fn from(error: fractal_registry::RegistryError) -> Self {
        Self::Fault(error.into())
    }
}
