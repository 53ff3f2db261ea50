//! Waiting for the agent, with what it says meanwhile.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fractal_core::contract::ComponentId;
use fractal_core::status::{ComponentPhase, LiveSystemPhase};
use fractal_core::{Class, Fault};
use fractal_queue::{ComponentView, LiveSystemView};

use super::system;
use serde_json::Value;

use crate::error::Error;
use crate::output::Output;
use crate::world::World;

/// Longest wait for anything here. It takes a few seconds on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a fault that waits for someone may stand before the demo believes it.
const STUCK: Duration = Duration::from_secs(3);
/// How often is looked.
const LOOK: Duration = Duration::from_millis(100);

/// Waits until `done` says so of the live system's status; tells each change of it.
pub(super) async fn until(
    world: &World,
    teller: &Teller,
    what: &str,
    done: impl Fn(Option<&LiveSystemView>) -> bool,
) -> Result<(), Error> {
    let began = Instant::now();
    let mut stuck_since = None;
    loop {
        let view = world
            .queue
            .view(&system::id().map_err(|error| Error::Unexpected(error.to_string()))?)
            .await?;
        teller.tell(view.as_ref());
        if done(view.as_ref()) {
            return Ok(());
        }
        match stuck(view.as_ref()) {
            None => stuck_since = None,
            Some(fault) if stuck_since.get_or_insert_with(Instant::now).elapsed() > STUCK => {
                return Err(fault.into());
            }
            Some(_) => {}
        }
        if began.elapsed() > PATIENCE {
            return Err(Error::Unexpected(format!(
                "{what} did not happen within {} seconds",
                PATIENCE.as_secs()
            )));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether everything is as desired.
pub(super) fn is_active(view: Option<&LiveSystemView>) -> bool {
    view.is_some_and(|view| view.phase == LiveSystemPhase::Active)
}

/// Tells each change of a component's status once.
pub(super) struct Teller {
    out: Output,
    last: RefCell<BTreeMap<ComponentId, String>>,
}

impl Teller {
    pub(super) const fn new(out: Output) -> Self {
        Self {
            out,
            last: RefCell::new(BTreeMap::new()),
        }
    }

    fn tell(&self, view: Option<&LiveSystemView>) {
        for component in view.into_iter().flat_map(|view| &view.components) {
            let line = line(component);
            let id = component.key.component.clone();
            if self.last.borrow_mut().insert(id, line.clone()).as_ref() != Some(&line) {
                self.out.line(&line);
            }
        }
    }
}

fn line(component: &ComponentView) -> String {
    let id = &component.key.component;
    let phase = component.phase;
    let detail = match (&component.status.fault, phase) {
        (Some(fault), _) => format!(": {} [{}]", fault.what, fault.reason),
        (None, ComponentPhase::Active) => component
            .status
            .outputs
            .get("arn")
            .map(|arn| format!(": {arn}"))
            .unwrap_or_default(),
        (None, _) => String::new(),
    };
    format!("{id:<8} {phase:?}{detail}")
}

/// A fault that will not pass by itself.
fn stuck(view: Option<&LiveSystemView>) -> Option<Fault> {
    let components = view.into_iter().flat_map(|view| &view.components);
    components
        .filter_map(|component| component.status.fault.clone())
        .find(|fault| !matches!(fault.class, Class::Transient { .. }))
}

/// Waits until `holds` does.
async fn for_it(
    what: &str,
    mut holds: impl AsyncFnMut() -> Result<bool, Error>,
) -> Result<(), Error> {
    let began = Instant::now();
    while !holds().await? {
        if began.elapsed() > PATIENCE {
            return Err(Error::Unexpected(format!(
                "{what} did not happen within {} seconds",
                PATIENCE.as_secs()
            )));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Waits until the agent has announced itself.
pub(super) async fn agent(world: &World) -> Result<(), Error> {
    for_it("the agent's start", async || {
        Ok(world.queue.agents().await?.iter().any(|agent| agent.alive))
    })
    .await
}

/// Waits until the agent has found components in sync so many times.
pub(super) async fn looks(world: &World, count: u64) -> Result<(), Error> {
    for_it("a second look", async || {
        Ok(world.metrics.steady_count() >= count)
    })
    .await
}

/// Waits until the cloud serves `digest` as the function's code.
pub(super) async fn serves(
    world: &World,
    function: &str,
    digest: &fractal_core::artifact::Digest,
) -> Result<(), Error> {
    let served = || {
        world
            .sim
            .functions()
            .into_iter()
            .find(|served| served.function == function)
    };
    for_it("the new code", async || {
        Ok(served().is_some_and(|served| served.digest.as_deref() == Some(digest.as_str())))
    })
    .await
}

/// Waits until the function has so much memory again; what stands in the way ends the wait.
pub(super) async fn memory(
    world: &World,
    teller: &Teller,
    function: &str,
    megabytes: u64,
) -> Result<(), Error> {
    let right = || {
        world.sim.functions().iter().any(|served| {
            let memory = served.settings.get("MemorySize").and_then(Value::as_u64);
            served.function == function && memory == Some(megabytes)
        })
    };
    until(world, teller, "the repair", |_| right()).await
}
