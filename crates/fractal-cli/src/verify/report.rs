//! The verdicts, as a document.

use fractal_core::artifact::Digest;
use fractal_core::artifact::Reference;
use fractal_core::artifact::agreement::{Candidate, Held, agreed};
use fractal_core::{Exit, Fault, Reason};
use serde::Serialize;

use super::ask::Answered;
use super::claim::Deployed;
use crate::error::of_class;
use crate::terminal::{Format, Terminal};

const DEPLOYED_DIFFERS: Reason = Reason::new("DeployedDiffers");

/// What was verified.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) artifacts: Vec<Verdict>,
}

/// One name, and whether it is one artifact.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    pub(super) name: String,
    /// The one digest, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<Digest>,
    pub(super) registries: Vec<Line>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) deployed: Vec<Run>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) faults: Vec<Fault>,
}

/// What one registry has.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    pub(super) who: String,
    pub(super) reference: Reference,
    pub(super) because: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<String>,
}

/// What one component runs.
#[derive(Debug, Serialize)]
pub(super) struct Run {
    pub(super) component: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<Digest>,
}

impl Report {
    pub(super) fn new(answered: Vec<Answered>) -> Self {
        Self {
            artifacts: answered.into_iter().map(Verdict::of).collect(),
        }
    }

    /// How the command ends; for people each fault is printed on its own.
    pub(super) fn exit(&self, terminal: &Terminal) -> Exit {
        let faults = self.artifacts.iter().flat_map(|verdict| &verdict.faults);
        faults.fold(Exit::Success, |exit, fault| {
            if terminal.format() == Format::Text {
                terminal.fault(fault);
            }
            exit.worse(of_class(fault.class))
        })
    }
}

impl Verdict {
    fn of(answered: Answered) -> Self {
        let Answered {
            claim,
            candidates,
            mut faults,
        } = answered;
        // Where a registry could not be asked, its own fault says more than that they do not agree, unless they also differ.
        let digest = match agreed(&claim.name, &candidates) {
            Ok(digest) => Some(digest),
            Err(fault) => {
                if faults.is_empty() || differ(&candidates) {
                    faults.push(fault);
                }
                None
            }
        };
        faults.extend(digest.iter().flat_map(|digest| {
            let claim = &claim;
            let others = claim
                .deployed
                .iter()
                .filter(move |run| is_other(run, digest));
            others.map(move |run| differs(&claim.name, run, digest))
        }));
        Self {
            name: claim.name,
            digest,
            registries: candidates.into_iter().map(Line::of).collect(),
            deployed: claim.deployed.into_iter().map(Run::of).collect(),
            faults,
        }
    }
}

fn differ(candidates: &[Candidate]) -> bool {
    let mut digests = candidates.iter().filter_map(Candidate::digest);
    let first = digests.next();
    digests.any(|digest| Some(digest) != first)
}

fn is_other(run: &Deployed, digest: &Digest) -> bool {
    run.digest.as_ref().is_some_and(|running| running != digest)
}

fn differs(name: &str, run: &Deployed, digest: &Digest) -> Fault {
    let running = run.digest.as_ref().map(ToString::to_string);
    let running = running.unwrap_or_default();
    let what = format!(
        "component {} runs another artifact than its registries have",
        run.component
    );
    Fault::blocked(DEPLOYED_DIFFERS, what)
        .at(name)
        .because(format!("it runs {running}, and the registries have {digest}"))
        .next("wait for its agent to look again; if it stays so, read `fractal status` for what stands in its way")
}

impl Line {
    fn of(candidate: Candidate) -> Self {
        let (digest, problem) = match candidate.held {
            Held::Artifact(digest) => (Some(digest), None),
            Held::Nothing => (None, Some("nothing is there".to_owned())),
            Held::Unknown(why) => (None, Some(why)),
        };
        Self {
            who: candidate.who,
            reference: candidate.reference,
            because: candidate.because,
            digest,
            problem,
        }
    }
}

impl Run {
    fn of(deployed: Deployed) -> Self {
        Self {
            component: deployed.component,
            digest: deployed.digest,
        }
    }
}
