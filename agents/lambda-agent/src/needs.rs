//! Which artifact a function runs.

use fractal_core::artifact::PackageType;
use fractal_core::reconcile::{Inputs, Needs};
use fractal_core::{Fault, Reason};

use crate::architecture::Architecture;
use crate::config::UNPACKED_MAX;
use crate::error::Error;
use crate::platform::ACCEPTS;

/// The reference names no artifact.
const REFERENCE_INVALID: Reason = Reason::new("ReferenceInvalid");

/// Lambda takes an image of one architecture only; of an index, x86_64 is taken unless the component says otherwise.
pub(crate) fn needs(inputs: &Inputs) -> Result<Needs, Error> {
    let text = inputs.required_text("sourceArtifact")?;
    let artifact = text
        .parse()
        .map_err(|error: fractal_core::artifact::ReferenceError| {
            Fault::terminal(REFERENCE_INVALID, "the artifact reference cannot be read")
                .at("parameters.sourceArtifact")
                .because(fractal_core::fault::chain(&error))
                .next("write it as host/repository:tag or host/repository@sha256:<digest>")
        })?;
    let architectures: &'static [&'static str] = match Architecture::wanted(inputs)? {
        None => &["amd64", "arm64"],
        Some(Architecture::Amd64) => &["amd64"],
        Some(Architecture::Arm64) => &["arm64"],
    };
    Ok(Needs {
        artifact,
        parameter: "sourceArtifact",
        accepts: ACCEPTS,
        size_max: UNPACKED_MAX,
        package_type: package_type(inputs)?,
        architectures,
        beside: Vec::new(),
    })
}

fn package_type(inputs: &Inputs) -> Result<Option<PackageType>, Error> {
    match inputs
        .parameters
        .text("packageType")?
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        None => Ok(None),
        Some("image") => Ok(Some(PackageType::Image)),
        Some("zip") => Ok(Some(PackageType::Zip)),
        Some(other) => Err(Fault::terminal(
            fractal_core::contract::params::PARAMETER_INVALID,
            format!("`{}` is no package type", other.escape_debug()),
        )
        .at("parameters.packageType")
        .next("use image or zip, or leave it out: it is told from the artifact")
        .into()),
    }
}
