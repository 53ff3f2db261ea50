//! `down`: nothing of a live system is wanted any more. Agents remove what there is; what nobody serves can be given up.

use std::time::Duration;

use fractal_core::contract::LiveSystemId;
use fractal_core::status::LiveSystemPhase;
use fractal_core::{Fault, Reason};
use fractal_queue::{LiveSystemView, NO_AGENT_FOR_OFFER, Queue, QueueError};
use serde_json::json;

use crate::component;
use crate::control::QueueArgs;
use crate::error::CliError;
use crate::follow::{self, Settled};
use crate::live_system;
use crate::status;
use crate::terminal::{Format, Terminal};
use crate::up::{WaitArgs, unsettled};
use fractal_core::Exit;

const AGENT_SERVES: Reason = Reason::new("AgentServesComponent");

/// Flags of `down`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fractal down shop --wait
  fractal down shop --force legacy-job   (no agent serves it: what it left in a cloud stays there)")]
pub(crate) struct DownArgs {
    /// The live system: its id, or the end of it
    live_system: String,
    /// Gives up a component that no agent serves; what it left in a cloud stays there
    #[arg(long, value_name = "COMPONENT")]
    force: Vec<String>,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    queue: QueueArgs,
}

pub(crate) async fn run(terminal: &Terminal, args: DownArgs) -> Result<Exit, CliError> {
    let queue = args.queue.open()?;
    let system = live_system::find(&queue, &args.live_system).await?;
    match queue.remove_live_system(&system.id).await {
        // Its last component went between these two looks at it.
        Ok(()) | Err(QueueError::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    for text in &args.force {
        give_up(&queue, &system.id, text).await?;
    }
    if args.wait.wait {
        return wait(terminal, &queue, &system.id, args.wait.timeout).await;
    }
    let left = queue.components(&system.id).await?.len();
    report(terminal, &system.id, left);
    Ok(Exit::Success)
}

fn report(terminal: &Terminal, id: &LiveSystemId, left: usize) {
    match (terminal.format(), left) {
        (Format::Json, left) => terminal.json(&json!({ "liveSystem": id, "removing": left })),
        (Format::Text, 0) => terminal.line(&format!("{id}: gone")),
        (Format::Text, left) => terminal.line(&format!("{id}: removing, components left: {left}")),
    }
}

/// Drops a component without an agent's word, unless there is an agent to give it.
async fn give_up(queue: &Queue, id: &LiveSystemId, text: &str) -> Result<(), CliError> {
    let agents = queue.agents().await?;
    for document in component::of(queue, id, text).await? {
        let server = agents
            .iter()
            .find(|agent| agent.alive && agent.presence.scope.covers(&document.key));
        if let Some(server) = server {
            let what = format!(
                "component {} is not given up: an agent serves it",
                document.key
            );
            let fault = Fault::blocked(AGENT_SERVES, what)
                .because(format!(
                    "{} takes {}",
                    server.presence.agent, document.key.offer
                ))
                .next(format!(
                    "let it remove the component; `fractal status {id}` says what stands in its way"
                ));
            return Err(fault.into());
        }
        queue.forget(&document.key).await?;
    }
    Ok(())
}

async fn wait(
    terminal: &Terminal,
    queue: &Queue,
    id: &LiveSystemId,
    within: Duration,
) -> Result<Exit, CliError> {
    // A removed live system is as it should be only when it is gone.
    match follow::settled(terminal, queue, (id, 0), within).await? {
        Settled::Gone => {
            report(terminal, id, 0);
            Ok(Exit::Success)
        }
        Settled::TimedOut(view) => {
            if let Some(view) = view {
                status::print(terminal, &view, true);
            }
            Err(unsettled("it is not gone yet", id.as_str()))
        }
        Settled::Interrupted => Err(unsettled("waiting was interrupted", id.as_str())),
        Settled::Stuck(view) if view.phase == LiveSystemPhase::Deleting => {
            status::print(terminal, &view, true);
            Err(abandoned(&view))
        }
        Settled::Active | Settled::Stuck(_) => {
            let what = format!("live system {id} was submitted again meanwhile");
            Err(CliError::name(
                what,
                "take it down again, if it is still to go",
            ))
        }
    }
}

/// Waiting longer helps nobody: there is no agent that could confirm what is left as gone.
fn abandoned(view: &LiveSystemView) -> CliError {
    let left: Vec<&str> = view
        .components
        .iter()
        .map(|component| component.key.component.as_str())
        .collect();
    let flags: Vec<String> = left.iter().map(|id| format!("--force {id}")).collect();
    let what = format!("no agent serves what is left: {}", left.join(", "));
    Fault::blocked(NO_AGENT_FOR_OFFER, what)
        .at(&view.id)
        .next(format!(
            "start its agent; or give up what it left in a cloud: fractal down {} {}",
            view.id,
            flags.join(" ")
        ))
        .into()
}
