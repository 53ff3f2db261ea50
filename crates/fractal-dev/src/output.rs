//! What is printed, and the only place that does.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a demo is its output"
)]

use std::io::IsTerminal as _;
use std::process::ExitCode;

/// Prints headings and what belongs to them. Coloured on a terminal unless `NO_COLOR` is set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    colour: bool,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self {
            colour: std::io::stdout().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }

    pub(crate) fn heading(self, number: usize, of: usize, text: &str) {
        println!("\n{}", self.bold(&format!("[{number}/{of}] {text}")));
    }

    pub(crate) fn line(self, text: &str) {
        println!("      {text}");
    }

    /// Something that was checked and holds.
    pub(crate) fn holds(self, text: &str) {
        let mark = if self.colour {
            "\x1b[32mok\x1b[0m"
        } else {
            "ok"
        };
        println!("  {mark}  {text}");
    }

    pub(crate) fn plain(self, text: &str) {
        println!("{text}");
    }

    fn bold(self, text: &str) -> String {
        if self.colour {
            format!("\x1b[1m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Says that a step failed. The step's name comes first: scripts look for it.
pub(crate) fn failed(step: &str, why: &str) -> ExitCode {
    eprintln!("\nerror: step `{step}` failed: {why}");
    ExitCode::FAILURE
}

/// Says that someone stopped it. 130 is what shells expect after Ctrl-C.
pub(crate) fn interrupted() -> ExitCode {
    eprintln!("\ninterrupted: everything was stopped and removed");
    ExitCode::from(130)
}
