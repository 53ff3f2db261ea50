//! What an artifact is: digests, references, manifests, kinds, and the registry an abstract coordinate means.

pub mod agreement;
pub mod detect;
pub mod digest;
pub mod facts;
pub mod kind;
pub mod manifest;
pub mod reference;
pub mod resolve;

pub use detect::{Detection, detect};
pub use digest::{Digest, DigestError, Hasher};
pub use facts::{BundleFacts, Facts, ImageFacts, WheelFacts, ZipFacts};
pub use kind::{ArtifactKind, PackageType};
pub use manifest::{Descriptor, ImageIndex, ImageManifest, Manifest, ManifestError, OciPlatform};
pub use reference::{
    ArtifactUri, Coordinate, Layout, Reference, ReferenceError, RegistryHost, Repository, Tag,
};
pub use resolve::{RegistryMap, Resolution, ResolveError};
