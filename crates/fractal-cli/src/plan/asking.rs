//! Asking the agents: which questions there are, who could answer them, and waiting for the answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fractal_core::contract::{Component, ComponentId, ComponentKey, LiveSystem, LiveSystemId};
use fractal_core::{Fault, Reason};
use fractal_queue::intake::{SHRINK_FROM, Shrink};
use fractal_queue::store::Sqlite;
use fractal_queue::{Agent, NO_AGENT_FOR_OFFER, Question, Queue, SystemClock};

use super::answer::{Plan, Planned};
use crate::error::CliError;
use crate::follow::interrupted;
use crate::terminal::Terminal;

const AGENT_SILENT: Reason = Reason::new("AgentSilent");
const ANSWER_UNREADABLE: Reason = Reason::new("AnswerUnreadable");

/// A component, and what is known of its plan or which question was asked about it.
pub(crate) struct Asked {
    key: ComponentKey,
    state: State,
}

enum State {
    Known(Plan),
    Question(String),
}

/// Refuses what `up` would refuse: the live system is taken in by a queue in memory, which nobody serves and nothing is left of.
pub(crate) async fn check(place: &str, system: &LiveSystem) -> Result<(), CliError> {
    let clock = Arc::new(SystemClock::default());
    let queue = Queue::new(Arc::new(Sqlite::in_memory()?), clock);
    let taken = queue.submit_parsed(system, Shrink::Allow).await;
    taken.map(drop).map_err(|source| CliError::Refused {
        place: place.to_owned(),
        source,
    })
}

/// Whether submitting `system` would be held: too many of the components there are would go.
pub(crate) async fn is_large_shrink(queue: &Queue, system: &LiveSystem) -> Result<bool, CliError> {
    let Some(known) = queue.live_system(&system.id).await? else {
        return Ok(false);
    };
    let ids = known.components.keys();
    let removed = ids
        .filter(|id| !system.components.contains_key(*id))
        .count();
    let all = known.components.len();
    Ok(all >= SHRINK_FROM && removed * 2 > all)
}

/// Asks what submitting `system` would do: of all its components, or of `only` one.
pub(crate) async fn about_file(
    queue: &Queue,
    system: &LiveSystem,
    only: Option<&ComponentId>,
) -> Result<Vec<Asked>, CliError> {
    let agents = queue.agents().await?;
    let mut asked = Vec::new();
    let wanted = |id: &ComponentId| only.is_none_or(|only| only == id);
    for component in system.components.values().filter(|it| wanted(&it.id)) {
        let key = component.key();
        let state = match known(&key, component, &agents) {
            Some(plan) => State::Known(plan),
            None => State::Question(queue.ask_plan_of(component).await?),
        };
        asked.push(Asked { key, state });
    }
    for document in queue.components(&system.id).await? {
        let kept = system.components.get(&document.key.component);
        let differs = kept.is_none_or(|component| component.key() != document.key);
        if differs && wanted(&document.key.component) {
            let state = State::Known(Plan::Removed(true));
            asked.push(Asked {
                key: document.key,
                state,
            });
        }
    }
    Ok(asked)
}

/// Asks what is still to be done about a live system as it was submitted, or about `only` one component of it.
pub(crate) async fn about_submitted(
    queue: &Queue,
    id: &LiveSystemId,
    only: Option<&ComponentId>,
) -> Result<Vec<Asked>, CliError> {
    let agents = queue.agents().await?;
    let mut asked = Vec::new();
    let mut documents = queue.components(id).await?;
    documents.retain(|document| only.is_none_or(|only| *only == document.key.component));
    for document in documents {
        let known = if document.tombstone {
            unserved(&document.key, &agents)
        } else {
            let body = queue.body(&document).await?;
            known(&document.key, &body, &agents)
        };
        let state = match known {
            Some(plan) => State::Known(plan),
            None => State::Question(queue.ask(&document.key, Question::Plan).await?),
        };
        asked.push(Asked {
            key: document.key,
            state,
        });
    }
    Ok(asked)
}

/// Collects the answers; questions that nobody answers in time are withdrawn.
pub(crate) async fn answers(
    terminal: &Terminal,
    queue: &Queue,
    asked: Vec<Asked>,
    within: Duration,
) -> Result<Vec<Planned>, CliError> {
    let deadline = Instant::now() + within;
    let interrupt = interrupted();
    tokio::pin!(interrupt);
    let mut stopped = false;
    let mut plans = Vec::new();
    for Asked { key, state } in asked {
        let plan = match state {
            State::Known(plan) => plan,
            State::Question(id) => {
                let left = deadline.saturating_duration_since(Instant::now());
                let left = if stopped { Duration::ZERO } else { left };
                let text = format!("waiting for the agent of {}", key.component);
                let answer = terminal.during(&text, queue.await_answer(&id, left));
                let answer = tokio::select! {
                    answer = answer => answer?,
                    () = &mut interrupt, if !stopped => {
                        stopped = true;
                        queue.await_answer(&id, Duration::ZERO).await?
                    }
                };
                let silent = || silent(&key, within, stopped);
                answer.map_or_else(silent, |answer| read(&key, answer))
            }
        };
        plans.push(Planned::new(&key, plan));
    }
    Ok(plans)
}

fn read(key: &ComponentKey, answer: serde_json::Value) -> Plan {
    Plan::read(answer).unwrap_or_else(|| {
        let what = "the agent's answer cannot be read";
        Plan::Fault(
            Fault::terminal(ANSWER_UNREADABLE, what)
                .at(key)
                .next("run the agent and this command in the same version"),
        )
    })
}

fn silent(key: &ComponentKey, within: Duration, stopped: bool) -> Plan {
    let why = if stopped {
        "waiting was interrupted".to_owned()
    } else {
        format!("no answer came within {} seconds", within.as_secs())
    };
    Plan::Fault(
        Fault::transient(AGENT_SILENT, "the component's agent did not answer")
            .at(key)
            .because(why)
            .next(format!(
                "look whether the agent of {} is running, or wait longer with --timeout",
                key.offer
            )),
    )
}

/// What needs no asking: that no agent makes it, or that there is none to ask.
fn known(key: &ComponentKey, component: &Component, agents: &[Agent]) -> Option<Plan> {
    if is_provided(component) {
        return Some(Plan::Provided(true));
    }
    unserved(key, agents)
}

/// Whether the environment gives its outputs, by component id or by offer.
fn is_provided(component: &Component) -> bool {
    let provided = component.environment.parameters.get("provided");
    let outputs = provided.and_then(|all| {
        all.get(component.id.as_str())
            .or_else(|| all.get(component.offer.as_str()))
    });
    outputs.is_some_and(serde_json::Value::is_object)
}

fn unserved(key: &ComponentKey, agents: &[Agent]) -> Option<Plan> {
    let covers = |agent: &&Agent| agent.alive && agent.presence.scope.covers(key);
    if agents.iter().find(covers).is_some() {
        return None;
    }
    let what = format!(
        "no agent serves offer {} in environment {}",
        key.offer, key.environment
    );
    let next = format!(
        "start an agent that serves {}, or give its outputs under environment.parameters.provided",
        key.offer
    );
    let fault = Fault::blocked(NO_AGENT_FOR_OFFER, what).at(key).next(next);
    Some(Plan::Fault(fault))
}
