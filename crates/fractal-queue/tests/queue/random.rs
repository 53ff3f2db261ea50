//! Random interleavings of writers, workers, deaths and slow clocks keep the queue's promises.

use std::collections::BTreeMap;
use std::time::Duration;

use fractal_core::contract::ComponentKey;
use fractal_queue::{Claim, Company, NextDue, Outcome, QueueError, Settlement, Take};
use proptest::prelude::*;

use crate::rig::{LEASE, Rig, Worker, component, ready, record, rig};

const NAMES: [&str; 3] = ["api", "db", "web"];
const WORKERS: usize = 3;

#[derive(Debug, Clone)]
enum Act {
    Put {
        component: usize,
        version: u64,
    },
    Remove {
        component: usize,
    },
    Claim {
        component: usize,
        worker: usize,
    },
    Note {
        claim: usize,
    },
    Settle {
        claim: usize,
    },
    Release {
        claim: usize,
    },
    /// The process dies: its claims are never heard of again, and its successor has seen nothing.
    Die {
        worker: usize,
    },
    /// It is stopped for a while and goes on with its old claims.
    Pass {
        millis: u64,
    },
    Follow,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let (component, worker) = (0..NAMES.len(), 0..WORKERS);
    let act = prop_oneof![
        3 => (component.clone(), 1..4_u64).prop_map(|(component, version)| Act::Put { component, version }),
        1 => component.clone().prop_map(|component| Act::Remove { component }),
        5 => (component, worker.clone()).prop_map(|(component, worker)| Act::Claim { component, worker }),
        4 => any::<usize>().prop_map(|claim| Act::Note { claim }),
        3 => any::<usize>().prop_map(|claim| Act::Settle { claim }),
        1 => any::<usize>().prop_map(|claim| Act::Release { claim }),
        1 => worker.prop_map(|worker| Act::Die { worker }),
        3 => (1..90_000_u64).prop_map(|millis| Act::Pass { millis }),
        1 => Just(Act::Follow),
    ];
    proptest::collection::vec(act, 1..80)
}

struct World {
    rig: Rig,
    workers: Vec<Worker>,
    claims: Vec<(usize, Claim)>,
    /// Per component: what was wanted last.
    wanted: BTreeMap<ComponentKey, Option<u64>>,
    generations: BTreeMap<ComponentKey, u64>,
    tokens: BTreeMap<ComponentKey, u64>,
    notes: u64,
}

impl World {
    fn new() -> Self {
        let rig = rig();
        let workers = (0..WORKERS)
            .map(|number| rig.worker(&format!("w{number}")))
            .collect();
        let empty = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self {
            rig,
            workers,
            claims: Vec::new(),
            wanted: empty.0,
            generations: empty.1,
            tokens: empty.2,
            notes: 0,
        }
    }

    async fn act(&mut self, act: &Act) {
        match act {
            Act::Put {
                component: at,
                version,
            } => {
                let body = component(NAMES[*at], *version);
                let generation = self.workers[0].queue.put(&body).await.unwrap();
                let known = self
                    .generations
                    .insert(body.key(), generation)
                    .unwrap_or_default();
                let same = self.wanted.insert(body.key(), Some(*version)) == Some(Some(*version));
                assert!(
                    if same {
                        generation == known
                    } else {
                        generation > known
                    },
                    "{generation} after {known}"
                );
            }
            Act::Remove { component: at } => {
                let key = component(NAMES[*at], 1).key();
                self.workers[0].queue.remove(&key).await.unwrap();
                if let Some(wanted) = self.wanted.get_mut(&key) {
                    *wanted = None;
                    // Once an agent confirms, the component and its generations are forgotten.
                    self.generations.remove(&key);
                }
            }
            Act::Claim {
                component: at,
                worker,
            } => self.claim(*at, *worker).await,
            Act::Note { claim } => {
                if let Some((at, mut claim)) = self.pick(*claim) {
                    self.notes += 1;
                    let result = self.workers[at]
                        .queue
                        .note(&mut claim, record(self.notes))
                        .await;
                    if self.heard(&claim, result) {
                        self.claims.push((at, claim));
                    }
                }
            }
            Act::Settle { claim } => {
                if let Some((at, claim)) = self.pick(*claim) {
                    self.settle(at, claim).await;
                }
            }
            Act::Release { claim } => {
                if let Some((at, claim)) = self.pick(*claim) {
                    let newest = self.newest(&claim);
                    let result = self.workers[at].queue.release(claim).await;
                    assert!(
                        newest || matches!(result, Err(QueueError::Lost { .. })),
                        "{result:?}"
                    );
                }
            }
            Act::Die { worker } => {
                self.claims.retain(|(holder, _)| holder != worker);
                self.workers[*worker] = self.rig.worker(&format!("w{worker}-{}", self.notes));
            }
            Act::Pass { millis } => self.rig.clock.advance(Duration::from_millis(*millis)),
            Act::Follow => self.workers[0].queue.follow_all().await.unwrap(),
        }
    }

