//! `manifests push`: a repository's `.fractal` folder, checked, packed the same way every time, and pushed.

use std::path::Path;
use std::sync::Arc;

use fractal_artifact::manifests::Level;
use fractal_core::artifact::{Digest, Reference, Tag};
use fractal_core::{Fault, Reason};
use fractal_registry::Registry;
use serde::Serialize;

use super::bundle::Bundle;
use super::check::{Check, Checked, Found};
use super::folder::{self, Packed};
use super::lint;
use crate::error::CliError;
use crate::publish::receipt::{self, Line, Results, Subject};
use crate::publish::{Arrival, Parcel, count, deliver, same_digest, targets};
use crate::registry::RegistryArgs;
use crate::terminal::{Format, Terminal, plain};
use fractal_core::Exit;

const REFUSED: Reason = Reason::new("BundleInvalid");

/// Flags of `manifests push`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "fractal manifests push [OPTIONS] [DIR] <REFERENCE>...",
    after_help = "\
Examples:
  fractal manifests push ghcr.io/acme/shop-manifests:$GITHUB_SHA --tag latest
  fractal manifests push services/shop acme.azurecr.io/shop-manifests:1.4.2 ghcr.io/acme/shop:1.4.2

The bundle is DIR/.fractal, by default of the folder you are in. It is checked as by
`fractal manifests lint`, and errors stop it.
Files of editors and systems are left out: ._*  .DS_Store  *~  *.swp  *.swo  #*#  .#*

The same files give the same digest on every machine and in every registry. Pin that digest:
withManifestUri('oci://HOST/REPOSITORY@sha256:...').

With tar and oras the digest depends on times and owners of the files; everything else is the same:
  tar -cf manifests.tar .fractal
  oras push HOST/REPOSITORY:TAG \\
    --artifact-type application/vnd.fractal.workload-manifests.v1+tar \\
    manifests.tar:application/vnd.fractal.workload-manifests.v1+tar"
)]
pub(crate) struct PushArgs {
    /// The repository's folder, then where to, each as HOST/REPOSITORY:TAG
    #[arg(value_name = "DIR|REFERENCE", required = true)]
    places: Vec<String>,
    /// Another tag for what was pushed, in every repository; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<Tag>,
    /// Pushes without checking
    #[arg(long)]
    no_lint: bool,
    #[command(flatten)]
    registry: RegistryArgs,
}

pub(crate) async fn run(terminal: &Terminal, args: PushArgs) -> Result<Exit, CliError> {
    let (folder, to) = split(&args.places);
    if to.is_empty() {
        let what = "no registry is named";
        let next = "write where to push: fractal manifests push HOST/REPOSITORY:TAG";
        return Err(CliError::usage(what, next));
    }
    let to = targets(to)?;
    let packed = folder::pack(Path::new(folder))?;
    let checked = if args.no_lint {
        None
    } else {
        Some(checked(terminal, &packed)?)
    };
    let parcel = Arc::new(Parcel::bundle(packed.tar)?);
    same_digest(&parcel, &to)?;
    let registry = args.registry.client(&to)?;
    let text = format!("pushing {} to {}", parcel.name(), count(to.len()));
    let pushing = pushed(&parcel, &registry, &to, &args.tags);
    let results = terminal.during(&text, pushing).await;
    let receipt = Receipt {
        artifact: parcel.name(),
        kind: parcel.kind().as_str(),
        digest: parcel.digest(),
        files: packed.count,
        left_out: packed.left_out,
        warnings: checked.map(|checked| checked.findings).unwrap_or_default(),
        published: receipt::lines(&results),
        tagged_from: to.len(),
        pinned: pinned(&results),
    };
    match terminal.format() {
        Format::Json => terminal.json(&receipt),
        Format::Text => print(terminal, &parcel, &receipt, &results),
    }
    Ok(receipt::exit(terminal, &results))
}

/// Pushes to every reference, and then sets the tags where it has arrived: of that, nothing but the manifest is sent again.
async fn pushed(
    parcel: &Arc<Parcel>,
    registry: &Registry,
    to: &[Reference],
    tags: &[Tag],
) -> Vec<(Reference, Result<Arrival, Fault>)> {
    let mut results = deliver(parcel, registry, to).await;
    let tagged = tagged(&results, tags);
    results.extend(deliver(parcel, registry, &tagged).await);
    results
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Receipt<'a> {
    artifact: &'a str,
    kind: &'static str,
    digest: &'a Digest,
    files: usize,
    left_out: Vec<String>,
    warnings: Vec<Found>,
    published: Vec<Line<'a>>,
    /// Where among them the further tags begin.
    #[serde(skip)]
    tagged_from: usize,
    /// What a live system pins, one for each repository.
    pinned: Vec<String>,
}

