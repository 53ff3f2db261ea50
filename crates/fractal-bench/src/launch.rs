//! Programs run to their end by the launcher, which gives what the kernel counted for them, and what several runs come to.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;

use crate::error::Error;
use crate::programs;

const NAME: &str = "fractal-bench-launch";

/// A program and its arguments.
pub(crate) type Line = Vec<String>;

/// What one run took.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Counted {
    /// CPU of all its processes, user and system.
    cpu_us: u64,
    wall_us: u64,
    /// Peak resident memory of its largest process, in bytes.
    peak: u64,
}

/// What one tool's runs took.
#[derive(Debug, Clone, Default)]
pub(crate) struct Runs(Vec<Counted>);

impl Runs {
    pub(crate) fn add(&mut self, run: Counted) {
        self.0.push(run);
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// CPU seconds: the least, and the median.
    pub(crate) fn cpu(&self) -> (f64, f64) {
        self.seconds(|run| run.cpu_us)
    }

    /// Wall seconds: the least, and the median.
    pub(crate) fn wall(&self) -> (f64, f64) {
        self.seconds(|run| run.wall_us)
    }

    /// The highest peak, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        self.0.iter().map(|run| run.peak).max().unwrap_or_default()
    }

    fn seconds(&self, of: impl Fn(&Counted) -> u64) -> (f64, f64) {
        let mut all: Vec<u64> = self.0.iter().map(of).collect();
        all.sort_unstable();
        let seconds = |at: usize| {
            let micros = all.get(at).copied().unwrap_or_default();
            Duration::from_micros(micros).as_secs_f64()
        };
        (seconds(0), seconds(all.len() / 2))
    }
}

/// Where programs run: a home of their own and the variables that every tool gets. Nothing else of this environment.
#[derive(Debug)]
pub(crate) struct Ground<'a> {
    pub(crate) home: &'a Path,
    /// What they write to standard output goes over this file's bytes.
    pub(crate) sink: &'a Path,
    pub(crate) trusted: &'a Path,
    pub(crate) scheme: Scheme,
}

/// How the registries are spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Plain,
    Tls,
}

impl Ground<'_> {
    /// Runs all of them side by side.
    pub(crate) fn run(&self, lines: &[Line]) -> Result<Counted, Error> {
        let report = self.home.join("counted.json");
        let mut command = Command::new(programs::own(NAME)?);
        command.arg(&report).arg(self.sink).args(apart(lines));
        self.finish(&mut command, lines)?;
        let counted = std::fs::read(&report).map_err(Error::io("reading what was counted"))?;
        serde_json::from_slice(&counted).map_err(|error| Error::unexpected(NAME, error))
    }

    /// Runs one that is not measured.
    pub(crate) fn prepare(&self, line: &Line) -> Result<(), Error> {
        let mut words = line.iter();
        let mut command = Command::new(words.next().map_or("", String::as_str));
        command.args(words).stdout(Stdio::null());
        self.finish(&mut command, std::slice::from_ref(line))
    }

    fn finish(&self, command: &mut Command, lines: &[Line]) -> Result<(), Error> {
        let plain = (self.scheme == Scheme::Plain).then_some(("PLAIN_HTTP", "1"));
        let output = command
            .env_clear()
            .env("HOME", self.home)
            .env("DOCKER_CONFIG", self.home)
            .env("REGCTL_CONFIG", self.home.join("regctl.json"))
            .env("SSL_CERT_FILE", self.trusted)
            .envs(plain)
            .current_dir(self.home)
            .stdin(Stdio::null())
            .output()
            .map_err(Error::io(format!("starting {NAME}")))?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::Ended {
            program: lines.iter().flatten().next().cloned().unwrap_or_default(),
            status: output.status.to_string(),
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }
}

/// The lines one after the other, apart as the launcher takes them.
fn apart(lines: &[Line]) -> Vec<&str> {
    let mut words = Vec::new();
    for line in lines {
        if !words.is_empty() {
            words.push("+");
        }
        words.extend(line.iter().map(String::as_str));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_apart() {
        let line = |text: &str| text.split(' ').map(str::to_owned).collect::<Line>();
        let lines = [line("crane copy a b"), line("crane copy a c")];
        assert_eq!(apart(&lines).join(" "), "crane copy a b + crane copy a c");
    }

    #[test]
    fn of_several_runs_the_least_the_median_and_the_highest_peak_are_kept() {
        let mut runs = Runs::default();
        for (micros, peak) in [(3_000_000, 1), (1_000_000, 9), (2_000_000, 4)] {
            runs.add(Counted {
                cpu_us: micros,
                wall_us: micros * 2,
                peak,
            });
        }
        assert_eq!(runs.cpu(), (1.0, 2.0));
        assert_eq!(runs.wall(), (2.0, 4.0));
        assert_eq!(runs.peak(), 9);
    }
}
