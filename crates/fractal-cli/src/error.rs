//! What can go wrong in a command, as a fault to print and the exit code it ends with. Holds no secrets.

use std::path::{Path, PathBuf};

use fractal_core::artifact::ReferenceError;
use fractal_core::fault::chain;
use fractal_core::{Class, Fault, Reason};
use fractal_queue::QueueError;
use fractal_queue::intake::IntakeError;
use fractal_queue::store::StoreError;
use fractal_registry::RegistryError;

use fractal_core::Exit;

pub(crate) mod registry;

const FILE: Reason = Reason::new("FileUnreadable");
const DOCUMENT: Reason = Reason::new("DocumentInvalid");
const REFERENCE: Reason = Reason::new("ReferenceInvalid");
const USAGE: Reason = Reason::new("UsageInvalid");
const NAME: Reason = Reason::new("NotFound");

/// Why a command ended without doing what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// A local file cannot be read or written.
    #[error("{} cannot be read or written", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A document is no YAML or JSON. The problem names a place in it, never its content.
    #[error("{place} is no {form} document: {problem}")]
    Document {
        /// The file.
        place: String,
        /// `YAML` or `JSON`.
        form: &'static str,
        /// What is wrong, with line and column.
        problem: String,
    },
    /// A live system in a file was refused.
    #[error("{place} is refused")]
    Refused {
        /// The file.
        place: String,
        /// Why.
        #[source]
        source: QueueError,
    },
    /// A text is no artifact reference.
    #[error("`{shown}` is no artifact reference")]
    Reference {
        /// The text, unless it carries credentials.
        shown: String,
        /// Why.
        #[source]
        source: ReferenceError,
    },
    /// Flags and arguments do not fit together.
    #[error("{what}")]
    Usage {
        /// What does not fit.
        what: String,
        /// What to write instead.
        next: String,
    },
    /// A name is not in the queue, or stands for several things there.
    #[error("{what}")]
    Name {
        /// What is wrong with it.
        what: String,
        /// What there is.
        next: String,
    },
    /// The queue refused or failed.
    #[error("the queue refused or failed")]
    Queue(#[from] QueueError),
    /// A registry or layout refused or failed.
    #[error("the registry refused or failed")]
    Registry(#[from] RegistryError),
    /// Anything that is a fault already.
    #[error("{0}")]
    Fault(Box<Fault>),
}

impl From<Fault> for CliError {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::Queue(error.into())
    }
}

impl CliError {
    pub(crate) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn usage(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Usage {
            what: what.into(),
            next: next.into(),
        }
    }

    pub(crate) fn name(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Name {
            what: what.into(),
            next: next.into(),
        }
    }

    /// A text that is no reference; one with credentials in it is not repeated.
    pub(crate) fn reference(text: &str, source: ReferenceError) -> Self {
        let shown = match source {
            ReferenceError::Userinfo => "…".to_owned(),
            _ => text
                .chars()
                .take(200)
                .flat_map(char::escape_debug)
                .collect(),
        };
        Self::Reference { shown, source }
    }

    /// The code the command ends with.
    #[must_use]
    pub(crate) fn exit(&self, fault: &Fault) -> Exit {
        match self {
            Self::Usage { .. } | Self::Reference { .. } => Exit::Usage,
            _ => of_class(fault.class),
        }
    }
}

/// How a command ends that met a fault of `class`.
pub(crate) const fn of_class(class: Class) -> Exit {
    match class {
        Class::Transient { .. } => Exit::TryAgain,
        Class::Blocked | Class::Terminal => Exit::Failed,
    }
}

impl From<&CliError> for Fault {
    fn from(error: &CliError) -> Self {
        match error {
            CliError::File { path, source } => {
                Self::blocked(FILE, "a file cannot be read or written")
                    .at(path.display())
                    .because(source)
                    .next("check that the path exists, and its permissions")
            }
            CliError::Document {
                place,
                form,
                problem,
            } => Self::terminal(DOCUMENT, format!("the file is no {form} document"))
                .at(place)
                .because(problem)
                .next("correct the file and try again; nothing was changed"),
            CliError::Refused { place, source } => refused(place, source),
            CliError::Reference { shown, source } => {
                Self::terminal(REFERENCE, "the reference cannot be read")
                    .at(shown)
                    .because(chain(source))
                    .next("write HOST/REPOSITORY:TAG, for example ghcr.io/acme/orders:1.4.2")
            }
            CliError::Usage { what, next } => Self::terminal(USAGE, what).next(next),
            CliError::Name { what, next } => Self::terminal(NAME, what).next(next),
            CliError::Queue(error) => error.into(),
            CliError::Registry(error) => registry::told(error.clone()),
            CliError::Fault(fault) => fault.as_ref().clone(),
        }
    }
}

/// The queue's fault, with the file in front of the place within it.
fn refused(file: &str, source: &QueueError) -> Fault {
    let fault = Fault::from(source);
    let place = match (&fault.place, source) {
        (Some(place), QueueError::Intake(IntakeError::LargeShrink { .. })) => {
            return Fault {
                place: Some(format!("{file}: {place}")),
                ..fault
            }
            .next("submit it with --allow-shrink, if these components are really to be deleted");
        }
        (Some(place), _) => format!("{file}: {place}"),
        (None, _) => file.to_owned(),
    };
    fault.at(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h08_a_reference_with_credentials_is_not_repeated() {
        let text = "user:canary@ghcr.io/acme/orders:1";
        let source = text
            .parse::<fractal_core::artifact::ArtifactUri>()
            .unwrap_err();
        let error = CliError::reference(text, source);
        assert!(!format!("{error:?} {error} {}", Fault::from(&error)).contains("canary"));
        assert_eq!(error.exit(&Fault::from(&error)), Exit::Usage);
    }

    #[test]
    fn only_what_may_pass_is_to_be_tried_again() {
        let exit = |error: CliError| error.exit(&Fault::from(&error));
        let passing = Fault::transient(Reason::new("X"), "x");
        assert_eq!(exit(passing.into()), Exit::TryAgain);
        assert_eq!(
            exit(Fault::blocked(Reason::new("X"), "x").into()),
            Exit::Failed
        );
        assert_eq!(exit(CliError::usage("x", "y")), Exit::Usage);
        assert_eq!(exit(CliError::name("x", "y")), Exit::Failed);
    }
}
