//! `manifests diff`: what applying a component's bundle would change in the cluster, as the agent that serves it sees it.

use std::path::PathBuf;
use std::time::Duration;

use fractal_core::contract::{ComponentId, LiveSystemId};
use fractal_queue::Queue;
use serde_json::json;

use super::settings::component_id;
use crate::control::QueueArgs;
use crate::error::CliError;
use crate::live_system::{self, ends_with, listed, shown};
use crate::plan;
use crate::plan::answer::{Plan, Planned, Preview, Step};
use crate::plan::asking::{self, Asked};
use crate::terminal::{Format, Paint, Terminal, Tone, fault_lines, plain};
use crate::up::seconds;
use fractal_core::Exit;

/// Flags of `manifests diff`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fractal manifests diff --component dashboard shop                    (as it was submitted)
  fractal manifests diff --component dashboard -f shop.yaml   (what submitting it would change)
  fractal manifests diff --component dashboard shop --exit-code       (1 where there are changes)

The agent that serves the component fetches the bundle that the live system names, asks the API
server what would change, and answers through the queue: no credentials of the cluster are needed
here. A bundle has to be published first, under a tag or digest of its own.")]
pub(crate) struct DiffArgs {
    /// The live system in the queue
    #[arg(value_name = "LIVE_SYSTEM", required_unless_present = "file")]
    live_system: Option<String>,
    /// The component
    #[arg(long, value_name = "ID", value_parser = component_id)]
    component: ComponentId,
    /// A live system's file: what submitting it would change
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Ends with 1 where there are changes, and with 75 where they cannot be told yet
    #[arg(long)]
    exit_code: bool,
    /// How long the answer is waited for, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    timeout: Duration,
    #[command(flatten)]
    queue: QueueArgs,
}

pub(crate) async fn run(terminal: &Terminal, args: DiffArgs) -> Result<Exit, CliError> {
    let queue = args.queue.open()?;
    let (id, asked) = asked(&queue, &args).await?;
    let plans = asking::answers(terminal, &queue, asked, args.timeout).await?;
    let changes = plans.iter().any(has_changes);
    match terminal.format() {
        Format::Json => terminal.json(&json!({
            "liveSystem": id, "component": args.component, "changes": changes, "plans": plans,
        })),
        Format::Text => {
            let lines = plans.iter().flat_map(|plan| lines(plan, terminal.paint()));
            terminal.lines(lines);
        }
    }
    let answered = plans.iter().map(Planned::exit);
    let told = plans.iter().filter(|_| args.exit_code).map(of_changes);
    Ok(answered.chain(told).fold(Exit::Success, Exit::worse))
}

/// Which live system is meant, and the question about its component.
async fn asked(queue: &Queue, args: &DiffArgs) -> Result<(LiveSystemId, Vec<Asked>), CliError> {
    let only = Some(&args.component);
    let name = args.live_system.as_deref();
    let Some(path) = &args.file else {
        let system = live_system::find(queue, name.unwrap_or_default()).await?;
        let asked = asking::about_submitted(queue, &system.id, only).await?;
        known(&args.component, &asked, system.components.keys())?;
        return Ok((system.id, asked));
    };
    let system = plan::read(path).await?;
    same_system(&system.id, name)?;
    let asked = asking::about_file(queue, &system, only).await?;
    known(&args.component, &asked, system.components.keys())?;
    Ok((system.id, asked))
}

/// A name beside a file has to be the file's.
fn same_system(id: &LiveSystemId, name: Option<&str>) -> Result<(), CliError> {
    match name {
        Some(name) if !ends_with(id.as_str(), name) => Err(CliError::usage(
            format!("the file holds {id}, not `{}`", shown(name)),
            "leave the name out, or give that live system's file",
        )),
        _ => Ok(()),
    }
}

fn known<'a>(
    id: &ComponentId,
    asked: &[Asked],
    known: impl Iterator<Item = &'a ComponentId>,
) -> Result<(), CliError> {
    if !asked.is_empty() {
        return Ok(());
    }
    let known: Vec<&str> = known.map(ComponentId::as_str).collect();
    let what = format!("there is no component `{}`", shown(id.as_str()));
    let next = format!("there are: {}", listed(&known));
    Err(CliError::name(what, next))
}

fn has_changes(planned: &Planned) -> bool {
    match &planned.plan {
        Plan::Preview(preview) => !preview.now.is_empty(),
        Plan::Removed(_) => true,
        Plan::Fault(_) | Plan::Provided(_) => false,
    }
}

fn of_changes(planned: &Planned) -> Exit {
    match &planned.plan {
        Plan::Preview(Preview { wait: Some(_), .. }) => Exit::TryAgain,
        _ if has_changes(planned) => Exit::Failed,
        _ => Exit::Success,
    }
}

fn lines(planned: &Planned, paint: Paint) -> Vec<String> {
    let name = plain(&planned.component);
    match &planned.plan {
        Plan::Provided(_) => vec![format!("{name} is provided by the environment")],
        Plan::Removed(_) => vec![format!("- everything of {name}, which the file lacks")],
        Plan::Fault(fault) => {
            let mut lines = vec![format!("{}: {name}", paint.tone(Tone::Bad, "no answer"))];
            lines.extend(fault_lines(fault).iter().map(|line| format!("  {line}")));
            lines
        }
        Plan::Preview(preview) => changes(preview, &name, paint),
    }
}

fn changes(preview: &Preview, name: &str, paint: Paint) -> Vec<String> {
    let notices = preview.notices.iter();
    let mut lines: Vec<String> = notices
        .map(|notice| {
            format!(
                "{} {}",
                paint.tone(Tone::Busy, "note:"),
                plain(&notice.message)
            )
        })
        .collect();
    if let Some(wait) = &preview.wait {
        lines.push(format!("{name} is being changed: {}", plain(wait)));
        return lines;
    }
    for step in &preview.now {
        lines.extend(change(step, paint));
    }
    let later = preview.later.iter();
    lines.extend(later.map(|later| format!("… {}", plain(later))));
    let count = |effects: &[&str]| {
        let steps = preview.now.iter();
        steps
            .filter(|step| effects.contains(&step.effect.as_str()))
            .count()
    };
    lines.push(match preview.now.len() {
        0 => format!("{name}: no changes"),
        _ => format!(
            "{name}: {} to create, {} to change, {} to delete",
            count(&["Create"]),
            count(&["Update", "Replace"]),
            count(&["Delete"]),
        ),
    });
    lines
}

/// The object and its fields, with the signs that diffs have.
fn change(step: &Step, paint: Paint) -> Vec<String> {
    let (sign, tone) = match step.effect.as_str() {
        "Create" => ("+", Tone::Good),
        "Update" => ("~", Tone::Busy),
        "Replace" => ("±", Tone::Bad),
        "Delete" => ("-", Tone::Bad),
        _ => ("·", Tone::Strong),
    };
    let mut lines = vec![format!("{} {}", paint.tone(tone, sign), plain(&step.step))];
    let details = step.details.iter();
    lines.extend(details.map(|line| format!("    {}", plain(line))));
    lines
}
