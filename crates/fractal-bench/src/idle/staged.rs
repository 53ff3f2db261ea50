//! Runs of our own code as a process: its memory before the word is given, and what the work took.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::Ground;
use crate::blob::Blob;
use crate::cloud::Cloud;
use crate::error::Error;
use crate::peer::Taken;
use crate::probe::{self, Memory};
use crate::programs;
use crate::subject::What;

pub(super) const BUCKET: &str = "staging";
const NAME: &str = "fractal-bench";

/// A run of ours.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) taken: Taken,
    /// Resident before the work, with everything connected.
    pub(super) idle: u64,
    pub(super) requests: u64,
}

/// Runs this program as a measured one.
pub(super) fn subject(
    ground: &Ground<'_>,
    what: What,
    (blob, name): (&Blob, &str),
) -> Result<Run, Error> {
    let mut process = Running::start(ground, what, (blob, name))?;
    process.expect("ready")?;
    let pid = process.0.id();
    let (idle, cpu, last) = (process.memory()?, probe::cpu(pid), ground.last()?);
    let began = Instant::now();
    process.go()?;
    process.expect("done")?;
    let wall = began.elapsed();
    let taken = Taken {
        cpu: probe::cpu(pid)
            .unwrap_or_default()
            .saturating_sub(cpu.unwrap_or_default()),
        wall,
        peak: process.memory()?.peak,
    };
    Ok(Run {
        taken,
        idle: idle.now,
        requests: ground.requests(last)?,
    })
}

/// What was staged is there, whole.
pub(super) fn is_whole(target: &Cloud, blob: &Blob) -> Result<(), Error> {
    let size = target.object_size(blob.descriptor.digest.hex())?;
    if size == Some(blob.descriptor.size) {
        Ok(())
    } else {
        Err(Error::unexpected("the bucket", format!("{size:?} bytes")))
    }
}

/// The measured process, killed when dropped.
struct Running(Child);

impl Running {
    fn start(ground: &Ground<'_>, what: What, (blob, name): (&Blob, &str)) -> Result<Self, Error> {
        let descriptor = serde_json::to_string(&blob.descriptor)
            .map_err(|error| Error::unexpected("serde_json", error))?;
        Command::new(programs::own(NAME)?)
            .args(["subject", what.as_str()])
            .args(["--from", &format!("{}/{name}", ground.source.registry)])
            .args(["--blob", &descriptor])
            .args(["--aws", &ground.target.aws, "--bucket", BUCKET])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map(Self)
            .map_err(Error::io(format!("starting {NAME}")))
    }

    fn expect(&mut self, word: &str) -> Result<(), Error> {
        let mut line = String::new();
        if let Some(out) = &mut self.0.stdout {
            // A line at a time is all it ever says, so nothing is read ahead and lost.
            BufReader::new(out)
                .read_line(&mut line)
                .map_err(Error::io(format!("reading from {NAME}")))?;
        }
        if line.trim() == word {
            Ok(())
        } else {
            Err(Error::unexpected(NAME, line))
        }
    }

    fn go(&mut self) -> Result<(), Error> {
        let Some(input) = &mut self.0.stdin else {
            return Err(Error::unexpected(NAME, "nothing"));
        };
        writeln!(input)
            .and_then(|()| input.flush())
            .map_err(Error::io(format!("writing to {NAME}")))
    }

    fn memory(&self) -> Result<Memory, Error> {
        probe::memory(self.0.id()).ok_or_else(|| Error::unexpected(NAME, "nothing: it has ended"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
