//! The proof that nothing but 127.0.0.1 is used, itself put to the proof: an attempt and a process left behind have to show, a clean run must not.
//! Where namespaces are not allowed the suite falls back to strace, and what can be tested here is that it is there.

#![cfg(test)]

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What `isolated` ended with and wrote into its report.
struct Run {
    code: Option<i32>,
    report: String,
}

fn namespaces_are_allowed() -> bool {
    let works = |program: &str, arguments: &[&str]| {
        Command::new(program)
            .args(arguments)
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let allowed = works("unshare", &["--user", "--map-root-user", "--net", "true"]);
    assert!(
        allowed || works("strace", &["-f", "-qq", "-e", "trace=connect", "true"]),
        "neither namespaces nor strace work here"
    );
    allowed
}

fn isolated(name: &str, script: &str) -> Run {
    let report: PathBuf =
        std::env::temp_dir().join(format!("xtask-isolated-{name}-{}", std::process::id()));
    let status = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--net",
            "--",
            env!("CARGO_BIN_EXE_xtask"),
            "isolated",
        ])
        .arg(&report)
        .args(["sh", "-c", script])
        .status()
        .unwrap_or_else(|error| panic!("unshare: {error}"));
    let text =
        std::fs::read_to_string(&report).unwrap_or_else(|error| panic!("no report: {error}"));
    let _gone = std::fs::remove_file(&report);
    Run {
        code: status.code(),
        report: text,
    }
}

#[test]
fn a_run_that_stays_on_loopback_is_clean_and_keeps_its_exit_code() {
    if namespaces_are_allowed() {
        let loopback = "python3 -c \"import socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())\" && exit 7";
        let run = isolated("clean", loopback);
        assert_eq!((run.code, run.report.as_str()), (Some(7), ""));
    }
}

#[test]
fn an_attempt_to_leave_shows_even_when_its_failure_is_swallowed() {
    if namespaces_are_allowed() {
        for target in [
            "(socket.AF_INET, socket.SOCK_STREAM, '192.0.2.7')",
            "(socket.AF_INET, socket.SOCK_DGRAM, '169.254.169.254')",
        ] {
            let script = format!(
                "python3 -c \"import socket; f, t, a = {target}; socket.socket(f, t).connect((a, 80))\" 2>/dev/null; exit 0"
            );
            let run = isolated("attempt", &script);
            assert_eq!(run.code, Some(0));
            assert_eq!(
                run.report,
                "attempt 1 IPv4 attempts to reach something else than loopback\n"
            );
        }
    }
}

#[test]
fn a_process_left_behind_shows() {
    if namespaces_are_allowed() {
        let run = isolated("left", "sleep 30 >/dev/null 2>&1 &");
        let left = run
            .report
            .strip_prefix("left ")
            .unwrap_or_else(|| panic!("not seen: {}", run.report));
        let (process, line) = left.trim_end().split_once(' ').unwrap();
        assert_eq!(line, "sleep 30");
        assert!(
            Command::new("kill")
                .arg(process)
                .status()
                .unwrap()
                .success()
        );
    }
}
