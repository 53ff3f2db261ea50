//! Why a bundle is refused, and what its developer or the operator does about it.

mod names;
mod problem;

use fractal_core::fault::chain;
use fractal_core::{Fault, Reason};

use super::object::{ANNOTATIONS_MAX, Identity, OBJECT_MAX};
use super::yaml::YamlError;
use names::listed;

pub(super) use names::shown;
pub use problem::{EnvironmentProblem, Problem, TargetProblem};

/// A document beyond a limit on size, depth or aliases.
const YAML_BUDGET: Reason = Reason::new("YamlBudget");
/// No YAML, or YAML that two readers could understand differently.
const YAML_SYNTAX: Reason = Reason::new("YamlSyntax");
/// A value that would change the manifest's structure.
const PARAMETER_INJECTION: Reason = Reason::new("ParameterInjection");
/// No single entry of the parameters file is the environment's.
const ENVIRONMENT_PARAMETERS: Reason = Reason::new("EnvironmentParameters");
/// Names without a value, where that is not allowed.
const PARAMETER_UNRESOLVED: Reason = Reason::new("ParameterUnresolved");
/// The workload to lay over cannot be told, or has no container.
const OVERLAY_TARGET: Reason = Reason::new("OverlayTarget");
/// A document that is no object which can be applied by name.
const BUNDLE_OBJECT: Reason = Reason::new("BundleObject");
/// An object larger than the API server stores.
const OBJECT_TOO_LARGE: Reason = Reason::new("ObjectTooLarge");
/// The operator's policy file cannot be used.
const POLICY_INVALID: Reason = Reason::new("PolicyInvalid");
/// The operator's policy does not allow the bundle.
const POLICY_DENIED: Reason = Reason::new("PolicyDenied");

/// Why a bundle is refused. Values from parameters are never repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// A document beyond a limit.
    #[error("`{file}` has {what} at line {line}, at most {max} are taken")]
    Budget {
        /// The file.
        file: String,
        /// What there is too much of, with how much where that is known.
        what: String,
        /// Where the limit was passed, from 1.
        line: usize,
        /// How much is taken.
        max: usize,
    },
    /// No YAML that can be read in one way only.
    #[error("`{file}` cannot be read at line {line}, column {column}: {problem}")]
    Syntax {
        /// The file.
        file: String,
        /// The line, from 1; after substitution, where values have lines of their own.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong.
        problem: String,
    },
    /// A value changes the manifest's structure.
    #[error(
        "the values of {} change the structure of `{file}` at line {line}",
        listed(names)
    )]
    Injection {
        /// The manifest.
        file: String,
        /// The line before substitution, from 1.
        line: usize,
        /// The names whose values could.
        names: Vec<String>,
    },
    /// No single entry of the parameters file is the environment's, or an entry is malformed.
    #[error("`{file}` {problem}")]
    Environment {
        /// The parameters file.
        file: String,
        /// What is wrong with it.
        problem: EnvironmentProblem,
    },
    /// Names without a value, in strict mode.
    #[error(
        "`{file}` uses names without a value, the first at line {line}: {}",
        listed(names)
    )]
    Unresolved {
        /// The manifest.
        file: String,
        /// Line of the first one, from 1.
        line: usize,
        /// The names.
        names: Vec<String>,
    },
    /// What the SDK set cannot be laid over.
    #[error("{0}")]
    Target(TargetProblem),
    /// A document is no object that can be applied by name.
    #[error("{object} (line {line}) {problem}")]
    Object {
        /// The manifest.
        file: String,
        /// Line where its document begins, from 1.
        line: usize,
        /// The object, as far as it has a name.
        object: String,
        /// What is wrong with it.
        problem: Problem,
    },
    /// An object is larger than the API server stores.
    #[error("{object} has {found} bytes{}, at most {max} are taken", annotations(*max))]
    TooLarge {
        /// The object.
        object: Identity,
        /// Its bytes as JSON, or those of its annotations.
        found: usize,
        /// [`OBJECT_MAX`] or [`ANNOTATIONS_MAX`].
        max: usize,
    },
    /// The operator's policy file cannot be used.
    #[error("the policy for bundles cannot be used: {0}")]
    Policy(String),
    /// The operator's policy does not allow the bundle.
    #[error("the operator's policy does not allow {}", listed(offenders))]
    Denied {
        /// Every object or parameter that is not allowed, with why.
        offenders: Vec<String>,
    },
}

