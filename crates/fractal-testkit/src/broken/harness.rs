//! The cloud in memory with an agent that is broken.

use fractal_core::reconcile::{Content, Inputs, Rollout};

use super::agent::{Broken, Config};
use super::flaw::Flaw;
use crate::conformance::{Call, Expected, Harness, LateFailure, Object, Outside, Spec, Trouble};
use crate::reference::ReferenceCloud;

/// A fresh cloud in memory, with an agent that has a flaw.
#[derive(Debug, Clone)]
pub struct BrokenCloud {
    inner: ReferenceCloud,
    flaw: Flaw,
}

impl BrokenCloud {
    /// A fresh cloud.
    #[must_use]
    pub fn new(flaw: Flaw) -> Self {
        Self {
            inner: ReferenceCloud::default(),
            flaw,
        }
    }
}

impl Harness for BrokenCloud {
    type Platform = Broken;

    fn agent(&self) -> Broken {
        Broken::new(self.flaw, self.inner.agent())
    }

    fn config(&self) -> Config {
        Config {
            flaw: self.flaw,
            inner: self.inner.config(),
        }
    }

    fn content(&self) -> &dyn Content {
        self.inner.content()
    }

    fn deployment(&self, spec: Spec) -> (Inputs, Rollout) {
        self.inner.deployment(spec)
    }

    fn expected(&self, spec: Spec) -> Expected {
        self.inner.expected(spec)
    }

    fn mark(&self) -> u64 {
        self.inner.mark()
    }

    fn calls(&self, since: u64) -> Vec<Call> {
        self.inner.calls(since)
    }

    fn objects(&self) -> Vec<Object> {
        self.inner.objects()
    }

    fn leftovers(&self) -> Vec<String> {
        self.inner.leftovers()
    }

    fn arm(&self, trouble: Trouble) {
        self.inner.arm(trouble);
    }

    fn heal(&self) {
        self.inner.heal();
    }

    async fn advance(&self) {
        self.inner.advance().await;
    }

    async fn hung(&self) {
        self.inner.hung().await;
    }

    async fn outside(&self, act: Outside) -> bool {
        self.inner.outside(act).await
    }

    fn permission(&self, operation: &str) -> String {
        self.inner.permission(operation)
    }

    fn late_failure(&self) -> LateFailure {
        self.inner.late_failure()
    }
}