    fn pick(&mut self, number: usize) -> Option<(usize, Claim)> {
        let count = self.claims.len();
        (count > 0).then(|| self.claims.swap_remove(number % count))
    }

    fn newest(&self, claim: &Claim) -> bool {
        self.tokens.get(claim.key()) == Some(&claim.token())
    }

    /// Only the newest token of a component is ever heard.
    fn heard(&self, claim: &Claim, result: Result<(), QueueError>) -> bool {
        match result {
            Ok(()) => {
                assert!(self.newest(claim), "an old token was heard");
                true
            }
            Err(QueueError::Lost { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    }

    async fn claim(&mut self, at: usize, worker: usize) {
        let key = component(NAMES[at], 1).key();
        let company = if self.claims.iter().any(|(holder, _)| *holder == worker) {
            Company::Shared
        } else {
            Company::Alone
        };
        let Take::Claimed(claim) = self.workers[worker].take(&key, company).await else {
            return;
        };
        let known = self
            .tokens
            .insert(key.clone(), claim.token())
            .unwrap_or_default();
        assert!(claim.token() > known, "tokens grow");
        let wanted = self.wanted.get(&key).copied().flatten();
        assert_eq!(
            claim.document().tombstone,
            wanted.is_none(),
            "what is claimed is what is wanted"
        );
        if wanted.is_some() {
            assert_eq!(
                Some(&claim.generation()),
                self.generations.get(&key),
                "the newest generation is claimed"
            );
        }
        self.claims.push((worker, *claim));
    }

    async fn settle(&mut self, at: usize, claim: Claim) {
        let newest = self.newest(&claim);
        let outcome = if claim.document().tombstone {
            Outcome::Gone
        } else {
            Outcome::InSync
        };
        let status = ready(claim.generation(), claim.document().due);
        let settlement = Settlement {
            status,
            record: None,
            due: NextDue::In(LEASE * 100),
            outcome,
        };
        let result = self.workers[at].queue.settle(claim, settlement).await;
        assert!(
            newest || matches!(result, Err(QueueError::Lost { .. })),
            "{result:?}"
        );
        assert!(
            !matches!(&result, Err(error) if !matches!(error, QueueError::Lost { .. })),
            "{result:?}"
        );
    }

    /// The faults stop: one worker is left, and everything has to come in order.
    async fn finish(mut self) {
        self.claims.clear();
        let worker = self.rig.worker("last");
        for _ in 0..100 {
            let now = worker.queue.clock().wall();
            let mut agenda = worker.queue.agenda(fractal_queue::Scope::everything());
            agenda.refresh().await.unwrap();
            for due in agenda.due(now, 10) {
                let Take::Claimed(claim) = worker.take(&due.key, Company::Alone).await else {
                    continue;
                };
                self.tokens.insert(due.key, claim.token());
                let outcome = if claim.document().tombstone {
                    Outcome::Gone
                } else {
                    Outcome::InSync
                };
                let status = ready(claim.generation(), now);
                let settlement = Settlement {
                    status,
                    record: None,
                    due: NextDue::In(LEASE * 100),
                    outcome,
                };
                worker.queue.settle(*claim, settlement).await.unwrap();
            }
            match agenda.idle(now) {
                Some(idle) if idle <= LEASE => self.rig.clock.advance(idle),
                _ => break,
            }
        }
        for (key, wanted) in &self.wanted {
            let document = worker.queue.component(key).await.unwrap();
            let Some(version) = wanted else {
                assert_eq!(document, None, "what is not wanted is gone");
                continue;
            };
            let document = document.unwrap();
            assert_eq!(
                document.synced, document.generation,
                "the newest generation is in sync"
            );
            assert_eq!((document.lease, document.set_aside), (None, None));
            let body = worker.queue.body_of(key).await;
            assert_eq!(
                body.parameters.as_map()["version"],
                *version,
                "nothing that was wanted is lost"
            );
        }
    }
}

trait BodyOf {
    async fn body_of(&self, key: &ComponentKey) -> fractal_core::contract::Component;
}

impl BodyOf for fractal_queue::Queue {
    async fn body_of(&self, key: &ComponentKey) -> fractal_core::contract::Component {
        let document = self.component(key).await.unwrap().unwrap();
        self.body(&document).await.unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_keeps_the_promises(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new();
            for act in &acts {
                world.act(act).await;
            }
            world.finish().await;
        });
    }
}
