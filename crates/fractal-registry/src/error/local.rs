//! What can be wrong with content on this machine, which no registry served.

use std::sync::Arc;

use fractal_core::Reason;

use super::RegistryError;
use super::fault::{DIGEST_MISMATCH, LAYOUT, NOT_FOUND, SIZE_MISMATCH};

/// What is wrong with content on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Its bytes are not those that its digest names.
    Digest,
    /// It has more or fewer bytes than declared.
    Size,
    /// It is not there.
    Missing,
    /// It is no regular file.
    Kind,
}

impl Flaw {
    /// A digest that does not hold is told by the same word wherever it does not.
    pub(super) const fn reason(self) -> Reason {
        match self {
            Self::Digest => DIGEST_MISMATCH,
            Self::Size => SIZE_MISMATCH,
            Self::Missing => NOT_FOUND,
            Self::Kind => LAYOUT,
        }
    }

    /// What happened, in one clause, and what to do about it.
    pub(super) fn advice(self) -> (String, &'static str) {
        match self {
            Self::Digest => (
                "a local file has other bytes than its digest names".into(),
                "write the layout or archive again from where it came from: this copy of it is damaged",
            ),
            Self::Size => (
                "a local file is longer or shorter than its manifest declares".into(),
                "write the layout or archive again from where it came from: this copy of it is damaged or incomplete",
            ),
            Self::Missing => (
                "the layout or archive does not hold this".into(),
                "name a tag or digest that it holds, or write it again with everything its manifests name",
            ),
            Self::Kind => (
                "something in the layout is no regular file".into(),
                "look what lies there, and write the layout again from where it came from",
            ),
        }
    }
}

impl RegistryError {
    pub(crate) fn file(at: &std::path::Path, source: std::io::Error) -> Self {
        Self::File {
            at: at.display().to_string().into(),
            source: Arc::new(source),
        }
    }

    /// The same of content on this machine, which no registry served.
    pub(crate) fn on_this_machine(self) -> Self {
        let (at, flaw, problem) = match self {
            Self::DigestMismatch {
                at,
                expected,
                found,
            } => {
                let problem = format!("its bytes have the digest {found} and not {expected}");
                (at, Flaw::Digest, problem)
            }
            Self::SizeMismatch {
                at,
                expected,
                found,
            } => {
                let problem = format!("it is not of the declared {expected} bytes: {found}");
                (at, Flaw::Size, problem)
            }
            Self::Truncated {
                at,
                received,
                expected,
            } => {
                let problem = format!("it ends after {received} of the declared {expected} bytes");
                (at, Flaw::Size, problem)
            }
            other => return other,
        };
        Self::Damaged {
            at,
            flaw,
            problem: problem.into(),
        }
    }

    pub(crate) fn missing_here(at: &Arc<str>, problem: impl Into<Arc<str>>) -> Self {
        Self::Damaged {
            at: at.clone(),
            flaw: Flaw::Missing,
            problem: problem.into(),
        }
    }
}
