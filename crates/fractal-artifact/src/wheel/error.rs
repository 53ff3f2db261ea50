//! Why a wheel is refused, and what a publisher does about it.

use fractal_core::fault::chain;
use fractal_core::{Fault, Reason};

use crate::zip::ZipError;

/// The wheel's metadata is missing, malformed, or not true of its files.
const WHEEL_INVALID: Reason = Reason::new("WheelInvalid");
/// The file's name is no wheel's, or another wheel's.
const WHEEL_NAME_INVALID: Reason = Reason::new("WheelNameInvalid");
/// No tag of the wheel runs on a Spark cluster.
const WHEEL_UNSUPPORTED: Reason = Reason::new("WheelUnsupported");
/// Over a cap of this reader.
const WHEEL_TOO_LARGE: Reason = Reason::new("WheelTooLarge");

/// Why a file's name is no wheel's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WheelNameError {
    /// It does not end in `.whl`.
    #[error("it does not end in .whl")]
    Extension,
    /// It is a path and no plain name, or too long for one.
    #[error("it is no plain file name of at most 255 bytes")]
    Path,
    /// Not five or six parts between hyphens.
    #[error(
        "it has {0} parts between hyphens, a wheel's name has five, or six with a build number"
    )]
    Parts(usize),
    /// A part holds a character it may not, or nothing.
    #[error("its {0} is empty or holds a character that it may not")]
    Part(&'static str),
}

/// Why a wheel is refused. Names from the wheel are escaped and cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WheelError {
    /// The zip that it is, is refused.
    #[error("the wheel is no zip that every reader takes alike")]
    Zip(#[source] ZipError),
    /// A file in it does not unpack to what its header says.
    #[error("`{name}` does not unpack: {what}")]
    Damaged {
        /// The file.
        name: String,
        /// What is wrong.
        what: &'static str,
    },
    /// Over a cap.
    #[error("the wheel has {found} {what}, at most {max} are taken")]
    TooLarge {
        /// What is counted.
        what: String,
        /// How many it has, or how many were seen when reading stopped.
        found: u64,
        /// How many are taken.
        max: u64,
    },
    /// It unpacks to far more bytes than it has.
    #[error("the wheel unpacks to more than {max} bytes for each of its own")]
    Ratio {
        /// Most bytes for each packed one.
        max: u64,
    },
    /// Not exactly one `*.dist-info` folder at its top.
    #[error("the wheel has {found} at its top, one `NAME-VERSION.dist-info` is expected")]
    DistInfo {
        /// The folders.
        found: String,
    },
    /// A file of the metadata is missing.
    #[error("the wheel has no `{name}`")]
    Missing {
        /// The file.
        name: String,
    },
    /// A file of the metadata is malformed.
    #[error("`{file}` is malformed: {what}")]
    Metadata {
        /// The file.
        file: &'static str,
        /// What is wrong.
        what: String,
    },
    /// `RECORD` is not true of the files.
    #[error("`RECORD` is not true: {what}")]
    Record {
        /// What is wrong.
        what: String,
    },
    /// The `*.dist-info` folder is another distribution's.
    #[error("the folder `{folder}` is not that of {name} {version}, which its METADATA names")]
    Folder {
        /// The folder.
        folder: String,
        /// The distribution, by its metadata.
        name: String,
        /// The version, by its metadata.
        version: String,
    },
    /// The artifact's title is no wheel's file name.
    #[error("the artifact's title `{title}` is no wheel's file name")]
    Title {
        /// The title.
        title: String,
        /// Why.
        #[source]
        source: WheelNameError,
    },
    /// The artifact's title is another wheel's file name.
    #[error("the artifact's title `{title}` differs from its metadata in {what}: {expected}")]
    Mismatch {
        /// The title.
        title: String,
        /// What differs.
        what: &'static str,
        /// What the metadata says.
        expected: String,
    },
    /// There is no title, and none can be made.
    #[error("the artifact has no title, and no file name says the wheel's tags {tags}")]
    Unnamed {
        /// The tags.
        tags: String,
    },
    /// No tag runs on a Spark cluster.
    #[error("the wheel is for {tags}, not for CPython 3 on Linux (x86_64 or aarch64)")]
    Unsupported {
        /// Its tags.
        tags: String,
    },
}

impl WheelError {
    const fn reason(&self) -> Reason {
        match self {
            Self::Zip(_)
            | Self::Damaged { .. }
            | Self::DistInfo { .. }
            | Self::Missing { .. }
            | Self::Metadata { .. }
            | Self::Record { .. }
            | Self::Folder { .. } => WHEEL_INVALID,
            Self::Title { .. } | Self::Mismatch { .. } | Self::Unnamed { .. } => WHEEL_NAME_INVALID,
            Self::Unsupported { .. } => WHEEL_UNSUPPORTED,
            Self::TooLarge { .. } | Self::Ratio { .. } => WHEEL_TOO_LARGE,
        }
    }

    const fn next(&self) -> &'static str {
        match self {
            Self::Zip(_)
            | Self::Damaged { .. }
            | Self::DistInfo { .. }
            | Self::Missing { .. }
            | Self::Metadata { .. }
            | Self::Record { .. }
            | Self::Folder { .. } => {
                "build the wheel again, for example with `python -m build --wheel`, do not change files in it, and publish it"
            }
            Self::Title { .. } | Self::Mismatch { .. } | Self::Unnamed { .. } => {
                "publish the wheel under the name its build gave it: NAME-VERSION-PYTHON-ABI-PLATFORM.whl"
            }
            Self::Unsupported { .. } => {
                "build a pure wheel (py3-none-any), or one for manylinux on the cluster's architecture, and publish it"
            }
            Self::TooLarge { .. } | Self::Ratio { .. } => {
                "leave out of the wheel what the job does not import; data belongs into object storage"
            }
        }
    }
}

impl From<WheelError> for Fault {
    fn from(error: WheelError) -> Self {
        Self::terminal(error.reason(), "the wheel is refused")
            .at("the artifact's layer")
            .because(chain(&error))
            .next(error.next())
    }
}
