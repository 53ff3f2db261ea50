//! What can go wrong with a registry or client of one's own. Every one of these ends a test.

use std::path::PathBuf;

use crate::cluster::error::ClusterError;

/// Why a registry does not start, or a client does not do what it was told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ServerError {
    #[error(transparent)]
    Process(#[from] ClusterError),
    #[error("cannot use {}", path.display())]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    #[error("the token service cannot listen")]
    Listen(#[source] std::io::Error),
    #[error("no reference")]
    Reference(#[source] fractal_core::artifact::ReferenceError),
    #[error("cannot start {}", program.display())]
    Start {
        program: PathBuf,
        source: std::io::Error,
    },
    #[error("{call} did not end in time")]
    Slow { call: String },
    #[error("{call} ended with {status}, having written:\n{said}")]
    Refused {
        call: String,
        status: std::process::ExitStatus,
        said: String,
    },
    #[error("{call} wrote what is no text")]
    Text { call: String },
}

impl ServerError {
    /// For `map_err` on file operations.
    pub(crate) fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// A server or client that fails has nothing to hand on to the test but its message.
#[expect(
    clippy::panic,
    reason = "tests call this, and a panic is how a test fails"
)]
pub(crate) fn must<T>(result: Result<T, ServerError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
            panic!("{error}{}", source.unwrap_or_default())
        }
    }
}
