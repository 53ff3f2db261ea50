//! The answer of `check` as a JSON document: the fields scripts may rely on.

use fractal_artifact::targets::{Severity, Verdict};
use fractal_core::Exit;
use fractal_core::artifact::{ArtifactKind, Digest};
use serde::Serialize;

use crate::inspect::Examined;

/// What was checked, and what was found for each target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// As it was asked for.
    pub(super) artifact: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<Digest>,
    /// `None` where it can be read two ways.
    pub(super) kind: Option<ArtifactKind>,
    /// Why we think so.
    pub(super) because: String,
    /// Whether no target has an error.
    pub(super) passed: bool,
    pub(super) errors: usize,
    pub(super) warnings: usize,
    pub(super) targets: Vec<Verdict>,
}

impl Report {
    pub(super) fn new(artifact: &str, examined: &Examined, targets: Vec<Verdict>) -> Self {
        let count = |severity| targets.iter().map(|verdict| verdict.count(severity)).sum();
        Self {
            artifact: artifact.to_owned(),
            digest: examined.digest.clone(),
            kind: match examined.kinds.as_slice() {
                [kind] => Some(*kind),
                _ => None,
            },
            because: examined.because.clone(),
            passed: targets.iter().all(|verdict| verdict.runs),
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            targets,
        }
    }

    pub(super) const fn exit(&self) -> Exit {
        if self.passed {
            Exit::Success
        } else {
            Exit::Failed
        }
    }
}
