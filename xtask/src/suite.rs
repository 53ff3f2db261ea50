//! `cargo xtask test`: parts, checks, every test and the demo, in surroundings where only 127.0.0.1 exists and the developer's settings are poison.
//! The tests themselves live in the crates.

mod tally;
mod trap;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::check;
use crate::console::{Console, answer, elapsed};
use crate::fault::Fault;
use crate::isolate::{Isolation, Verdict};
use crate::machine::{self, Cost};
use crate::parts::{self, Parts};
use crate::snapshot::Snapshot;
use crate::workspace::Workspace;

use tally::Tally;
use trap::Trap;

const COST: Cost = Cost {
    what: "the tests",
    cpu_seconds: 1_800,
    megabytes: 9_000,
    built: ("debug/deps", "lambda_agent-"),
};

/// What a run found. Empty findings and a tally of passed tests alone are success.
#[derive(Debug, Default)]
struct Findings {
    tally: Tally,
    faults: Vec<String>,
}

/// `cargo xtask test [FILTER...]`.
pub(crate) fn run(
    console: Console,
    workspace: &Workspace,
    filters: &[OsString],
) -> Result<(), Fault> {
    let started = Instant::now();
    machine::check(console, workspace, COST)?;
    let isolation = Isolation::find()?;
    console.good(format_args!("only loopback: by {}", isolation.name()));
    let before = Snapshot::take(workspace.root(), workspace.target())?;
    let parts = parts::ready(console, workspace)?;
    check::fetch(console, workspace)?;
    let mut findings = Findings::default();
    if filters.is_empty() {
        let failed = check::all(console, workspace, &parts)?;
        findings
            .faults
            .extend(failed.into_iter().map(|name| format!("check: {name}")));
    } else {
        console.note("with a filter: tests only, no checks, no demo");
    }
    let stage = Stage {
        console,
        workspace,
        parts: &parts,
        isolation,
    };
    stage.tests(filters, &mut findings)?;
    if filters.is_empty() {
        stage.demo(&[], &mut findings)?;
    }
    let after = Snapshot::take(workspace.root(), workspace.target())?;
    findings.faults.extend(
        before
            .changes(&after)
            .into_iter()
            .map(|change| format!("the checkout was changed: {change}")),
    );
    conclude(console, &parts, &findings, started)
}

/// `cargo xtask offline [FILTER...]`.
pub(crate) fn offline(
    console: Console,
    workspace: &Workspace,
    filters: &[OsString],
) -> Result<(), Fault> {
    let started = Instant::now();
    let isolation = Isolation::find()?;
    let parts = parts::ready(console, workspace)?;
    check::fetch(console, workspace)?;
    let mut findings = Findings::default();
    let stage = Stage {
        console,
        workspace,
        parts: &parts,
        isolation,
    };
    stage.demo(&[], &mut findings)?;
    stage.tests(filters, &mut findings)?;
    conclude(console, &parts, &findings, started)
}

/// Everything an isolated run needs.
#[derive(Debug, Clone, Copy)]
struct Stage<'a> {
    console: Console,
    workspace: &'a Workspace,
    parts: &'a Parts,
    isolation: Isolation,
}

