//! `pull`: what it takes to read a blob, verify it and write it, beside the least that can take and beside other clients, all
//! from the reference registry on loopback. Every program is a process of its own, its start included.

use std::io::Write as _;

use serde::Serialize;

use crate::blob::{self, Blob};
use crate::distribution::{self, Authority, Distribution};
use crate::error::Error;
use crate::launch::{Ground, Runs, Scheme};
use crate::row::{dash, round};
use crate::table;
use crate::verdict::Verdict;

mod targets;
mod tools;

use tools::Tool;

const MIB: u64 = 1 << 20;
/// Size of the blob that is read over TLS.
const TLS_SIZE: u64 = 100;

/// Flags of `pull`.
#[derive(Debug, clap::Args)]
pub(crate) struct PullArgs {
    /// One JSON object a row and a target instead of tables
    #[arg(long)]
    pub(crate) json: bool,
    /// Sizes of the blobs, in MiB
    #[arg(long, value_delimiter = ',', default_value = "10,100,1024", value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=16384))]
    sizes: Vec<u64>,
    /// Rounds, each tool once in each; one more comes first, in which what they wrote is hashed and nothing is measured
    #[arg(long, default_value_t = 7, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=50))]
    rounds: u16,
}

/// One tool at one size. What was not measured is absent, never zero.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    scenario: String,
    tool: &'static str,
    version: String,
    verifies: bool,
    rounds: u16,
    /// CPU seconds, user and system: the least of the rounds, and the median.
    cpu_s: Option<f64>,
    cpu_median_s: Option<f64>,
    wall_s: Option<f64>,
    wall_median_s: Option<f64>,
    /// The highest of the rounds, in bytes.
    rss_peak: Option<u64>,
    /// Requests of one run, and the bytes the registry answered with.
    requests: Option<usize>,
    served: Option<u64>,
    #[serde(skip)]
    size: u64,
    #[serde(skip)]
    tls: bool,
}

/// What a run of the benchmark came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    lines: Vec<Line>,
    verdicts: Vec<Verdict>,
}

impl Outcome {
    /// Whether no target was missed.
    pub(crate) fn is_fine(&self) -> bool {
        self.verdicts.iter().all(Verdict::is_fine)
    }
}

