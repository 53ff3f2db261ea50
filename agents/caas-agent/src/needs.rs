//! Which artifacts a component runs.

use fractal_core::artifact::{ArtifactKind, ArtifactUri, ReferenceError};
use fractal_core::reconcile::{Inputs, Needs};
use fractal_core::{Fault, Reason, fault};

use crate::error::Error;

/// The offer type of workloads.
pub(crate) const WORKLOAD: &str = "CustomWorkloads.CaaS.KubernetesWorkload";
/// The offer type of Spark jobs.
pub(crate) const SPARK_JOB: &str = "BigData.CaaS.SparkJob";
/// The parameter that names the image or the wheel.
pub(crate) const ARTIFACT: &str = "artifactUri";
/// The parameter that names the bundle. There is no other place a bundle is looked for.
pub(crate) const BUNDLE: &str = "manifestUri";

/// Parameters of the Java SDK that make the platform build from Git.
const GIT: [&str; 3] = ["sshRepositoryURI", "repoId", "branchName"];
/// Architectures of images: nodes choose the one of an index that is theirs.
const ARCHITECTURES: &[&str] = &["amd64", "arm64"];
/// Largest bundle, in bytes.
const BUNDLE_MAX: u64 = 16 * 1024 * 1024;
/// Largest wheel, in bytes: it is unpacked in every executor's pod.
const WHEEL_MAX: u64 = 2 * 1024 * 1024 * 1024;

pub(crate) fn needs(inputs: &Inputs) -> Result<Needs, Error> {
    if inputs.offer.as_str() == SPARK_JOB {
        return spark(inputs);
    }
    let image = named(inputs, ARTIFACT)?;
    let bundle = named(inputs, BUNDLE)?;
    if image.is_none() {
        git(inputs)?;
    }
    kind(inputs, "container", "container image")?;
    let image =
        image.map(|artifact| need(artifact, ARTIFACT, &[ArtifactKind::Container], u64::MAX));
    let bundle =
        bundle.map(|artifact| need(artifact, BUNDLE, &[ArtifactKind::Manifests], BUNDLE_MAX));
    match (image, bundle) {
        (Some(image), bundle) => Ok(Needs {
            beside: bundle.into_iter().collect(),
            ..image
        }),
        (None, Some(bundle)) => Ok(bundle),
        (None, None) => Err(Error::NoArtifact),
    }
}

fn spark(inputs: &Inputs) -> Result<Needs, Error> {
    kind(inputs, "python_wheel", "Python wheel")?;
    let wheel = named(inputs, ARTIFACT)?.ok_or(Error::NoArtifact)?;
    Ok(need(
        wheel,
        ARTIFACT,
        &[ArtifactKind::PythonWheel],
        WHEEL_MAX,
    ))
}

fn need(
    artifact: ArtifactUri,
    parameter: &'static str,
    accepts: &'static [ArtifactKind],
    size_max: u64,
) -> Needs {
    Needs {
        artifact,
        parameter,
        accepts,
        package_type: None,
        size_max,
        architectures: ARCHITECTURES,
        beside: Vec::new(),
    }
}

fn named(inputs: &Inputs, parameter: &'static str) -> Result<Option<ArtifactUri>, Error> {
    let Some(text) = inputs.parameters.text(parameter)? else {
        return Ok(None);
    };
    let artifact = text.parse().map_err(|error: ReferenceError| {
        Fault::terminal(
            Reason::new("ReferenceInvalid"),
            "the artifact reference cannot be read",
        )
        .at(format!("parameters.{parameter}"))
        .because(fault::chain(&error))
        .next("write it as host/repository:tag or host/repository@sha256:<digest>, with or without oci:// before it")
    })?;
    Ok(Some(artifact))
}

/// An older SDK sends the same offer type for workloads that a platform was to build from Git.
fn git(inputs: &Inputs) -> Result<(), Error> {
    match GIT
        .into_iter()
        .find(|name| inputs.parameters.get(name).is_some())
    {
        Some(parameter) => Err(Error::GitSource { parameter }),
        None => Ok(()),
    }
}

fn kind(inputs: &Inputs, wanted: &'static str, for_people: &'static str) -> Result<(), Error> {
    match inputs.parameters.text("artifactType")? {
        Some(found) if found != wanted => Err(Error::ArtifactType {
            found: found.escape_debug().to_string(),
            wanted: for_people,
        }),
        _ => Ok(()),
    }
}
