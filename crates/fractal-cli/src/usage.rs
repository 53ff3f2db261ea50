//! Command lines that clap refuses, help and versions included: clap prints them, unless a script asked for JSON.
//!
//! The flag that says so is looked for in the raw arguments, since there are no parsed ones then.

use std::ffi::OsStr;

use clap::error::ErrorKind;

use crate::error::CliError;
use crate::terminal::{Format, Terminal};
use fractal_core::Exit;

/// Says what clap said, and how the command ends. Help and versions go to standard output, errors to standard error.
pub(crate) fn report(error: &clap::Error) -> Exit {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        // Nothing can be said where nothing can be printed.
        let _ = error.print();
        return Exit::Success;
    }
    if !wants_json(std::env::args_os().skip(1)) {
        let _ = error.print();
        return Exit::Usage;
    }
    let (what, next) = parts(&error.to_string());
    Terminal::new(Format::Json).failure(CliError::usage(what, next))
}

/// Whether the arguments ask for JSON, as `--output json` or `--output=json`.
fn wants_json(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> bool {
    let mut is_value = false;
    for arg in args {
        match arg.as_ref().to_str() {
            Some("json") if is_value => return true,
            Some("--output=json") => return true,
            Some("--") => return false,
            other => is_value = other == Some("--output"),
        }
    }
    false
}

/// clap's text is paragraphs: what is wrong, then tips and the usage.
fn parts(text: &str) -> (String, String) {
    let mut paragraphs = text.split("\n\n").map(|paragraph| {
        let lines: Vec<&str> = paragraph.lines().map(str::trim).collect();
        lines.join(" ")
    });
    let what = paragraphs.next().unwrap_or_default();
    let what = what.strip_prefix("error: ").unwrap_or(&what).to_owned();
    let hints: Vec<String> = paragraphs
        .filter(|text| text.starts_with("tip: ") || text.starts_with("Usage: "))
        .collect();
    let next = match hints.as_slice() {
        [] => "look at `fractal --help`".to_owned(),
        hints => hints.join("; "),
    };
    (what, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_seen_in_raw_arguments() {
        let check = |args: &[&str], expected: bool| {
            assert_eq!(wants_json(args), expected, "{args:?}");
        };
        check(&["stauts", "--output", "json"], true);
        check(&["--output=json", "stauts"], true);
        check(&["status", "--output", "text"], false);
        check(&["up", "--output"], false);
        check(&["up", "json"], false);
        check(&["publish", "--", "--output", "json"], false);
        check(&["publish", "--", "--output=json"], false);
        check(&[], false);
    }
}
