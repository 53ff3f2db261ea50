//! What a person reads on standard error: steps, notes, verdicts. Colour only on a terminal that wants it; nothing here goes to standard output.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Writes progress; a reader that went away (closed pipe) never stops the work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Console {
    colour: bool,
}

impl Console {
    pub(crate) fn new() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            colour: wanted && std::io::stderr().is_terminal(),
        }
    }

    /// A numbered or named stage begins.
    pub(crate) fn step(self, text: impl Display) {
        self.line(format_args!("{} {text}", self.paint("1;36", "==>")));
    }

    /// A fact that belongs to the stage before it.
    pub(crate) fn note(self, text: impl Display) {
        self.line(format_args!("    {text}"));
    }

    pub(crate) fn good(self, text: impl Display) {
        self.line(format_args!("{} {text}", self.paint("32", " ok")));
    }

    pub(crate) fn bad(self, text: impl Display) {
        self.line(format_args!("{} {text}", self.paint("1;31", "FAIL")));
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn line(self, text: impl Display) {
        let _closed = writeln!(std::io::stderr().lock(), "{text}");
    }
}

/// Prints a result on standard output; a closed pipe is no error.
pub(crate) fn answer(text: impl Display) {
    let mut out = std::io::stdout().lock();
    let _closed = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Elapsed time as a person says it: `48 s`, `6 min 02 s`.
pub(crate) fn elapsed(since: Instant) -> String {
    spoken(since.elapsed())
}

pub(crate) fn spoken(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        seconds if seconds < 60 => format!("{seconds} s"),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spoken_in_the_unit_that_fits() {
        assert_eq!(spoken(Duration::from_millis(12)), "12 ms");
        assert_eq!(spoken(Duration::from_secs(48)), "48 s");
        assert_eq!(spoken(Duration::from_secs(362)), "6 min 02 s");
    }
}
