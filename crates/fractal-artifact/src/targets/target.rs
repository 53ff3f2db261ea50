//! The targets: what each is called, which kinds of artifact it runs, on which processors.

use std::fmt;
use std::str::FromStr;

use fractal_core::artifact::ArtifactKind::{self, Container, FunctionZip, Manifests, PythonWheel};
use serde::{Serialize, Serializer};

/// A service that runs artifacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// Any Kubernetes cluster.
    Kubernetes,
    /// AWS Lambda.
    AwsLambda,
    /// Amazon ECS, Express Mode.
    AwsEcs,
    /// AWS App Runner.
    AwsAppRunner,
    /// Azure Functions.
    AzureFunctions,
    /// Azure Container Apps.
    AzureContainerApps,
    /// Google Cloud Functions, second generation.
    GcpFunctions,
    /// Google Cloud Run.
    GcpCloudRun,
    /// Databricks on any cloud.
    Databricks,
    /// Spark on Kubernetes.
    Spark,
    /// The machine at hand.
    Local,
}

/// A name that is no target's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such target: write one of {}", Target::names())]
pub struct UnknownTarget;

/// A row of the table: name for machines, title for people, kinds, processors in Go's words, best first.
type Row = (
    &'static str,
    &'static str,
    &'static [ArtifactKind],
    &'static [&'static str],
);

const X86: &[&str] = &["amd64"];
const BOTH: &[&str] = &["amd64", "arm64"];
const ANY: &[&str] = &[];

impl Target {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Kubernetes,
        Self::AwsLambda,
        Self::AwsEcs,
        Self::AwsAppRunner,
        Self::AzureFunctions,
        Self::AzureContainerApps,
        Self::GcpFunctions,
        Self::GcpCloudRun,
        Self::Databricks,
        Self::Spark,
        Self::Local,
    ];

    const fn row(self) -> Row {
        match self {
            Self::Kubernetes => ("kubernetes", "Kubernetes", &[Container, Manifests], ANY),
            Self::AwsLambda => ("aws-lambda", "AWS Lambda", &[FunctionZip, Container], BOTH),
            Self::AwsEcs => ("aws-ecs", "AWS ECS", &[Container], BOTH),
            // https://github.com/aws/apprunner-roadmap/issues/79
            Self::AwsAppRunner => ("aws-app-runner", "AWS App Runner", &[Container], X86),
            Self::AzureFunctions => (
                "azure-functions",
                "Azure Functions",
                &[FunctionZip, Container],
                X86,
            ),
            // https://learn.microsoft.com/azure/container-apps/containers
            Self::AzureContainerApps => (
                "azure-container-apps",
                "Azure Container Apps",
                &[Container],
                X86,
            ),
            Self::GcpFunctions => (
                "gcp-functions",
                "Google Cloud Functions",
                &[FunctionZip],
                ANY,
            ),
            // https://cloud.google.com/run/docs/container-contract
            Self::GcpCloudRun => ("gcp-cloud-run", "Google Cloud Run", &[Container], X86),
            Self::Databricks => (
                "databricks",
                "Databricks (AWS, Azure, GCP)",
                &[PythonWheel],
                ANY,
            ),
            Self::Spark => ("spark", "Spark on Kubernetes", &[PythonWheel], ANY),
            Self::Local => (
                "local",
                "this machine",
                &[Container, FunctionZip, PythonWheel],
                ANY,
            ),
        }
    }

    /// Its name for machines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// Its name for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.row().1
    }

    /// The kinds it runs, the usual one first.
    #[must_use]
    pub const fn kinds(self) -> &'static [ArtifactKind] {
        self.row().2
    }

    /// The processors it has for images, best first; none where it may have any.
    #[must_use]
    pub const fn architectures(self) -> &'static [&'static str] {
        self.row().3
    }

    /// Whether it runs artifacts of this kind at all.
    #[must_use]
    pub fn takes(self, kind: ArtifactKind) -> bool {
        self.kinds().contains(&kind)
    }

    fn names() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Target {
    type Err = UnknownTarget;

    fn from_str(text: &str) -> Result<Self, UnknownTarget> {
        let mut all = Self::ALL.into_iter();
        all.find(|target| target.as_str() == text)
            .ok_or(UnknownTarget)
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The plan a function app of Azure's runs on; all on Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AzurePlan {
    /// Flex Consumption: zips only.
    Flex,
    /// Consumption: zips only, retired in 2028.
    Consumption,
    /// Elastic Premium.
    Premium,
    /// Dedicated (App Service).
    Dedicated,
}

impl AzurePlan {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Flex,
        Self::Consumption,
        Self::Premium,
        Self::Dedicated,
    ];

    /// Its name for machines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Consumption => "consumption",
            Self::Premium => "premium",
            Self::Dedicated => "dedicated",
        }
    }

    /// Whether it runs container images.
    pub(super) const fn runs_images(self) -> bool {
        matches!(self, Self::Premium | Self::Dedicated)
    }
}

impl FromStr for AzurePlan {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let mut all = Self::ALL.into_iter();
        all.find(|plan| plan.as_str() == text)
            .ok_or("no such plan: write flex, consumption, premium or dedicated")
    }
}
