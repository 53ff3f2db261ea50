//! `idle`: how much memory an idle agent holds, and how little a 1 GiB blob adds to it, beside curl and crane on the same blob.

use std::path::Path;

use crate::blob::{self, Blob};
use crate::cloud::Cloud;
use crate::error::Error;
use crate::peer::{self, Taken};
use crate::programs::{self, Found};
use crate::row::{self, Row};
use crate::subject::What;

mod agent;
mod staged;

const MIB: u64 = 1 << 20;
/// Most an idle agent may hold, at its peak.
const IDLE_MAX: u64 = 15 * MIB;
/// Most that a pull, or staging, may add or hold.
const PULL_MAX: u64 = 12 * MIB;

/// Flags of `idle`.
#[derive(Debug, clap::Args)]
pub(crate) struct IdleArgs {
    /// One JSON object a row instead of a table
    #[arg(long)]
    pub(crate) json: bool,
    /// Size of the blob, in MiB
    #[arg(long, default_value_t = 1024, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=16384))]
    size: u64,
    /// Rounds, each tool once in each
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=20))]
    rounds: u16,
    /// How long the agent is idle before it is looked at, in seconds
    #[arg(long, default_value_t = 20, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..=3600))]
    quiet: u16,
}

/// Where everything is: the source's cloud, the target's, and a folder.
pub(crate) struct Ground<'a> {
    /// Its registry has the blob.
    pub(crate) source: &'a Cloud,
    /// It has the bucket, and the registry that is copied to.
    pub(crate) target: &'a Cloud,
    pub(crate) folder: &'a Path,
}

pub(crate) async fn run(args: &IdleArgs) -> Result<Vec<Row>, Error> {
    let folder = tempfile::tempdir().map_err(Error::io("making a folder"))?;
    let (source, target) = (Cloud::start()?, Cloud::start()?);
    target.make_bucket(staged::BUCKET)?;
    let ground = Ground {
        source: &source,
        target: &target,
        folder: folder.path(),
    };
    let mut rows = vec![agent::idle(&ground, args.quiet).await?.at_most(IDLE_MAX)];
    rows.extend(pulls(&ground, args).await?);
    rows.extend(stagings(&ground, args).await?);
    Ok(rows)
}

async fn publish(ground: &Ground<'_>, args: &IdleArgs, seed: u64) -> Result<Blob, Error> {
    let blob = blob::make(ground.folder, args.size * MIB, seed)?;
    let to = format!("{}/bench/blob:{seed}", ground.source.registry);
    let to = to
        .parse()
        .map_err(|error| Error::unexpected("a reference", error))?;
    blob::publish(&blob, &to).await?;
    Ok(blob)
}

/// Everyone reads the blob and lets it go.
async fn pulls(ground: &Ground<'_>, args: &IdleArgs) -> Result<Vec<Row>, Error> {
    let scenario = format!("pull {} MiB", args.size);
    let blob = publish(ground, args, 0).await?;
    let digest = blob.descriptor.digest.as_str();
    let url = format!(
        "http://{}/v2/bench/blob/blobs/{digest}",
        ground.source.registry
    );
    let pinned = format!("{}/bench/blob@{digest}", ground.source.registry);
    let (curl, crane) = (programs::curl(), programs::crane());
    let mut all: [Option<Measured>; 3] = [None, None, None];
    for _ in 0..args.rounds {
        let [ours, by_curl, by_crane] = &mut all;
        let run = staged::subject(ground, What::Pull, (&blob, "bench/blob:0"))?;
        Measured::add(ours, run.taken, run.requests);
        theirs(
            ground,
            by_curl,
            curl.as_ref(),
            &["-sSf", "-o", "/dev/null", &url],
        )?;
        theirs(ground, by_crane, crane.as_ref(), &["blob", &pinned])?;
    }
    let [ours, by_curl, by_crane] = all;
    let mut rows = [
        Measured::row(ours, &scenario, "fractal-registry", Some(own_version())).at_most(PULL_MAX),
        Measured::row(by_curl, &scenario, "curl (no verify)", version(curl)),
        Measured::row(by_crane, &scenario, "crane blob", version(crane)),
    ];
    row::compare(&mut rows);
    Ok(rows.into())
}

