//! kustomize's side: its library renders the same overlays in a process of its own, and says itself what they took.

use std::path::Path;
use std::process::{Command, Stdio};

use fractal_artifact::manifests::Object;
use serde::Deserialize;

use super::{Spent, ours};
use crate::error::Error;
use crate::programs::Found;

const PROGRAM: &str = "kustomize-bench";

/// What the program says of itself.
#[derive(Debug, Deserialize)]
struct Cost {
    count: u32,
    cpu_ns: u64,
    wall_ns: u64,
}

/// Has it render `count` overlays, and gives back the last one's documents.
pub(super) fn run(program: &Found, folder: &Path, count: u32) -> Result<(Spent, String), Error> {
    let base = folder.join("bundle.yaml");
    std::fs::write(&base, ours::base()).map_err(Error::io("writing the bundle"))?;
    let output = Command::new(&program.path)
        .args(["-name", ours::NAME, "-image", ours::IMAGE, "-show"])
        .arg("-bundle")
        .arg(&base)
        .args(["-count", &count.to_string()])
        .env_clear()
        .env("HOME", folder)
        .stdin(Stdio::null())
        .output()
        .map_err(Error::io(format!("starting {PROGRAM}")))?;
    let documents = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(Error::Ended {
            program: PROGRAM.to_owned(),
            status: output.status.to_string(),
            said: documents,
        });
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let cost: Cost = serde_json::from_str(&said)
        .ok()
        .filter(|cost: &Cost| cost.count == count)
        .ok_or_else(|| Error::unexpected(PROGRAM, &said))?;
    let seconds = |nanoseconds: u64| nanoseconds as f64 / 1e9;
    let spent = Spent {
        cpu: seconds(cost.cpu_ns),
        wall: seconds(cost.wall_ns),
    };
    Ok((spent, documents))
}

/// Fails where the two do not come to the same objects: then they did not do the same work.
pub(super) fn compare(ours: &[Object], theirs: &str) -> Result<(), Error> {
    let theirs = ours::read(theirs)?;
    let same = ours.len() == theirs.len()
        && ours.iter().all(|object| {
            let mut twins = theirs
                .iter()
                .filter(|it| it.identity() == object.identity());
            twins.any(|twin| twin.value() == object.value())
        });
    if same {
        return Ok(());
    }
    let shown = serde_json::to_string(&theirs).unwrap_or_default();
    Err(Error::unexpected(PROGRAM, shown))
}
