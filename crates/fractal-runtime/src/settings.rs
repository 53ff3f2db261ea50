//! How the loop behaves. Read from flags by the binaries, set directly by `fractal-dev` and tests.

use std::time::Duration;

use fractal_core::artifact::resolve::RegistryPrefix;
use fractal_core::contract::EnvironmentId;
use fractal_queue::Environments;

/// Settings of the loop.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The process's id in the queue: unique per process.
    pub holder: String,
    /// Environments served.
    pub environments: Environments,
    /// Most components worked on at once.
    pub concurrency: usize,
    /// How long a claim may stand still before another agent takes it over. Longer than the longest cloud call.
    pub lease: Duration,
    /// How often a component that is in sync is looked at: also how long a moved tag takes to be seen.
    pub interval: Duration,
    /// How often everything is read and compared, whatever the stamps say.
    pub sweep: Duration,
    /// How long work in flight may go on once the agent is told to stop.
    pub grace: Duration,
    /// Where an abstract coordinate is looked up when the environment is silent.
    pub registry: Option<RegistryPrefix>,
    /// Environments, by short name, in which objects may be replaced without asking. `*` means all.
    pub allow_replace: Vec<String>,
}

impl Settings {
    /// Settings with defaults fit for production.
    #[must_use]
    pub fn new(holder: impl Into<String>) -> Self {
        Self {
            holder: holder.into(),
            environments: Environments::All,
            concurrency: 8,
            lease: Duration::from_secs(90),
            interval: Duration::from_secs(30),
            sweep: Duration::from_secs(6 * 3600),
            grace: Duration::from_secs(20),
            registry: None,
            allow_replace: Vec::new(),
        }
    }

    pub(crate) fn may_replace(&self, environment: &EnvironmentId) -> bool {
        self.allow_replace
            .iter()
            .any(|name| name == "*" || name == environment.short_name())
    }
}
