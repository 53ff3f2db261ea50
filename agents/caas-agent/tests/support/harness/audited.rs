//! The proxy's ledger against the API server's audit log: two records of the same writes, kept by two programs.

use caas_agent::{Kubernetes, Memo, Place};
use fractal_core::reconcile::{Consent, End, Goal, Journal, NoteError, Record, Task, reconcile};
use fractal_testkit::conformance::{Harness as _, Spec, owner};

use super::KubernetesCloud;

/// Writes that took effect: path and query, and the status.
type Writes = Vec<(String, u16)>;

impl KubernetesCloud<Kubernetes> {
    /// Deploys, changes settings and undeploys; the writes of the agent by the ledger, and by the audit log.
    pub(crate) async fn audited(&self) -> (Writes, Writes) {
        let (begin, log) = (self.mark(), self.admin.cluster.audit_mark());
        let mut record = Record::default();
        for spec in [Some(Spec::First), Some(Spec::NewSettings), None] {
            let began = std::time::Instant::now();
            while !self.pass(spec, &mut record).await {
                assert!(began.elapsed().as_secs() < 60, "{spec:?} takes too long");
                self.advance().await;
            }
        }
        let calls = self.proxy.calls(begin).into_iter();
        let ledger = calls.filter(|call| call.is_write()).filter_map(|call| {
            let query = call.query.map(|query| format!("?{query}"));
            Some((
                format!("{}{}", call.path, query.unwrap_or_default()),
                call.served?,
            ))
        });
        let events = self.admin.cluster.audit_since(log).into_iter();
        let audit = events
            .filter(|event| event.namespace.as_deref() == Some(self.site.home()))
            .filter(|event| event.user.ends_with(":caas-agent"))
            .filter(|event| event.is_write() && !event.dry_run)
            .map(|event| (event.request_uri, event.code));
        (sorted(ledger), sorted(audit))
    }

    /// One pass; whether it came to its end.
    async fn pass(&self, spec: Option<Spec>, record: &mut Record<Place, Memo>) -> bool {
        let (agent, config, owner) = (self.agent(), self.config(), owner());
        let deployment = spec.map(|spec| self.deployment(spec));
        let goal = deployment
            .as_ref()
            .map_or(Goal::Absent, |(inputs, rollout)| Goal::Present {
                inputs,
                rollout,
            });
        let task = Task {
            owner: &owner,
            config: &config,
            goal,
            record: record.clone(),
            consent: Consent::Withheld,
        };
        let report = Box::pin(reconcile(&agent, task, &mut Notes, self.content())).await;
        *record = report.record;
        matches!(report.end, End::Ready(_) | End::Absent)
    }
}

fn sorted(writes: impl Iterator<Item = (String, u16)>) -> Writes {
    let mut writes: Writes = writes.collect();
    writes.sort();
    writes
}

/// A journal that always takes notes.
struct Notes;

impl Journal<Place, Memo> for Notes {
    async fn note(&mut self, _: &Record<Place, Memo>) -> Result<(), NoteError> {
        Ok(())
    }

    fn stopping(&self) -> bool {
        false
    }
}
