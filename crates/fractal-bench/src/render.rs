//! `render`: what it costs to render a bundle of two documents, beside kustomize's library in one process on the same bundles;
//! and that bundles whose inputs did not change are not rendered.
//!
//! Both do the same work, which is compared in every run: namespace, image, replicas, port and resources of a Deployment with a
//! sidecar, and a Service. Ours begins at the tar's bytes and ends at the objects' JSON; kustomize's begins at files in memory
//! that are written already, and ends at YAML.

use std::io::Write as _;

use serde::Serialize;

use crate::error::Error;
use crate::programs;
use crate::row::{dash, round, width};

mod ours;
mod steady;
mod theirs;

/// How many times faster than kustomize rendering has to be.
const RATIO_MIN: f64 = 30.0;

/// Flags of `render`.
#[derive(Debug, clap::Args)]
pub(crate) struct RenderArgs {
    /// One JSON object a row instead of a table
    #[arg(long)]
    pub(crate) json: bool,
    /// Bundles in each round, no two alike
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    bundles: u32,
    /// Rounds, each tool once in each; the least time of each counts
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=20))]
    rounds: u16,
}

/// What all bundles of a round took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    /// CPU seconds of all threads.
    pub(crate) cpu: f64,
    pub(crate) wall: f64,
}

impl Spent {
    fn least(all: Option<Self>, other: Self) -> Self {
        all.map_or(other, |all| Self {
            cpu: all.cpu.min(other.cpu),
            wall: all.wall.min(other.wall),
        })
    }
}

/// One row. What was not measured is absent, never zero.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Line {
    scenario: String,
    tool: String,
    version: String,
    bundles: u32,
    /// CPU microseconds for each bundle.
    cpu_us: Option<f64>,
    wall_us: Option<f64>,
    /// How many were rendered.
    renders: Option<u32>,
    /// Its time over ours: of CPU and wall time the smaller.
    ratio: Option<f64>,
    target: Option<String>,
    holds: Option<bool>,
}

impl Line {
    fn of(scenario: &str, tool: &str, bundles: u32) -> Self {
        Self {
            scenario: scenario.to_owned(),
            tool: tool.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            bundles,
            ..Self::default()
        }
    }

    fn spent(mut self, spent: Option<Spent>) -> Self {
        let each = |seconds: f64| round(seconds * 1e6 / f64::from(self.bundles));
        self.cpu_us = spent.map(|spent| each(spent.cpu));
        self.wall_us = spent.map(|spent| each(spent.wall));
        self
    }

    /// Whether nothing that must hold does not. A target that could not be measured does not hold.
    pub(crate) fn is_fine(&self) -> bool {
        self.target.is_none() || self.holds == Some(true)
    }
}

pub(crate) fn run(args: &RenderArgs) -> Result<Vec<Line>, Error> {
    let folder = tempfile::tempdir().map_err(Error::io("making a folder"))?;
    let bundles = ours::bundles(args.bundles)?;
    let kustomize = programs::kustomize();
    let (mut spent, mut by_kustomize) = (None, None);
    for _ in 0..args.rounds {
        let (taken, last) = ours::render_all(&bundles)?;
        spent = Some(Spent::least(spent, taken));
        if let Some(program) = &kustomize {
            let (taken, theirs) = theirs::run(program, folder.path(), args.bundles)?;
            theirs::compare(&last, &theirs)?;
            by_kustomize = Some(Spent::least(by_kustomize, taken));
        }
    }
    let scenario = "bundle of 2 documents";
    let ours = Line::of(scenario, "fractal-artifact", args.bundles).spent(spent);
    let theirs = Line {
        version: kustomize.map_or_else(|| "not found on this machine".to_owned(), |it| it.version),
        ratio: spent
            .zip(by_kustomize)
            .map(|(ours, theirs)| ratio(ours, theirs)),
        target: Some(format!("ratio >= {RATIO_MIN}")),
        ..Line::of(scenario, "kustomize library", args.bundles).spent(by_kustomize)
    };
    let holds = theirs.ratio.map(|ratio| ratio >= RATIO_MIN);
    let mut lines = vec![ours, Line { holds, ..theirs }];
    lines.extend(passes(&bundles, args.bundles)?);
    Ok(lines)
}

/// The agent's own fingerprints and renderer over passes in which all, none and one of the inputs are new.
fn passes(bundles: &[ours::Bundle], count: u32) -> Result<Vec<Line>, Error> {
    let mut agent = steady::Agent::of(bundles)?;
    let first = pass(&mut agent, "first pass, all new", (count, count))?;
    let second = pass(&mut agent, "second pass, nothing changed", (count, 0))?;
    agent.scale_one()?;
    let third = pass(&mut agent, "third pass, one changed", (count, 1))?;
    Ok(vec![first, second, third])
}

fn pass(
    agent: &mut steady::Agent,
    scenario: &str,
    (bundles, expected): (u32, u32),
) -> Result<Line, Error> {
    let (spent, renders) = agent.pass()?;
    Ok(Line {
        renders: Some(renders),
        target: Some(format!("renders = {expected}")),
        holds: Some(renders == expected),
        ..Line::of(scenario, "caas-agent", bundles).spent(Some(spent))
    })
}

fn ratio(ours: Spent, theirs: Spent) -> f64 {
    round((theirs.cpu / ours.cpu).min(theirs.wall / ours.wall))
}

pub(crate) fn print(lines: &[Line], json: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        for line in lines {
            writeln!(out, "{}", serde_json::to_string(line)?)?;
        }
        return out.flush();
    }
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(lines.iter().map(cells));
    let widths: Vec<usize> = (0..HEAD.len()).map(|column| width(&rows, column)).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths);
        let text: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        writeln!(out, "{}", text.join("  ").trim_end())?;
    }
    writeln!(
        out,
        "\nmicroseconds for each bundle, the least of several rounds; ratio: time over ours, of CPU and wall time the smaller"
    )
}

const HEAD: [&str; 10] = [
    "scenario", "tool", "version", "bundles", "cpu_us", "wall_us", "renders", "ratio", "target",
    "holds",
];

fn cells(line: &Line) -> [String; 10] {
    let number = |value: Option<f64>| value.map_or_else(dash, |value| format!("{value:.1}"));
    let holds = |holds| if holds { "yes" } else { "NO" }.to_owned();
    [
        line.scenario.clone(),
        line.tool.clone(),
        line.version.clone(),
        line.bundles.to_string(),
        number(line.cpu_us),
        number(line.wall_us),
        line.renders
            .map_or_else(dash, |renders| renders.to_string()),
        number(line.ratio),
        line.target.clone().unwrap_or_else(dash),
        line.holds.map_or_else(dash, holds),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_ratios_the_smaller_counts() {
        let ours = Spent {
            cpu: 1.0,
            wall: 2.0,
        };
        let theirs = Spent {
            cpu: 90.0,
            wall: 60.0,
        };
        assert_eq!(ratio(ours, theirs), 30.0);
    }

    #[test]
    fn what_could_not_be_measured_does_not_hold() {
        let line = Line {
            target: Some("ratio >= 30".into()),
            ..Line::default()
        };
        assert!(!line.is_fine() && Line::default().is_fine());
        let keys = serde_json::to_value(&line).unwrap();
        let keys = keys.as_object().unwrap();
        assert!(HEAD.iter().all(|key| keys.contains_key(*key)) && keys.len() == HEAD.len());
    }
}
