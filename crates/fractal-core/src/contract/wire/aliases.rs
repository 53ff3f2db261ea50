//! The names SDK versions use for one and the same offer or parameter.

use serde_json::{Map, Value};

use super::super::component::Offer;

/// Canonical offer types, by the spellings that were ever sent. Matching is exact: clients and agents never normalised.
const OFFERS: &[(&str, &[&str])] = &[
    (
        "CustomWorkloads.CaaS.KubernetesWorkload",
        &[
            "CustomWorkloads.CaaS.K8sWorkload",
            "CustomWorkloads.CaaS.K8sDeployment",
            "CustomWorkloads.Caas.K8sWorkload",
        ],
    ),
    (
        "CustomWorkloads.PaaS.AwsEcsService",
        &[
            "CustomWorkloads.PaaS.EcsService",
            "NetworkAndCompute.CaaS.ECSService",
        ],
    ),
    (
        "CustomWorkloads.PaaS.GcpCloudRun",
        &[
            "CustomWorkloads.PaaS.CloudRun",
            "NetworkAndCompute.CaaS.CloudRunService",
        ],
    ),
    (
        "CustomWorkloads.PaaS.AzureContainerApp",
        &["NetworkAndCompute.PaaS.AzureContainerApp"],
    ),
    (
        "CustomWorkloads.FaaS.GcpFunction",
        &["CustomWorkloads.FaaS.GoogleFunction"],
    ),
    ("BigData.CaaS.SparkJob", &["BigData.CaaS.CaaSSparkJob"]),
    (
        "BigData.CaaS.SparkCluster",
        &["BigData.CaaS.CaaSSparkCluster"],
    ),
    (
        "BigData.CaaS.SparkMlExperiment",
        &["BigData.CaaS.CaaSMlflow", "BigData.CaaS.MLflow"],
    ),
];

/// Version 1 named Databricks jobs alike on every cloud and told them apart by provider.
const DATABRICKS_JOB: &str = "BigData.PaaS.DatabricksJob";

pub(super) fn offer(wire: &str, provider: Option<&str>) -> String {
    if let (DATABRICKS_JOB, Some(prefix)) = (wire, provider.and_then(databricks_prefix)) {
        return format!("BigData.PaaS.{prefix}DatabricksJob");
    }
    let known = OFFERS
        .iter()
        .find(|(_, spellings)| spellings.contains(&wire));
    known.map_or(wire, |(canonical, _)| canonical).to_owned()
}

/// The Java SDK sends providers in upper case.
fn databricks_prefix(provider: &str) -> Option<&'static str> {
    match provider.to_ascii_uppercase().as_str() {
        "AWS" => Some("Aws"),
        "AZURE" => Some("Azure"),
        "GCP" => Some("Gcp"),
        _ => None,
    }
}

type Aliases = &'static [(&'static str, &'static [&'static str])];

const FUNCTION: Aliases = &[
    ("sourceArtifact", &["artifactUri"]),
    ("memoryMb", &["memory"]),
    ("timeoutSeconds", &["timeout"]),
    ("region", &["location"]),
];
const WORKLOAD: Aliases = &[
    ("artifactUri", &["image", "containerImage"]),
    ("port", &["containerPort"]),
    ("replicas", &["desiredCount"]),
    ("region", &["location"]),
];

fn aliases(offer: &Offer) -> Aliases {
    if offer.as_str().starts_with("CustomWorkloads.FaaS.") {
        FUNCTION
    } else if offer.as_str().starts_with("CustomWorkloads.") {
        WORKLOAD
    } else {
        &[]
    }
}

/// Renames aliases to their canonical names. Two names with different values are given back.
pub(super) fn fold(
    offer: &Offer,
    parameters: &mut Map<String, Value>,
) -> Result<(), (String, String)> {
    for (canonical, names) in aliases(offer) {
        let mut source = *canonical;
        for name in *names {
            let Some(value) = parameters
                .remove(*name)
                .filter(|value| !super::is_empty(value))
            else {
                continue;
            };
            match parameters
                .get(*canonical)
                .filter(|known| !super::is_empty(known))
            {
                Some(known) if !same(known, &value) => {
                    return Err((source.to_owned(), (*name).to_owned()));
                }
                Some(_) => {}
                None => {
                    source = name;
                    parameters.insert((*canonical).to_owned(), value);
                }
            }
        }
    }
    Ok(())
}

/// Terraform sends every number as text.
fn same(a: &Value, b: &Value) -> bool {
    let plain = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), |text| text.trim().to_owned())
    };
    plain(a) == plain(b)
}
