//! A queue with several workers on it, each with what it has seen of its own, and one clock.

use std::sync::Arc;
use std::time::Duration;

use fractal_core::Timestamp;
use fractal_core::contract::{Component, ComponentKey, LiveSystemId};
use fractal_core::status::{Condition, ConditionStatus, ConditionType, Status};
use fractal_queue::store::{Sqlite, Store};
use fractal_queue::{
    Claim, Clock, Company, ComponentDocument, ManualClock, NextDue, Outcome, Queue, Record,
    Refusal, Settlement, Take, Tenure,
};
use serde_json::{Value, json};

pub(crate) const LEASE: Duration = Duration::from_secs(60);
pub(crate) const SYSTEM: &str = "Personal/o/bc/shop";
const NOW: u64 = 1_700_000_000_000;

pub(crate) struct Rig {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<ManualClock>,
}

pub(crate) struct Worker {
    pub(crate) queue: Queue,
    pub(crate) name: String,
}

pub(crate) fn rig() -> Rig {
    let clock = Arc::new(ManualClock::at(Timestamp::from_unix_millis(NOW)));
    Rig {
        store: Arc::new(Sqlite::in_memory().unwrap()),
        clock,
    }
}

impl Rig {
    pub(crate) fn worker(&self, name: &str) -> Worker {
        let queue = Queue::new(
            Arc::clone(&self.store),
            Arc::clone(&self.clock) as Arc<dyn Clock>,
        );
        Worker {
            queue,
            name: name.into(),
        }
    }
}

pub(crate) fn system() -> LiveSystemId {
    SYSTEM.parse().unwrap()
}

/// A live system's body; each component is its id, its parameters and its dependencies.
pub(crate) fn body(components: &[(&str, Value, &[&str])]) -> Value {
    let map: serde_json::Map<String, Value> = components
        .iter()
        .map(|(id, parameters, dependencies)| {
            let component = json!({
                "id": id, "type": "CustomWorkloads.FaaS.AwsLambda", "provider": "AWS",
                "parameters": parameters, "dependencies": dependencies, "links": [],
            });
            ((*id).to_owned(), component)
        })
        .collect();
    json!({
        "liveSystemId": SYSTEM, "fractalId": "bc/shop:1.0.0",
        "environment": {"id": {"type": "Personal", "ownerId": "o", "shortName": "dev"}, "parameters": {}},
        "blueprintMap": map,
    })
}

/// One component whose body differs by `version`.
pub(crate) fn component(id: &str, version: u64) -> Component {
    let body = body(&[(id, json!({ "version": version }), &[])]);
    let system = fractal_core::contract::wire::from_value(&body, None).unwrap();
    system.components.into_values().next().unwrap()
}

pub(crate) fn record(value: u64) -> Record {
    Record {
        schema: 1,
        value: json!({ "noted": value }),
    }
}

/// A status as an agent writes it when all is well.
pub(crate) fn ready(generation: u64, now: Timestamp) -> Status {
    let mut status = Status {
        observed_generation: generation,
        ..Status::default()
    };
    status.set(Condition {
        kind: ConditionType::Ready,
        status: ConditionStatus::True,
        reason: "Ready".into(),
        message: String::new(),
        next: None,
        observed_generation: generation,
        since: now,
    });
    status
        .outputs
        .insert("arn".into(), format!("arn:{generation}"));
    status
}

impl Worker {
    pub(crate) fn tenure(&self, company: Company) -> Tenure {
        Tenure {
            holder: self.name.clone(),
            length: LEASE,
            company,
        }
    }

    pub(crate) async fn take(&self, key: &ComponentKey, company: Company) -> Take {
        self.queue
            .claim(key, None, &self.tenure(company))
            .await
            .unwrap()
    }

    pub(crate) async fn claim(&self, key: &ComponentKey) -> Claim {
        match self.take(key, Company::Shared).await {
            Take::Claimed(claim) => *claim,
            Take::Refused(refusal) => panic!("{} refused {key}: {refusal:?}", self.name),
        }
    }

    pub(crate) async fn refused(&self, key: &ComponentKey, company: Company) -> Refusal {
        match self.take(key, company).await {
            Take::Refused(refusal) => refusal,
            Take::Claimed(claim) => panic!("{} got {key} with token {}", self.name, claim.token()),
        }
    }

    pub(crate) async fn in_sync(&self, claim: Claim) {
        let status = ready(claim.generation(), self.queue.clock().wall());
        self.settle(claim, status, Outcome::InSync).await;
    }

    pub(crate) async fn settle(&self, claim: Claim, status: Status, outcome: Outcome) {
        let due = NextDue::In(Duration::from_secs(300));
        self.queue
            .settle(
                claim,
                Settlement {
                    status,
                    record: None,
                    due,
                    outcome,
                },
            )
            .await
            .unwrap();
    }

    pub(crate) async fn document(&self, key: &ComponentKey) -> ComponentDocument {
        self.queue.component(key).await.unwrap().unwrap()
    }

    pub(crate) async fn due(&self) -> Vec<String> {
        let now = self.queue.clock().wall();
        let due = self
            .queue
            .due(fractal_queue::Scope::everything(), now, 100)
            .await
            .unwrap();
        due.into_iter()
            .map(|due| due.key.component.to_string())
            .collect()
    }
}
