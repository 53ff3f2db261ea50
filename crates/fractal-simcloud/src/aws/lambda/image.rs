//! Image URIs: only ECR names, resolved to a digest once, and only what Lambda can run.

use serde_json::Value;

use super::function::Code;
use super::{ApiError, Lambda, Scope, invalid};
use crate::registry::{Stored, is_repository, is_tag, sha256_digest};

const MANIFESTS: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];
const CONFIGS: [&str; 2] = [
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
];

pub(super) fn resolve(
    lambda: &Lambda,
    scope: &Scope,
    uri: &str,
    architecture: Option<&str>,
) -> Result<Code, ApiError> {
    let unusable = || {
        invalid(format!(
            "Source image {uri} is not valid. Provide a valid source image."
        ))
    };
    let (host, rest) = uri.split_once('/').ok_or_else(unusable)?;
    let (repository, reference) = split_reference(rest).ok_or_else(unusable)?;
    let (account, region) = ecr_host(host).ok_or_else(unusable)?;
    if region != scope.region {
        return Err(unusable());
    }
    if !lambda.accounts.iter().any(|known| known == account) {
        return Err(ApiError::new(
            403,
            "AccessDeniedException",
            "Lambda does not have permission to access the ECR image. Check the ECR permissions.",
        ));
    }
    let stored = lambda.shelf.find(repository, reference);
    let stored = stored.ok_or_else(|| {
        invalid(format!(
            "Source image {uri} does not exist. Provide a valid source image."
        ))
    })?;
    let config = runnable(&stored).ok_or_else(|| {
        invalid(format!("The image manifest, config or layer media type for the source image {uri} is not supported."))
    })?;
    let image = image_architecture(lambda, &config)
        .ok_or_else(|| invalid(format!("The image manifest, config or layer media type for the source image {uri} is not supported.")))?;
    let wanted = architecture.unwrap_or("x86_64");
    if image != wanted {
        return Err(invalid(format!(
            "The architecture of the source image {uri} is {image}, the function's is {wanted}."
        )));
    }
    let resolved = format!("{host}/{repository}@{}", stored.digest);
    Ok(Code::Image {
        uri: uri.to_owned(),
        resolved,
        digest: stored.digest,
        architecture: image.to_owned(),
    })
}

/// Account and region of `<account>.dkr.ecr.<region>.amazonaws.com`.
fn ecr_host(host: &str) -> Option<(&str, &str)> {
    let (account, rest) = host.split_once(".dkr.ecr.")?;
    let region = rest.strip_suffix(".amazonaws.com")?;
    (account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && !region.contains('.'))
    .then_some((account, region))
}

/// Repository and tag or digest; without either the tag is `latest`.
fn split_reference(text: &str) -> Option<(&str, &str)> {
    let (repository, reference) = match (text.split_once('@'), text.rsplit_once(':')) {
        (Some((repository, digest)), _) => (repository.split(':').next()?, digest),
        (None, Some((repository, tag))) => (repository, tag),
        (None, None) => (text, "latest"),
    };
    (is_repository(repository) && (sha256_digest(reference).is_some() || is_tag(reference)))
        .then_some((repository, reference))
}

/// The config digest's hex, when this is one image and no index or artifact.
fn runnable(stored: &Stored) -> Option<String> {
    MANIFESTS
        .contains(&stored.media_type.as_str())
        .then_some(())?;
    let manifest: Value = serde_json::from_slice(&stored.bytes).ok()?;
    let kind = manifest.pointer("/config/mediaType")?.as_str()?;
    CONFIGS.contains(&kind).then_some(())?;
    let layers = manifest.get("layers")?.as_array()?;
    let kinds = layers.iter().map(|layer| {
        layer
            .get("mediaType")
            .and_then(Value::as_str)
            .unwrap_or_default()
    });
    kinds.into_iter().all(is_layer).then_some(())?;
    sha256_digest(manifest.pointer("/config/digest")?.as_str()?).map(str::to_owned)
}

fn is_layer(kind: &str) -> bool {
    kind.starts_with("application/vnd.oci.image.layer.v1.tar")
        || kind.starts_with("application/vnd.docker.image.rootfs.diff.tar")
}

fn image_architecture(lambda: &Lambda, config: &str) -> Option<&'static str> {
    let config: Value =
        serde_json::from_slice(&std::fs::read(lambda.shelf.blob_path(config)).ok()?).ok()?;
    (config.get("os")?.as_str()? == "linux").then_some(())?;
    match config.get("architecture")?.as_str()? {
        "amd64" => Some("x86_64"),
        "arm64" => Some("arm64"),
        _ => None,
    }
}
