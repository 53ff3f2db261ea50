//! Rules for container images: platforms, index or single image, layers, sizes, and what the config says of running it.
//!
//! What only a pull could tell is not looked at: the unpacked size of compressed layers, and whether there is a runtime
//! interface client in an image for Lambda. The findings say so.

mod config;

use fractal_core::Fault;
use fractal_core::artifact::{Descriptor, Digest, ImageIndex};

pub use config::ImageSettings;

use super::finding::{Finding, shown};
use super::limits::{Bytes, CLOUD_RUN_LAYER, FARGATE_STORAGE, LAMBDA_IMAGE};
use super::{Settings, Target};
use crate::image::select_image;

/// Layers that a registry need not hold.
/// <https://github.com/opencontainers/image-spec/blob/main/layer.md#non-distributable-layers>
const FOREIGN: [&str; 2] = ["nondistributable", ".foreign."];
const OCI_LAYERS: &str = "https://github.com/opencontainers/image-spec/blob/main/layer.md";
const LAMBDA_IMAGES: &str = "https://docs.aws.amazon.com/lambda/latest/dg/images-create.html";
const CLOUD_RUN_CONTRACT: &str = "https://cloud.google.com/run/docs/container-contract";
const APP_RUNNER_PORT: &str = "https://docs.aws.amazon.com/apprunner/latest/dg/develop.html";
/// Where Cloud Run and App Runner send requests unless a service says otherwise.
const PORT: u16 = 8080;

/// An image, or an index of some.
#[derive(Debug, Clone)]
pub struct ImageSubject {
    /// Of an index, the index.
    pub index: Option<ImageIndex>,
    /// Its images, as far as they were read; attestations are none.
    pub images: Vec<PlatformImage>,
}

/// One image for one platform.
#[derive(Debug, Clone)]
pub struct PlatformImage {
    /// Digest of its manifest.
    pub digest: Digest,
    /// Operating system in Go's words.
    pub os: String,
    /// CPU architecture in Go's words.
    pub architecture: String,
    /// Architecture variant.
    pub variant: Option<String>,
    /// Its layers, where they were read.
    pub layers: Vec<Descriptor>,
    /// What its config says, where it was read.
    pub settings: Option<ImageSettings>,
}

impl PlatformImage {
    /// Its platform, as `linux/arm64/v8`; control characters of hostile configs escaped.
    #[must_use]
    pub fn platform(&self) -> String {
        let variant = self.variant.as_deref().map(shown);
        let variant = variant.map(|variant| format!("/{variant}"));
        let (os, architecture) = (shown(&self.os), shown(&self.architecture));
        format!("{os}/{architecture}{}", variant.unwrap_or_default())
    }

    /// Bytes after unpacking at least: a compressed layer is taken for its compressed size.
    fn least(&self) -> u64 {
        let sizes = self.layers.iter().map(|layer| layer.size);
        sizes.fold(0, u64::saturating_add)
    }
}

pub(super) fn check(image: &ImageSubject, target: Target, settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(plan(target, settings));
    findings.extend(legacy(target));
    match chosen(image, target) {
        Ok((image, more)) => {
            findings.extend(more);
            findings.extend(layers(image, target));
            findings.extend(sizes(image, target));
            match &image.settings {
                Some(config) => config::check(config, target, &image.platform(), &mut findings),
                None => findings.push(config_unread(image)),
            }
            findings.extend(unknown(target));
        }
        Err(finding) => findings.push(*finding),
    }
    findings
}

/// Whether the Azure plan runs images at all.
fn plan(target: Target, settings: &Settings) -> Option<Finding> {
    const SOURCE: &str =
        "https://learn.microsoft.com/azure/azure-functions/functions-deployment-technologies";
    if target != Target::AzureFunctions {
        return None;
    }
    match settings.plan {
        Some(plan) if plan.runs_images() => None,
        Some(plan) => {
            let what = format!("the {} plan runs no container images", plan.as_str());
            let fix = "choose a Premium or Dedicated plan, or Azure Container Apps; or publish a function zip";
            Some(Finding::error("azure-plan", what).said_by(SOURCE).fix(fix))
        }
        None => {
            let what = "container images run on Premium and Dedicated plans only";
            let fix =
                "choose one of these plans; Flex Consumption and Consumption take a function zip";
            Some(Finding::note("azure-plan", what).said_by(SOURCE).fix(fix))
        }
    }
}

