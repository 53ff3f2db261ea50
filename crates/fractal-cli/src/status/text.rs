//! The status for people: a table, and below it what stands in the way, with the next step.

use fractal_core::Class;
use fractal_core::artifact::Digest;
use fractal_core::status::{ComponentPhase, ConditionStatus, LiveSystemPhase, Status};
use fractal_queue::{ComponentView, LiveSystemView};

use crate::table::{Cell, Table};
use crate::terminal::{Paint, Tone, fault_lines, plain};

/// All live systems, a line each.
pub(super) fn systems(views: &[LiveSystemView], paint: Paint) -> Vec<String> {
    let mut table = Table::new(&["LIVE SYSTEM", "STATUS", "ACTIVE", "GENERATION"]);
    for view in views {
        table.row(vec![
            Cell::new(view.id.as_str()),
            system_phase(view.phase),
            Cell::new(format!("{}/{}", active(view), view.components.len())),
            Cell::new(view.generation.to_string()),
        ]);
    }
    table.lines(paint)
}

/// One live system with its components.
pub(super) fn system(view: &LiveSystemView, paint: Paint) -> Vec<String> {
    let id = paint.tone(Tone::Strong, view.id.as_str());
    let phase = format!("{:?}", view.phase);
    let phase = paint.tone(system_tone(view.phase), &phase);
    let mut lines = vec![format!("{id}  {phase}  generation {}", view.generation)];
    if let Some(held) = &view.held {
        lines.push(String::new());
        lines.push("the last submission is held:".to_owned());
        lines.extend(indented(fault_lines(held)));
    }
    lines.push(String::new());
    lines.extend(table(view).lines(paint));
    for component in &view.components {
        let more = obstacle(component);
        if !more.is_empty() {
            lines.push(String::new());
            lines.extend(more);
        }
    }
    lines
}

fn table(view: &LiveSystemView) -> Table {
    let mut table = Table::new(&["COMPONENT", "OFFER", "STATUS", "RUNNING", "SINCE"]);
    for component in &view.components {
        table.row(vec![
            Cell::new(component.key.component.as_str()),
            Cell::new(component.key.offer.as_str()),
            component_phase(component.phase),
            Cell::new(running(&component.status)),
            Cell::new(since(&component.status)),
        ]);
    }
    table
}

/// Everything known of one component.
pub(super) fn component(view: &ComponentView, paint: Paint) -> Vec<String> {
    let status = &view.status;
    let name = paint.tone(Tone::Strong, &view.key.to_string());
    let phase = paint.tone(component_tone(view.phase), &format!("{:?}", view.phase));
    let mut lines = vec![
        format!("{name}  {phase}  generation {}", view.generation),
        format!("  offer        {}", view.key.offer),
        format!("  environment  {}", view.key.environment),
    ];
    if !status.agent.is_empty() {
        lines.push(format!("  agent        {}", plain(&status.agent)));
    }
    lines.extend(artifact(status));
    let notices = status.notices.iter();
    lines.extend(notices.map(|notice| format!("  note         {}", plain(&notice.message))));
    if !status.conditions.is_empty() {
        lines.push(String::new());
        lines.extend(indented(conditions(status).lines(paint)));
    }
    if !status.outputs.is_empty() {
        lines.push(String::new());
        let outputs = status.outputs.iter();
        lines.extend(outputs.map(|(name, value)| format!("  {}  {}", plain(name), plain(value))));
    }
    let more = obstacle(view);
    if !more.is_empty() {
        lines.push(String::new());
        lines.extend(more);
    }
    lines
}

fn artifact(status: &Status) -> Vec<String> {
    let Some(artifact) = &status.artifact else {
        return Vec::new();
    };
    let shown = |digest: &Option<Digest>| {
        digest
            .as_ref()
            .map_or_else(|| "nothing yet".into(), Digest::to_string)
    };
    let mut lines = vec![
        format!("  artifact     {}", artifact.reference),
        format!("  desired      {}", artifact.desired),
    ];
    if artifact.image.is_some() {
        lines.push(format!("  image        {}", shown(&artifact.image)));
    }
    lines.push(format!("  running      {}", shown(&artifact.running)));
    let beside = artifact.beside.iter();
    lines.extend(beside.map(|reference| format!("  with         {reference}")));
    lines
}

fn conditions(status: &Status) -> Table {
    let mut table = Table::new(&["CONDITION", "STATUS", "REASON", "SINCE", "MESSAGE"]);
    for condition in &status.conditions {
        let (tone, word) = match condition.status {
            ConditionStatus::True => (Tone::Good, "True"),
            ConditionStatus::False => (Tone::Bad, "False"),
            ConditionStatus::Unknown => (Tone::Busy, "Unknown"),
        };
        table.row(vec![
            Cell::new(format!("{:?}", condition.kind)),
            Cell::toned(tone, word),
            Cell::new(&condition.reason),
            Cell::new(condition.since.to_string()),
            Cell::new(&condition.message),
        ]);
    }
    table
}

