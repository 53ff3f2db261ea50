//! Where an artifact can run: for one artifact and one target, what stands in the way, why, and what to do about it.
//!
//! Pure rules over facts that were read before. They say only what the artifact's own bytes and the target's documented limits
//! say; accounts, quotas that can be raised and what the code does when it runs are not looked at.
//! Each limit stands in `limits` beside the page it is from.

mod bundle;
mod finding;
mod image;
mod limits;
mod runtime;
mod target;
mod wheel;
mod zip;

use fractal_core::Fault;
use fractal_core::artifact::ArtifactKind;
use serde::Serialize;

pub use bundle::bundle_finding;
pub use finding::{Finding, Limit, Severity};
pub use image::{ImageSettings, ImageSubject, PlatformImage};
pub use limits::{READ_MAX, rule_limits};
pub use target::{AzurePlan, Target, UnknownTarget};
pub use wheel::WheelSubject;
pub use zip::{ZipContents, ZipSubject, wanted};

/// What the component says of how the artifact is run; the cloud's defaults where it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Lambda's `handler`.
    pub handler: Option<String>,
    /// The function runtime, in the words of any of the clouds.
    pub runtime: Option<String>,
    /// `module:function` of a wheel, or the function that Google's runtime calls.
    pub entry_point: Option<String>,
    /// The Azure plan; all of them where it is not said.
    pub plan: Option<AzurePlan>,
}

/// One way to read an artifact, as far as it was read.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A container image or an index of some.
    Image(ImageSubject),
    /// A deployment zip.
    Zip(ZipSubject),
    /// A Python wheel.
    Wheel(WheelSubject),
    /// A manifest bundle, with what its own check found.
    Bundle(Vec<Finding>),
    /// What cannot be read as what it says it is.
    Refused(ArtifactKind, Fault),
}

impl Subject {
    /// What it is read as.
    #[must_use]
    pub const fn kind(&self) -> ArtifactKind {
        match self {
            Self::Image(_) => ArtifactKind::Container,
            Self::Zip(_) => ArtifactKind::FunctionZip,
            Self::Wheel(_) => ArtifactKind::PythonWheel,
            Self::Bundle(_) => ArtifactKind::Manifests,
            Self::Refused(kind, _) => *kind,
        }
    }
}

/// What a target does with an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The target.
    pub target: Target,
    /// Whether nothing that is known stands in the way.
    pub runs: bool,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// How many findings weigh that much.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let mut all = self.findings.iter();
        all.by_ref().filter(|it| it.severity == severity).count()
    }
}

/// What `target` does with an artifact that can be read as each of `subjects`.
///
/// Of several readings the first that runs counts, or else the first that the target takes at all.
#[must_use]
pub fn judge(subjects: &[Subject], target: Target, settings: &Settings) -> Verdict {
    let taken = subjects
        .iter()
        .filter(|subject| target.takes(subject.kind()));
    let mut judged = taken.map(|subject| {
        let mut findings = found(subject, target, settings);
        if subjects.len() > 1 {
            findings.push(finding::package_type(subject.kind()));
        }
        findings
    });
    let first = judged.next();
    let has_error =
        |findings: &Vec<Finding>| findings.iter().any(|it| it.severity == Severity::Error);
    let chosen = match first {
        Some(first) if has_error(&first) => judged
            .find(|findings| !has_error(findings))
            .unwrap_or(first),
        Some(first) => first,
        None => vec![finding::kind(target, subjects)],
    };
    let mut findings = chosen;
    findings.sort_by_key(|it| it.severity);
    Verdict {
        target,
        runs: !has_error(&findings),
        findings,
    }
}

fn found(subject: &Subject, target: Target, settings: &Settings) -> Vec<Finding> {
    match subject {
        Subject::Image(image) => image::check(image, target, settings),
        Subject::Zip(zip) => zip::check(zip, target, settings),
        Subject::Wheel(wheel) => wheel::check(wheel, target, settings),
        Subject::Bundle(findings) => findings.clone(),
        Subject::Refused(kind, fault) => vec![finding::refused(*kind, fault)],
    }
}
