//! What the command prints, and the only place that does: answers to standard output, everything else to standard error.
//!
//! Colour only on a terminal that wants it (<https://no-color.org>), progress only on a terminal, and only to standard error.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use fractal_core::Fault;
use serde::Serialize;
use serde_json::json;

use crate::error::CliError;
use fractal_core::Exit;

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One JSON document; with --watch and while waiting, one in each line
    Json,
}

/// What a text means, where it is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Busy,
    Bad,
    Strong,
}

impl Tone {
    /// ECMA-48 Select Graphic Rendition.
    const fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Busy => "33",
            Self::Bad => "31",
            Self::Strong => "1",
        }
    }
}

/// Whether texts are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint(bool);

impl Paint {
    /// Never.
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self(false);

    fn of(stream_is_terminal: bool) -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        Self(stream_is_terminal && !set("NO_COLOR") && !is_dumb())
    }

    /// `text`, which must hold no control characters.
    pub(crate) fn tone(self, tone: Tone, text: &str) -> String {
        if self.0 {
            format!("\u{1b}[{}m{text}\u{1b}[0m", tone.code())
        } else {
            text.to_owned()
        }
    }
}

/// Whether the terminal says that it understands no control sequences.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// A text of somebody else's for a line of ours: control characters are escaped, so that it cannot steer a terminal.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_debug());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Longest progress line, in characters: the narrowest terminals in use have 80 columns.
const PROGRESS_WIDTH: usize = 79;

/// Standard output still takes what is written.
const OPEN: u8 = 0;
/// Its reader has gone, which is no failure of ours.
const GONE: u8 = 1;
/// It failed.
const BROKEN: u8 = 2;

/// Where the command prints.
#[derive(Debug)]
pub(crate) struct Terminal {
    format: Format,
    paint: Paint,
    error_paint: Paint,
    progress: bool,
    /// Whether a progress line is on the screen.
    shown: AtomicBool,
    state: AtomicU8,
}

impl Terminal {
    pub(crate) fn new(format: Format) -> Self {
        let error_is_terminal = io::stderr().is_terminal();
        Self {
            format,
            paint: Paint::of(io::stdout().is_terminal()),
            error_paint: Paint::of(error_is_terminal),
            progress: error_is_terminal && !is_dumb(),
            shown: AtomicBool::new(false),
            state: AtomicU8::new(OPEN),
        }
    }

    pub(crate) const fn format(&self) -> Format {
        self.format
    }

    pub(crate) const fn paint(&self) -> Paint {
        self.paint
    }

    /// How texts on standard error are coloured.
    pub(crate) const fn error_paint(&self) -> Paint {
        self.error_paint
    }

    /// Whether anybody still reads what is printed.
    pub(crate) fn is_read(&self) -> bool {
        self.state.load(Ordering::Relaxed) == OPEN
    }

    /// A line of the answer.
    pub(crate) fn line(&self, text: &str) {
        self.clear();
        let mut out = io::stdout().lock();
        let written = writeln!(out, "{text}").and_then(|()| out.flush());
        if let Err(error) = written {
            let state = if error.kind() == ErrorKind::BrokenPipe {
                GONE
            } else {
                BROKEN
            };
            self.state.store(state, Ordering::Relaxed);
        }
    }

    pub(crate) fn lines(&self, lines: impl IntoIterator<Item = String>) {
        lines.into_iter().for_each(|line| self.line(&line));
    }

    /// The answer as one document.
    pub(crate) fn json(&self, value: &impl Serialize) {
        // What is printed are trees of texts and numbers, which always have a JSON form.
        self.line(&serde_json::to_string_pretty(value).unwrap_or_default());
    }

    /// One of several answers, on a line of its own.
    pub(crate) fn json_line(&self, value: &impl Serialize) {
        self.line(&serde_json::to_string(value).unwrap_or_default());
    }

    /// Prints why the command failed, and says how it ends.
    pub(crate) fn failure(&self, error: CliError) -> Exit {
        let fault = Fault::from(&error);
        self.fault(&fault);
        error.exit(&fault)
    }

    /// Prints a fault to standard error.
    pub(crate) fn fault(&self, fault: &Fault) {
        self.clear();
        let text = match self.format {
            Format::Json => json!({ "fault": fault }).to_string(),
            Format::Text => {
                let lines = fault_lines(fault).join("\n");
                format!("{} {lines}", self.error_paint.tone(Tone::Bad, "error:"))
            }
        };
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// Lines beside the answer, on standard error: what is printed on standard output goes into other programs.
    pub(crate) fn notes(&self, lines: impl IntoIterator<Item = String>) {
        self.clear();
        let mut error = io::stderr().lock();
        for line in lines {
            let _ = writeln!(error, "{line}");
        }
    }

    /// The exit code of a command that ended with `exit`, unless its answer could not be written.
    pub(crate) fn finish(&self, exit: Exit) -> Exit {
        self.clear();
        if self.state.load(Ordering::Relaxed) != BROKEN {
            return exit;
        }
        let _ = writeln!(io::stderr(), "error: standard output cannot be written");
        exit.worse(Exit::Failed)
    }

    /// Shows what is waited for, on a line that the next output replaces.
    pub(crate) fn progress(&self, text: &str) {
        if self.progress {
            self.shown.store(true, Ordering::Relaxed);
            // A line that wraps could not be taken away again.
            let text: String = plain(text).chars().take(PROGRESS_WIDTH).collect();
            let mut error = io::stderr().lock();
            let _ = write!(error, "\r\u{1b}[2K{text}").and_then(|()| error.flush());
        }
    }

    /// Runs `work` and shows meanwhile what is waited for and for how long.
    pub(crate) async fn during<T>(&self, text: &str, work: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                _ = tick.tick() => self.progress(&format!("{} s  {text}", started.elapsed().as_secs())),
            }
        }
    }

    /// Takes the progress line away, where there is one.
    fn clear(&self) {
        if self.shown.swap(false, Ordering::Relaxed) {
            let _ = write!(io::stderr(), "\r\u{1b}[2K");
        }
    }
}

/// A fault for people: what and its stable word, then where, why and what to do.
pub(crate) fn fault_lines(fault: &Fault) -> Vec<String> {
    let mut lines = vec![format!(
        "{} [{}]",
        plain(&fault.what),
        plain(fault.reason.as_str())
    )];
    let more = [
        ("at", &fault.place),
        ("because", &fault.why),
        ("next", &fault.next),
    ];
    for (name, text) in more {
        lines.extend(text.iter().map(|text| format!("  {name}: {}", plain(text))));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_somebody_elses_cannot_steer_a_terminal() {
        assert_eq!(
            plain("a\u{1b}[2Jb\r\n\u{9b}ü"),
            "a\\u{1b}[2Jb\\r\\n\\u{9b}ü"
        );
    }

    #[test]
    fn colour_is_added_only_where_it_is_wanted() {
        assert_eq!(Paint::PLAIN.tone(Tone::Bad, "x"), "x");
        assert_eq!(Paint(true).tone(Tone::Bad, "x"), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(Paint::of(false), Paint::PLAIN);
    }
}
