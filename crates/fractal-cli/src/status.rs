//! `status`: live systems and their components as the queue knows them. Nothing is asked of a cloud.

use fractal_core::contract::LiveSystemId;
use fractal_queue::{LiveSystemView, Queue};

use crate::control::QueueArgs;
use crate::error::CliError;
use crate::terminal::{Format, Terminal};
use crate::{component, live_system};
use fractal_core::Exit;

mod document;
mod text;
mod watch;

pub(crate) use document::SystemStatus;
pub(crate) use text::activity;

/// Flags of `status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fractal status
  fractal status shop
  fractal status shop api --output json
  fractal status shop --watch   (until Ctrl-C)")]
pub(crate) struct StatusArgs {
    /// The live system: its id, or the end of it; all of them when not given
    live_system: Option<String>,
    /// Only this component, with everything known of it
    component: Option<String>,
    /// Goes on printing what changes
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    queue: QueueArgs,
}

/// What is shown.
#[derive(Debug, Clone)]
enum Subject {
    Everything,
    System(LiveSystemId),
    Component(LiveSystemId, String),
}

pub(crate) async fn run(terminal: &Terminal, args: StatusArgs) -> Result<Exit, CliError> {
    let queue = args.queue.open()?;
    let subject = match (&args.live_system, &args.component) {
        (None, _) => Subject::Everything,
        (Some(system), component) => {
            let id = live_system::find(&queue, system).await?.id;
            match component {
                None => Subject::System(id),
                Some(text) => {
                    component::of(&queue, &id, text).await?;
                    Subject::Component(id, text.clone())
                }
            }
        }
    };
    if args.watch {
        return watch::watch(terminal, &queue, &subject).await;
    }
    let views = views(&queue, &subject).await?;
    match subject {
        Subject::Everything => all(terminal, &views),
        Subject::System(_) => views.iter().for_each(|view| print(terminal, view, false)),
        Subject::Component(..) => views.iter().for_each(|view| whole(terminal, view)),
    }
    Ok(Exit::Success)
}

/// Prints one live system: as a document of its own, or as one line of several where `more` says so.
pub(crate) fn print(terminal: &Terminal, view: &LiveSystemView, more: bool) {
    match (terminal.format(), more) {
        (Format::Json, true) => terminal.json_line(&SystemStatus::from(view)),
        (Format::Json, false) => terminal.json(&SystemStatus::from(view)),
        (Format::Text, _) => terminal.lines(text::system(view, terminal.paint())),
    }
}

fn all(terminal: &Terminal, views: &[LiveSystemView]) {
    match terminal.format() {
        Format::Json => {
            let systems: Vec<SystemStatus> = views.iter().map(SystemStatus::from).collect();
            terminal.json(&serde_json::json!({ "liveSystems": systems }));
        }
        Format::Text if views.is_empty() => {
            terminal.line("the queue holds no live system; submit one with `fractal up`");
        }
        Format::Text => terminal.lines(text::systems(views, terminal.paint())),
    }
}

fn whole(terminal: &Terminal, view: &LiveSystemView) {
    match terminal.format() {
        Format::Json => terminal.json(&SystemStatus::from(view)),
        Format::Text => {
            for component in &view.components {
                terminal.lines(text::component(component, terminal.paint()));
            }
        }
    }
}

/// What there is to show now, in order; what is gone is left out.
async fn views(queue: &Queue, subject: &Subject) -> Result<Vec<LiveSystemView>, CliError> {
    let ids = match subject {
        Subject::Everything => queue
            .live_systems()
            .await?
            .into_iter()
            .map(|system| system.id)
            .collect(),
        Subject::System(id) | Subject::Component(id, _) => vec![id.clone()],
    };
    let mut views = Vec::new();
    for id in ids {
        views.extend(queue.view(&id).await?);
    }
    if let Subject::Component(_, component) = subject {
        for view in &mut views {
            view.components
                .retain(|view| view.key.component.as_str() == component);
        }
    }
    Ok(views)
}