pub(crate) async fn run(args: &PullArgs) -> Result<Outcome, Error> {
    let folder = tempfile::tempdir().map_err(Error::io("making a folder"))?;
    let authority = Authority::make(folder.path())?;
    let mut lines = Vec::new();
    let plain = args.sizes.iter().map(|size| (*size, Scheme::Plain));
    for (size, scheme) in plain.chain([(TLS_SIZE, Scheme::Tls)]) {
        let place = folder.path().join(format!("{size}-{scheme:?}"));
        let registry = Distribution::start(&place, None)?;
        let to = tools::reference(&registry.host)?;
        let blob = blob::make(&place, size * MIB, size)?;
        blob::publish(&blob, &to).await?;
        let sink = place.join("sink");
        distribution::sink(&sink, size * MIB)?;
        // The same storage once more, so that publishing needs no TLS.
        let registry = match scheme {
            Scheme::Plain => registry,
            Scheme::Tls => Distribution::start(&place, Some(&authority))?,
        };
        let ground = Ground {
            home: &place,
            sink: &sink,
            trusted: &authority.trusted,
            scheme,
        };
        lines.extend(measure(&ground, &registry, &blob, args.rounds)?);
        drop(registry);
        std::fs::remove_dir_all(&place).map_err(Error::io("removing a folder"))?;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let verdicts = targets::judge(&lines, cores);
    Ok(Outcome { lines, verdicts })
}

/// Every tool once in every round.
fn measure(
    ground: &Ground<'_>,
    registry: &Distribution,
    blob: &Blob,
    rounds: u16,
) -> Result<Vec<Line>, Error> {
    let mut tools = tools::all(ground, &registry.host, blob)?;
    for tool in &tools {
        prove(ground, tool, blob)?;
    }
    registry.asked();
    for _ in 0..rounds {
        for tool in &mut tools {
            let Some(line) = &tool.line else { continue };
            tool.runs.add(ground.run(std::slice::from_ref(line))?);
            tool.asked = registry.asked();
        }
    }
    let line = |tool| line(tool, ground.scheme, blob.descriptor.size, rounds);
    Ok(tools.into_iter().map(line).collect())
}

/// What the tool writes is the blob. It begins with a file of zeros.
fn prove(ground: &Ground<'_>, tool: &Tool, blob: &Blob) -> Result<(), Error> {
    let Some(line) = &tool.line else {
        return Ok(());
    };
    blob::blank(ground.sink)?;
    ground.run(std::slice::from_ref(line))?;
    if !tool.to_sink || blob::digest(ground.sink)? == blob.descriptor.digest {
        Ok(())
    } else {
        Err(Error::unexpected(tool.name, "other bytes than the blob's"))
    }
}

fn line(tool: Tool, scheme: Scheme, size: u64, rounds: u16) -> Line {
    let tls = scheme == Scheme::Tls;
    let mib = size / MIB;
    let of = |figure: fn(&Runs) -> f64| (!tool.runs.is_empty()).then(|| round(figure(&tool.runs)));
    Line {
        scenario: format!("pull {mib} MiB{}", if tls { ", TLS" } else { "" }),
        tool: tool.name,
        verifies: tool.verifies,
        rounds,
        cpu_s: of(|runs| runs.cpu().0),
        cpu_median_s: of(|runs| runs.cpu().1),
        wall_s: of(|runs| runs.wall().0),
        wall_median_s: of(|runs| runs.wall().1),
        rss_peak: (!tool.runs.is_empty()).then(|| tool.runs.peak()),
        requests: (!tool.runs.is_empty()).then_some(tool.asked.len()),
        served: (!tool.runs.is_empty())
            .then(|| tool.asked.iter().map(|exchange| exchange.written).sum()),
        version: tool.version,
        size: mib,
        tls,
    }
}

pub(crate) fn print(outcome: &Outcome, json: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        for line in &outcome.lines {
            writeln!(out, "{}", serde_json::to_string(line)?)?;
        }
        for verdict in &outcome.verdicts {
            writeln!(out, "{}", serde_json::to_string(verdict)?)?;
        }
        return out.flush();
    }
    table::print(&mut out, &HEAD, outcome.lines.iter().map(cells).collect())?;
    writeln!(out, "\n{NOTE}\n")?;
    let verdicts = outcome.verdicts.iter().map(Verdict::cells).collect();
    table::print(&mut out, &Verdict::HEAD, verdicts)
}

const NOTE: &str = "each the least of the rounds / the median, process start included; rss_peak in MiB, the highest of the rounds; every tool
writes over the same file, which is in memory; the registry runs on the same cores; targets are judged by the least";

const HEAD: [&str; 8] = [
    "scenario", "tool", "version", "verifies", "cpu_s", "wall_s", "rss_peak", "requests",
];

fn cells(line: &Line) -> Vec<String> {
    let pair = |one: Option<f64>, two: Option<f64>| {
        one.zip(two)
            .map_or_else(dash, |(one, two)| format!("{one:.3} / {two:.3}"))
    };
    let mib = |bytes: u64| format!("{:.1}", bytes as f64 / MIB as f64);
    vec![
        line.scenario.clone(),
        line.tool.to_owned(),
        line.version.clone(),
        if line.verifies { "yes" } else { "NO" }.to_owned(),
        pair(line.cpu_s, line.cpu_median_s),
        pair(line.wall_s, line.wall_median_s),
        line.rss_peak.map_or_else(dash, mib),
        line.requests.map_or_else(dash, |count| count.to_string()),
    ]
}
