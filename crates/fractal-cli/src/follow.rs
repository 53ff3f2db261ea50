//! Waiting for the queue to move: until something is written, until a live system has settled, until somebody interrupts.

use std::time::{Duration, Instant};

use fractal_core::Fault;
use fractal_core::contract::LiveSystemId;
use fractal_core::status::LiveSystemPhase;
use fractal_queue::store::StoreError;
use fractal_queue::{Events, LiveSystemView, NO_AGENT_FOR_OFFER, Queue, QueueError};

use crate::error::CliError;
use crate::status::activity;
use crate::terminal::Terminal;

/// How often is looked again where nothing is written: that an agent is gone is known by silence.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// For how long further writes are gathered after one: a settled batch is one change to its reader.
const GATHER: Duration = Duration::from_millis(50);

/// Follows what is written to a queue.
pub(crate) struct Follower<'a> {
    queue: &'a Queue,
    events: Events,
}

/// How a live system settled.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Settled {
    /// Everything is as desired.
    Active,
    /// Something is stuck, and nothing else changes any more or there was no more time for it to.
    Stuck(Box<LiveSystemView>),
    /// Nothing is left of it.
    Gone,
    /// It has not settled in the time given.
    TimedOut(Option<Box<LiveSystemView>>),
    /// Somebody interrupted the waiting. The work goes on.
    Interrupted,
}

impl<'a> Follower<'a> {
    pub(crate) async fn new(queue: &'a Queue) -> Result<Self, CliError> {
        let cursor = queue.store().cursor().await?;
        Ok(Self {
            queue,
            events: queue.changes(Some(cursor)),
        })
    }

    /// Waits until something is written, but at most for a short while.
    pub(crate) async fn changed(&mut self) -> Result<(), CliError> {
        let Ok(first) = tokio::time::timeout(LOOK_AGAIN, self.events.next()).await else {
            return Ok(());
        };
        match first {
            Ok(_) => {}
            Err(QueueError::Store(StoreError::Restored | StoreError::Expired { .. })) => {
                *self = Self::new(self.queue).await?;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        let until = tokio::time::Instant::now() + GATHER;
        while let Ok(further) = tokio::time::timeout_at(until, self.events.next()).await {
            further?;
        }
        Ok(())
    }
}

/// Resolves when somebody presses Ctrl-C. Where that cannot be noticed, the system's own answer to it stays.
pub(crate) async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Resolves when nobody reads standard output any more; never where that cannot be noticed, as of a file.
pub(crate) async fn unread() {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd as _;
        use tokio::{io::Interest, net::unix::pipe::Sender};
        // Nothing is written through it, so that whether it blocks does not matter: the error of a pipe without a reader is
        // all that is wanted. What cannot be polled is refused.
        let watched = std::io::stdout().as_fd().try_clone_to_owned();
        if let Ok(output) = watched.and_then(Sender::from_owned_fd_unchecked)
            && output.ready(Interest::ERROR).await.is_ok()
        {
            return;
        }
    }
    std::future::pending().await
}

/// Waits until a live system at `generation` has settled.
pub(crate) async fn settled(
    terminal: &Terminal,
    queue: &Queue,
    (id, generation): (&LiveSystemId, u64),
    within: Duration,
) -> Result<Settled, CliError> {
    let started = Instant::now();
    let mut follower = Follower::new(queue).await?;
    let interrupt = interrupted();
    tokio::pin!(interrupt);
    loop {
        let view = queue.view(id).await?;
        if let Some(settled) = verdict(view.as_ref(), generation) {
            return Ok(settled);
        }
        let waited = started.elapsed();
        if waited >= within {
            return Ok(late(view));
        }
        let at_work = view.as_ref().map(activity).unwrap_or_default();
        terminal.progress(&format!("{} s  {at_work}", waited.as_secs()));
        tokio::select! {
            () = &mut interrupt => return Ok(Settled::Interrupted),
            changed = tokio::time::timeout(within.saturating_sub(waited), follower.changed()) => {
                // Running out of time is seen above.
                changed.unwrap_or(Ok(()))?;
            }
        }
    }
}

fn verdict(view: Option<&LiveSystemView>, generation: u64) -> Option<Settled> {
    let Some(view) = view else {
        return Some(Settled::Gone);
    };
    if view.generation < generation {
        return None;
    }
    match view.phase {
        LiveSystemPhase::Active => Some(Settled::Active),
        // What still changes may fail too: all that failed is reported together.
        LiveSystemPhase::FailedMutation if view.is_at_rest() => {
            Some(Settled::Stuck(Box::new(view.clone())))
        }
        LiveSystemPhase::Deleting if is_abandoned(view) => {
            Some(Settled::Stuck(Box::new(view.clone())))
        }
        LiveSystemPhase::Mutating | LiveSystemPhase::FailedMutation | LiveSystemPhase::Deleting => {
            None
        }
    }
}

/// How a live system is left when time runs out. What has failed already is not to be waited for again.
fn late(view: Option<LiveSystemView>) -> Settled {
    match view {
        Some(view) if view.phase == LiveSystemPhase::FailedMutation => {
            Settled::Stuck(Box::new(view))
        }
        view => Settled::TimedOut(view.map(Box::new)),
    }
}

/// Whether nothing is left but what no agent serves.
fn is_abandoned(view: &LiveSystemView) -> bool {
    let unserved = |fault: &Fault| fault.reason == NO_AGENT_FOR_OFFER;
    !view.components.is_empty()
        && view
            .components
            .iter()
            .all(|component| component.status.fault.as_ref().is_some_and(unserved))
}