/// What stands in a component's way, and when it is tried again.
fn obstacle(view: &ComponentView) -> Vec<String> {
    let Some(fault) = &view.status.fault else {
        return Vec::new();
    };
    let mut lines = vec![format!("{}:", view.key.component)];
    lines.extend(indented(fault_lines(fault)));
    let next = view.status.next_attempt.map(|next| next.to_string());
    let attempts = attempts(fault.class, view.status.attempts, next.as_deref());
    lines.extend(attempts.map(|text| format!("    {text}")));
    lines
}

/// How often it was tried, and when it is again. What is terminal waits for a person.
fn attempts(class: Class, count: u32, next: Option<&str>) -> Option<String> {
    let tried = match count {
        0 => None,
        1 => Some("tried once".to_owned()),
        count => Some(format!("tried {count} times")),
    };
    let next = match class {
        Class::Terminal => Some("not tried again by itself".to_owned()).filter(|_| count > 0),
        Class::Blocked | Class::Transient { .. } => next.map(|next| format!("next attempt {next}")),
    };
    next.map(|next| {
        tried
            .into_iter()
            .chain([next])
            .collect::<Vec<_>>()
            .join(", ")
    })
}

fn indented(lines: Vec<String>) -> impl Iterator<Item = String> {
    lines.into_iter().map(|line| format!("  {line}"))
}

/// What a live system is about, in a line, while it is waited for.
pub(crate) fn activity(view: &LiveSystemView) -> String {
    let names = |wanted: fn(ComponentPhase) -> bool| {
        let components = view.components.iter();
        let names: Vec<&str> = components
            .filter(|component| wanted(component.phase))
            .map(|component| component.key.component.as_str())
            .collect();
        (!names.is_empty()).then(|| crate::live_system::listed(&names))
    };
    if view.phase == LiveSystemPhase::Deleting {
        return format!("removing {}", names(|_| true).unwrap_or_default());
    }
    let failed = names(|phase| phase == ComponentPhase::Failed);
    let busy = names(|phase| !matches!(phase, ComponentPhase::Active | ComponentPhase::Failed));
    [
        Some(format!(
            "{} of {} active",
            active(view),
            view.components.len()
        )),
        failed.map(|names| format!("failed: {names}")),
        busy.map(|names| format!("waiting for {names}")),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(", ")
}

fn active(view: &LiveSystemView) -> usize {
    let phases = view.components.iter().map(|component| component.phase);
    phases
        .filter(|phase| *phase == ComponentPhase::Active)
        .count()
}

fn running(status: &Status) -> String {
    let artifact = status.artifact.as_ref();
    let Some(running) = artifact.and_then(|artifact| artifact.running.as_ref()) else {
        return "-".to_owned();
    };
    format!("{}:{}", running.algorithm().as_str(), running.short())
}

/// Since when it is in the state shown: since it waits, else since it last changed.
fn since(status: &Status) -> String {
    let changed = status
        .conditions
        .iter()
        .map(|condition| condition.since)
        .max();
    let since = status.fault.as_ref().and(status.waiting_since).or(changed);
    since.map_or_else(|| "-".to_owned(), |since| since.to_string())
}

fn system_phase(phase: LiveSystemPhase) -> Cell {
    Cell::toned(system_tone(phase), format!("{phase:?}"))
}

const fn system_tone(phase: LiveSystemPhase) -> Tone {
    match phase {
        LiveSystemPhase::Active => Tone::Good,
        LiveSystemPhase::Mutating | LiveSystemPhase::Deleting => Tone::Busy,
        LiveSystemPhase::FailedMutation => Tone::Bad,
    }
}

fn component_phase(phase: ComponentPhase) -> Cell {
    Cell::toned(component_tone(phase), format!("{phase:?}"))
}

pub(super) const fn component_tone(phase: ComponentPhase) -> Tone {
    match phase {
        ComponentPhase::Active => Tone::Good,
        ComponentPhase::Failed => Tone::Bad,
        ComponentPhase::Instantiating | ComponentPhase::Mutating | ComponentPhase::Deleting => {
            Tone::Busy
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_tried_again_has_a_next_attempt() {
        let check = |class: Class, count: u32, expected: Option<&str>| {
            let found = attempts(class, count, Some("at noon"));
            assert_eq!(found.as_deref(), expected, "{class:?} {count}");
        };
        let passing = Class::Transient { retry_after: None };
        check(passing, 0, Some("next attempt at noon"));
        check(Class::Blocked, 1, Some("tried once, next attempt at noon"));
        check(passing, 2, Some("tried 2 times, next attempt at noon"));
        check(Class::Terminal, 0, None);
        check(
            Class::Terminal,
            1,
            Some("tried once, not tried again by itself"),
        );
        assert_eq!(attempts(passing, 1, None), None);
    }
}
