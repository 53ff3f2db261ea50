//! The suite on agents that are broken on purpose: it names the clause that each breaks, and no other first.

use std::collections::BTreeSet;

use fractal_testkit::broken::{BrokenCloud, Flaw};
use fractal_testkit::conformance::{Clause, check, run};

#[tokio::test]
async fn the_suite_names_the_clause_that_is_broken_first() {
    for flaw in Flaw::ALL {
        let report = Box::pin(run(&async || BrokenCloud::new(*flaw))).await;
        let named = report.broken.as_ref().map(|violation| violation.clause);
        assert_eq!(named, Some(flaw.clause()), "{flaw:?}: {:?}", report.broken);
    }
}

#[tokio::test]
async fn clauses_that_imply_one_another_are_listed() {
    for flaw in Flaw::ALL {
        let mut broken = Vec::new();
        for clause in Clause::ALL {
            let result = Box::pin(check(*clause, &async || BrokenCloud::new(*flaw))).await;
            broken.extend(result.err().map(|violation| violation.clause));
        }
        let mut listed = vec![flaw.clause()];
        listed.extend(flaw.also());
        assert_eq!(broken, listed, "{flaw:?}");
    }
}

#[test]
fn every_clause_has_a_broken_agent() {
    let named: BTreeSet<Clause> = Flaw::ALL.iter().map(|flaw| flaw.clause()).collect();
    assert_eq!(named, Clause::ALL.iter().copied().collect());
}
