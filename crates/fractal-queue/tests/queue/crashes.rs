//! Q8: a process dies before and after every single effect of a whole life, store calls and cloud writes alike.
//!
//! The number of effects is counted, not written down: the last run is the first that nothing interrupts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use fractal_core::contract::ComponentKey;
use fractal_queue::intake::Shrink;
use fractal_queue::store::{
    Changes, Cursor, Expected, Revision, Store, StoreError, StoreFuture, Stored,
};
use fractal_queue::{
    Agenda, Claim, Clock, Company, Desired, Gate, NextDue, Outcome, Queue, QueueError, Scope,
    Settlement, Take, Tenure,
};
use serde_json::{Value, json};

use crate::rig::{LEASE, Rig, body, ready, record, rig, system};

#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    BeforeTheEffect,
    AfterTheEffect,
}

/// Counts effects; from the fatal one on everything fails, as for a process that is gone.
struct Fate {
    left: AtomicU64,
    when: When,
}

impl Fate {
    fn new(effects: u64, when: When) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicU64::new(effects),
            when,
        })
    }

    /// Says whether this effect still happens, and whether anybody hears of it.
    fn next(&self) -> (bool, bool) {
        let left = self.left.load(Ordering::SeqCst);
        self.left.store(left.saturating_sub(1), Ordering::SeqCst);
        (
            left > 1 || (left == 1 && self.when == When::AfterTheEffect),
            left > 1,
        )
    }
}

struct Mortal {
    store: Arc<dyn Store>,
    fate: Arc<Fate>,
}

impl Mortal {
    fn call<'a, T: Send + 'a>(&'a self, future: StoreFuture<'a, T>) -> StoreFuture<'a, T> {
        Box::pin(async move {
            let (happens, heard) = self.fate.next();
            let result = if happens {
                future.await
            } else {
                Err(StoreError::Closed)
            };
            if heard {
                result
            } else {
                Err(StoreError::Closed)
            }
        })
    }
}

impl Store for Mortal {
    fn cursor(&self) -> StoreFuture<'_, Cursor> {
        self.call(self.store.cursor())
    }
    fn get<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<Stored>> {
        self.call(self.store.get(key))
    }
    fn put<'a>(
        &'a self,
        key: &'a str,
        expected: Expected,
        body: Vec<u8>,
    ) -> StoreFuture<'a, Revision> {
        self.call(self.store.put(key, expected, body))
    }
    fn delete<'a>(&'a self, key: &'a str, expected: Revision) -> StoreFuture<'a, Revision> {
        self.call(self.store.delete(key, expected))
    }
    fn list<'a>(&'a self, prefix: &'a str) -> StoreFuture<'a, Vec<Stored>> {
        self.call(self.store.list(prefix))
    }
    fn watch(&self, prefix: &str, from: Option<Cursor>) -> Box<dyn Changes> {
        self.store.watch(prefix, from)
    }
}

/// What runs where, and every write that was accepted.
#[derive(Default)]
struct Cloud {
    live: Mutex<BTreeMap<ComponentKey, Value>>,
    writes: Mutex<Vec<(ComponentKey, u64)>>,
}

struct Process<'a> {
    queue: Queue,
    rig: &'a Rig,
    cloud: &'a Cloud,
    fate: Arc<Fate>,
    name: String,
}

impl<'a> Process<'a> {
    fn start(rig: &'a Rig, cloud: &'a Cloud, fate: Arc<Fate>, name: &str) -> Self {
        let store = Arc::new(Mortal {
            store: Arc::clone(&rig.store),
            fate: Arc::clone(&fate),
        });
        let queue = Queue::new(store, Arc::clone(&rig.clock) as Arc<dyn Clock>);
        Self {
            queue,
            rig,
            cloud,
            fate,
            name: name.into(),
        }
    }

    async fn want(&self, stage: &Option<Value>) -> Result<(), QueueError> {
        match stage {
            Some(body) => self
                .queue
                .submit(body.to_string().as_bytes(), None, Shrink::Allow)
                .await
                .map(drop),
            None => match self.queue.remove_live_system(&system()).await {
                // The process before got this far.
                Err(QueueError::NotFound { .. }) => Ok(()),
                other => other,
            },
        }
    }

    /// Works until nothing is due, waiting out leases of the dead.
    async fn work(&self) -> Result<(), QueueError> {
        let mut agenda: Agenda = self.queue.agenda(Scope::everything());
        loop {
            agenda.refresh().await?;
            let now = self.queue.clock().wall();
            let due = agenda.due(now, 1).pop();
            match (due, agenda.idle(now)) {
                (Some(due), _) => {
                    let company = if due.alone {
                        Company::Alone
                    } else {
                        Company::Shared
                    };
                    let tenure = Tenure {
                        holder: self.name.clone(),
                        length: LEASE,
                        company,
                    };
                    if let Take::Claimed(claim) = self.queue.claim(&due.key, None, &tenure).await? {
                        self.pass(*claim).await?;
                    }
                }
                (None, Some(idle)) if idle <= LEASE => self.rig.clock.advance(idle),
                (None, _) => return Ok(()),
            }
        }
    }

