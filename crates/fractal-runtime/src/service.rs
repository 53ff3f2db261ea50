//! The loop: an agenda of due components, a bounded number of them in flight, each key once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fractal_core::contract::{ComponentKey, Offer};
use fractal_core::reconcile::{BoxFuture, InstallationId, Platform};
use fractal_core::{Fault, Fingerprint};
use fractal_queue::{Agenda, Due, Presence, Queue, QueueError, Scope, Sweeper};
use fractal_registry::Registry;
use tokio::task::{Id, JoinError, JoinSet};
use tracing::Instrument as _;

use crate::agent::Connected;
use crate::artifacts::Artifacts;
use crate::secrets::Secrets;
use crate::settings::Settings;
use crate::steady::Steadiness;
use crate::stop::Stop;
use crate::telemetry::metrics::Metrics;
use crate::worker::{Shared, Visit, Worker};

/// How often an agent says that it is there.
const BEAT: Duration = Duration::from_secs(10);
/// How often what nobody refers to any more is swept out of the queue.
const SWEEP: Duration = Duration::from_secs(3600);
/// Most questions answered at once.
const ANSWERS_MAX: usize = 4;
/// The loop has stood still when it has not turned for this long.
const STILL: Duration = Duration::from_secs(60);
/// Longest sleep of the loop: a cheap look whether anything was missed.
const TURN: Duration = Duration::from_secs(10);

/// What health checks see of the loop.
#[derive(Debug, Clone)]
pub struct Status(Arc<Health>);

#[derive(Debug)]
struct Health {
    began: Instant,
    turned_ms: AtomicU64,
    ready: AtomicBool,
}

impl Default for Status {
    fn default() -> Self {
        Self(Arc::new(Health {
            began: Instant::now(),
            turned_ms: AtomicU64::new(0),
            ready: AtomicBool::new(false),
        }))
    }
}

impl Status {
    pub(crate) fn turned(&self) {
        let elapsed = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.turned_ms.store(elapsed, Ordering::Relaxed);
    }

    pub(crate) fn set_ready(&self, ready: bool) {
        self.0.ready.store(ready, Ordering::Relaxed);
    }

    /// Whether the loop turns.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let turned = Duration::from_millis(self.0.turned_ms.load(Ordering::Relaxed));
        self.0.began.elapsed().saturating_sub(turned) < STILL
    }

    /// Whether it is connected and takes work.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.ready.load(Ordering::Relaxed)
    }
}

/// An agent's loop, ready to run.
pub struct Service<P: Platform> {
    worker: Shared<P>,
    status: Status,
    presence: Presence,
}

/// What a loop works with, beside its platform.
pub struct Surroundings {
    /// The queue.
    pub queue: Queue,
    /// The client for registries.
    pub registry: Registry,
    /// Where secrets come from.
    pub secrets: Secrets,
    /// How the loop behaves.
    pub settings: Settings,
    /// The installation whose objects these are.
    pub installation: InstallationId,
    /// Counts.
    pub metrics: Metrics,
    /// What health checks see.
    pub status: Status,
    /// The switch that ends it.
    pub stop: Stop,
}

