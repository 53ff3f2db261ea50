//! `status --watch`: what there is, and then a line for every change, until Ctrl-C or until nobody reads any more.

use std::collections::BTreeMap;

use fractal_core::Fault;
use fractal_core::contract::ComponentKey;
use fractal_core::status::ComponentPhase;
use fractal_queue::{ComponentView, LiveSystemView, Queue};
use serde_json::json;

use super::text::component_tone;
use super::{Subject, SystemStatus, views};
use crate::error::CliError;
use crate::follow::{Follower, interrupted, unread};
use crate::terminal::{Format, Paint, Terminal, plain};
use fractal_core::Exit;

pub(super) async fn watch(
    terminal: &Terminal,
    queue: &Queue,
    subject: &Subject,
) -> Result<Exit, CliError> {
    let mut follower = Follower::new(queue).await?;
    let mut shown = Shown::default();
    let interrupt = interrupted();
    let unread = unread();
    tokio::pin!(interrupt, unread);
    while terminal.is_read() {
        shown.show(terminal, &views(queue, subject).await?);
        tokio::select! {
            () = &mut interrupt => break,
            () = &mut unread => break,
            changed = follower.changed() => changed?,
        }
    }
    Ok(Exit::Success)
}

/// What was printed of each component, and of each live system as JSON.
#[derive(Default)]
struct Shown {
    components: BTreeMap<ComponentKey, Line>,
    systems: BTreeMap<String, String>,
}

/// What of a component makes a new line where it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    phase: ComponentPhase,
    generation: u64,
    /// Conditions without their times, and the fault.
    why: String,
}

impl Shown {
    fn show(&mut self, terminal: &Terminal, views: &[LiveSystemView]) {
        match terminal.format() {
            Format::Json => self.documents(terminal, views),
            Format::Text => self
                .lines(views, terminal.paint())
                .iter()
                .for_each(|line| terminal.line(line)),
        }
    }

    fn documents(&mut self, terminal: &Terminal, views: &[LiveSystemView]) {
        let mut now = BTreeMap::new();
        for view in views {
            let document = json!(SystemStatus::from(view)).to_string();
            if self.systems.get(view.id.as_str()) != Some(&document) {
                terminal.line(&document);
            }
            now.insert(view.id.as_str().to_owned(), document);
        }
        for gone in self.systems.keys().filter(|id| !now.contains_key(*id)) {
            terminal.json_line(&json!({ "liveSystem": gone, "gone": true }));
        }
        self.systems = now;
    }

    fn lines(&mut self, views: &[LiveSystemView], paint: Paint) -> Vec<String> {
        let components = views.iter().flat_map(|view| &view.components);
        let now: BTreeMap<ComponentKey, Line> = components
            .map(|view| (view.key.clone(), Line::of(view)))
            .collect();
        let mut lines = Vec::new();
        for (key, line) in &now {
            if self.components.get(key) != Some(line) {
                lines.push(line.text(key, paint));
            }
        }
        for gone in self.components.keys().filter(|key| !now.contains_key(*key)) {
            lines.push(format!("{gone}  gone"));
        }
        self.components = now;
        lines
    }
}

impl Line {
    fn of(view: &ComponentView) -> Self {
        let step = view.status.conditions.last();
        let step = step.map(|condition| format!("{:?}: {}", condition.kind, condition.reason));
        let why = view.status.fault.as_ref().map(obstacle).or(step);
        Self {
            phase: view.phase,
            generation: view.generation,
            why: why.unwrap_or_default(),
        }
    }

    fn text(&self, key: &ComponentKey, paint: Paint) -> String {
        let phase = paint.tone(component_tone(self.phase), &format!("{:?}", self.phase));
        let line = format!(
            "{key}  {phase}  generation {}  {}",
            self.generation,
            plain(&self.why)
        );
        line.trim_end().to_owned()
    }
}

fn obstacle(fault: &Fault) -> String {
    format!("{fault} [{}]", fault.reason)
}
