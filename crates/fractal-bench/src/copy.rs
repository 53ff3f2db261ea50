//! `copy`: what it takes to have an artifact in three more registries, and to find that it is there already, beside other
//! clients. Reference registries on loopback, emptied before every run; their logs count the requests and the bytes.

use std::collections::BTreeMap;
use std::io::Write as _;

use serde::Serialize;

use crate::distribution::{Authority, Exchange};
use crate::error::Error;
use crate::launch::{Runs, Scheme};
use crate::row::{dash, round};
use crate::table;
use crate::verdict::Verdict;

mod artifact;
mod field;
mod targets;
mod tools;

use artifact::Artifact;
use field::Field;
use tools::Tool;

const MIB: u64 = 1 << 20;

/// Flags of `copy`.
#[derive(Debug, clap::Args)]
pub(crate) struct CopyArgs {
    /// One JSON object a row and a target instead of tables
    #[arg(long)]
    pub(crate) json: bool,
    /// Size of the artifact, in MiB
    #[arg(long, default_value_t = 100, value_name = "MIB", value_parser = clap::value_parser!(u64).range(8..=16384))]
    size: u64,
    /// Rounds, each tool once in each
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=50))]
    rounds: u16,
}

/// What is copied where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scenario {
    OneBlob,
    Image,
    OneBlobTls,
    Unchanged,
}

impl Scenario {
    const ALL: [Self; 4] = [
        Self::OneBlob,
        Self::Image,
        Self::OneBlobTls,
        Self::Unchanged,
    ];

    const fn scheme(self) -> Scheme {
        match self {
            Self::OneBlobTls => Scheme::Tls,
            Self::OneBlob | Self::Image | Self::Unchanged => Scheme::Plain,
        }
    }

    /// Registries that are copied to.
    const fn targets(self) -> usize {
        match self {
            Self::Unchanged => 1,
            Self::OneBlob | Self::Image | Self::OneBlobTls => 3,
        }
    }

    fn title(self, size: u64) -> String {
        match self {
            Self::OneBlob => format!("one blob, {size} MiB"),
            Self::Image => format!("image of 4 layers, {size} MiB"),
            Self::OneBlobTls => format!("one blob, {size} MiB, TLS"),
            Self::Unchanged => "unchanged, 1 registry".to_owned(),
        }
    }
}

/// One tool in one scenario. What was not measured is absent, never zero.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    scenario: String,
    tool: &'static str,
    version: String,
    processes: usize,
    rounds: u16,
    /// CPU seconds of all processes, user and system: the least of the rounds, and the median.
    cpu_s: Option<f64>,
    cpu_median_s: Option<f64>,
    wall_s: Option<f64>,
    wall_median_s: Option<f64>,
    /// The highest of the rounds, of the largest process, in bytes.
    rss_peak: Option<u64>,
    /// Requests of one run to all registries, by method.
    requests: Option<BTreeMap<String, usize>>,
    /// Bytes of blobs that the source answered with, over those the artifact has.
    source_ratio: Option<f64>,
    /// Requests that opened, filled and completed uploads, for each blob of each target.
    upload_requests: Option<f64>,
    #[serde(skip)]
    of: Scenario,
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

pub(crate) async fn run(args: &CopyArgs) -> Result<Outcome, Error> {
    let folder = tempfile::tempdir().map_err(Error::io("making a folder"))?;
    let authority = Authority::make(folder.path())?;
    let mut lines = Vec::new();
    for of in Scenario::ALL {
        let place = folder.path().join(format!("{of:?}"));
        let layers = match of {
            Scenario::Image => vec![args.size / 2, args.size / 4, args.size / 8, args.size / 8],
            Scenario::OneBlob | Scenario::OneBlobTls | Scenario::Unchanged => vec![args.size],
        };
        let (field, artifact) = Field::lay(&place, of, &layers, &authority).await?;
        lines.extend(measure(&field, &artifact, of, args).await?);
        drop(field);
        std::fs::remove_dir_all(&place).map_err(Error::io("removing a folder"))?;
    }
    let verdicts = targets::judge(&lines);
    Ok(Outcome { lines, verdicts })
}

