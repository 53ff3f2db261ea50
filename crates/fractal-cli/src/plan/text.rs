//! Plans for people.

use fractal_core::contract::LiveSystemId;

use super::answer::{Plan, Planned, Preview};
use crate::terminal::{Paint, Tone, fault_lines, plain};

pub(super) fn plans(id: &LiveSystemId, plans: &[Planned], paint: Paint) -> Vec<String> {
    let mut lines = vec![paint.tone(Tone::Strong, id.as_str())];
    for planned in plans {
        lines.extend(component(id, planned, paint));
    }
    lines.push(summary(plans));
    lines
}

fn component(id: &LiveSystemId, planned: &Planned, paint: Paint) -> Vec<String> {
    let name = plain(&planned.component);
    match &planned.plan {
        Plan::Provided(_) => vec![format!("  {name}: provided by the environment")],
        Plan::Removed(_) => {
            let word = paint.tone(Tone::Bad, "would be removed");
            vec![format!("  {name} ({}): {word}", plain(&planned.offer))]
        }
        Plan::Fault(fault) => {
            let mut lines = vec![format!("  {name}: {}", paint.tone(Tone::Bad, "no plan"))];
            lines.extend(
                fault_lines(fault)
                    .into_iter()
                    .map(|line| format!("    {line}")),
            );
            lines
        }
        Plan::Preview(preview) => steps(id, &name, preview, paint),
    }
}

fn steps(id: &LiveSystemId, name: &str, preview: &Preview, paint: Paint) -> Vec<String> {
    if let Some(wait) = &preview.wait {
        return vec![format!("  {name}: waits: {}", plain(wait))];
    }
    let notices = preview.notices.iter().map(|notice| {
        let word = paint.tone(Tone::Busy, "note");
        format!("    {word}     {}", plain(&notice.message))
    });
    if preview.now.is_empty() {
        let good = paint.tone(Tone::Good, "in sync");
        return std::iter::once(format!("  {name}: {good}"))
            .chain(notices)
            .collect();
    }
    let mut lines = vec![format!("  {name}:")];
    lines.extend(notices);
    for step in &preview.now {
        let effect = paint.tone(tone(&step.effect), &format!("{:<8}", plain(&step.effect)));
        lines.push(format!(
            "    {effect} {} ({})",
            plain(&step.step),
            plain(&step.place)
        ));
        let details = step.details.iter();
        lines.extend(details.map(|line| format!("             {}", plain(line))));
    }
    let later = preview.later.iter();
    lines.extend(later.map(|later| format!("    then     {}", plain(later))));
    if let Some(hash) = &preview.approval {
        lines.push(format!(
            "    it needs consent: fractal approve {id}/{name} {}",
            plain(hash)
        ));
    }
    lines
}

fn tone(effect: &str) -> Tone {
    match effect {
        "Replace" | "Delete" => Tone::Bad,
        "Update" => Tone::Busy,
        _ => Tone::Good,
    }
}

fn summary(plans: &[Planned]) -> String {
    let count =
        |wanted: fn(&Plan) -> bool| plans.iter().filter(|planned| wanted(&planned.plan)).count();
    let changed = count(|plan| matches!(plan, Plan::Preview(preview) if !preview.now.is_empty()));
    let removed = count(|plan| matches!(plan, Plan::Removed(_)));
    let faulty = count(|plan| matches!(plan, Plan::Fault(_)));
    let noun = if plans.len() == 1 {
        "component"
    } else {
        "components"
    };
    format!(
        "{} {noun}: {changed} to change, {removed} to remove, {faulty} without a plan",
        plans.len()
    )
}
