//! `plan`: what the agents would do. They answer through the queue, so that nobody here needs a cloud's credentials.

use std::path::Path;
use std::time::Duration;

use fractal_core::contract::LiveSystem;

use crate::control::QueueArgs;
use crate::document;
use crate::error::CliError;
use crate::live_system;
use crate::terminal::{Format, Terminal};
use crate::up::seconds;
use fractal_core::Exit;

pub(crate) mod answer;
pub(crate) mod asking;
mod text;

use answer::Planned;

/// Flags of `plan`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fractal plan shop.yaml            (what submitting this file would do)
  fractal plan shop                 (what is still to be done for what was submitted)
  fractal plan shop.yaml --output json

Nothing is submitted or changed. The agents that serve the components answer, so they have to be running.")]
pub(crate) struct PlanArgs {
    /// A live system's file, or a live system in the queue
    #[arg(value_name = "FILE|LIVE_SYSTEM")]
    subject: String,
    /// How long answers are waited for, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    timeout: Duration,
    #[command(flatten)]
    queue: QueueArgs,
}

pub(crate) async fn run(terminal: &Terminal, args: PlanArgs) -> Result<Exit, CliError> {
    let path = Path::new(&args.subject);
    let system = match is_file(path) {
        true => Some(read(path).await?),
        false => None,
    };
    let queue = args.queue.open()?;
    let (id, held, questions) = match &system {
        Some(system) => {
            let held = asking::is_large_shrink(&queue, system).await?;
            let questions = asking::about_file(&queue, system, None).await?;
            (system.id.clone(), held, questions)
        }
        None => {
            let system = live_system::find(&queue, &args.subject).await?;
            let questions = asking::about_submitted(&queue, &system.id, None).await?;
            (system.id, false, questions)
        }
    };
    let plans = asking::answers(terminal, &queue, questions, args.timeout).await?;
    match terminal.format() {
        Format::Json => {
            terminal.json(&serde_json::json!({ "liveSystem": id, "needsAllowShrink": held, "components": plans }));
        }
        Format::Text => {
            terminal.lines(text::plans(&id, &plans, terminal.paint()));
            if held {
                terminal.line("submitting this needs --allow-shrink: more than half of the components would go");
            }
        }
    }
    Ok(plans
        .iter()
        .map(Planned::exit)
        .fold(Exit::Success, Exit::worse))
}

/// A file is meant where there is one, or where the name could only be one's.
pub(crate) fn is_file(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    path.is_file() || path.as_os_str() == "-" || matches!(extension, Some("yaml" | "yml" | "json"))
}

/// The live system in a file, unless submitting it would be refused.
pub(crate) async fn read(path: &Path) -> Result<LiveSystem, CliError> {
    let system = document::read(path)?;
    asking::check(&document::place(path), &system).await?;
    Ok(system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_only_be_a_files_is_one() {
        assert!(is_file(Path::new("absent.yaml")));
        assert!(is_file(Path::new("-")));
        assert!(!is_file(Path::new("Personal/o/bc/shop")));
    }
}
