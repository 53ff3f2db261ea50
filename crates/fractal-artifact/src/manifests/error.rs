//! Why a bundle is refused, and what its developer or the operator does about it.

use fractal_core::fault::chain;
use fractal_core::{Fault, Reason};

use super::object::{ANNOTATIONS_MAX, Identity, OBJECT_MAX};
use super::yaml::YamlError;

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

/// Most names, objects or offenders in one message.
const SHOWN_MAX: usize = 16;

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

/// What is wrong with a parameters file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentProblem {
    /// No entry has the environment's name.
    #[error(
        "has no entry for the environment `{environment}`, it has {}",
        listed(known)
    )]
    Missing {
        /// The environment's short name.
        environment: String,
        /// Names there are.
        known: Vec<String>,
    },
    /// Two entries have the environment's name.
    #[error("has two entries for the environment `{environment}`")]
    Twice {
        /// The environment's short name.
        environment: String,
    },
    /// An entry's name differs from the environment's in case only.
    #[error("has an entry `{found}`, the environment is called `{environment}`")]
    Case {
        /// The environment's short name.
        environment: String,
        /// The entry's.
        found: String,
    },
    /// It has another form than `environments: [{name, parameters}]`.
    #[error("must have {expected}")]
    Form {
        /// What it must have, and where.
        expected: String,
    },
    /// A value is no text, number or boolean.
    #[error("has {what} as the value of `{name}` for the environment `{environment}`")]
    Value {
        /// The entry's environment.
        environment: String,
        /// The parameter.
        name: String,
        /// What stands there.
        what: &'static str,
    },
    /// An entry has more parameters than taken.
    #[error("has {found} parameters for the environment `{environment}`, at most {max} are taken")]
    TooMany {
        /// The entry's environment.
        environment: String,
        /// How many it has.
        found: usize,
        /// How many are taken.
        max: usize,
    },
}

/// Why what the SDK set cannot be laid over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetProblem {
    /// Two workloads are named like the component.
    #[error("the component's fields could be laid over {first} and over {second}")]
    Two {
        /// One.
        first: Identity,
        /// The other.
        second: Identity,
    },
    /// The workload has no first container.
    #[error("{object} has no container to lay the component's fields over")]
    NoContainer {
        /// The workload.
        object: Identity,
    },
}

/// Why a document is no object that can be applied by name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It is no mapping.
    #[error("is no mapping")]
    NoMapping,
    /// A field that names it is missing, empty or no text.
    #[error("has no text as `{0}`")]
    Field(&'static str),
    /// A field that becomes part of a URL has characters that such a part cannot have.
    #[error("has a `{0}` that cannot be part of an API path")]
    Path(&'static str),
    /// A list of objects.
    #[error("is a list of objects")]
    List,
    /// The server would choose its name.
    #[error("has a `metadata.generateName` and no `metadata.name`")]
    GeneratedName,
    /// A field that only the cluster sets.
    #[error("has `metadata.{0}`, which only the cluster sets")]
    ServerField(&'static str),
    /// Two documents are one and the same object.
    #[error("is in the bundle twice, first at line {first}")]
    Twice {
        /// Where the first document begins.
        first: usize,
    },
    /// A field on the way to what is laid over has another form.
    #[error("has a `{0}` of another form than Kubernetes'")]
    Form(&'static str),
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

impl EnvironmentProblem {
    fn next(&self) -> String {
        match self {
            Self::Missing { environment, .. } => format!(
                "add an entry `name: {environment}` under `environments`, with empty parameters where it needs none"
            ),
            Self::Twice { .. } => "keep one of the entries".into(),
            Self::Case { environment, .. } => format!("write the entry's name as `{environment}`"),
            Self::Form { .. } => {
                "write `environments:` as a list of `name` and `parameters`".into()
            }
            Self::Value { .. } => "write it as one text in quotes".into(),
            Self::TooMany { .. } => "put what rarely changes into the manifest itself".into(),
        }
    }
}

impl Problem {
    const fn next(&self) -> &'static str {
        match self {
            Self::NoMapping | Self::Field(_) | Self::Path(_) => {
                "give it `apiVersion`, `kind` and `metadata.name`"
            }
            Self::List => "write each of its items as a document of its own, with `---` between",
            Self::GeneratedName => "give it a `metadata.name`: objects are found again by it",
            Self::ServerField(_) => {
                "remove it: manifests that were exported from a cluster carry it"
            }
            Self::Twice { .. } => "keep one of the two documents",
            Self::Form(_) => "correct the field, as `kubectl explain` shows it",
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

/// Up to sixteen names in backticks.
fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "none".into();
    }
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN_MAX)
        .map(|name| shown(name))
        .collect();
    let rest = names.len().saturating_sub(SHOWN_MAX);
    if rest == 0 {
        shown.join(", ")
    } else {
        format!("{} and {rest} more", shown.join(", "))
    }
}

/// A name from the bundle, escaped and cut.
pub(super) fn shown(name: &str) -> String {
    const CHARACTERS_MAX: usize = 128;
    let cut: String = name
        .chars()
        .take(CHARACTERS_MAX)
        .flat_map(char::escape_debug)
        .collect();
    format!("`{cut}`")
}
