//! `plan`: what the agents would do. They answer through the queue, so that nobody here needs a cloud's credentials.

use std::path::Path;
use std::time::Duration;

use fractal_core::contract::LiveSystemId;
use fractal_queue::Queue;

use crate::control::QueueArgs;
use crate::document;
use crate::error::CliError;
use crate::exit::Exit;
use crate::live_system;
use crate::terminal::{Format, Terminal};
use crate::up::seconds;

mod answer;
mod asking;
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
    let from_file = is_file(path);
    let system = from_file.then(|| document::read(path)).transpose()?;
    let queue = args.queue.open()?;
    let (id, questions) = match &system {
        Some(system) => (system.id.clone(), asking::about_file(&queue, system).await?),
        None => submitted(&queue, &args.subject).await?,
    };
    let plans = asking::answers(terminal, &queue, questions, args.timeout).await?;
    match terminal.format() {
        Format::Json => {
            terminal.json(&serde_json::json!({ "liveSystem": id, "components": plans }));
        }
        Format::Text => terminal.lines(text::plans(&id, &plans, terminal.paint())),
    }
    Ok(plans
        .iter()
        .map(Planned::exit)
        .fold(Exit::Success, Exit::worse))
}

/// A file is meant where there is one, or where the name could only be one's.
fn is_file(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    path.is_file() || path.as_os_str() == "-" || matches!(extension, Some("yaml" | "yml" | "json"))
}

async fn submitted(
    queue: &Queue,
    text: &str,
) -> Result<(LiveSystemId, Vec<asking::Asked>), CliError> {
    let system = live_system::find(queue, text).await?;
    let questions = asking::about_submitted(queue, &system.id).await?;
    Ok((system.id, questions))
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
