//! Static settings that pure code may see.

use std::fmt;

use fractal_artifact::manifests::Policy;
use serde::Serialize;

/// The agent's static settings. They enter every fingerprint.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// Whose registry an abstract coordinate means.
    pub provider: Option<Provider>,
    /// The namespace of components that name none.
    pub namespace: String,
    /// What bundles may hold; everything the agent's role allows where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Whether a `$NAME` without a value is an error.
    pub strict_substitution: bool,
    /// Images that a Spark job's pods are made of.
    pub spark: Spark,
}

/// Whose Kubernetes it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// EKS, images from ECR
    Aws,
    /// AKS, images from ACR
    Azure,
    /// GKE, images from Artifact Registry
    Gcp,
    /// Aruba KaaS, images from Aruba's registry
    Aruba,
}

impl Provider {
    /// The word environments use for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::Azure => "Azure",
            Self::Gcp => "GCP",
            Self::Aruba => "Aruba",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a Spark job's pods are made of.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spark {
    /// Image with Spark and Python, for driver and executors.
    pub image: String,
    /// The Spark version in it.
    pub version: String,
    /// Image with the `oras` command, which fetches the wheel.
    pub oras_image: String,
    /// Service account of drivers: it makes executor pods.
    pub service_account: String,
}
