//! What a bundle's own check found, as findings of the one target that runs bundles.

use super::finding::Finding;
use crate::manifests;

/// A finding of [`manifests::lint`], as one for Kubernetes.
#[must_use]
pub fn bundle_finding(found: &manifests::Finding) -> Finding {
    let finding = match found.level {
        manifests::Level::Error => Finding::error("manifests", &found.what),
        manifests::Level::Warning => Finding::warning("manifests", &found.what),
    };
    let place = match (found.file.as_str(), found.line) {
        ("", _) => None,
        (file, None) => Some(file.to_owned()),
        (file, Some(line)) => Some(format!("{file}:{line}")),
    };
    let finding = Finding { place, ..finding };
    finding.fix(&found.next)
}