impl ManifestError {
    pub(super) fn yaml(file: &str, source: YamlError) -> Self {
        let file = file.to_owned();
        match source {
            YamlError::Budget { what, line, max } => Self::Budget {
                file,
                what,
                line,
                max,
            },
            YamlError::Syntax {
                line,
                column,
                problem,
            } => Self::Syntax {
                file,
                line,
                column,
                problem,
            },
        }
    }

    /// The line it is about, from 1, where there is one.
    #[must_use]
    pub const fn line(&self) -> Option<usize> {
        match self {
            Self::Budget { line, .. }
            | Self::Syntax { line, .. }
            | Self::Injection { line, .. }
            | Self::Unresolved { line, .. }
            | Self::Object { line, .. } => Some(*line),
            _ => None,
        }
    }

    /// The file it is about, where there is one.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Budget { file, .. }
            | Self::Syntax { file, .. }
            | Self::Injection { file, .. }
            | Self::Environment { file, .. }
            | Self::Unresolved { file, .. }
            | Self::Object { file, .. } => Some(file),
            _ => None,
        }
    }

    const fn reason(&self) -> Reason {
        match self {
            Self::Budget { .. } => YAML_BUDGET,
            Self::Syntax { .. } => YAML_SYNTAX,
            Self::Injection { .. } => PARAMETER_INJECTION,
            Self::Environment { .. } => ENVIRONMENT_PARAMETERS,
            Self::Unresolved { .. } => PARAMETER_UNRESOLVED,
            Self::Target(_) => OVERLAY_TARGET,
            Self::Object { .. } => BUNDLE_OBJECT,
            Self::TooLarge { .. } => OBJECT_TOO_LARGE,
            Self::Policy(_) => POLICY_INVALID,
            Self::Denied { .. } => POLICY_DENIED,
        }
    }

    /// What its reader does next.
    #[must_use]
    pub fn next(&self) -> String {
        match self {
            Self::Budget { .. } => "split what is large into bundles of several components, or publish less".into(),
            Self::Syntax { .. } => "correct the file and publish the bundle again".into(),
            Self::Injection { .. } => {
                "put the value where it is one scalar only, in quotes where it has special characters, or put the text into the manifest itself".into()
            }
            Self::Environment { problem, .. } => problem.next(),
            Self::Unresolved { .. } => {
                "give each a value for the environment, or leave strict mode".into()
            }
            Self::Target(TargetProblem::Two { .. }) => {
                "name only the component's own workload like the component".into()
            }
            Self::Target(TargetProblem::NoContainer { .. }) => {
                "give it `spec.template.spec.containers` with one container at least".into()
            }
            Self::Object { problem, .. } => problem.next().into(),
            Self::TooLarge { max, .. } if *max == ANNOTATIONS_MAX => {
                "put what is large into a ConfigMap".into()
            }
            Self::TooLarge { .. } => "split it, or put what is large into the image".into(),
            Self::Policy(_) => "correct the policy file that the agent was started with".into(),
            Self::Denied { .. } => {
                "leave them out of the bundle, or ask the operator to extend the policy; nothing was applied".into()
            }
        }
    }
}

impl From<ManifestError> for Fault {
    fn from(error: ManifestError) -> Self {
        let place = error.file().filter(|file| !file.is_empty());
        let place = place.map_or_else(|| "the manifest bundle".to_owned(), str::to_owned);
        Self::terminal(error.reason(), "the manifest bundle is refused")
            .at(place)
            .because(chain(&error))
            .next(error.next())
    }
}

const fn annotations(max: usize) -> &'static str {
    if max == ANNOTATIONS_MAX && max != OBJECT_MAX {
        " of annotations"
    } else {
        ""
    }
}
