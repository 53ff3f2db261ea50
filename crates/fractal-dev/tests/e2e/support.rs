//! What these tests share: programs as children that die with the test, a simulated cloud in a process of its own, agents, artifacts.

use std::time::{Duration, Instant};

pub(crate) mod agent;
pub(crate) mod artifacts;
pub(crate) mod cli;
pub(crate) mod cloud;
pub(crate) mod process;
pub(crate) mod stage;
pub(crate) mod system;

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Waits until `holds` does, at most `bound`; says `what` did not come about otherwise.
pub(crate) async fn until(what: &str, bound: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(
            began.elapsed() < bound,
            "{what}: not within {} s",
            bound.as_secs()
        );
        tokio::time::sleep(LOOK).await;
    }
}
