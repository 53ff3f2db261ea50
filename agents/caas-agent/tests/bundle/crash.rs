//! An agent that dies between two writes: what it made is found again, by the inventory alone.

use fractal_core::reconcile::{
    Consent, End, Goal, Journal, NoContent, NoteError, Record, Task, reconcile,
};
use serde_json::json;

use caas_agent::{Memo, Place};

use crate::rig::{Component, Rig, bundle, id};

const NAME: &str = "crashing-fdeploy.yaml";
const ALL: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: one}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: two}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: three}
spec: {podSelector: {}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: four}
spec:
  selector: {matchLabels: {app: four}}
  template: {metadata: {labels: {app: four}}, spec: {containers: [{name: a, image: 'registry.test/a:1'}]}}
";
const ONE: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: one}
";
const KINDS: &str = "configmaps,networkpolicies,daemonsets";

/// Takes so many notes, and no more: the step after the last one is never begun. With none left the agent is gone.
struct Dying {
    notes: usize,
    durable: Record<Place, Memo>,
}

impl Journal<Place, Memo> for Dying {
    async fn note(&mut self, record: &Record<Place, Memo>) -> Result<(), NoteError> {
        self.notes = self.notes.checked_sub(1).ok_or(NoteError::Lost)?;
        self.durable = record.clone();
        Ok(())
    }

    fn stopping(&self) -> bool {
        false
    }
}

/// One pass that ends after so many steps; what was durable then, and whether it came to its end.
async fn cut(rig: &Rig, component: &Component, notes: usize) -> (Record<Place, Memo>, bool) {
    let mut journal = Dying {
        notes,
        durable: component.record.clone(),
    };
    let task = Task {
        owner: &component.owner,
        config: &component.config,
        goal: Goal::Present {
            inputs: &component.inputs,
            rollout: &component.rollout,
        },
        record: component.record.clone(),
        consent: Consent::Withheld,
    };
    let report = Box::pin(reconcile(&rig.agent, task, &mut journal, &NoContent)).await;
    (journal.durable, report.end != End::Lost)
}

async fn left(rig: &Rig) -> Vec<String> {
    let mut all: Vec<_> = rig.objects(KINDS).await.iter().map(id).collect();
    all.retain(|it| !it.ends_with("/kube-root-ca.crt"));
    all
}

/// After every step there is, with the record as it was durable then and without any record at all.
#[tokio::test]
async fn a_crash_after_any_step_orphans_nothing() {
    let rig = Rig::for_bundles("crash", &json!([])).await;
    let mut steps = 0;
    loop {
        let mut component = rig.bundle("crashing", json!({}), &[(NAME, ALL)]);
        let (durable, finished) = cut(&rig, &component, steps).await;
        // Another agent, that knows only what the first one noted, is told to take it away.
        let mut heir = rig.bundle("crashing", json!({}), &[(NAME, ALL)]);
        heir.record = durable;
        heir.gone(&rig.agent).await;
        assert_eq!(
            left(&rig).await,
            Vec::<String>::new(),
            "removal after {steps} steps"
        );

        // One that knows nothing at all is to run a bundle that has dropped most of it.
        cut(&rig, &component, steps).await;
        component.record = Record::default();
        component.rollout.target = bundle(&[(NAME, ONE)]);
        component.ready(&rig.agent).await;
        let inventory = format!("ConfigMap/fractal-{}", component.owner.component.hash());
        assert_eq!(
            left(&rig).await,
            [inventory, "ConfigMap/one".to_owned()],
            "after {steps} steps"
        );
        component.gone(&rig.agent).await;
        if finished {
            break;
        }
        steps += 1;
    }
    // The inventory, and each of the four.
    assert_eq!(steps, 5);
}
