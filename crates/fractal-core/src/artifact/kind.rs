//! The kinds of artifact the contract knows, and the media types that say so.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Media types of the contract. `application/vnd.fractal.*` are ours; the rest are OCI's, Docker's and what `oras push` writes.
pub mod media_type {
    /// OCI image manifest.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// OCI image index.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// Docker image manifest, schema 2.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker manifest list.
    pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// OCI image config.
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// Docker image config.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// The empty descriptor's type.
    pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
    /// An uncompressed OCI layer; also what `oras push` gives a file of no stated type.
    pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// A gzip-compressed OCI layer.
    pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// A deployment zip.
    pub const FUNCTION_ZIP: &str = "application/vnd.fractal.workload-function.v1+zip";
    /// A Python wheel.
    pub const WHEEL: &str = "application/vnd.fractal.workload-wheel.v1+zip";
    /// A manifest bundle.
    pub const MANIFESTS: &str = "application/vnd.fractal.workload-manifests.v1+tar";
    /// The annotation that carries a layer's file name.
    pub const TITLE: &str = "org.opencontainers.image.title";
}

/// What an artifact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArtifactKind {
    /// A runnable container image.
    Container,
    /// A PEP 427 wheel in one layer.
    PythonWheel,
    /// A deployment zip in one layer.
    FunctionZip,
    /// A `.fractal/` tar in one layer.
    Manifests,
}

impl ArtifactKind {
    /// The contract's word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::PythonWheel => "python_wheel",
            Self::FunctionZip => "function_zip",
            Self::Manifests => "manifests",
        }
    }
}

impl fmt::Display for ArtifactKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The component's `packageType`: decides where an artifact can be read either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageType {
    /// A container image.
    Image,
    /// A deployment zip.
    Zip,
}

impl PackageType {
    /// The word the parameter uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Zip => "zip",
        }
    }
}

impl fmt::Display for PackageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