impl<P: Platform> Service<P> {
    /// A loop of a connected platform.
    ///
    /// # Errors
    /// Where an offer type of the platform is malformed, or its settings have no fingerprint.
    pub fn new(connected: Connected<P>, surroundings: Surroundings) -> Result<Self, Fault> {
        let internal = |error: &dyn std::fmt::Display| {
            Fault::terminal(fractal_core::Reason::new("Internal"), error.to_string())
        };
        let Connected {
            platform, config, ..
        } = connected;
        let Surroundings {
            queue,
            registry,
            secrets,
            settings,
            installation,
            metrics,
            status,
            stop,
        } = surroundings;
        let offers: Result<_, _> = P::OFFERS
            .iter()
            .map(|offer| offer.parse::<Offer>())
            .collect();
        let scope = Scope {
            environments: settings.environments.clone(),
            offers: offers.map_err(|error| internal(&error))?,
        };
        let fingerprint = Fingerprint::of(&config).map_err(|error| internal(&error))?;
        let presence = Presence::new(
            &*settings.holder,
            metrics.agent(),
            installation.to_string(),
            scope,
        )
        .with_config(fingerprint.as_str());
        let artifacts = Artifacts::new(registry, settings.interval);
        let worker = Worker {
            platform,
            config,
            queue,
            artifacts,
            secrets,
            settings,
            installation,
            metrics,
            stop,
            steadiness: Steadiness::default(),
        };
        Ok(Self {
            worker: Arc::new(worker),
            status,
            presence,
        })
    }

    pub(crate) const fn worker(&self) -> &Shared<P> {
        &self.worker
    }

    pub(crate) const fn scope(&self) -> &Scope {
        &self.presence.scope
    }

    /// Works until told to stop; then what is in flight may end within the grace period.
    pub async fn run(self) {
        let queue = self.worker.queue.clone();
        let mut turning = Turning {
            agenda: queue.agenda(self.presence.scope.clone()),
            in_flight: HashMap::new(),
            tasks: JoinSet::new(),
            taken: HashSet::new(),
            answers: JoinSet::new(),
            alone: false,
            next_beat: Instant::now(),
            next_sweep: Instant::now() + SWEEP,
            sweeper: Sweeper::default(),
            service: &self,
        };
        self.status.turned();
        let mut stop = self.worker.stop.clone();
        while !stop.is_stopping() {
            let pause = match turning.turn().await {
                Ok(pause) => {
                    self.status.set_ready(true);
                    pause
                }
                Err(error) => {
                    self.status.set_ready(false);
                    tracing::warn!(fault = %Fault::from(&error), "queue failed");
                    Duration::from_secs(1)
                }
            };
            self.status.turned();
            tokio::select! {
                () = stop.stopped() => {}
                () = turning.news() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        turning.drain().await;
        if let Err(error) = boxed(queue.leave(&self.presence.id)).await {
            tracing::debug!(fault = %Fault::from(&error), "presence not withdrawn");
        }
        tracing::info!("stopped");
    }
}

/// Hides a future's type: the compiler cannot show that some deeply borrowing ones may move between threads.
fn boxed<'a, T>(future: impl Future<Output = T> + Send + 'a) -> BoxFuture<'a, T> {
    Box::pin(future)
}

struct Turning<'a, P: Platform> {
    service: &'a Service<P>,
    agenda: Agenda,
    in_flight: HashMap<Id, ComponentKey>,
    tasks: JoinSet<Visit>,
    taken: HashSet<String>,
    answers: JoinSet<()>,
    alone: bool,
    next_beat: Instant,
    next_sweep: Instant,
    sweeper: Sweeper,
}

