//! `copy`: an artifact of any kind, byte by byte, from where it lies to several places at once.
//!
//! Nothing is packed, checked for its kind, or changed: that is what `publish` is for.

use std::fmt;
use std::path::Path;

use fractal_core::artifact::{ArtifactUri, Digest, Layout, Reference};
use fractal_core::{Fault, Reason};
use fractal_registry::{CopyOptions, Located, OciLayout, Registry, Site, copy};
use serde::{Serialize, Serializer};

use crate::error::CliError;
use crate::publish::delivery::{Delivery, watched};
use crate::publish::receipt::{self, Subject};
use crate::publish::{TakenArgs, archive, count, remote};
use crate::registry::RegistryArgs;
use crate::terminal::Terminal;
use fractal_core::Exit;

const UNRESOLVED: Reason = Reason::new("RegistryUnresolved");

/// Flags of `copy`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fractal copy ghcr.io/acme/orders:1.4.2 acme.azurecr.io/orders:1.4.2 registry.acme.dev/orders:1
  fractal copy ghcr.io/acme/orders@sha256:DIGEST acme.azurecr.io/orders:live
  fractal copy ghcr.io/acme/orders:1.4.2 oci-layout:backup:1.4.2
  fractal copy oci-layout:backup:1.4.2 ghcr.io/acme/orders:1.4.2
  fractal copy oci-layout:backup:1.4.2 ghcr.io/acme/orders:1.4.2 --thorough
  fractal copy images.tar ghcr.io/acme/orders:1.4.2 --image acme/orders:1.4.2

Each blob is read once, whatever the number of places, and a place that has it is not sent it again:
a copy that broke off is taken up by running it again.
A registry mounts what another of its repositories has.
Manifests follow what they name, a tag moves last, and what was written is read back.
Signatures, bills of materials and attestations travel along, by the referrers API or the tags that
stand in for it.
A place whose tag names the artifact already is believed; --thorough looks whether all of it is
there, and mends what a registry lost.
With --no-referrers, a copy that changes nothing costs one HEAD at the source and one at each place.

Exit code 0: every place has it. 1: one cannot get it, the others do.
75: one could not be reached; try again.")]
pub(crate) struct CopyArgs {
    /// HOST/REPOSITORY:TAG, an OCI layout folder (or oci-layout:FOLDER[:TAG]), or an image archive
    #[arg(value_name = "FROM")]
    from: String,
    /// Where to, each as HOST/REPOSITORY:TAG or oci-layout:FOLDER[:TAG]
    #[arg(value_name = "TO", required = true)]
    to: Vec<String>,
    /// Takes no place's word: reads its manifests, asks for each blob, and sends again what it lost
    #[arg(long)]
    thorough: bool,
    #[command(flatten)]
    taken: TakenArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// A place that is copied to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Registry(Reference),
    Layout(Layout),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(reference) => reference.fmt(f),
            Self::Layout(layout) => ArtifactUri::Layout(layout.clone()).fmt(f),
        }
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Place {
    fn located(&self, registry: &Registry) -> Located {
        match self {
            Self::Registry(reference) => registry.locate(reference),
            Self::Layout(layout) => layout.into(),
        }
    }

    const fn reference(&self) -> Option<&Reference> {
        match self {
            Self::Registry(reference) => Some(reference),
            Self::Layout(_) => None,
        }
    }
}

pub(crate) async fn run(terminal: &Terminal, args: CopyArgs) -> Result<Exit, CliError> {
    let places = places(&args.to)?;
    let remote = remote(&args.from);
    let named = places.iter().filter_map(Place::reference);
    let references: Vec<Reference> = named.chain(&remote).cloned().collect();
    let registry = args.registry.client(&references)?;
    let mut from = match remote {
        Some(reference) => registry.locate(&reference),
        None => local(&args.from, args.taken.image.as_deref()).await?,
    };
    let to: Vec<Located> = places
        .iter()
        .map(|place| place.located(&registry))
        .collect();
    same_digest(&mut from, &places, &to).await?;
    let options = CopyOptions {
        thorough: args.thorough,
        ..args.taken.options()
    };
    let text = format!("copying {} to {}", args.from, count(to.len()));
    let copying = copy(&from, &to, &options);
    let report = watched(terminal, &text, &options.progress, copying).await?;
    let digest = report.digest.clone();
    let delivery = Delivery::of(report, &places, None);
    let subject = Subject {
        artifact: &args.from,
        kind: None,
        digest: digest.as_ref(),
    };
    Ok(receipt::print(terminal, &subject, &delivery))
}

