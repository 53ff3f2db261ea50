//! Bringing one artifact to several places at once, and what came of it at each: publishing and copying are the same from here on.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fractal_core::artifact::{Digest, Reference};
use fractal_core::{Fault, Reason};
use fractal_registry::{
    Copied, CopyOptions, CopyProgress, CopyReport, Flaw, LeftBehind, Located, Registry,
    RegistryError, copy,
};
use serde::Serialize;

use super::parcel::Parcel;
use crate::error::registry::{told, told_of_push};
use crate::terminal::Terminal;

const FILE_CHANGED: Reason = Reason::new("FileChanged");
const INTERRUPTED: Reason = Reason::new("Interrupted");
/// How often progress is shown.
const TICK: Duration = Duration::from_millis(500);

/// An artifact in a registry, as the registry itself says after the push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The artifact's digest there.
    pub digest: Digest,
    /// Whether its manifest was read there; otherwise the digest is the registry's word.
    pub read_back: bool,
    /// Bytes that had to be sent; none where the registry had them all.
    pub sent: u64,
    /// Blobs and requests that it took.
    pub effort: Effort,
    /// Layers of a type that registries need not hold, which are not sent.
    pub not_distributable: Vec<Digest>,
    /// What refers to the artifact and was not taken.
    pub left_behind: Vec<Left>,
}

/// What bringing an artifact to one place took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Effort {
    /// Blobs sent.
    pub uploaded: u64,
    /// Blobs that the registry took from another of its repositories.
    pub mounted: u64,
    /// Blobs that were there already.
    pub existed: u64,
    /// Manifests written, those of referrers included; none where nothing changed.
    pub manifests: u64,
    /// Referrers that are there now: signatures, bills of materials, attestations.
    pub referrers: u64,
    /// Requests, those to the registry's token service included.
    pub requests: u64,
}

/// A referrer that a registry does not take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// The referrer.
    pub digest: Digest,
    /// Why.
    pub fault: Fault,
}

/// What came of every place, and what it took at the source.
#[derive(Debug)]
pub(crate) struct Delivery<P> {
    pub(crate) results: Vec<(P, Result<Arrival, Fault>)>,
    pub(crate) read: Read,
}

/// What was asked of the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Read {
    /// Bytes of blobs.
    pub(crate) bytes: u64,
    /// Blobs read once more, for places that failed under way.
    pub(crate) rereads: u64,
    /// Requests, where the source is a registry.
    pub(crate) requests: u64,
}

/// Pushes `parcel` to every reference of `to`, and says of each, in order, what came of it. One that fails stops no other.
pub async fn deliver(
    parcel: &Arc<Parcel>,
    registry: &Registry,
    to: &[Reference],
) -> Vec<(Reference, Result<Arrival, Fault>)> {
    let options = CopyOptions {
        referrers: false,
        thorough: true,
        ..CopyOptions::default()
    };
    push(parcel, registry, to, &options).await.results
}

/// The same, with the referrers that `options` ask for.
pub(super) async fn push(
    parcel: &Parcel,
    registry: &Registry,
    to: &[Reference],
    options: &CopyOptions,
) -> Delivery<Reference> {
    let located: Vec<Located> = to.iter().map(|to| registry.locate(to)).collect();
    let report = copy(parcel.located(), &located, options).await;
    Delivery::of(report, to, parcel.packed_file())
}

impl<P: Clone + Display> Delivery<P> {
    /// What a copy to the places `to` came to, of what was packed from `file` where there is one.
    pub(crate) fn of(report: CopyReport, to: &[P], file: Option<&Path>) -> Self {
        let read = Read {
            bytes: report.read_bytes,
            rereads: report.rereads,
            requests: report.requests,
        };
        let pushed = report.digest.is_some();
        let results = to.iter().zip(report.targets);
        let results = results.map(|(to, result)| {
            let result = result.map(Arrival::from);
            let fault = |error| match file {
                Some(file) if is_damaged(&error) => changed(file, error),
                _ if pushed => told_of_push(error, &to.to_string()),
                _ => told(error),
            };
            (to.clone(), result.map_err(fault))
        });
        Self {
            results: results.collect(),
            read,
        }
    }
}

impl From<Copied> for Arrival {
    fn from(copied: Copied) -> Self {
        let left_behind = copied.left_behind.into_iter();
        Self {
            digest: copied.digest,
            read_back: copied.read_back,
            sent: copied.uploaded_bytes,
            effort: Effort {
                uploaded: copied.uploaded,
                mounted: copied.mounted,
                existed: copied.existed,
                manifests: copied.manifests,
                referrers: copied.referrers,
                requests: copied.requests,
            },
            not_distributable: copied.not_distributable,
            left_behind: left_behind.map(Left::from).collect(),
        }
    }
}

