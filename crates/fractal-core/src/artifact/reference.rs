//! Artifact references. Parsed once at the edge; behind it a reference is always well formed.
//!
//! Three forms: a registry reference (`[oci://]host/repo[:tag][@digest]`), an abstract coordinate (the same without a host,
//! mapped to a registry per cloud by [`super::resolve`]), and a local OCI layout (`oci-layout:PATH[:tag][@digest]`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::digest::{Digest, DigestError};

mod grammar;
pub(crate) use grammar::without_userinfo;
pub use grammar::{RegistryHost, Repository, Tag};

/// What a component or a person names as an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ArtifactUri {
    /// Names a repository but no registry: the environment decides which.
    Abstract(Coordinate),
    /// Names a registry: used as it is.
    Registry(Reference),
    /// A local OCI layout folder.
    Layout(Layout),
}

/// A repository and version without a registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Coordinate {
    repository: Repository,
    version: Version,
}

/// A repository and version in a registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    host: RegistryHost,
    repository: Repository,
    version: Version,
}

/// An OCI image layout on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Layout {
    path: String,
    version: Version,
}

/// A tag, a digest, or both: then the digest decides and the tag is shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
struct Version {
    tag: Option<Tag>,
    digest: Option<Digest>,
}

/// Why a text is no artifact reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// Nothing there.
    #[error("the artifact reference is empty")]
    Empty,
    /// A scheme other than `oci://`.
    #[error("scheme `{0}://` is not supported")]
    Scheme(String),
    /// Credentials in the reference. They are not repeated here.
    #[error("the reference carries credentials before an `@`")]
    Userinfo,
    /// A character that no part of a reference may hold.
    #[error("character `{character}` at offset {offset} is not allowed in {part}")]
    Character {
        /// The character, escaped.
        character: String,
        /// Byte offset in the text as given.
        offset: usize,
        /// Which part it stands in.
        part: &'static str,
    },
    /// A part that is empty, too long or badly formed.
    #[error("{part} {problem}")]
    Part {
        /// Which part.
        part: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The digest is malformed.
    #[error("malformed digest in the reference")]
    Digest(#[from] DigestError),
}

impl Reference {
    /// A reference by digest.
    #[must_use]
    pub const fn by_digest(host: RegistryHost, repository: Repository, digest: Digest) -> Self {
        Self {
            host,
            repository,
            version: Version {
                tag: None,
                digest: Some(digest),
            },
        }
    }

    /// A reference by tag.
    #[must_use]
    pub const fn by_tag(host: RegistryHost, repository: Repository, tag: Tag) -> Self {
        Self {
            host,
            repository,
            version: Version {
                tag: Some(tag),
                digest: None,
            },
        }
    }

    /// The registry's host, with its port where one is given.
    #[must_use]
    pub const fn host(&self) -> &RegistryHost {
        &self.host
    }

    /// The repository within the registry.
    #[must_use]
    pub const fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The tag as written.
    #[must_use]
    pub const fn tag(&self) -> Option<&Tag> {
        self.version.tag.as_ref()
    }

    /// The digest as written; it wins over a tag.
    #[must_use]
    pub const fn digest(&self) -> Option<&Digest> {
        self.version.digest.as_ref()
    }

    /// The same repository, pinned to `digest`, without a tag: what is handed to a cloud.
    #[must_use]
    pub fn pinned(&self, digest: &Digest) -> Self {
        Self::by_digest(self.host.clone(), self.repository.clone(), digest.clone())
    }

    /// What stands after the repository in a request: the digest, else the tag, else `latest`.
    #[must_use]
    pub fn version(&self) -> &str {
        self.version.wanted()
    }
}

impl Coordinate {
    /// The repository, without a registry.
    #[must_use]
    pub const fn repository(&self) -> &Repository {
        &self.repository
    }

    /// This coordinate in a registry, under `prefix` where there is one.
    ///
    /// # Errors
    /// Where prefix and repository together are no valid repository name (it may have at most 255 characters).
    pub fn at(
        &self,
        host: RegistryHost,
        prefix: Option<&Repository>,
    ) -> Result<Reference, ReferenceError> {
        let repository = match prefix {
            Some(prefix) => format!("{prefix}/{}", self.repository).parse()?,
            None => self.repository.clone(),
        };
        Ok(Reference {
            host,
            repository,
            version: self.version.clone(),
        })
    }
}

impl Layout {
    /// The layout's folder.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The tag as written.
    #[must_use]
    pub const fn tag(&self) -> Option<&Tag> {
        self.version.tag.as_ref()
    }

    /// The digest as written; it wins over a tag.
    #[must_use]
    pub const fn digest(&self) -> Option<&Digest> {
        self.version.digest.as_ref()
    }
}

impl Version {
    fn wanted(&self) -> &str {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.as_str(),
            (None, Some(tag)) => tag.as_str(),
            (None, None) => "latest",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest
            .as_ref()
            .map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.host, self.repository, self.version)
    }
}

impl fmt::Display for Coordinate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.repository, self.version)
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci-layout:{}{}", self.path, self.version)
    }
}

impl fmt::Display for ArtifactUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abstract(coordinate) => coordinate.fmt(f),
            Self::Registry(reference) => reference.fmt(f),
            Self::Layout(layout) => layout.fmt(f),
        }
    }
}

impl FromStr for ArtifactUri {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        grammar::artifact_uri(text)
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        match text.parse()? {
            ArtifactUri::Registry(reference) => Ok(reference),
            ArtifactUri::Abstract(_) => Err(ReferenceError::Part {
                part: "the registry host",
                problem: "is missing: the first segment needs a dot, a port, or to be `localhost`"
                    .into(),
            }),
            ArtifactUri::Layout(_) => Err(ReferenceError::Scheme("oci-layout".into())),
        }
    }
}

macro_rules! text_form {
    ($($name:ty),*) => {$(
        impl TryFrom<String> for $name {
            type Error = ReferenceError;
            fn try_from(text: String) -> Result<Self, ReferenceError> { text.parse() }
        }
        impl From<$name> for String {
            fn from(value: $name) -> Self { value.to_string() }
        }
    )*};
}
text_form!(ArtifactUri, Reference);

#[cfg(test)]
mod tests;
