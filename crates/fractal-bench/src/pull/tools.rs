//! The programs that read one blob: ours, the least there can be, and everyone else's.

use fractal_core::artifact::Reference;

use crate::blob::Blob;
use crate::distribution::Exchange;
use crate::error::Error;
use crate::launch::{Ground, Line, Runs, Scheme};
use crate::programs::{self, Found};

pub(super) const OURS: &str = "fractal-registry";
pub(super) const FLOOR: &str = "floor";
pub(super) const CURL: &str = "curl";
pub(super) const CRANE: &str = "crane blob";
pub(super) const REGCTL: &str = "regctl blob get";
pub(super) const OCI_CLIENT: &str = "oci-client pull_blob";
pub(super) const SKOPEO: &str = "skopeo copy to dir";
const REPOSITORY: &str = "bench/blob";

/// One of them, and its runs so far.
pub(super) struct Tool {
    pub(super) name: &'static str,
    pub(super) version: String,
    pub(super) verifies: bool,
    /// Whether what it reads ends up in the file that all write over.
    pub(super) to_sink: bool,
    /// Absent where it is not on this machine, or cannot do this.
    pub(super) line: Option<Line>,
    pub(super) runs: Runs,
    /// What the registry was asked in the last run.
    pub(super) asked: Vec<Exchange>,
}

pub(super) fn reference(host: &str) -> Result<Reference, Error> {
    let text = format!("{host}/{REPOSITORY}:1");
    text.parse()
        .map_err(|error| Error::unexpected("a reference", error))
}

pub(super) fn all(ground: &Ground<'_>, host: &str, blob: &Blob) -> Result<Vec<Tool>, Error> {
    let tls = ground.scheme == Scheme::Tls;
    let digest = blob.descriptor.digest.as_str();
    let size = blob.descriptor.size.to_string();
    let repository = format!("{host}/{REPOSITORY}");
    let sink = ground.sink.display().to_string();
    let path = format!("/v2/{REPOSITORY}/blobs/{digest}");
    let url = format!("{}://{host}{path}", if tls { "https" } else { "http" });
    let own = |name: &str, words: &[&str]| Ok::<_, Error>(line(&programs::own(name)?, words));
    let (curl, crane) = (programs::curl(), programs::crane());
    let (regctl, skopeo) = (programs::regctl(), programs::skopeo());
    if let Some(regctl) = &regctl {
        ground.prepare(&programs::regctl_host(regctl, host, tls))?;
    }
    let verify = format!("--src-tls-verify={tls}");
    let image = format!("docker://{repository}:1");
    let dir = format!("dir:{}", ground.home.join("dir").display());
    Ok(vec![
        ours(
            OURS,
            own("fractal-bench-pull", &[&repository, digest, &size, &sink])?,
        ),
        Tool {
            // The least there can be speaks no TLS.
            line: (!tls).then_some(own("fractal-bench-floor", &[host, &path, digest, &sink])?),
            ..ours(FLOOR, Line::new())
        },
        Tool {
            verifies: false,
            ..theirs(
                CURL,
                curl,
                &[
                    "-sSf",
                    "--cacert",
                    &ground.trusted.display().to_string(),
                    &url,
                ],
            )
        },
        theirs(CRANE, crane, &["blob", &format!("{repository}@{digest}")]),
        theirs(REGCTL, regctl, &["blob", "get", &repository, digest]),
        theirs(
            OCI_CLIENT,
            Some(programs::oci_client()?),
            &["pull", &repository, digest, &sink],
        ),
        Tool {
            to_sink: false,
            ..theirs(
                SKOPEO,
                skopeo,
                &["--insecure-policy", "copy", &verify, &image, &dir],
            )
        },
    ])
}

fn ours(name: &'static str, line: Line) -> Tool {
    Tool {
        name,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        verifies: true,
        to_sink: true,
        line: Some(line),
        runs: Runs::default(),
        asked: Vec::new(),
    }
}

fn theirs(name: &'static str, found: Option<Found>, words: &[&str]) -> Tool {
    Tool {
        line: found.as_ref().map(|found| line(&found.path, words)),
        version: found.map_or_else(|| programs::ABSENT.to_owned(), |found| found.version),
        ..ours(name, Line::new())
    }
}

fn line(program: &std::path::Path, words: &[&str]) -> Line {
    let words = words.iter().map(|&word| word.to_owned());
    std::iter::once(program.display().to_string())
        .chain(words)
        .collect()
}