/// The agent stages a blob; crane's nearest is a copy to another registry. Fresh blobs each round: what is there is not sent again.
async fn stagings(ground: &Ground<'_>, args: &IdleArgs) -> Result<Vec<Row>, Error> {
    let scenario = format!("stage {} MiB", args.size);
    let crane = programs::crane();
    let (mut ours, mut by_crane, mut grown) = (None, None, 0);
    for round in 1..=u64::from(args.rounds) {
        let blob = publish(ground, args, round).await?;
        let name = format!("bench/blob:{round}");
        let run = staged::subject(ground, What::Stage, (&blob, &name))?;
        staged::is_whole(ground.target, &blob)?;
        grown = grown.max(run.taken.peak.saturating_sub(run.idle));
        Measured::add(&mut ours, run.taken, run.requests);
        let from = format!("{}/{name}", ground.source.registry);
        let to = format!("{}/{name}", ground.target.registry);
        theirs(ground, &mut by_crane, crane.as_ref(), &["copy", &from, &to])?;
    }
    let growth = ours.map(|ours: Measured| Measured {
        taken: Taken {
            peak: grown,
            ..ours.taken
        },
        ..ours
    });
    let engine = "lambda-agent staging";
    let mut rows = [
        Measured::row(ours, &scenario, engine, Some(own_version())),
        Measured::row(by_crane, &scenario, "crane copy", version(crane)),
    ];
    row::compare(&mut rows);
    let over_idle = format!("{scenario}, over idle");
    let growth = Measured::row(growth, &over_idle, engine, Some(own_version())).at_most(PULL_MAX);
    Ok(rows.into_iter().chain([growth]).collect())
}

fn own_version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

fn version(found: Option<Found>) -> Option<String> {
    found.map(|found| found.version)
}

fn theirs(
    ground: &Ground<'_>,
    all: &mut Option<Measured>,
    program: Option<&Found>,
    arguments: &[&str],
) -> Result<(), Error> {
    let Some(program) = program else {
        return Ok(());
    };
    let before = ground.last()?;
    let taken = peer::run(&program.path, arguments, ground.folder)?;
    Measured::add(all, taken, ground.requests(before)?);
    Ok(())
}

impl Ground<'_> {
    /// The last entries of both ledgers.
    pub(crate) fn last(&self) -> Result<(u64, u64), Error> {
        // Nothing comes after the largest number but the number of the last.
        Ok((
            self.source.asked(u64::MAX)?.last,
            self.target.asked(u64::MAX)?.last,
        ))
    }

    /// Requests both clouds have received since.
    pub(crate) fn requests(&self, (source, target): (u64, u64)) -> Result<u64, Error> {
        let asked = [self.source.asked(source)?, self.target.asked(target)?];
        Ok(asked
            .iter()
            .map(|asked| asked.operations.len() as u64)
            .sum())
    }
}

/// A tool's runs so far.
#[derive(Debug, Clone, Copy)]
struct Measured {
    taken: Taken,
    requests: u64,
}

impl Measured {
    fn add(all: &mut Option<Self>, taken: Taken, requests: u64) {
        let taken = all.map_or(taken, |before| before.taken.and(taken));
        *all = Some(Self { taken, requests });
    }

    fn row(all: Option<Self>, scenario: &str, tool: &str, version: Option<String>) -> Row {
        let (Some(all), Some(version)) = (all, version) else {
            return Row::missing(scenario, tool);
        };
        Row {
            scenario: scenario.to_owned(),
            tool: tool.to_owned(),
            version,
            cpu_s: Some(row::round(all.taken.cpu.as_secs_f64())),
            wall_s: Some(row::round(all.taken.wall.as_secs_f64())),
            rss_peak: Some(all.taken.peak),
            requests: Some(all.requests),
            ..Row::default()
        }
    }
}