/// What lies on this machine.
async fn local(from: &str, image: Option<&str>) -> Result<Located, CliError> {
    let path = Path::new(from);
    if !path.exists() {
        return match from.parse() {
            Ok(ArtifactUri::Layout(layout)) => Ok((&layout).into()),
            Ok(ArtifactUri::Abstract(coordinate)) => {
                let what = "no such file or folder, and the reference names no registry";
                Err(Fault::blocked(UNRESOLVED, what)
                    .at(&coordinate)
                    .next(format!(
                        "name a file or folder that exists, or write it with its registry: HOST/{coordinate}"
                    ))
                    .into())
            }
            Ok(ArtifactUri::Registry(_)) | Err(_) => {
                let missing = std::io::ErrorKind::NotFound.into();
                Err(CliError::file(path, missing))
            }
        };
    }
    if path.is_dir() {
        return Ok(Located {
            site: Site::Layout(OciLayout::new(path)),
            tag: None,
            digest: None,
        });
    }
    if !path.is_file() || !archive::is_tar(path)? {
        if let (true, Some(program)) = (path.is_file(), archive::compression(path)?) {
            return Err(archive::compressed(path, program).into());
        }
        let what = format!(
            "{} is neither an OCI layout nor an image archive",
            path.display()
        );
        let next = "a zip or a wheel becomes an artifact with `fractal publish`";
        return Err(CliError::usage(what, next));
    }
    Ok(archive::open(path, image).await?.into())
}

/// Where to, each once; in a registry with a tag or digest.
fn places(texts: &[String]) -> Result<Vec<Place>, CliError> {
    let mut places: Vec<Place> = Vec::new();
    for text in texts {
        let place = match text.parse() {
            Ok(ArtifactUri::Layout(layout)) => Place::Layout(layout),
            _ => {
                let mut reference = crate::publish::targets(std::slice::from_ref(text))?;
                reference.pop().map_or_else(
                    || {
                        Err(CliError::usage(
                            "no place is named",
                            "write HOST/REPOSITORY:TAG",
                        ))
                    },
                    |reference| Ok(Place::Registry(reference)),
                )?
            }
        };
        if !places.contains(&place) {
            places.push(place);
        }
    }
    Ok(places)
}

/// A place with a digest can only take what has that digest: nothing is sent to find that out.
async fn same_digest(from: &mut Located, places: &[Place], to: &[Located]) -> Result<(), CliError> {
    let wanted = places.iter().zip(to);
    let wanted: Vec<(&Place, &Digest)> = wanted
        .filter_map(|(place, to)| Some((place, to.digest.as_ref()?)))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let digest = from.resolve().await?.digest;
    if let Some((place, _)) = wanted.iter().find(|(_, wanted)| **wanted != digest) {
        let what = format!("{place} names another digest than the source has");
        let next = format!("the source has {digest}: write that, or a tag");
        return Err(CliError::usage(what, next));
    }
    from.digest = Some(digest);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_reference_with_a_version_or_a_layout() {
        let parse = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
            places(&texts).map(|places| places.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let twice = ["ghcr.io/a/b:1", "oci://ghcr.io/a/b:1", "oci-layout:x:1"];
        assert_eq!(parse(&twice).unwrap(), ["ghcr.io/a/b:1", "oci-layout:x:1"]);
        for text in ["a/b:1", "ghcr.io/a/b", "", "./folder"] {
            assert!(parse(&[text]).is_err(), "{text}");
        }
    }
}
