//! What a command prints, and the only place that does.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command's answer goes to standard output, its problem to standard error"
)]

use fractal_core::{Class, Fault};
use serde::Serialize;

use fractal_core::Exit;

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

pub(crate) fn line(text: &str) {
    println!("{text}");
}

pub(crate) fn json(value: &impl Serialize) {
    // The values printed are trees of texts and numbers.
    println!(
        "{}",
        serde_json::to_string_pretty(value).unwrap_or_default()
    );
}

pub(crate) fn problem(text: &str, exit: Exit) -> Exit {
    eprintln!("error: {text}");
    exit
}

pub(crate) fn fault(fault: &Fault) -> Exit {
    let exit = if matches!(fault.class, Class::Transient { .. }) {
        Exit::TryAgain
    } else {
        Exit::Failed
    };
    eprintln!("error: {} [{}]", fault.what, fault.reason);
    let lines = [
        ("at", &fault.place),
        ("because", &fault.why),
        ("next", &fault.next),
    ];
    for (name, text) in lines
        .iter()
        .filter_map(|(name, text)| Some((name, text.as_ref()?)))
    {
        eprintln!("  {name}: {text}");
    }
    exit
}
