//! Why a benchmark could not be run to its end. A target that does not hold is a result, and no error.

use std::path::PathBuf;

use fractal_core::Fault;
use fractal_queue::QueueError;
use fractal_registry::RegistryError;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// The system refused something.
    #[error("{doing} failed")]
    Io {
        doing: String,
        #[source]
        source: std::io::Error,
    },
    /// A program of ours is not beside this one.
    #[error("{} is missing: start this by `cargo xtask bench`, which builds it", .0.display())]
    Missing(PathBuf),
    /// A measured program ended as it should not.
    #[error("{program} ended with {status}: {said}")]
    Ended {
        program: String,
        status: String,
        said: String,
    },
    /// A program said something that nobody expected.
    #[error("{program} said {said:?}")]
    Unexpected { program: String, said: String },
    /// Something that was to happen did not.
    #[error("{0} did not happen in time")]
    Late(String),
    /// A registry call failed.
    #[error("the registry failed")]
    Registry(#[from] RegistryError),
    /// A queue call failed.
    #[error("the queue failed")]
    Queue(#[from] QueueError),
    /// A call of ours failed.
    #[error("{0}")]
    Fault(#[from] Fault),
}

impl Error {
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        |source| Self::Io { doing, source }
    }

    pub(crate) fn unexpected(program: &str, said: impl ToString) -> Self {
        Self::Unexpected {
            program: program.to_owned(),
            said: said.to_string(),
        }
    }
}
