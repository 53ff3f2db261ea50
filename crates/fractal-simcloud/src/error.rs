//! What can go wrong while a simulated cloud starts or keeps its state; never what a client of it is answered.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A failure of the simulation itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// The loopback port could not be bound.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// A file or folder of the state folder could not be read or written.
    #[error("cannot use state at {}", path.display())]
    State {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A complete journal line does not parse: the file was changed by something else.
    #[error("journal {} line {line} is not a journal record", path.display())]
    Journal {
        /// The journal.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// The parser's reason.
        source: serde_json::Error,
    },
    /// The identities file has not the form it should have.
    #[error("identities file {} cannot be used", path.display())]
    Identities {
        /// The file.
        path: PathBuf,
        /// The parser's reason.
        source: serde_json::Error,
    },
    /// No key could be made.
    #[error("the system gave no randomness for a key")]
    Key,
}

impl SimError {
    pub(crate) fn state(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::State { path, source }
    }
}
