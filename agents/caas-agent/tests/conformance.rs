//! The conformance suite on the Kubernetes agent, on a real control plane: once for a workload, once for a manifest bundle.

#[cfg(test)]
#[path = "support/harness.rs"]
mod kubernetes_harness;

use caas_agent::Kubernetes;
use kubernetes_harness::KubernetesCloud;

mod workload {
    fractal_testkit::conformance!(super::KubernetesCloud::<super::Kubernetes>::workload);
}

mod bundle {
    fractal_testkit::conformance!(super::KubernetesCloud::<super::Kubernetes>::bundle);
}

/// The suite sees through the harness what breaks on the cluster.
#[cfg(test)]
mod truth {
    use super::{Kubernetes, KubernetesCloud};

    #[tokio::test]
    async fn the_audit_log_holds_the_very_writes_of_the_ledger() {
        let cloud = KubernetesCloud::<Kubernetes>::bundle().await;
        let (ledger, audit) = cloud.audited().await;
        assert!(ledger.len() >= 6, "{ledger:?}");
        assert_eq!(ledger, audit);
    }
}

#[cfg(test)]
mod flaws {
    use fractal_testkit::conformance::{Clause, check};

    use super::KubernetesCloud;
    use super::kubernetes_harness::flawed::{Blind, Deaf, Flaw, Flawed, Hasty, Untidy};

    async fn breaks<F: Flaw>(clause: Clause) {
        let fresh = KubernetesCloud::<Flawed<F>>::workload;
        let broken = Box::pin(check(clause, &fresh)).await.unwrap_err();
        assert_eq!(broken.clause, clause);
        println!("{broken}");
    }

    #[tokio::test]
    async fn drift_that_is_not_repaired_is_noticed() {
        breaks::<Blind>(Clause::Drift).await;
    }

    #[tokio::test]
    async fn an_inventory_that_is_left_is_noticed() {
        breaks::<Untidy>(Clause::Undeploy).await;
    }

    #[tokio::test]
    async fn believing_absence_too_soon_is_noticed() {
        breaks::<Hasty>(Clause::StaleRead).await;
    }

    #[tokio::test]
    async fn coming_back_too_soon_is_noticed() {
        breaks::<Deaf>(Clause::Throttled).await;
    }
}
