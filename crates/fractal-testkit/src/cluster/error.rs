//! What can go wrong with a control plane of one's own. Every one of these ends a test.

use std::path::PathBuf;

/// Why a control plane does not start or does not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ClusterError {
    #[error("{what}: run the tests with `cargo xtask test`, which installs the parts they need")]
    Part { what: String },
    #[error("cannot start {program}")]
    Start {
        program: &'static str,
        source: std::io::Error,
    },
    #[error("{program} ended ({status}), having written:\n{log}")]
    Ended {
        program: &'static str,
        status: String,
        log: String,
    },
    #[error("waited in vain for {what}")]
    Unready { what: &'static str },
    #[error("cannot use {}", path.display())]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("line {line} of the audit log is no event")]
    Audit {
        line: usize,
        source: serde_json::Error,
    },
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    #[error("cannot set up TLS")]
    Tls(#[from] tokio_rustls::rustls::Error),
    #[error("no connection to the API server")]
    Connect(#[source] std::io::Error),
    #[error("no request")]
    Request(#[from] hyper::http::Error),
    #[error("no answer from the API server")]
    Answer(#[from] hyper::Error),
    #[error("{call} was answered {status}: {answer}")]
    Refused {
        call: String,
        status: u16,
        answer: String,
    },
}

impl ClusterError {
    /// For `map_err` on file operations.
    pub(crate) fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}