fn config_unread(image: &PlatformImage) -> Finding {
    let what = "not checked: command, user and ports, since the image's config could not be read";
    Finding::note("not-checked", what).at(image.platform())
}

fn legacy(target: Target) -> Option<Finding> {
    (target == Target::AwsAppRunner).then(|| {
        Finding::note(
            "legacy-service",
            "App Runner takes no new customers since 2026-04-30",
        )
        .said_by(
            "https://docs.aws.amazon.com/apprunner/latest/dg/apprunner-availability-change.html",
        )
        .fix("choose AWS ECS for new services")
    })
}

type Chosen<'a> = (&'a PlatformImage, Option<Finding>);

/// The image that the target runs.
fn chosen(image: &ImageSubject, target: Target) -> Result<Chosen<'_>, Box<Finding>> {
    let Some(index) = &image.index else {
        let [only] = image.images.as_slice() else {
            return Err(Box::new(architecture(image, target)));
        };
        let finding = || Box::new(architecture(image, target));
        return runs(only, target)
            .then_some((only, None))
            .ok_or_else(finding);
    };
    let wanted = wanted(image, target);
    let selected = select_image(index, &wanted).map_err(|error| {
        let fix = Fault::from(error);
        let rule = match fix.reason.as_str() {
            "IndexNoMatch" => "architecture",
            _ => "index",
        };
        Box::new(Finding::error(rule, fix.what).fix(fix.next.unwrap_or_default()))
    })?;
    let child = &selected.descriptor.digest;
    let found = image.images.iter().find(|image| image.digest == *child);
    let found = found.ok_or_else(|| Box::new(architecture(image, target)))?;
    // https://docs.aws.amazon.com/lambda/latest/dg/images-create.html#images-reqs
    let lambda = (target == Target::AwsLambda).then(|| {
        Finding::note(
            "index-child",
            "Lambda takes no index, so it is given the one image in it",
        )
        .at(format!("{} {child}", found.platform()))
        .said_by(LAMBDA_IMAGES)
    });
    Ok((found, lambda))
}

/// The processors to choose among: the target's, or those that the index has.
fn wanted<'a>(image: &'a ImageSubject, target: Target) -> Vec<&'a str> {
    let fixed = target.architectures();
    if !fixed.is_empty() {
        return fixed.to_vec();
    }
    let mut own: Vec<&'a str> = image
        .images
        .iter()
        .filter(|image| image.os == "linux")
        .map(|image| image.architecture.as_str())
        .collect();
    own.sort_unstable();
    own.dedup();
    if own.is_empty() {
        vec!["amd64", "arm64"]
    } else {
        own
    }
}

fn runs(image: &PlatformImage, target: Target) -> bool {
    let architectures = target.architectures();
    image.os == "linux"
        && (architectures.is_empty() || architectures.contains(&image.architecture.as_str()))
}

fn architecture(image: &ImageSubject, target: Target) -> Finding {
    let has: Vec<String> = image.images.iter().map(PlatformImage::platform).collect();
    let architectures = match target.architectures() {
        [] => &["amd64", "arm64"],
        some => some,
    };
    let wanted: Vec<String> = architectures
        .iter()
        .map(|one| format!("linux/{one}"))
        .collect();
    let wanted = wanted.join(" or ");
    let what = format!("the image is for {}", has.join(", "));
    let finding = Finding::error("architecture", what)
        .because(format!("{} runs {wanted}", target.title()))
        .fix(format!("build it for {wanted} too and push again"));
    match target {
        Target::GcpCloudRun => finding.said_by(CLOUD_RUN_CONTRACT),
        Target::AzureContainerApps => {
            finding.said_by("https://learn.microsoft.com/azure/container-apps/containers")
        }
        Target::AwsLambda => finding.said_by(LAMBDA_IMAGES),
        Target::AwsAppRunner => {
            finding.said_by("https://github.com/aws/apprunner-roadmap/issues/79")
        }
        _ => finding,
    }
}

