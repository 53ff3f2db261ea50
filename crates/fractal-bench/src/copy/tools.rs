//! The programs that copy: ours reads once for all targets; of those that copy to one target, one process for each, side by side.

use super::field::Field;
use crate::distribution::Exchange;
use crate::error::Error;
use crate::launch::{Line, Runs, Scheme};
use crate::programs::{self, Found};

pub(super) const OURS: &str = "fractal copy --no-referrers";
pub(super) const WITH_REFERRERS: &str = "fractal copy";
pub(super) const CRANE: &str = "crane copy";
pub(super) const REGCTL: &str = "regctl image copy";
pub(super) const OCI_CLIENT: &str = "oci-client pull, push";
pub(super) const SKOPEO: &str = "skopeo copy";

/// One of them, and its runs so far.
pub(super) struct Tool {
    pub(super) name: &'static str,
    pub(super) version: String,
    /// Its processes; none where it is not on this machine.
    pub(super) lines: Vec<Line>,
    pub(super) runs: Runs,
    /// What was asked in the last run.
    pub(super) source: Vec<Exchange>,
    pub(super) targets: Vec<Exchange>,
}

pub(super) fn all(field: &Field<'_>) -> Result<Vec<Tool>, Error> {
    let (from, to) = (field.from(), field.to());
    let tls = field.ground.scheme == Scheme::Tls;
    let fractal = Found {
        path: programs::own("fractal")?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    // A loopback host speaks plain HTTP unless an endpoint says otherwise.
    let endpoint = |host: &str| {
        [
            "--registry-endpoint".to_owned(),
            format!("{host}=https://{host}"),
        ]
    };
    let endpoints: Vec<String> = field.hosts().filter(|_| tls).flat_map(endpoint).collect();
    let fan_out = |words: &[&str]| {
        let mut line: Line = words.iter().map(|&word| word.to_owned()).collect();
        line.push(from.clone());
        line.extend(to.clone());
        line
    };
    let each = |words: &[&str], scheme: &str| {
        let line = |to: &String| {
            let mut line: Line = words.iter().map(|&word| word.to_owned()).collect();
            line.extend([format!("{scheme}{from}"), format!("{scheme}{to}")]);
            line
        };
        to.iter().map(line).collect::<Vec<_>>()
    };
    let ours = |words: &[&str]| vec![[fan_out(words), endpoints.clone()].concat()];
    let verify = [
        format!("--src-tls-verify={tls}"),
        format!("--dest-tls-verify={tls}"),
    ];
    let skopeo = [
        "--insecure-policy",
        "copy",
        "--preserve-digests",
        &verify[0],
        &verify[1],
    ];
    Ok(vec![
        tool(
            OURS,
            Some(fractal.clone()),
            ours(&["copy", "--no-referrers"]),
        ),
        tool(WITH_REFERRERS, Some(fractal), ours(&["copy"])),
        tool(CRANE, programs::crane(), each(&["copy"], "")),
        tool(REGCTL, programs::regctl(), each(&["image", "copy"], "")),
        tool(
            OCI_CLIENT,
            Some(programs::oci_client()?),
            vec![fan_out(&["copy"])],
        ),
        tool(SKOPEO, programs::skopeo(), each(&skopeo, "docker://")),
    ])
}

/// The tool's processes with these arguments.
fn tool(name: &'static str, found: Option<Found>, arguments: Vec<Line>) -> Tool {
    let line = |found: &Found, arguments: Line| {
        std::iter::once(found.path.display().to_string())
            .chain(arguments)
            .collect()
    };
    let lines = found.iter().flat_map(|found| {
        arguments
            .iter()
            .map(|arguments| line(found, arguments.clone()))
    });
    Tool {
        name,
        lines: lines.collect(),
        version: found.as_ref().map_or_else(
            || programs::ABSENT.to_owned(),
            |found| found.version.clone(),
        ),
        runs: Runs::default(),
        source: Vec::new(),
        targets: Vec::new(),
    }
}
