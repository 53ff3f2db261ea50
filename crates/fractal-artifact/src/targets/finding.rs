//! One finding: how much it weighs, which rule it is from, and the four things a person needs to act on it.

use fractal_core::Fault;
use fractal_core::artifact::ArtifactKind;
use serde::Serialize;

use super::{Subject, Target};

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The target refuses it, or it can never run there.
    Error,
    /// It is deployed, and is likely not what was meant.
    Warning,
    /// What somebody has to know, or what cannot be told from the artifact.
    Note,
}

/// A documented limit, and what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// What the artifact has.
    pub found: u64,
    /// What the target takes at most.
    pub max: u64,
    /// Of what.
    pub unit: &'static str,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How much it weighs.
    pub severity: Severity,
    /// The rule, a stable word.
    pub rule: &'static str,
    /// What was found.
    pub what: String,
    /// Where: a file of the zip, a layer, a platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Why it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The limit that was compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// The page that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'static str>,
    /// What to do; empty where there is nothing to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub fix: String,
}

impl Finding {
    fn new(severity: Severity, rule: &'static str, what: impl Into<String>) -> Self {
        Self {
            severity,
            rule,
            what: what.into(),
            place: None,
            why: None,
            limit: None,
            source: None,
            fix: String::new(),
        }
    }

    pub(super) fn error(rule: &'static str, what: impl Into<String>) -> Self {
        Self::new(Severity::Error, rule, what)
    }

    pub(super) fn warning(rule: &'static str, what: impl Into<String>) -> Self {
        Self::new(Severity::Warning, rule, what)
    }

    pub(super) fn note(rule: &'static str, what: impl Into<String>) -> Self {
        Self::new(Severity::Note, rule, what)
    }

    pub(super) fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    pub(super) fn because(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    pub(super) const fn limited(mut self, limit: Limit) -> Self {
        self.limit = Some(limit);
        self
    }

    pub(super) const fn said_by(mut self, page: &'static str) -> Self {
        self.source = Some(page);
        self
    }

    pub(super) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }
}

/// That the target runs no artifacts of this kind.
pub(super) fn kind(target: Target, subjects: &[Subject]) -> Finding {
    let wanted: Vec<&str> = target.kinds().iter().map(|kind| words(*kind)).collect();
    let wanted = wanted.join(" or ");
    let is = match subjects {
        [subject] => words(subject.kind()),
        _ => "nothing that runs there",
    };
    let image = matches!(subjects, [Subject::Image(_)]);
    let fix = if image && target == Target::GcpFunctions {
        format!("publish {wanted}, or select Google Cloud Run")
    } else {
        format!("publish {wanted}")
    };
    Finding::error("kind", format!("{} does not run {is}", target.title())).fix(fix)
}

/// That `packageType` decides how the artifact is read.
pub(super) fn package_type(kind: ArtifactKind) -> Finding {
    let word = if kind == ArtifactKind::Container {
        "image"
    } else {
        "zip"
    };
    Finding::note(
        "package-type",
        "the artifact can be read as an image and as a zip",
    )
    .fix(format!("set packageType to {word}"))
}

/// That the artifact is not what its kind has to be.
pub(super) fn refused(kind: ArtifactKind, fault: &Fault) -> Finding {
    let rule = match kind {
        ArtifactKind::Container => "image-invalid",
        ArtifactKind::FunctionZip => "zip-invalid",
        ArtifactKind::PythonWheel => "wheel-invalid",
        ArtifactKind::Manifests => "bundle-invalid",
    };
    let mut finding = Finding::error(rule, format!("{} [{}]", fault.what, fault.reason));
    finding.place.clone_from(&fault.place);
    finding.why.clone_from(&fault.why);
    finding.fix(fault.next.clone().unwrap_or_default())
}

const fn words(kind: ArtifactKind) -> &'static str {
    match kind {
        ArtifactKind::Container => "a container image",
        ArtifactKind::FunctionZip => "a function zip",
        ArtifactKind::PythonWheel => "a Python wheel",
        ArtifactKind::Manifests => "a manifest bundle",
    }
}

/// Names for a message: the first few, and how many more.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 4;
    let names: Vec<&str> = names.into_iter().collect();
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| shown(name)).collect();
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", shown.join(", "))
}

/// A name from the artifact: escaped, and cut at 96 characters.
pub(super) fn shown(name: &str) -> String {
    let text: String = name.chars().take(96).collect();
    let cut = if text.len() < name.len() { "…" } else { "" };
    format!("{}{cut}", text.escape_debug())
}