fn layers(image: &PlatformImage, target: Target) -> Vec<Finding> {
    let foreign = image.layers.iter().filter(|layer| {
        let media_type = layer.media_type.as_str();
        FOREIGN.iter().any(|word| media_type.contains(word))
    });
    let mut findings: Vec<Finding> = foreign
        .map(|layer| {
            let what = format!("a layer is of the type `{}`", shown(&layer.media_type));
            Finding::warning("image-foreign-layer", what)
                .at(layer.digest.to_string())
                .because("a registry need not hold such layers, so a copy may lack their bytes")
                .said_by(OCI_LAYERS)
                .fix("build on a base image whose layers may be pushed")
        })
        .collect();
    let zstd = image
        .layers
        .iter()
        .find(|layer| layer.media_type.ends_with("zstd"));
    findings.extend(zstd.and_then(|layer| zstd_layer(layer, target)));
    findings
}

/// Of zstd, only Cloud Run, Fargate and containerd say that they take it.
fn zstd_layer(layer: &Descriptor, target: Target) -> Option<Finding> {
    let documented = match target {
        Target::AwsLambda => "Lambda's documentation names no zstd layers among what it takes",
        Target::AwsAppRunner => {
            "App Runner's documentation names no zstd layers among what it takes"
        }
        Target::AwsEcs => "container instances with an old Docker fail on zstd; Fargate takes it",
        _ => return None,
    };
    let source = match target {
        Target::AwsLambda => LAMBDA_IMAGES,
        Target::AwsAppRunner => APP_RUNNER_PORT,
        _ => "https://github.com/aws/amazon-ecs-agent/issues/4179",
    };
    let finding = Finding::warning("image-zstd-layer", "a layer is compressed with zstd")
        .at(layer.digest.to_string())
        .because(documented)
        .said_by(source);
    Some(finding.fix("build with gzip layers, as `docker buildx build --output type=image,compression=gzip,force-compression=true` does"))
}

fn sizes(image: &PlatformImage, target: Target) -> Vec<Finding> {
    let least = image.least();
    let sum = |limit: Bytes| limit.over(least, "the layers have at least");
    match target {
        Target::AwsLambda => sum(LAMBDA_IMAGE)
            .map(|finding| finding.fix("make the image smaller, or run it on AWS ECS"))
            .into_iter()
            .collect(),
        Target::AwsEcs => FARGATE_STORAGE
            .over_softly(least, "the layers have at least")
            .map(|finding| finding.fix("ask for more ephemeral storage: up to 200 GiB"))
            .into_iter()
            .collect(),
        Target::GcpCloudRun => image
            .layers
            .iter()
            .filter_map(|layer| {
                let finding = CLOUD_RUN_LAYER.over_softly(layer.size, "a layer has")?;
                Some(
                    finding
                        .at(layer.digest.to_string())
                        .because("the limit holds for images of Docker Hub and remote repositories")
                        .fix("push it to an Artifact Registry repository of its own, or split the layer"),
                )
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// What cannot be told from the manifest and the config.
fn unknown(target: Target) -> Option<Finding> {
    (target == Target::AwsLambda).then(|| {
        let what = "not checked: whether the image has a runtime interface client, and its unpacked size";
        Finding::note("not-checked", what)
            .because(format!(
                "only its unpacked layers say; Lambda takes at most {} bytes of them",
                LAMBDA_IMAGE.max
            ))
            .said_by("https://docs.aws.amazon.com/lambda/latest/dg/images-create.html#runtimes-images-custom")
            .fix("build on an AWS base image, or add the client for the language")
    })
}
