//! `retry`: components are due now, those that were set aside included.

use fractal_queue::Selector;
use serde_json::json;

use crate::component;
use crate::control::QueueArgs;
use crate::error::CliError;
use crate::live_system;
use crate::terminal::{Format, Terminal};
use fractal_core::Exit;

/// Why the components are woken, as their documents say it.
const REASON: &str = "Retry";

/// Flags of `retry`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fractal retry shop
  fractal retry shop api")]
pub(crate) struct RetryArgs {
    /// The live system: its id, or the end of it
    live_system: String,
    /// Only this component
    component: Option<String>,
    #[command(flatten)]
    queue: QueueArgs,
}

pub(crate) async fn run(terminal: &Terminal, args: RetryArgs) -> Result<Exit, CliError> {
    let queue = args.queue.open()?;
    let system = live_system::find(&queue, &args.live_system).await?;
    let selectors = match &args.component {
        None => vec![Selector::LiveSystem(system.id.clone())],
        Some(text) => component::of(&queue, &system.id, text)
            .await?
            .into_iter()
            .map(|document| Selector::Component(document.key))
            .collect(),
    };
    let mut woken = 0;
    for selector in &selectors {
        woken += queue.wake(selector, REASON).await?;
    }
    match terminal.format() {
        Format::Json => terminal.json(&json!({ "liveSystem": system.id, "woken": woken })),
        Format::Text if woken == 0 => terminal.line("nothing to wake: all of it was due already"),
        Format::Text => terminal.line(&format!("due now: {woken}")),
    }
    Ok(Exit::Success)
}
