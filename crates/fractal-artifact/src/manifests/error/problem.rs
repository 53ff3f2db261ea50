//! What exactly is wrong with a parameters file, a document, or the workload to lay over.

use super::super::object::Identity;
use super::names::listed;

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
        first: Box<Identity>,
        /// The other.
        second: Box<Identity>,
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

impl EnvironmentProblem {
    pub(super) fn next(&self) -> String {
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
    pub(super) const fn next(&self) -> &'static str {
        match self {
            Self::NoMapping | Self::Field(_) | Self::Path(_) => {
                "give it `apiVersion`, `kind` and `metadata.name`; a text that reads as a number, `no` or `n` needs quotes"
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
