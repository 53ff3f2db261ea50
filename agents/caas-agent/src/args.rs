//! The agent's own flags, and how it connects.

use std::path::PathBuf;

use fractal_artifact::manifests::Policy;
use fractal_core::{Fault, Reason};
use fractal_runtime::{Agent, Connected, RegistryOptions};
use kube::Client;

use crate::config::{Config, Provider, Spark};
use crate::platform::Kubernetes;
use crate::registries;

/// The cluster cannot be reached as configured.
const CLUSTER_UNCONFIGURED: Reason = Reason::new("ClusterUnconfigured");
/// The policy file cannot be read.
const POLICY_UNREADABLE: Reason = Reason::new("PolicyUnreadable");

/// The agent's own flags.
#[derive(Debug, Clone, clap::Args)]
pub struct KubernetesArgs {
    /// Whose Kubernetes it is: decides the registry an abstract coordinate means, and how registries are logged in to
    #[arg(long, env = "FRACTAL_CAAS_PROVIDER", value_enum, global = true)]
    pub provider: Option<Provider>,

    /// Namespace of components that name none; by default the agent's own
    #[arg(
        long,
        env = "FRACTAL_CAAS_NAMESPACE",
        value_name = "NAMESPACE",
        global = true
    )]
    pub namespace: Option<String>,

    /// File that says which kinds, namespaces and service accounts a manifest bundle may hold; without it all the agent's role allows
    #[arg(long, env = "FRACTAL_CAAS_POLICY", value_name = "FILE", global = true)]
    pub policy: Option<PathBuf>,

    /// Refuse bundles with a $NAME that has no value, instead of leaving it as it is
    #[arg(long, env = "FRACTAL_CAAS_STRICT_SUBSTITUTION", global = true)]
    pub strict_substitution: bool,

    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened: a comment would become a help text")]
    pub spark: SparkArgs,
}

/// What a Spark job's pods are made of.
#[derive(Debug, Clone, clap::Args)]
pub struct SparkArgs {
    /// Image with Spark and Python for drivers and executors
    #[arg(
        long,
        env = "FRACTAL_CAAS_SPARK_IMAGE",
        value_name = "IMAGE",
        default_value = "docker.io/library/spark:4.1.4-python3",
        global = true
    )]
    pub spark_image: String,

    /// Spark version in that image
    #[arg(
        long,
        env = "FRACTAL_CAAS_SPARK_VERSION",
        value_name = "VERSION",
        default_value = "4.1.4",
        global = true
    )]
    pub spark_version: String,

    /// Image with the oras command, which fetches the wheel
    #[arg(
        long,
        env = "FRACTAL_CAAS_ORAS_IMAGE",
        value_name = "IMAGE",
        default_value = "ghcr.io/oras-project/oras:v1.3.0",
        global = true
    )]
    pub oras_image: String,

    /// Service account of Spark drivers: it makes executor pods
    #[arg(
        long,
        env = "FRACTAL_CAAS_SPARK_SERVICE_ACCOUNT",
        value_name = "NAME",
        default_value = "spark",
        global = true
    )]
    pub spark_service_account: String,
}

impl Agent for Kubernetes {
    const NAME: &'static str = "caas-agent";
    const ABOUT: &'static str =
        "Reconciles container workloads, manifest bundles and Spark jobs onto Kubernetes";
    type Args = KubernetesArgs;

    async fn connect(
        args: &KubernetesArgs,
        registry: &RegistryOptions,
    ) -> Result<Connected<Self>, Fault> {
        let policy = args.policy.as_deref().map(policy).transpose()?;
        let mut cluster = kube::Config::infer()
            .await
            .map_err(|error| unconfigured(&error))?;
        // Retries are the runtime's.
        cluster.default_retry = false;
        let namespace = args
            .namespace
            .clone()
            .unwrap_or_else(|| cluster.default_namespace.clone());
        let client = Client::try_from(cluster).map_err(|error| unconfigured(&error))?;
        let spark = args.spark.clone();
        Ok(Connected {
            platform: Self::new(client, &namespace),
            config: Config {
                provider: args.provider,
                namespace,
                policy,
                strict_substitution: args.strict_substitution,
                spark: Spark {
                    image: spark.spark_image,
                    version: spark.spark_version,
                    oras_image: spark.oras_image,
                    service_account: spark.spark_service_account,
                },
            },
            credentials: registries::credentials(args.provider, registry).await?,
        })
    }
}

fn policy(path: &std::path::Path) -> Result<Policy, Fault> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Fault::blocked(POLICY_UNREADABLE, "the policy file cannot be read")
            .at(path.display())
            .because(error)
            .next("correct --policy, or mount the file")
    })?;
    Policy::parse(&text).map_err(|error| {
        let fault = Fault::from(error);
        Fault::blocked(POLICY_UNREADABLE, "the policy file cannot be used")
            .at(path.display())
            .because(fault)
            .next("correct the file, then start the agent again")
    })
}

fn unconfigured(error: &(dyn std::error::Error + 'static)) -> Fault {
    Fault::blocked(CLUSTER_UNCONFIGURED, "no Kubernetes cluster is configured")
        .because(fractal_core::fault::chain(error))
        .next("run the agent in the cluster with a service account, or set KUBECONFIG to a file")
}
