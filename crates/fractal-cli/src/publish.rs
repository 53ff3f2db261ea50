//! `publish`: one artifact, packed once, pushed to every registry named, and each digest read back.

use std::path::Path;

use fractal_core::artifact::{ArtifactKind, ArtifactUri, Reference};
use fractal_registry::CopyOptions;

use crate::artifact::Source;
use crate::error::CliError;
use crate::registry::RegistryArgs;
use crate::terminal::Terminal;
use fractal_core::Exit;

pub(crate) mod archive;
pub(crate) mod delivery;
mod docker;
mod parcel;
pub(crate) mod receipt;
mod tar;
mod wheel;
mod zip;

pub use delivery::{Arrival, Effort, Left, deliver};
pub use parcel::Parcel;
pub use wheel::WrongName;

/// Flags of `publish`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fractal publish orders.zip ghcr.io/acme/orders:1.4.2
  fractal publish etl-2.0-py3-none-any.whl acme.azurecr.io/etl:2.0 registry.acme.dev/etl:2.0
  fractal publish oci-layout:build/image:1.4.2 ghcr.io/acme/orders:1.4.2
  docker save orders:1.4.2 -o orders.tar
  fractal publish orders.tar ghcr.io/acme/orders:1.4.2
  fractal publish ghcr.io/acme/orders:1.4.2 acme.azurecr.io/orders:1.4.2
  aws ecr get-login-password | fractal publish orders.zip \\
    ACCOUNT.dkr.ecr.REGION.amazonaws.com/orders:1 --username AWS --password-stdin

The same file under the same name gives the same digest, here and in every registry: the name is
part of the manifest.
Every registry gets the bytes of one read, at once. What is there already is not sent: each manifest
is read back and each blob asked for, so what a registry lost is mended.
To copy what is no such artifact, or into an OCI layout, use `fractal copy`.

Credentials are read from nowhere unless a flag says so: after `docker login HOST`, add
--registry-config ~/.docker/config.json.
Exit code 0: every registry has it. 1: one cannot get it, the others do.
75: one could not be reached; try again.")]
pub(crate) struct PublishArgs {
    /// A function zip, a wheel, an OCI layout folder (or oci-layout:FOLDER[:TAG]), an image archive, or HOST/REPOSITORY:TAG
    #[arg(value_name = "FROM")]
    from: String,
    /// Where to, each as HOST/REPOSITORY:TAG
    #[arg(value_name = "TO", required = true)]
    to: Vec<String>,
    /// What the artifact is, where its name does not say so
    #[arg(long)]
    kind: Option<Kind>,
    #[command(flatten)]
    taken: TakenArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// What is taken of the source.
#[derive(Debug, clap::Args)]
pub(crate) struct TakenArgs {
    /// Which image of an archive that holds several
    #[arg(long, value_name = "NAME")]
    pub(crate) image: Option<String>,
    /// Leaves behind what refers to the artifact: signatures, bills of materials, attestations
    #[arg(long)]
    no_referrers: bool,
}

impl TakenArgs {
    pub(crate) fn options(&self) -> CopyOptions {
        CopyOptions {
            referrers: !self.no_referrers,
            ..CopyOptions::default()
        }
    }
}

/// Kinds of artifact that can be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum Kind {
    Container,
    FunctionZip,
    PythonWheel,
}

impl From<Kind> for ArtifactKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Container => Self::Container,
            Kind::FunctionZip => Self::FunctionZip,
            Kind::PythonWheel => Self::PythonWheel,
        }
    }
}

pub(crate) async fn run(terminal: &Terminal, args: PublishArgs) -> Result<Exit, CliError> {
    let to = targets(&args.to)?;
    let remote = remote(&args.from);
    let registry = args
        .registry
        .client(&[to.as_slice(), remote.as_slice()].concat())?;
    let kind = args.kind.map(ArtifactKind::from);
    let packing = async {
        match remote.clone() {
            Some(from) => {
                let source = Source::Registry(registry.clone(), from);
                Parcel::whole(&args.from, source, kind).await
            }
            None => Parcel::of_path(&args.from, kind, args.taken.image.as_deref()).await,
        }
    };
    let parcel = terminal
        .during(&format!("reading {}", args.from), packing)
        .await?;
    same_digest(&parcel, &to)?;
    let text = format!("pushing {} to {}", parcel.name(), count(to.len()));
    let options = CopyOptions {
        thorough: true,
        ..args.taken.options()
    };
    let pushing = delivery::push(&parcel, &registry, &to, &options);
    let delivery = delivery::watched(terminal, &text, &options.progress, pushing).await?;
    let subject = receipt::Subject::parcel(&parcel);
    Ok(receipt::print(terminal, &subject, &delivery))
}

/// What lies in a registry, unless a file of that name is meant.
pub(crate) fn remote(from: &str) -> Option<Reference> {
    match from.parse() {
        Ok(ArtifactUri::Registry(reference)) if !Path::new(from).exists() => Some(reference),
        _ => None,
    }
}

pub(crate) fn count(registries: usize) -> String {
    if registries == 1 {
        "one place".into()
    } else {
        format!("{registries} places")
    }
}

/// Where to, each once, each with a tag or digest: pushing to `latest` because nothing was said helps nobody.
pub(crate) fn targets(texts: &[String]) -> Result<Vec<Reference>, CliError> {
    let mut to: Vec<Reference> = Vec::new();
    for text in texts {
        let reference: Reference = text
            .parse()
            .map_err(|source| CliError::reference(text, source))?;
        if reference.tag().is_none() && reference.digest().is_none() {
            let what = format!("{reference} names no version");
            return Err(CliError::usage(
                what,
                format!("write it with a tag: {reference}:1.0.0"),
            ));
        }
        if !to.contains(&reference) {
            to.push(reference);
        }
    }
    Ok(to)
}

/// A reference with a digest can only take what has that digest: nothing is sent to find that out.
pub(crate) fn same_digest(parcel: &Parcel, to: &[Reference]) -> Result<(), CliError> {
    let other = to.iter().find_map(|to| {
        let digest = to.digest()?;
        (digest != parcel.digest()).then_some((to, digest))
    });
    let Some((to, digest)) = other else {
        return Ok(());
    };
    let what = format!("{digest} is not the digest of {}", parcel.name());
    let name = format!("{}/{}", to.host(), to.repository());
    let own = parcel.digest();
    let next = format!("it has {own}: write {name}@{own}, or a tag: {name}:1.0.0");
    Err(CliError::usage(what, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_a_host_and_a_version_and_is_taken_once() {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let twice = texts(&["ghcr.io/a/b:1", "oci://ghcr.io/a/b:1"]);
        assert_eq!(targets(&twice).unwrap().len(), 1);
        for text in [
            "a/b:1",
            "ghcr.io/a/b",
            "ghcr.io/A:1",
            "https://ghcr.io/a/b:1",
            "",
        ] {
            assert!(targets(&texts(&[text])).is_err(), "{text}");
        }
    }
}