    async fn pass(&self, mut claim: Claim) -> Result<(), QueueError> {
        let body = match claim.desired() {
            Desired::Present(body) => Some(body.as_ref().clone()),
            Desired::Absent => None,
            Desired::Unreadable(why) => panic!("{why}"),
        };
        let settle = |outcome| Settlement {
            status: ready(claim.generation(), claim.document().due),
            record: None,
            due: NextDue::In(LEASE * 5),
            outcome,
        };
        let (done, waiting) = (
            settle(if body.is_some() {
                Outcome::InSync
            } else {
                Outcome::Gone
            }),
            settle(Outcome::Waiting),
        );
        if let Gate::Waiting { .. } = self.queue.gate(claim.document(), body.as_ref()).await? {
            let waiting = Settlement {
                status: Default::default(),
                ..waiting
            };
            return self.queue.settle(claim, waiting).await;
        }
        let wanted = body.map(|body| body.parameters.as_map()["v"].clone());
        if self.cloud.live.lock().unwrap().get(claim.key()) != wanted.as_ref() {
            let noted = record(claim.generation());
            self.queue.note(&mut claim, noted).await?;
            self.apply(&claim, wanted)?;
        }
        self.queue.settle(claim, done).await
    }

    /// One cloud write: an effect like any other.
    fn apply(&self, claim: &Claim, wanted: Option<Value>) -> Result<(), QueueError> {
        let (happens, heard) = self.fate.next();
        if happens {
            let mut live = self.cloud.live.lock().unwrap();
            match wanted {
                Some(version) => drop(live.insert(claim.key().clone(), version)),
                None => drop(live.remove(claim.key())),
            }
            self.cloud
                .writes
                .lock()
                .unwrap()
                .push((claim.key().clone(), claim.generation()));
        }
        if heard {
            Ok(())
        } else {
            Err(StoreError::Closed.into())
        }
    }
}

fn stages() -> Vec<Option<Value>> {
    let v = |version: u64| json!({ "v": version });
    vec![
        Some(body(&[("api", v(1), &["db"]), ("db", v(1), &[])])),
        Some(body(&[("api", v(2), &["db"]), ("db", v(1), &[])])),
        Some(body(&[("db", v(1), &[]), ("web", v(1), &["db"])])),
        None,
    ]
}

fn wanted(stage: &Option<Value>) -> BTreeMap<String, Value> {
    let components = stage
        .iter()
        .flat_map(|body| body["blueprintMap"].as_object().unwrap());
    components
        .map(|(id, component)| (id.clone(), component["parameters"]["v"].clone()))
        .collect()
}

/// One whole life with one death. Says whether there was one.
async fn live_through(effects: u64, when: When) -> bool {
    let (rig, cloud) = (rig(), Cloud::default());
    let fate = Fate::new(effects, when);
    let mut process = Process::start(&rig, &cloud, Arc::clone(&fate), "first");
    let mut died = false;
    for stage in stages() {
        let outcome = match process.want(&stage).await {
            Ok(()) => process.work().await,
            error => error,
        };
        if outcome.is_err() {
            assert!(!died, "only one process dies: {outcome:?}");
            died = true;
            process = Process::start(&rig, &cloud, Fate::new(u64::MAX, when), "second");
            process.want(&stage).await.unwrap();
            process.work().await.unwrap();
        }
        let live = cloud.live.lock().unwrap().clone();
        let live: BTreeMap<String, Value> = live
            .into_iter()
            .map(|(key, version)| (key.component.to_string(), version))
            .collect();
        assert_eq!(
            live,
            wanted(&stage),
            "{when:?} effect {effects}: what runs is what is wanted"
        );
    }
    check(&cloud, &rig, effects, when).await;
    died
}

async fn check(cloud: &Cloud, rig: &Rig, effects: u64, when: When) {
    let writes = cloud.writes.lock().unwrap().clone();
    for (position, (key, generation)) in writes.iter().enumerate() {
        let later = writes
            .iter()
            .skip(position + 1)
            .filter(|(other, _)| other == key);
        for (_, other) in later {
            assert!(
                other > generation,
                "{when:?} effect {effects}: one write per generation, never an older one: {writes:?}"
            );
        }
    }
    for prefix in ["component/", "live-system/"] {
        let left = rig.store.list(prefix).await.unwrap();
        assert!(
            left.is_empty(),
            "{when:?} effect {effects}: nothing is left under {prefix}"
        );
    }
}

#[tokio::test]
async fn q08_a_death_before_or_after_any_effect_loses_and_repeats_nothing() {
    for when in [When::BeforeTheEffect, When::AfterTheEffect] {
        let mut effects = 1;
        while live_through(effects, when).await {
            effects += 1;
        }
        println!("{} deaths {when:?}, each survived", effects - 1);
        assert!(
            effects > 100,
            "a whole life has more effects than {effects}"
        );
    }
}