impl Stage<'_> {
    /// Builds every test first, so that the isolated run only runs.
    fn tests(self, filters: &[OsString], findings: &mut Findings) -> Result<(), Fault> {
        let arguments = [
            "test",
            "--workspace",
            "--locked",
            "--offline",
            "--no-fail-fast",
        ];
        let trap = Trap::lay()?;
        self.console.step("tests: building");
        let mut build = self.workspace.cargo();
        build.args(arguments).arg("--no-run");
        self.surround(&trap, &mut build);
        if !build.status().map_err(Fault::start("cargo"))?.success() {
            findings.faults.push("the tests do not build".to_owned());
            return Ok(());
        }
        self.console
            .step(format_args!("tests: running in {}", self.isolation.name()));
        let mut cargo = self.workspace.cargo();
        cargo.args(arguments).arg("--").args(filters);
        let tests = self.isolated(&trap, &cargo, Watched::Tests)?;
        findings.judge("tests", &tests, &trap.traces()?);
        findings.tally = tests.tally;
        Ok(())
    }

    /// README, command 1, as a newcomer runs it, where only 127.0.0.1 exists.
    fn demo(self, arguments: &[OsString], findings: &mut Findings) -> Result<(), Fault> {
        let trap = Trap::lay()?;
        self.console.step("demo: building");
        let mut build = self.workspace.cargo();
        build.args([
            "build",
            "--locked",
            "--offline",
            "--package",
            "fractal-dev",
            "--bin",
            "fractal-dev",
        ]);
        self.surround(&trap, &mut build);
        if !build.status().map_err(Fault::start("cargo"))?.success() {
            findings.faults.push("the demo does not build".to_owned());
            return Ok(());
        }
        self.console
            .step(format_args!("demo: running in {}", self.isolation.name()));
        let mut demo = Command::new(self.workspace.program("debug", "fractal-dev"));
        demo.current_dir(self.workspace.root())
            .arg("demo")
            .args(arguments);
        let demo = self.isolated(&trap, &demo, Watched::Demo)?;
        findings.judge("demo", &demo, &trap.traces()?);
        Ok(())
    }

    fn surround(self, trap: &Trap, command: &mut Command) {
        trap.apply(command);
        command.env("FRACTAL_PARTS", self.parts.root());
    }

    fn isolated(self, trap: &Trap, command: &Command, watched: Watched) -> Result<Outcome, Fault> {
        let report: PathBuf = trap.file("isolation");
        let mut outer = self.isolation.wrap(&report, command)?;
        self.surround(trap, &mut outer);
        let mut child = outer
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Fault::start("the isolated command"))?;
        let tally = child
            .stdout
            .take()
            .map(|output| Tally::stream(output, |line| answer(line)))
            .unwrap_or_default();
        let status = child.wait().map_err(Fault::start("the isolated command"))?;
        let verdict = self.isolation.verdict(&report)?;
        if verdict.holds() {
            self.console
                .good("no connection outside 127.0.0.1 was attempted, no process was left");
        }
        Ok(Outcome {
            watched,
            succeeded: status.success(),
            tally,
            verdict,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watched {
    Tests,
    Demo,
}

#[derive(Debug)]
struct Outcome {
    watched: Watched,
    succeeded: bool,
    tally: Tally,
    verdict: Verdict,
}

impl Findings {
    fn judge(&mut self, name: &str, outcome: &Outcome, traces: &[String]) {
        if !outcome.succeeded {
            self.faults.push(format!("{name}: failed"));
        }
        if outcome.watched == Watched::Tests && outcome.tally.passed == 0 {
            self.faults.push(format!("{name}: none ran"));
        }
        let ignored = outcome
            .tally
            .ignorances
            .iter()
            .map(|test| format!("{name}: ignored {test}"));
        let attempts = outcome
            .verdict
            .attempts
            .iter()
            .map(|attempt| format!("{name}: {attempt}"));
        let left = outcome
            .verdict
            .left
            .iter()
            .map(|process| format!("{name}: left a process running: {process}"));
        let traces = traces.iter().map(|trace| format!("{name}: {trace}"));
        self.faults
            .extend(ignored.chain(attempts).chain(left).chain(traces));
    }
}

/// The last lines: versions, counts, and what was wrong.
fn conclude(
    console: Console,
    parts: &Parts,
    findings: &Findings,
    started: Instant,
) -> Result<(), Fault> {
    console.step(format_args!("done in {}", elapsed(started)));
    answer("");
    for (name, version) in parts.versions() {
        answer(format_args!("{name:<20}{version}"));
    }
    let Tally {
        passed,
        failed,
        ignored,
        ..
    } = &findings.tally;
    answer(format_args!("{passed} passed, {failed} failed"));
    answer(format_args!("ignored {ignored}"));
    let failures = findings
        .tally
        .failures
        .iter()
        .map(|test| format!("test {test}"));
    let wrong: Vec<_> = failures.chain(findings.faults.iter().cloned()).collect();
    if wrong.is_empty() && *failed == 0 && *ignored == 0 {
        return Ok(());
    }
    Err(Fault::Failed(format!(
        "not all is well:\n  - {}",
        wrong.join("\n  - ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(tally: Tally, verdict: Verdict) -> Outcome {
        Outcome {
            watched: Watched::Tests,
            succeeded: true,
            tally,
            verdict,
        }
    }

    #[test]
    fn a_run_without_tests_an_ignored_test_an_attempt_a_process_and_a_trace_are_each_a_fault() {
        let one = || Tally {
            passed: 1,
            ..Tally::default()
        };
        let cases = [
            (outcome(Tally::default(), Verdict::default()), vec![]),
            (
                outcome(
                    Tally {
                        ignorances: vec!["a".to_owned()],
                        ..one()
                    },
                    Verdict::default(),
                ),
                vec![],
            ),
            (
                outcome(
                    one(),
                    Verdict {
                        attempts: vec!["1 attempt".to_owned()],
                        left: vec![],
                    },
                ),
                vec![],
            ),
            (
                outcome(
                    one(),
                    Verdict {
                        attempts: vec![],
                        left: vec!["7 sleep".to_owned()],
                    },
                ),
                vec![],
            ),
            (
                outcome(one(), Verdict::default()),
                vec!["added x".to_owned()],
            ),
            (
                Outcome {
                    succeeded: false,
                    ..outcome(one(), Verdict::default())
                },
                vec![],
            ),
        ];
        for (outcome, traces) in cases {
            let mut findings = Findings::default();
            findings.judge("tests", &outcome, &traces);
            assert_eq!(findings.faults.len(), 1, "{outcome:?}");
        }
        let mut clean = Findings::default();
        clean.judge("tests", &outcome(one(), Verdict::default()), &[]);
        assert!(clean.faults.is_empty());
    }
}
