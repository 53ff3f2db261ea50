//! Logs: JSON where nobody watches, readable lines on a terminal. `docs/reference/logs.md` describes every field.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// JSON unless standard error is a terminal.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Starts logging the events of `agent`, and of others what the filter asks for, to standard error. Says so where the filter
/// cannot be read.
pub(crate) fn start(agent: &str, format: LogFormat, filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(directives(agent, filter))
        .map_err(|error| format!("--log `{}`: {error}", filter.escape_debug()))?;
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let lines = fmt::layer().with_writer(std::io::stderr);
    let layer = if json {
        lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed()
    } else {
        lines
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .boxed()
    };
    tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .try_init()
        .map_err(|error| error.to_string())
}

/// A level alone is about our own events. The SDKs' are heard from `WARN` on: below, they repeat whole requests.
fn directives(agent: &str, filter: &str) -> String {
    let own = agent.replace('-', "_");
    let widened = |directive: &str| match directive.trim().parse::<LevelFilter>() {
        Ok(level) => {
            let others = level.min(LevelFilter::WARN);
            format!("{others},fractal={level},{own}={level}")
        }
        Err(_) => directive.to_owned(),
    };
    let directives: Vec<_> = filter.split(',').map(widened).collect();
    directives.join(",")
}

#[cfg(test)]
mod tests {
    use super::directives;

    #[test]
    fn a_level_alone_is_about_our_own_events() {
        let check = |filter, expected| assert_eq!(directives("some-agent", filter), expected);
        check("debug", "warn,fractal=debug,some_agent=debug");
        check("error", "error,fractal=error,some_agent=error");
        check("off", "off,fractal=off,some_agent=off");
        check(
            "info,aws_config=debug",
            "warn,fractal=info,some_agent=info,aws_config=debug",
        );
        check("fractal_queue=trace", "fractal_queue=trace");
    }
}