/// Every tool once in every round.
async fn measure(
    field: &Field<'_>,
    artifact: &Artifact,
    of: Scenario,
    args: &CopyArgs,
) -> Result<Vec<Line>, Error> {
    let mut tools = tools::all(field)?;
    for _ in 0..args.rounds {
        for tool in tools.iter_mut().filter(|tool| !tool.lines.is_empty()) {
            field.empty()?;
            if of == Scenario::Unchanged {
                field.ground.run(&tool.lines)?;
            }
            field.asked();
            tool.runs.add(field.ground.run(&tool.lines)?);
            (tool.source, tool.targets) = field.asked();
            field.prove(artifact).await?;
        }
    }
    let line = |tool| line(tool, artifact, of, args);
    Ok(tools.into_iter().map(line).collect())
}

fn line(tool: Tool, artifact: &Artifact, of: Scenario, args: &CopyArgs) -> Line {
    let ran = !tool.runs.is_empty();
    let figure = |figure: fn(&Runs) -> f64| ran.then(|| round(figure(&tool.runs)));
    let mut requests = BTreeMap::new();
    for exchange in tool.source.iter().chain(&tool.targets) {
        *requests.entry(exchange.method.clone()).or_default() += 1;
    }
    let read: u64 = tool
        .source
        .iter()
        .filter(|it| is_blob(it, &["GET"]))
        .map(|it| it.written)
        .sum();
    let uploading = ["POST", "PATCH", "PUT"];
    let uploads = tool
        .targets
        .iter()
        .filter(|it| is_blob(it, &uploading))
        .count();
    let blobs = artifact.blobs * of.targets();
    Line {
        scenario: of.title(args.size),
        tool: tool.name,
        processes: tool.lines.len(),
        rounds: args.rounds,
        cpu_s: figure(|runs| runs.cpu().0),
        cpu_median_s: figure(|runs| runs.cpu().1),
        wall_s: figure(|runs| runs.wall().0),
        wall_median_s: figure(|runs| runs.wall().1),
        rss_peak: ran.then(|| tool.runs.peak()),
        requests: ran.then_some(requests),
        source_ratio: ran.then(|| round(read as f64 / artifact.bytes as f64)),
        upload_requests: ran.then(|| round(uploads as f64 / blobs as f64)),
        version: tool.version,
        of,
    }
}

fn is_blob(exchange: &Exchange, methods: &[&str]) -> bool {
    methods.contains(&exchange.method.as_str()) && exchange.uri.contains("/blobs/")
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

const NOTE: &str = "each the least of the rounds / the median, of all processes, their start included; rss_peak in MiB, of the largest process;
source: bytes read from the source over the artifact's; uploads: POST, PATCH and PUT for each blob of each target; the four
registries run on the same cores and bound the wall time; targets are judged by the least";

const HEAD: [&str; 10] = [
    "scenario",
    "tool",
    "version",
    "processes",
    "cpu_s",
    "wall_s",
    "rss_peak",
    "source",
    "uploads",
    "requests",
];

fn cells(line: &Line) -> Vec<String> {
    let pair = |one: Option<f64>, two: Option<f64>| {
        one.zip(two)
            .map_or_else(dash, |(one, two)| format!("{one:.3} / {two:.3}"))
    };
    let mib = |bytes: u64| format!("{:.1}", bytes as f64 / MIB as f64);
    let number = |number: Option<f64>| number.map_or_else(dash, |number| format!("{number:.2}"));
    let requests = |requests: &BTreeMap<String, usize>| {
        let all: usize = requests.values().sum();
        let each: Vec<_> = requests
            .iter()
            .map(|(method, count)| format!("{count} {method}"))
            .collect();
        format!("{all}: {}", each.join(", "))
    };
    vec![
        line.scenario.clone(),
        line.tool.to_owned(),
        line.version.clone(),
        line.processes.to_string(),
        pair(line.cpu_s, line.cpu_median_s),
        pair(line.wall_s, line.wall_median_s),
        line.rss_peak.map_or_else(dash, mib),
        number(line.source_ratio),
        number(line.upload_requests),
        line.requests.as_ref().map_or_else(dash, requests),
    ]
}
