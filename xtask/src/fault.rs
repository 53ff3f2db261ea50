//! What can stop a command, and the exit code each cause has. It does not print.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A command's failure; [`Fault::code`] is the process's exit code.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum Fault {
    /// Tests, lints or another check ran and found something. Exit code 1.
    Failed(String),
    /// The command line is wrong. Exit code 2.
    Usage(String),
    /// The machine lacks something only its owner can install. Exit code 3.
    Machine(Vec<String>),
    /// A part of the tests is missing or not what was installed. Exit code 4.
    Part(String),
    /// A file or a child process could not be used. Exit code 5.
    System {
        what: String,
        source: std::io::Error,
    },
    /// A child that this command stands for ended with this code.
    Child(u8),
}

impl Fault {
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Machine(_) => 3,
            Self::Part(_) => 4,
            Self::System { .. } => 5,
            Self::Child(code) => *code,
        })
    }

    /// For `map_err` on file operations: the verb phrase and the path it was about.
    pub(crate) fn at(verb: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path: PathBuf = path.to_owned();
        move |source| Self::System {
            what: format!("cannot {verb} {}", path.display()),
            source,
        }
    }

    /// For `map_err` on starting a program.
    pub(crate) fn start(program: &str) -> impl FnOnce(std::io::Error) -> Self {
        let what = format!("cannot start {program}");
        move |source| Self::System { what, source }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(what) | Self::Usage(what) | Self::Part(what) => f.write_str(what),
            Self::Machine(missing) => {
                f.write_str("this machine lacks what the build needs:")?;
                missing
                    .iter()
                    .try_for_each(|line| write!(f, "\n  - {line}"))
            }
            Self::System { what, .. } => f.write_str(what),
            Self::Child(code) => write!(f, "the command ended with exit code {code}"),
        }
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::System { source, .. } => Some(source),
            _ => None,
        }
    }
}