impl From<LeftBehind> for Left {
    fn from(left: LeftBehind) -> Self {
        Self {
            digest: left.digest,
            fault: told(left.error),
        }
    }
}

/// Whether content on this machine is not what it was.
const fn is_damaged(error: &RegistryError) -> bool {
    matches!(
        error,
        RegistryError::Damaged {
            flaw: Flaw::Digest | Flaw::Size,
            ..
        }
    )
}

/// The digest of what is packed here was taken a moment ago.
fn changed(file: &Path, error: RegistryError) -> Fault {
    Fault::transient(FILE_CHANGED, "the file changed while it was published")
        .at(file.display())
        .because(error)
        .next("publish it again when nothing writes to it any more")
}

/// Runs `work` and shows meanwhile how far it is.
///
/// # Errors
/// Where it is interrupted from the keyboard.
pub(crate) async fn watched<T>(
    terminal: &Terminal,
    text: &str,
    progress: &CopyProgress,
    work: impl Future<Output = T>,
) -> Result<T, Fault> {
    let started = Instant::now();
    let mut tick = tokio::time::interval(TICK);
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(work, interrupted);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return Ok(done),
            Ok(()) = &mut interrupted => return Err(broken_off(progress)),
            _ = tick.tick() => {
                let seconds = started.elapsed().as_secs();
                terminal.progress(&format!("{seconds} s  {}{text}", far(progress)));
            }
        }
    }
}

fn broken_off(progress: &CopyProgress) -> Fault {
    let read = size(progress.read());
    Fault::transient(
        INTERRUPTED,
        "it was interrupted before everything had arrived",
    )
    .because(format!(
        "{read} had been read; no tag was moved to what is incomplete"
    ))
    .next("run the same command again: what has arrived is not sent again")
}

fn far(progress: &CopyProgress) -> String {
    match progress.expected() {
        0 => String::new(),
        expected => part(progress.read(), expected),
    }
}

fn part(read: u64, expected: u64) -> String {
    format!("{} of {}  ", size(read), size(expected))
}

/// A size for people, in the powers of ten that registries show.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    let unit = UNITS.into_iter().find(|(_, unit)| bytes >= *unit);
    match unit {
        Some((name, unit)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use fractal_registry::Options;
    use fractal_simcloud::{Registry as Simulated, RegistryConfig};

    use super::*;

    async fn parcel(folder: &std::path::Path, content: &str) -> Arc<Parcel> {
        use std::io::Write as _;
        let path = folder.join("orders.zip");
        let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        zip.start_file("app.py", zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(content.as_bytes()).unwrap();
        zip.finish().unwrap();
        Arc::new(Parcel::pack(path.to_str().unwrap(), None).await.unwrap())
    }

    #[tokio::test]
    async fn a_file_that_changes_after_it_was_packed_is_not_published() {
        let folder = tempfile::tempdir().unwrap();
        let server = Simulated::start(RegistryConfig::default()).await.unwrap();
        let registry = Registry::new(Options::on_loopback()).unwrap();
        let to: Reference = format!("{}/acme/orders:1", server.host()).parse().unwrap();
        let packed = parcel(folder.path(), "packed").await;
        for content in ["other!", "", "a good deal longer"] {
            parcel(folder.path(), content).await;
            let result = deliver(&packed, &registry, std::slice::from_ref(&to)).await;
            let fault = result[0].1.as_ref().unwrap_err();
            assert_eq!(fault.reason, FILE_CHANGED, "{content}: {fault}");
        }
        assert!(registry.resolve(&to).await.is_err());
    }

    #[test]
    fn progress_says_how_far_it_is_once_that_is_known() {
        assert_eq!(far(&CopyProgress::default()), "");
        assert_eq!(part(1_500_000, 12_345_678), "1.5 MB of 12.3 MB  ");
        assert_eq!(part(0, 10), "0 B of 10 B  ");
    }

    #[test]
    fn sizes_are_short() {
        let check = |bytes: u64, expected: &str| assert_eq!(size(bytes), expected);
        check(0, "0 B");
        check(999, "999 B");
        check(1_000, "1.0 kB");
        check(1_999_999, "1.9 MB");
        check(12_345_678_901, "12.3 GB");
    }
}
