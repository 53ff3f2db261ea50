//! One blob on its way to every target that lacks it: who is asked when, who shares a read, and what comes of it at each.
//!
//! What is asked of one target, and how, is not decided here.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fractal_core::artifact::{Descriptor, RegistryHost};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Run;
use super::fan::{self, Feed, Outlet};
use super::place::{Asked, Holders, Ready, Slot, Standing, holder};
use super::target::{Belongs, Expectation, Target};
use super::targets::Targets;
use crate::counts::tallied;
use crate::error::RegistryError;
use crate::push::{Pushed, RepositoryRef};
use crate::site::Site;

/// How long targets that are ready wait for others to join their read.
const JOIN: Duration = Duration::from_secs(5);

/// What a task of a placing ends with.
enum Event {
    Asked(Asked),
    Sent(Arc<Target>, u32, Result<(), RegistryError>),
}

/// One blob on its way to every target that lacks it: to one of each registry first, from which the others mount it.
///
/// A registry may take its time to answer for a blob that was sent: the next blobs do not wait for that.
pub(super) struct Placing {
    run: Arc<Run>,
    blob: Arc<Descriptor>,
    belongs: Belongs,
    /// Dropped at the end: what has not arrived by then never does.
    _expected: Vec<Expectation>,
    waiting: Targets,
    holders: Holders,
    /// Registries of which one repository gets the blob at the moment.
    first: BTreeSet<RegistryHost>,
    work: JoinSet<Event>,
    /// Questions among the work.
    asks: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl Placing {
    pub(super) fn new(
        run: Arc<Run>,
        blob: &Descriptor,
        (expected, belongs): (Vec<Expectation>, Belongs),
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let from = run.from.repository().into_iter();
        let holders = from.map(|from| (from.host.clone(), from.repository.clone()));
        let holders = holders.collect();
        Self {
            run,
            blob: Arc::new(blob.clone()),
            belongs,
            waiting: expected.iter().map(|it| it.target.clone()).collect(),
            _expected: expected,
            holders,
            first: BTreeSet::new(),
            work: JoinSet::new(),
            asks: 0,
            permit: Some(permit),
        }
    }

    pub(super) async fn run(mut self) {
        self.advance();
        while let Some(group) = self.gather().await {
            self.send(group).await;
        }
    }

    /// Asks those whose turn it is.
    fn advance(&mut self) {
        for target in std::mem::take(&mut self.waiting) {
            if !target.is_live() {
                continue;
            }
            if self.is_turn_of(&target) {
                let holder = holder(&target, &self.holders);
                let asking = self.run.clone().ask(self.blob.clone(), target, holder, 0);
                self.ask(asking);
            } else {
                self.waiting.push(target);
            }
        }
    }

    fn ask(&mut self, asking: impl Future<Output = Asked> + Send + 'static) {
        self.asks += 1;
        self.work.spawn(async move { Event::Asked(asking.await) });
    }

    /// Not of those that wait for another repository of their registry, to mount from.
    fn is_turn_of(&mut self, target: &Target) -> bool {
        let Some(RepositoryRef { host, .. }) = target.site.repository() else {
            return true;
        };
        self.holders.contains_key(host)
            || self.run.mounts(host) == Some(false)
            || self.first.insert(host.clone())
    }

    fn settle(&mut self, target: &Target, result: Result<Pushed, RegistryError>) {
        if let Some(to) = target.site.repository() {
            self.first.remove(&to.host);
            if result.is_ok() {
                let holder = || to.repository.clone();
                self.holders.entry(to.host.clone()).or_insert_with(holder);
            }
        }
        match result {
            Ok(pushed) => target.took(&self.blob, pushed),
            Err(error) => target.misses(&self.blob.digest, error, self.belongs),
        }
        self.advance();
    }

    /// The next targets that share a read: all that are ready soon after the first; `None` when nobody is left.
    async fn gather(&mut self) -> Option<Vec<Ready>> {
        let mut ready: Vec<Ready> = Vec::new();
        let mut until = Instant::now();
        while ready.is_empty() || self.asks > 0 {
            let next = if ready.is_empty() {
                self.work.join_next().await
            } else {
                match tokio::time::timeout_at(until, self.work.join_next()).await {
                    Ok(next) => next,
                    Err(_) => break,
                }
            };
            let Some(joined) = next else { break };
            // One that panicked leaves its target to the expectation.
            let Ok(event) = joined else { continue };
            if let Some(one) = self.take_in(event) {
                if ready.is_empty() {
                    until = Instant::now() + JOIN;
                }
                ready.push(one);
            }
        }
        (!ready.is_empty()).then_some(ready)
    }

    fn take_in(&mut self, event: Event) -> Option<Ready> {
        match event {
            Event::Sent(target, _, Ok(())) => self.settle(&target, Ok(Pushed::Uploaded)),
            Event::Sent(target, attempt, Err(error)) => self.again(target, attempt, error),
            Event::Asked(Asked {
                target,
                attempt,
                standing,
                room,
            }) => {
                self.asks -= 1;
                match standing {
                    Ok(Standing::There(pushed)) => self.settle(&target, Ok(pushed)),
                    Ok(Standing::Lacks(slot)) => {
                        return Some(Ready {
                            target,
                            attempt,
                            slot,
                            room,
                        });
                    }
                    Err(error) => self.settle(&target, Err(error)),
                }
            }
        }
        None
    }

    fn again(&mut self, target: Arc<Target>, attempt: u32, error: RegistryError) {
        let run = self.run.clone();
        let again = run.again(self.blob.clone(), target, attempt, error);
        self.ask(again);
    }

    /// Pours the blob to everyone of `group` from one read. How it ends at each is heard later.
    async fn send(&mut self, group: Vec<Ready>) {
        let run = self.run.clone();
        if self.permit.is_none() {
            self.permit = run.reading.clone().acquire_owned().await.ok();
        }
        run.note_read(&self.blob);
        let stream = match tallied(&run.tally, run.blobs.open(&self.blob)).await {
            Ok(stream) => stream,
            Err(error) => {
                for ready in group {
                    self.again(ready.target, ready.attempt, error.clone());
                }
                return;
            }
        };
        let outlets = group.into_iter().map(|ready| self.upload(ready));
        let mut outlets: Vec<Outlet> = outlets.collect();
        let pouring = fan::pour(stream, &mut outlets, run.waits, |bytes| {
            run.read.fetch_add(bytes, Ordering::Relaxed);
            run.progress.read.fetch_add(bytes, Ordering::Relaxed);
        });
        tallied(&run.tally, pouring).await;
        self.permit = None;
    }

    fn upload(&mut self, ready: Ready) -> Outlet {
        let (chunks, feed) = fan::share(self.blob.size);
        let (cut, is_cut) = oneshot::channel();
        let (offered, idle) = (feed.offered(), self.run.waits.idle());
        let (blob, target) = (self.blob.clone(), ready.target);
        self.work.spawn(async move {
            let taking = tallied(&target.tally, take(&target, &blob, ready.slot, feed));
            let result = tokio::select! {
                result = Box::pin(taking) => result,
                Ok(()) = is_cut => Err(stalled(&target, idle)),
            };
            drop(ready.room);
            Event::Sent(target, ready.attempt, result)
        });
        Outlet::new(chunks, offered, cut)
    }
}

async fn take(
    target: &Target,
    blob: &Descriptor,
    slot: Slot,
    feed: Feed,
) -> Result<(), RegistryError> {
    match (&target.site, slot) {
        (Site::Registry(registry, _), Slot::Upload(session)) => {
            let offered = Some(feed.offered());
            registry
                .fill(*session, blob, (Box::pin(feed), offered))
                .await
        }
        (site, _) => site.write_blob(blob, feed).await,
    }
}

fn stalled(target: &Target, limit: Duration) -> RegistryError {
    RegistryError::Slow {
        at: target.site.shown(),
        problem: format!("it took nothing for {limit:?}, or too little, while others waited")
            .into(),
    }
}
