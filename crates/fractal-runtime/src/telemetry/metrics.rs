//! Metrics in the OpenMetrics text format. Labels come from closed sets only: never a component's name, never a digest.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use fractal_core::Fault;
use fractal_core::reconcile::Effect;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Counts of one process.
#[derive(Clone)]
pub struct Metrics {
    agent: Arc<str>,
    registry: Arc<Registry>,
    reconciles: Family<Outcome, Counter>,
    durations: Histogram,
    steps: Family<Step, Counter>,
    steady: Counter,
    components: Gauge<i64, AtomicI64>,
    in_flight: Gauge<i64, AtomicI64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: String,
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Step {
    effect: String,
    outcome: String,
}

impl Metrics {
    /// Metrics of an agent, all at zero.
    #[must_use]
    pub fn new(agent: &str) -> Self {
        let mut registry = Registry::with_prefix_and_labels(
            "fractal",
            [("agent".into(), agent.to_owned().into())].into_iter(),
        );
        let reconciles = Family::default();
        registry.register("reconcile", "Passes by how they ended", reconciles.clone());
        let durations = Histogram::new(exponential_buckets(0.005, 2.0, 14));
        registry.register(
            "reconcile_duration_seconds",
            "Length of passes",
            durations.clone(),
        );
        let steps = Family::default();
        registry.register("step", "Steps carried out", steps.clone());
        let steady = Counter::default();
        registry.register(
            "steady",
            "Looks at components that were in sync: no claim, no write",
            steady.clone(),
        );
        let components = Gauge::default();
        registry.register(
            "queue_components",
            "Components in this agent's scope",
            components.clone(),
        );
        let in_flight = Gauge::default();
        registry.register(
            "queue_in_flight",
            "Components being worked on",
            in_flight.clone(),
        );
        Self {
            agent: agent.into(),
            registry: Arc::new(registry),
            reconciles,
            durations,
            steps,
            steady,
            components,
            in_flight,
        }
    }

    pub(crate) fn agent(&self) -> &str {
        &self.agent
    }

    pub(crate) fn reconciled(&self, outcome: &str, reason: &str, took: Duration) {
        let labels = Outcome {
            outcome: outcome.to_owned(),
            reason: reason.to_owned(),
        };
        self.reconciles.get_or_create(&labels).inc();
        self.durations.observe(took.as_secs_f64());
    }

    pub(crate) fn step(&self, effect: Effect, fault: Option<&Fault>) {
        let outcome = fault.map_or("Applied", |fault| fault.class.as_str());
        self.steps
            .get_or_create(&Step {
                effect: format!("{effect:?}"),
                outcome: outcome.to_owned(),
            })
            .inc();
    }

    pub(crate) fn steady(&self) {
        self.steady.inc();
    }

    /// How many looks found a component in sync since the process began.
    #[must_use]
    pub fn steady_count(&self) -> u64 {
        self.steady.get()
    }

    pub(crate) fn load(&self, components: usize, in_flight: usize) {
        self.components
            .set(i64::try_from(components).unwrap_or(i64::MAX));
        self.in_flight
            .set(i64::try_from(in_flight).unwrap_or(i64::MAX));
    }

    /// Everything as OpenMetrics text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}
