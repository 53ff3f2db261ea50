//! Why a bundle is refused, and what a publisher does about it.

use fractal_core::fault::chain;
use fractal_core::{Fault, Reason};

use super::entry::EntryKind;

/// The bytes are no complete, well-formed tar of UTF-8 YAML files.
const BUNDLE_INVALID: Reason = Reason::new("BundleInvalid");
/// A tar that two readers can understand differently, or two files where one is meant.
const BUNDLE_AMBIGUOUS: Reason = Reason::new("BundleAmbiguous");
/// A path or an entry that would reach outside the bundle when unpacked.
const BUNDLE_UNSAFE: Reason = Reason::new("BundleUnsafe");
/// A tar over a cap of this reader.
const BUNDLE_TOO_LARGE: Reason = Reason::new("BundleTooLarge");
/// The file of the component, or the `.fractal/` folder, is not in the tar.
const BUNDLE_MISSING: Reason = Reason::new("BundleMissing");

const PACK_AGAIN: &str = "run `tar -cf manifests.tar .fractal` from the repository's root and publish the result, \
     or use `fractal manifests push`";

/// Why a bundle is refused. Names from the tar are escaped and cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// It does not begin like a tar.
    #[error("the layer is no tar, it {seen}")]
    NotTar {
        /// What it is, by its first bytes.
        seen: String,
    },
    /// No bytes, or no entries.
    #[error("the tar is empty")]
    Empty,
    /// It ends within an entry.
    #[error("the tar is cut off at byte {offset}")]
    Truncated {
        /// Bytes there are.
        offset: u64,
    },
    /// It ends without the two zero blocks of a complete tar.
    #[error("the tar is cut off at byte {offset}: the two zero blocks that end a tar are missing")]
    EndMissing {
        /// Bytes there are.
        offset: u64,
    },
    /// A header that the format does not allow.
    #[error("the tar is malformed at byte {offset}: {what}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Where the header begins.
        offset: u64,
    },
    /// Two readers could understand the structure differently.
    #[error("the tar is ambiguous at byte {offset}: {what}")]
    Ambiguous {
        /// What can be read two ways.
        what: &'static str,
        /// Where.
        offset: u64,
    },
    /// Two entries of one path.
    #[error(
        "the tar is ambiguous: `{first}` and `{second}` are one and the same path on some file systems"
    )]
    Duplicate {
        /// One path.
        first: String,
        /// The other.
        second: String,
    },
    /// A path that is not plain and relative.
    #[error("the tar has an entry `{name}`, which {problem}")]
    Path {
        /// The path.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Neither a file nor a folder.
    #[error("the tar's `{name}` is {kind}")]
    Kind {
        /// The entry.
        name: String,
        /// What it is.
        kind: EntryKind,
    },
    /// Over a cap.
    #[error("the tar has {found} {what}, at most {max} are taken")]
    TooLarge {
        /// What is counted.
        what: &'static str,
        /// How many it has, or how many were seen when reading stopped.
        found: u64,
        /// How many are taken.
        max: u64,
    },
    /// One YAML file over its cap.
    #[error("`.fractal/{name}` has {found} bytes, at most {max} are taken")]
    FileTooLarge {
        /// The file.
        name: String,
        /// Its size.
        found: u64,
        /// How many bytes are taken.
        max: u64,
    },
    /// A YAML file that is no UTF-8 text.
    #[error("`.fractal/{name}` is no UTF-8 text: {problem}")]
    Encoding {
        /// The file.
        name: String,
        /// What it is instead.
        problem: String,
    },
    /// A folder where a YAML file is meant.
    #[error("`.fractal/{name}` is a folder, a file is expected")]
    Folder {
        /// The folder.
        name: String,
    },
    /// No YAML file below `.fractal/`.
    #[error("the tar has no YAML file below `.fractal/`: {seen}")]
    NoFolder {
        /// What it has instead.
        seen: String,
    },
    /// The component's file is not there.
    #[error("the bundle has no `.fractal/{component}-fdeploy.yaml`: {seen}")]
    Missing {
        /// The component.
        component: String,
        /// The files there are, and what may be meant.
        seen: String,
    },
    /// Both spellings of one file's extension.
    #[error("the bundle has both `.fractal/{first}` and `.fractal/{second}`")]
    Both {
        /// One file.
        first: String,
        /// The other.
        second: String,
    },
    /// A path that no tar header holds.
    #[error("`.fractal/{name}` is too long for a plain tar header")]
    PathTooLong {
        /// The path.
        name: String,
    },
}

impl BundleError {
    const fn reason(&self) -> Reason {
        match self {
            Self::NotTar { .. }
            | Self::Empty
            | Self::Truncated { .. }
            | Self::EndMissing { .. }
            | Self::Malformed { .. }
            | Self::Encoding { .. } => BUNDLE_INVALID,
            Self::Ambiguous { .. } | Self::Duplicate { .. } | Self::Both { .. } => BUNDLE_AMBIGUOUS,
            Self::Path { .. } | Self::Kind { .. } => BUNDLE_UNSAFE,
            Self::TooLarge { .. } | Self::FileTooLarge { .. } | Self::PathTooLong { .. } => {
                BUNDLE_TOO_LARGE
            }
            Self::Folder { .. } | Self::NoFolder { .. } | Self::Missing { .. } => BUNDLE_MISSING,
        }
    }

    fn next(&self) -> String {
        match self {
            Self::NotTar { .. } => format!("do not compress the bundle: {PACK_AGAIN}"),
            Self::Empty
            | Self::Truncated { .. }
            | Self::EndMissing { .. }
            | Self::Malformed { .. }
            | Self::Ambiguous { .. }
            | Self::NoFolder { .. }
            | Self::Path { .. } => PACK_AGAIN.into(),
            Self::Duplicate { .. } => format!("rename one of the two, then {PACK_AGAIN}"),
            Self::Kind { .. } => {
                format!("put a plain file in its place, or leave it out, then {PACK_AGAIN}")
            }
            Self::TooLarge { .. } | Self::FileTooLarge { .. } => {
                "keep only the workloads' manifests in `.fractal/` and publish again".into()
            }
            Self::Encoding { .. } => {
                "save the file as UTF-8 (`iconv -f UTF-16 -t UTF-8`) and publish again".into()
            }
            Self::Folder { .. } => "put a file in its place and publish again".into(),
            Self::Missing { component, .. } => format!(
                "add `.fractal/{component}-fdeploy.yaml` and publish again; the name has to begin with the component's id exactly"
            ),
            Self::Both { .. } => "keep one of the two and publish again".into(),
            Self::PathTooLong { .. } => "shorten the file's path".into(),
        }
    }
}

impl From<BundleError> for Fault {
    fn from(error: BundleError) -> Self {
        Self::terminal(error.reason(), "the manifest bundle is refused")
            .at("the artifact's layer")
            .because(chain(&error))
            .next(error.next())
    }
}