/// The first place is a folder where it is one, or could only be one.
fn split(places: &[String]) -> (&str, &[String]) {
    match places.split_first() {
        Some((first, rest)) if is_folder(first) => (first, rest),
        _ => (".", places),
    }
}

fn is_folder(place: &str) -> bool {
    let path = Path::new(place);
    path.is_dir() || path.is_absolute() || place.starts_with('.') || place.ends_with('/')
}

/// Checks the folder and prints what was found; errors stop everything.
fn checked(terminal: &Terminal, packed: &Packed) -> Result<Checked, CliError> {
    let bundle = Bundle::of_folder(&packed.root, packed.files.clone());
    let checked = Check::of(&bundle, None).run();
    if terminal.format() == Format::Text {
        terminal.notes(lint::lines(&bundle, &checked, terminal.error_paint()));
    }
    let mut errors = checked.findings.iter().map(|it| &it.finding);
    let Some(first) = errors.find(|it| it.level == Level::Error) else {
        return Ok(checked);
    };
    Err(
        Fault::terminal(REFUSED, "the bundle would be refused: nothing was pushed")
            .at(packed.root.display())
            .because(format!(
                "errors: {}; the first: {}",
                checked.errors, first.what
            ))
            .next("correct what `fractal manifests lint` finds, or push it as it is with --no-lint")
            .into(),
    )
}

/// The repositories that have the bundle now, each under each tag.
fn tagged(results: &Results, tags: &[Tag]) -> Vec<Reference> {
    let mut tagged = Vec::new();
    for (reference, _) in results.iter().filter(|(_, result)| result.is_ok()) {
        for tag in tags.iter().filter(|tag| reference.tag() != Some(tag)) {
            let (host, repository) = (reference.host().clone(), reference.repository().clone());
            let more = Reference::by_tag(host, repository, tag.clone());
            let known = results.iter().any(|(known, _)| *known == more);
            if !known && !tagged.contains(&more) {
                tagged.push(more);
            }
        }
    }
    tagged
}

/// Each repository once, in the order they were named.
fn pinned(results: &Results) -> Vec<String> {
    let mut pinned = Vec::new();
    for one in results.iter().filter_map(pin) {
        if !pinned.contains(&one) {
            pinned.push(one);
        }
    }
    pinned
}

fn pin((reference, result): &(Reference, Result<Arrival, Fault>)) -> Option<String> {
    let digest = &result.as_ref().ok()?.digest;
    let (host, repository) = (reference.host(), reference.repository());
    Some(format!("oci://{host}/{repository}@{digest}"))
}

fn print(terminal: &Terminal, parcel: &Parcel, receipt: &Receipt<'_>, results: &Results) {
    let (pushed, tagged) = results.split_at(receipt.tagged_from.min(results.len()));
    let subject = Subject::parcel(parcel);
    receipt::text(terminal, &subject, pushed, tagged);
    if !receipt.left_out.is_empty() {
        terminal.line(&format!(
            "left out: {}",
            plain(&receipt.left_out.join(", "))
        ));
    }
    for pinned in &receipt.pinned {
        terminal.line(&format!("manifestUri: {pinned}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::Effort;

    #[test]
    fn the_first_place_may_be_a_folder() {
        let split = |places: &[&str]| {
            let places: Vec<String> = places.iter().map(ToString::to_string).collect();
            let (folder, to) = split(&places);
            (folder.to_owned(), to.len())
        };
        assert_eq!(split(&["ghcr.io/a/b:1"]), (".".into(), 1));
        assert_eq!(split(&["..", "ghcr.io/a/b:1"]), ("..".into(), 1));
        assert_eq!(split(&["absent/", "ghcr.io/a/b:1"]), ("absent/".into(), 1));
        assert_eq!(split(&["./x"]), ("./x".into(), 0));
    }

    #[test]
    fn further_tags_follow_what_arrived_and_nothing_else() {
        let reference = |text: &str| text.parse::<Reference>().unwrap();
        let arrival = Ok(Arrival {
            digest: Digest::sha256("x"),
            read_back: true,
            sent: 0,
            effort: Effort::default(),
            not_distributable: Vec::new(),
            left_behind: Vec::new(),
        });
        let failed = Err(Fault::terminal(REFUSED, "x"));
        let results = [
            (reference("ghcr.io/a/b:1"), arrival.clone()),
            (reference("ghcr.io/a/b:latest"), arrival),
            (reference("acme.io/a/b:1"), failed),
        ];
        let tags = ["latest".parse().unwrap(), "prod".parse().unwrap()];
        let expected = [reference("ghcr.io/a/b:prod")];
        assert_eq!(tagged(&results, &tags), expected);
        assert_eq!(pinned(&results).len(), 1);
    }
}
