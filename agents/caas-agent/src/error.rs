//! What can go wrong, and what the API server's answers mean.

use fractal_artifact::manifests::ManifestError;
use fractal_core::contract::ParamError;
use fractal_core::contract::params::PARAMETER_INVALID;
use fractal_core::{Fault, Reason};

mod call;
mod grants;

pub(crate) use call::{Call, Failure};
pub use grants::GRANTS;

/// Everything this agent can fail with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A fault that already says everything.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// A parameter cannot be used.
    #[error(transparent)]
    Parameter(#[from] ParamError),
    /// A call to the API server failed.
    #[error("{0}")]
    Call(Box<Failure>),
    /// A name that Kubernetes does not take.
    #[error(
        "`{name}` is no {what}: lower-case letters, digits and `-`, at most 63, beginning and ending with a letter or digit"
    )]
    Name {
        /// What it would name.
        what: &'static str,
        /// Where it stands.
        place: &'static str,
        /// The name, escaped.
        name: String,
    },
    /// A list names one thing twice.
    #[error("`{parameter}` sets `{name}` twice")]
    Twice {
        /// The parameter.
        parameter: &'static str,
        /// The name, escaped.
        name: String,
    },
    /// A bundle holds an object twice.
    #[error("the bundle holds {object} twice, once without its namespace")]
    ObjectTwice {
        /// Which.
        object: String,
    },
    /// A bundle holds what only the agent writes.
    #[error("{object} is named like an inventory of this agent's")]
    Inventory {
        /// Which.
        object: String,
    },
    /// The component is built from a Git repository.
    #[error("the component names a Git repository as its source")]
    GitSource {
        /// The parameter that does.
        parameter: &'static str,
    },
    /// It names nothing to run.
    #[error("the component names neither an image nor a manifest bundle")]
    NoArtifact,
    /// `artifactType` names something this target does not run.
    #[error("a component of this type does not run an artifact of type `{found}`")]
    ArtifactType {
        /// The parameter's value, escaped.
        found: String,
        /// What it runs.
        wanted: &'static str,
    },
    /// An object belongs to someone else.
    #[error("{object} exists and is not ours")]
    Foreign {
        /// Which.
        object: String,
        /// Its ownership marker, where it has one.
        marker: Option<String>,
    },
    /// Another field manager applied a field that we want otherwise.
    #[error("fields of {object} are managed by {}", .managers.join(", "))]
    Conflict {
        /// Which object.
        object: String,
        /// The other managers.
        managers: Vec<String>,
        /// The fields.
        fields: Vec<String>,
    },
    /// The cluster serves no such kind.
    #[error("the cluster has no kind {kind} in {api_version}")]
    KindUnknown {
        /// The kind.
        kind: String,
        /// Its API version.
        api_version: String,
    },
    /// The namespace is not there.
    #[error("the namespace `{0}` does not exist")]
    NamespaceMissing(String),
    /// A volume claim cannot be changed so.
    #[error("{object} cannot be changed in place: {why}")]
    Immutable {
        /// Which object.
        object: String,
        /// The API server's words.
        why: String,
    },
    /// What answers is no API server.
    #[error("what answers is no Kubernetes API server: it serves no list of API groups")]
    NoApiServer,
    /// A step was handed something it was not planned for.
    #[error("a step does not fit what is desired")]
    Unplanned,
}

impl From<ManifestError> for Error {
    fn from(error: ManifestError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Fault(fault) => fault,
            Error::Parameter(error) => error.into(),
            Error::Call(failure) => failure.into_fault(),
            Error::Name { place, .. } => Self::terminal(PARAMETER_INVALID, text)
                .at(place)
                .next("correct the name"),
            Error::Twice { parameter, .. } => Self::terminal(PARAMETER_INVALID, text)
                .at(format!("parameters.{parameter}"))
                .next("keep one of the two"),
            Error::ObjectTwice { .. } => Self::terminal(Reason::new("BundleObject"), text)
                .next("keep one of the two"),
            Error::Inventory { .. } => Self::terminal(Reason::new("BundleObject"), text)
                .next("give it another name"),
            Error::GitSource { parameter } => Self::terminal(Reason::new("GitSourceUnsupported"), text)
                .at(format!("parameters.{parameter}"))
                .because("agents run published artifacts, they build nothing")
                .next("build the image in CI, publish it, and set `artifactUri`"),
            Error::NoArtifact => Self::terminal(PARAMETER_INVALID, text)
                .at("parameters.artifactUri")
                .next("set `artifactUri` to an image, `manifestUri` to a bundle, or both"),
            Error::ArtifactType { wanted, .. } => Self::terminal(Reason::new("UnsupportedOnTarget"), text)
                .at("parameters.artifactType")
                .next(format!("publish a {wanted}, or leave `artifactType` out: it is told from the artifact")),
            Error::Foreign { marker, .. } => Self::blocked(Reason::new("OwnedByOther"), text)
                .because(marker.map_or_else(
                    || "it has no annotation fractal.cloud/owner".to_owned(),
                    |marker| format!("its annotation fractal.cloud/owner is `{marker}`"),
                ))
                .next("choose another name or namespace, or delete the object if nobody needs it"),
            Error::Conflict { fields, managers, .. } => Self::blocked(Reason::new("FieldConflict"), text)
                .because(fields.join(", "))
                .next(format!(
                    "let {} give the fields up (apply without them), or leave them out of the component",
                    managers.join(", ")
                )),
            Error::KindUnknown { .. } => Self::blocked(Reason::new("KindUnknown"), text)
                .next("install the operator that brings it, or ship its CustomResourceDefinition in the bundle"),
            Error::NamespaceMissing(name) => Self::blocked(Reason::new("NamespaceMissing"), text)
                .next(format!("create the namespace `{}`, or ship it in the bundle", name.escape_debug())),
            Error::Immutable { .. } => Self::blocked(Reason::new("ImmutableField"), text)
                .next("take the change back, or delete the object by hand once its data is safe"),
            Error::NoApiServer => Self::transient(Reason::new("ApiServerUnreachable"), text)
                .next("look what stands between the agent and the API server: a proxy or an ingress answers in its place"),
            Error::Unplanned => Self::transient(Reason::new("Internal"), text)
                .next("report this as a bug; it is planned anew"),
        }
    }
}
