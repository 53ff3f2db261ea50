//! `plan`: what would be done about each component.

use std::sync::Arc;

use fractal_core::Fault;
use fractal_core::contract::LiveSystemId;
use fractal_core::reconcile::Preview;
use fractal_queue::Scope;
use serde::Serialize;

use super::output::{self, Format};
use super::{reaching, surroundings};
use crate::agent::Agent;
use crate::args::RuntimeArgs;
use crate::service::Service;
use crate::stop::Stopper;
use fractal_core::Exit;

/// Flags of `plan`.
#[derive(Debug, clap::Args)]
pub(super) struct PlanArgs {
    /// Only components of this live system
    #[arg(long, value_name = "ID")]
    live_system: Option<String>,
    /// How it is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

#[derive(Serialize)]
struct Line {
    component: String,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Answer {
    Preview(Preview),
    Fault(Fault),
}

pub(super) async fn plan<A: Agent>(
    args: &RuntimeArgs,
    own: &A::Args,
    plan: &PlanArgs,
) -> Result<Exit, Fault> {
    let connected = A::connect(own, &reaching(args)?).await?;
    let (_stopper, stop) = Stopper::new();
    let surroundings = surroundings(args, &connected, ("plan".to_owned(), stop)).await?;
    let service = Service::<A>::new(connected, surroundings)?;
    let worker = Arc::clone(service.worker());
    let wanted = plan
        .live_system
        .as_deref()
        .map(LiveSystemId::decode)
        .transpose()
        .map_err(|error| {
            Fault::terminal(fractal_core::Reason::new("IdInvalid"), error.to_string())
        })?;
    let scope: &Scope = service.scope();
    let mut lines = Vec::new();
    for document in worker.documents(scope, wanted.as_ref()).await? {
        let answer = match worker.plan_of(&document).await? {
            Ok(preview) => Answer::Preview(preview),
            Err(fault) => Answer::Fault(fault),
        };
        lines.push(Line {
            component: document.key.to_string(),
            answer,
        });
    }
    print(&lines, plan.output);
    let faulty = lines
        .iter()
        .any(|line| matches!(line.answer, Answer::Fault(_)));
    Ok(if faulty { Exit::Failed } else { Exit::Success })
}

fn print(lines: &[Line], format: Format) {
    if format == Format::Json {
        return output::json(&lines);
    }
    for line in lines {
        match &line.answer {
            Answer::Fault(fault) => {
                output::line(&format!("{}: {fault} [{}]", line.component, fault.reason))
            }
            Answer::Preview(preview) => preview_lines(&line.component, preview),
        }
    }
}

fn preview_lines(component: &str, preview: &Preview) {
    if let Some(wait) = &preview.wait {
        output::line(&format!("{component}: waits: {wait}"));
    } else if preview.now.is_empty() {
        output::line(&format!("{component}: in sync"));
    } else {
        output::line(&format!("{component}:"));
    }
    for step in &preview.now {
        output::line(&format!(
            "  {:?}: {} ({})",
            step.effect, step.step, step.place
        ));
    }
    for later in &preview.later {
        output::line(&format!("  then: {later}"));
    }
}
