//! `up`: a live system from a file into the queue. What becomes of it is the agents' work.

use std::path::PathBuf;
use std::time::Duration;

use fractal_core::contract::{ComponentId, ComponentKey};
use fractal_core::{Fault, Reason};
use fractal_queue::Queue;
use fractal_queue::intake::{Receipt, Shrink};
use serde_json::json;

use crate::control::QueueArgs;
use crate::document;
use crate::error::CliError;
use crate::follow::{self, Settled};
use crate::status;
use crate::terminal::{Format, Terminal, Tone};
use fractal_core::Exit;

const NOT_SETTLED: Reason = Reason::new("NotSettled");

/// Flags of `up`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fractal up shop.yaml
  fractal up shop.yaml --wait --timeout 600
  sdk-export | fractal up - --output json

The file is the body that Fractal SDKs post, as YAML or JSON; a blueprint may stand in it under `blueprint`.
A component that it lacks is deleted.")]
pub(crate) struct UpArgs {
    /// The live system's file; `-` reads standard input
    file: PathBuf,
    /// Lets more than half of ten or more components go
    #[arg(long)]
    allow_shrink: bool,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    queue: QueueArgs,
}

/// Whether and how long a command waits.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WaitArgs {
    /// Waits until it has settled: exit code 0 when it is as desired, 1 when something is stuck, 75 when time runs out
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long is waited, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "900", value_parser = seconds, requires = "wait")]
    pub(crate) timeout: Duration,
}

/// Whole seconds, from one to a day.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err("write a whole number of seconds from 1 to 86400".to_owned()),
    }
}

pub(crate) async fn run(terminal: &Terminal, args: UpArgs) -> Result<Exit, CliError> {
    let system = document::read(&args.file)?;
    let queue = args.queue.open_or_make()?;
    let shrink = if args.allow_shrink {
        Shrink::Allow
    } else {
        Shrink::Hold
    };
    let receipt = queue
        .submit_parsed(&system, shrink)
        .await
        .map_err(|source| CliError::Refused {
            place: document::place(&args.file),
            source,
        })?;
    print(terminal, &receipt, args.wait.wait);
    if args.wait.wait {
        wait(terminal, &queue, &receipt, args.wait.timeout).await
    } else {
        Ok(Exit::Success)
    }
}

fn print(terminal: &Terminal, receipt: &Receipt, more_follows: bool) {
    if terminal.format() == Format::Json {
        let document = json!({
            "liveSystem": receipt.id,
            "generation": receipt.generation,
            "changed": receipt.changed,
            "unchanged": receipt.unchanged,
            "removed": receipt.removed,
        });
        return if more_follows {
            terminal.json_line(&document)
        } else {
            terminal.json(&document)
        };
    }
    let id = terminal.paint().tone(Tone::Strong, receipt.id.as_str());
    terminal.line(&format!("{id}  generation {}", receipt.generation));
    let ids = |ids: &[ComponentId]| ids.iter().map(ToString::to_string).collect();
    let removed = receipt.removed.iter().map(removal).collect();
    let rows: [(&str, Vec<String>); 3] = [
        ("submitted", ids(&receipt.changed)),
        ("unchanged", ids(&receipt.unchanged)),
        ("removing", removed),
    ];
    for (what, names) in rows.iter().filter(|(_, names)| !names.is_empty()) {
        terminal.line(&format!("  {what:<10} {}", names.join(", ")));
    }
}

/// A component that goes may go under an offer it no longer has.
fn removal(key: &ComponentKey) -> String {
    format!("{} ({})", key.component, key.offer)
}

async fn wait(
    terminal: &Terminal,
    queue: &Queue,
    receipt: &Receipt,
    within: Duration,
) -> Result<Exit, CliError> {
    let target = (&receipt.id, receipt.generation);
    match follow::settled(terminal, queue, target, within).await? {
        Settled::Active => {
            if let Some(view) = queue.view(&receipt.id).await? {
                status::print(terminal, &view, true);
            }
            Ok(Exit::Success)
        }
        Settled::Stuck(view) => {
            status::print(terminal, &view, true);
            Ok(Exit::Failed)
        }
        Settled::Gone => {
            let what = format!("live system {} was removed meanwhile", receipt.id);
            Err(CliError::name(
                what,
                "submit it again, if it is still wanted",
            ))
        }
        Settled::TimedOut(view) => {
            if let Some(view) = view {
                status::print(terminal, &view, true);
            }
            Err(unsettled("it has not settled in time", receipt.id.as_str()))
        }
        Settled::Interrupted => Err(unsettled("waiting was interrupted", receipt.id.as_str())),
    }
}

/// The agents go on all the same.
pub(crate) fn unsettled(what: &str, id: &str) -> CliError {
    Fault::transient(NOT_SETTLED, what)
        .at(id)
        .next(format!(
            "the agents go on; follow them with `fractal status {id} --watch`"
        ))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_out_is_bounded() {
        assert_eq!(seconds("1"), Ok(Duration::from_secs(1)));
        for text in ["0", "86401", "-1", "1.5", "x"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