impl<P: Platform> Turning<'_, P> {
    async fn turn(&mut self) -> Result<Duration, QueueError> {
        let worker = &self.service.worker;
        if Instant::now() >= self.next_beat {
            boxed(worker.queue.announce(&self.service.presence)).await?;
            worker.steadiness.retain(&self.agenda.keys().collect());
            self.next_beat = Instant::now() + BEAT;
        }
        if Instant::now() >= self.next_sweep {
            let swept = boxed(worker.queue.sweep(&mut self.sweeper)).await?;
            tracing::debug!(swept, "unused bodies swept");
            self.next_sweep = Instant::now() + SWEEP;
        }
        boxed(self.agenda.refresh()).await?;
        self.begin_answers();
        self.begin();
        worker
            .metrics
            .load(self.agenda.keys().count(), self.in_flight.len());
        let idle = self
            .agenda
            .idle(worker.queue.clock().wall())
            .unwrap_or(TURN);
        // With every slot taken, or with due components in flight already, only news help.
        let floor = if self.in_flight.is_empty() {
            Duration::from_millis(5)
        } else {
            Duration::from_millis(100)
        };
        Ok(idle.clamp(floor, TURN))
    }

    /// Questions are answered beside the work, a few at a time: a slow registry must not hold the loop. Each is taken once.
    fn begin_answers(&mut self) {
        let open = self.agenda.asks();
        self.taken.retain(|id| open.iter().any(|ask| ask.id == *id));
        for ask in open {
            if self.answers.len() >= ANSWERS_MAX {
                return;
            }
            if self.taken.insert(ask.id.clone()) {
                let worker = self.service.worker.clone();
                self.answers
                    .spawn(async move { boxed(worker.answer(&ask)).await });
            }
        }
    }

    fn begin(&mut self) {
        let worker = &self.service.worker;
        let free = worker
            .settings
            .concurrency
            .saturating_sub(self.in_flight.len());
        if self.alone || free == 0 {
            return;
        }
        let due = self
            .agenda
            .due(worker.queue.clock().wall(), free + self.in_flight.len());
        for due in due
            .into_iter()
            .filter(|due| !self.is_in_flight(&due.key))
            .take(free)
            .collect::<Vec<_>>()
        {
            if due.alone && !self.in_flight.is_empty() {
                // It killed workers before: everything else ends first, and nothing new begins meanwhile.
                return;
            }
            self.alone = due.alone;
            self.spawn(due);
            if self.alone {
                return;
            }
        }
    }

    fn is_in_flight(&self, key: &ComponentKey) -> bool {
        self.in_flight.values().any(|known| known == key)
    }

    fn spawn(&mut self, due: Due) {
        let key = due.key.clone();
        let worker = self.service.worker.clone();
        let span = tracing::info_span!(
            "reconcile",
            agent = worker.metrics.agent(),
            live_system = %due.key.live_system,
            component = %due.key.component,
            environment = %due.key.environment,
            generation = due.generation,
            digest = tracing::field::Empty
        );
        let task = self
            .tasks
            .spawn(async move { worker.visit(&due).await }.instrument(span));
        self.in_flight.insert(task.id(), key);
    }

    /// Waits until something changes: a component ends, or the queue has news.
    async fn news(&mut self) {
        tokio::select! {
            Some(ended) = self.tasks.join_next_with_id() => self.ended(ended),
            Some(answered) = self.answers.join_next() => {
                if let Err(error) = answered {
                    tracing::error!(component = "", fault = %error, "a reconcile panicked");
                }
            }
            Err(error) = self.agenda.changed() => {
                tracing::warn!(fault = %Fault::from(&error), "queue failed");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            else => {}
        }
    }

    fn ended(&mut self, ended: Result<(Id, Visit), JoinError>) {
        match ended {
            Ok((id, visit)) => {
                let key = self.in_flight.remove(&id);
                if let (Visit::Again(pause), Some(key)) = (visit, key) {
                    let now = self.service.worker.queue.clock().wall();
                    self.agenda.defer(
                        &key,
                        now.plus_millis(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)),
                    );
                }
            }
            Err(error) => {
                // Its claim runs out and counts as a death: a component that panics is set aside in the end.
                let key = self.in_flight.remove(&error.id());
                let component = key.map(|key| key.to_string()).unwrap_or_default();
                tracing::error!(component, fault = %error, "a reconcile panicked");
            }
        }
        if self.in_flight.is_empty() {
            self.alone = false;
        }
    }

    async fn drain(&mut self) {
        let grace = tokio::time::sleep(self.service.worker.settings.grace);
        tokio::pin!(grace);
        while !self.tasks.is_empty() {
            tokio::select! {
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended),
                () = &mut grace => {
                    tracing::warn!(in_flight = self.tasks.len(), "grace period over, claims are left to expire");
                    return;
                }
            }
        }
    }
}
