//! The conformance suite: what every agent promises, put to the test against a cloud that keeps a ledger.
//!
//! It drives the agent through the same pass as production does, with a journal of its own, and takes its truth from the cloud alone.
//! One line subjects an agent to it: [`crate::conformance!`].

mod clause;
mod clauses;
mod diary;
mod effort;
mod harness;
mod report;
mod transition;
mod world;

pub use clause::Clause;
pub use harness::{
    Call, DROPPED_KEY, Effort, Expected, FOREIGN_KEY, Harness, KEPT_KEY, LateFailure, Object,
    Outcome, Outside, Spec, Touch, Trouble, Want, owner,
};
pub use report::{Report, Tally, Violation};

/// Puts one clause to the test, on as many fresh clouds as it needs.
///
/// # Errors
/// Where the agent breaks the clause.
pub async fn check<H: Harness>(
    clause: Clause,
    fresh: &impl AsyncFn() -> H,
) -> Result<Tally, Violation> {
    clauses::check(clause, fresh)
        .await
        .map(|cases| Tally { clause, cases })
        .map_err(|what| Violation { clause, what })
}

/// Puts all clauses to the test, up to the first that is broken.
pub async fn run<H: Harness>(fresh: &impl AsyncFn() -> H) -> Report {
    let mut held = Vec::new();
    for clause in Clause::ALL {
        match check(*clause, fresh).await {
            Ok(tally) => held.push(tally),
            Err(violation) => {
                return Report {
                    held,
                    broken: Some(violation),
                };
            }
        }
    }
    Report { held, broken: None }
}

/// Subjects an agent to the suite: one test for each clause, in a module of the caller's choice.
///
/// Takes an `async fn() -> impl Harness` that makes a fresh cloud.
#[macro_export]
macro_rules! conformance {
    ($fresh:expr) => {
        $crate::conformance! { @each $fresh;
            c01_fresh_deploy_converges FreshDeploy,
            c02_second_pass_writes_nothing SecondPass,
            c03_new_digest_changes_code_only NewArtifact,
            c04_new_settings_change_settings_only NewSettings,
            c05_dropped_key_goes_foreign_key_stays DroppedKey,
            c06_out_of_band_change_is_repaired Drift,
            c07_undeploy_twice Undeploy,
            c08_undeploy_by_record_alone UndeployByRecord,
            c09_move_leaves_nothing_behind Move,
            c10_call_n_fails CallFails,
            c11_answer_of_call_n_is_lost AnswerLost,
            c12_desired_state_changes_meanwhile ChangedMeanwhile,
            c13_stale_read_after_write StaleRead,
            c14_operation_in_progress_is_waited_for Busy,
            c15_operation_fails_late LateFailure,
            c16_throttled_is_transient Throttled,
            c17_forbidden_is_blocked Forbidden,
            c18_impossible_spec_is_terminal Impossible,
            c19_foreign_object_is_refused Foreign,
            c20_fenced_agent_stops Fenced,
            c21_cancelled_and_restarted Cancelled,
        }
    };
    (@each $fresh:expr; $($name:ident $clause:ident,)+) => {
        const _: () = assert!([$($crate::conformance::Clause::$clause),+].len() == $crate::conformance::Clause::ALL.len());
        $(
            #[tokio::test]
            async fn $name() -> Result<(), $crate::conformance::Violation> {
                let clause = $crate::conformance::Clause::$clause;
                println!("{}", ::std::boxed::Box::pin($crate::conformance::check(clause, &$fresh)).await?);
                Ok(())
            }
        )+
    };
}
