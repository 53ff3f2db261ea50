//! Which code puts which clause to the test.

mod crashes;
mod faults;
mod refusals;
mod removal;
mod repair;
mod steady;

use super::clause::Clause;
use super::harness::Harness;
use super::world::Broken;

/// Cases by scenario.
type Cases = Vec<(String, usize)>;

pub(super) async fn check<H: Harness>(
    clause: Clause,
    fresh: &impl AsyncFn() -> H,
) -> Result<Cases, Broken> {
    match clause {
        Clause::FreshDeploy => steady::fresh_deploy(fresh).await,
        Clause::SecondPass => steady::second_pass(fresh).await,
        Clause::NewArtifact => steady::new_artifact(fresh).await,
        Clause::NewSettings => steady::new_settings(fresh).await,
        Clause::DroppedKey => steady::dropped_key(fresh).await,
        Clause::Drift => repair::drift(fresh).await,
        Clause::Undeploy => removal::undeploy(fresh).await,
        Clause::UndeployByRecord => removal::by_record(fresh).await,
        Clause::Move => removal::moved(fresh).await,
        Clause::CallFails => faults::call_fails(fresh).await,
        Clause::AnswerLost => faults::answer_lost(fresh).await,
        Clause::ChangedMeanwhile => faults::changed_meanwhile(fresh).await,
        Clause::StaleRead => faults::stale_read(fresh).await,
        Clause::Busy => repair::busy(fresh).await,
        Clause::LateFailure => repair::late_failure(fresh).await,
        Clause::Throttled => refusals::throttled(fresh).await,
        Clause::Forbidden => refusals::forbidden(fresh).await,
        Clause::Impossible => refusals::impossible(fresh).await,
        Clause::Foreign => refusals::foreign(fresh).await,
        Clause::Fenced => crashes::fenced(fresh).await,
        Clause::Cancelled => crashes::cancelled(fresh).await,
    }
}

fn cases(scenario: &str, cases: usize) -> (String, usize) {
    (scenario.to_owned(), cases)
}
