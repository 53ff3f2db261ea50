//! Rows of the hardening table: duplicates, reordering, poison, lost settlements, expired and paused workers, crashes.

use std::time::Duration;

use fractal_queue::{Company, NextDue, Outcome, QueueError, Refusal, Selector, Settlement, Take};

use crate::rig::{LEASE, Rig, Worker, component, ready, record, rig, system};

/// Lets `worker` watch the claim on `key` stand still for a whole lease.
async fn outlast(rig: &Rig, worker: &Worker, key: &fractal_core::contract::ComponentKey) {
    let seen = worker.refused(key, Company::Alone).await;
    assert!(
        matches!(seen, Refusal::Leased { wait, .. } if wait == LEASE),
        "{seen:?}"
    );
    rig.clock.advance(LEASE);
}

#[tokio::test]
async fn q01_a_thousand_duplicates_are_one_rollout() {
    let rig = rig();
    let agent = rig.worker("a");
    let key = component("api", 1).key();
    agent.queue.put(&component("api", 1)).await.unwrap();
    let before = agent.document(&key).await;
    for _ in 0..500 {
        assert_eq!(agent.queue.put(&component("api", 1)).await.unwrap(), 1);
        agent
            .queue
            .wake(&Selector::Component(key.clone()), "TagMoved")
            .await
            .unwrap();
    }
    let after = agent.document(&key).await;
    assert_eq!(
        (after.generation, after.wakes.len()),
        (before.generation, 1)
    );
    let claim = agent.claim(&key).await;
    for _ in 0..500 {
        assert!(matches!(
            agent.refused(&key, Company::Shared).await,
            Refusal::Leased { .. }
        ));
    }
    agent.in_sync(claim).await;
    assert!(
        agent.due().await.is_empty(),
        "a thousand wake-ups, one rollout"
    );
    let before = agent.queue.store().cursor().await.unwrap();
    for _ in 0..10 {
        agent.queue.put(&component("api", 1)).await.unwrap();
    }
    assert_eq!(
        agent.queue.store().cursor().await.unwrap(),
        before,
        "the same body again writes nothing"
    );
}

#[tokio::test]
async fn q02_the_newest_wins_in_any_order() {
    let rig = rig();
    let (agent, late) = (rig.worker("a"), rig.worker("late"));
    let key = component("api", 1).key();
    for version in 1..=7 {
        assert_eq!(
            agent.queue.put(&component("api", version)).await.unwrap(),
            version
        );
    }
    let newest = agent.document(&key).await;
    // A claim of an older generation is refused: its message came late.
    let taken = late
        .queue
        .claim(&key, Some(5), &late.tenure(Company::Shared))
        .await
        .unwrap();
    assert!(
        matches!(taken, Take::Refused(Refusal::Generation { found: 7 })),
        "{taken:?}"
    );
    // Following again, in whatever order, changes nothing.
    for _ in 0..3 {
        late.queue.follow(&system()).await.unwrap();
        agent.queue.follow_all().await.unwrap();
    }
    assert_eq!(agent.document(&key).await, newest);
    // Delete before create, and twice.
    let other = component("other", 1);
    agent.queue.remove(&other.key()).await.unwrap();
    agent.queue.remove(&other.key()).await.unwrap();
    agent.queue.put(&other).await.unwrap();
    assert!(!agent.document(&other.key()).await.tombstone);
    // An update after a delete is a new life above the old generations.
    let claim = agent.claim(&key).await;
    agent.in_sync(claim).await;
    agent.queue.remove(&key).await.unwrap();
    let removed = agent.document(&key).await.generation;
    let again = agent.queue.put(&component("api", 5)).await.unwrap();
    assert!(again > removed);
    assert!(!agent.document(&key).await.tombstone);
}

#[tokio::test]
async fn q04_poison_is_claimed_alone_then_set_aside_and_others_go_on() {
    let rig = rig();
    let key = component("poison", 1).key();
    let first = rig.worker("w0");
    first.queue.put(&component("poison", 1)).await.unwrap();
    first.queue.put(&component("healthy", 1)).await.unwrap();
    drop(first.claim(&key).await);
    for death in 1..=6 {
        let worker = rig.worker(&format!("w{death}"));
        outlast(&rig, &worker, &key).await;
        if death >= 2 {
            assert_eq!(
                worker.refused(&key, Company::Shared).await,
                Refusal::MustBeAlone,
                "death {death}"
            );
        }
        let due = worker
            .queue
            .due(
                fractal_queue::Scope::everything(),
                worker.document(&key).await.due,
                10,
            )
            .await
            .unwrap();
        let poison = due.iter().find(|due| due.key == key).unwrap();
        assert_eq!(
            (poison.takeover, poison.alone),
            (true, death >= 2),
            "death {death}"
        );
        let Take::Claimed(claim) = worker
            .take(
                &key,
                if death >= 2 {
                    Company::Alone
                } else {
                    Company::Shared
                },
            )
            .await
        else {
            panic!("death {death} is not the last")
        };
        assert!(claim.takeover());
        assert_eq!(
            claim.document().attempts,
            death + 1,
            "attempts are counted at claim"
        );
    }
    let last = rig.worker("last");
    outlast(&rig, &last, &key).await;
    assert_eq!(last.refused(&key, Company::Alone).await, Refusal::SetAside);
    assert_eq!(last.due().await, ["healthy"], "other keys continue");
    let view = last.queue.view(&system()).await.unwrap().unwrap();
    let poison = view.components.iter().find(|view| view.key == key).unwrap();
    let fault = poison.status.fault.as_ref().unwrap();
    assert_eq!(fault.reason, fractal_queue::SET_ASIDE);
    assert_eq!(
        fault.why.as_deref(),
        Some("5 workers died on it while they did nothing else")
    );
    assert_eq!(poison.phase, fractal_core::status::ComponentPhase::Failed);
    // A person retries it: it is due again, still alone.
    last.queue
        .wake(&Selector::Component(key.clone()), "Retry")
        .await
        .unwrap();
    assert_eq!(last.due().await.len(), 2);
    assert_eq!(
        last.refused(&key, Company::Shared).await,
        Refusal::MustBeAlone
    );
    let Take::Claimed(claim) = last.take(&key, Company::Alone).await else {
        panic!("it was woken")
    };
    last.in_sync(*claim).await;
    let healed = last.document(&key).await;
    assert_eq!(
        (healed.deaths, healed.deaths_alone, healed.set_aside),
        (0, 0, None)
    );
}

#[tokio::test]
async fn q04_many_kills_of_healthy_workers_set_nothing_aside() {
    let rig = rig();
    let key = component("api", 1).key();
    let mut worker = rig.worker("w0");
    worker.queue.put(&component("api", 1)).await.unwrap();
    for round in 1..=40 {
        let claim = match worker.take(&key, Company::Alone).await {
            Take::Claimed(claim) => *claim,
            Take::Refused(refusal) => panic!("round {round}: {refusal:?}"),
        };
        if round % 4 == 0 {
            worker
                .settle(
                    claim,
                    ready(1, worker.document(&key).await.due),
                    Outcome::Waiting,
                )
                .await;
            continue;
        }
        drop(claim);
        worker = rig.worker(&format!("w{round}"));
        outlast(&rig, &worker, &key).await;
    }
    assert_eq!(worker.document(&key).await.set_aside, None);
}

#[tokio::test]
async fn q05_a_lost_or_late_settlement_is_harmless() {
    let rig = rig();
    let (agent, other) = (rig.worker("a"), rig.worker("b"));
    let key = component("api", 1).key();
    agent.queue.put(&component("api", 1)).await.unwrap();
    let mut claim = agent.claim(&key).await;
    agent.queue.note(&mut claim, record(1)).await.unwrap();
    outlast(&rig, &other, &key).await;
    let second = other.claim(&key).await;
    assert!(
        second.takeover() && second.document().record == Some(record(1)),
        "what was noted is known"
    );
    let before = other.document(&key).await;
    let late = Settlement {
        status: ready(1, before.due),
        record: Some(record(9)),
        due: NextDue::WhenWoken,
        outcome: Outcome::InSync,
    };
    let lost = agent.queue.settle(claim, late).await;
    assert!(matches!(lost, Err(QueueError::Lost { .. })), "{lost:?}");
    assert_eq!(
        other.document(&key).await,
        before,
        "an old claim writes nothing"
    );
    other.in_sync(second).await;
    assert_eq!(other.document(&key).await.record, Some(record(1)));
    assert!(other.due().await.is_empty());
}

#[tokio::test]
async fn q05_a_late_confirmation_of_deletion_deletes_nothing() {
    let rig = rig();
    let (agent, other) = (rig.worker("a"), rig.worker("b"));
    let key = component("api", 1).key();
    agent.queue.put(&component("api", 1)).await.unwrap();
    let claim = agent.claim(&key).await;
    agent.in_sync(claim).await;
    agent.queue.remove(&key).await.unwrap();
    let old = agent.claim(&key).await;
    outlast(&rig, &other, &key).await;
    let new = other.claim(&key).await;
    let gone = Settlement {
        status: ready(2, new.document().due),
        record: None,
        due: NextDue::WhenWoken,
        outcome: Outcome::Gone,
    };
    assert!(matches!(
        agent.queue.settle(old, gone.clone()).await,
        Err(QueueError::Lost { .. })
    ));
    assert!(other.document(&key).await.tombstone);
    other.queue.settle(new, gone).await.unwrap();
    assert_eq!(other.queue.component(&key).await.unwrap(), None);
}

#[tokio::test]
async fn q06_an_expired_lease_is_noticed_by_the_note_before_the_next_step() {
    let rig = rig();
    let (agent, other) = (rig.worker("a"), rig.worker("b"));
    let key = component("api", 1).key();
    agent.queue.put(&component("api", 1)).await.unwrap();
    let mut claim = agent.claim(&key).await;
    assert_eq!(claim.remaining(rig_now(&agent)), LEASE);
    // A beat starts the challenger's watch anew.
    assert!(
        matches!(other.refused(&key, Company::Shared).await, Refusal::Leased { wait, .. } if wait == LEASE)
    );
    rig.clock.advance(LEASE - Duration::from_millis(1));
    assert!(
        matches!(other.refused(&key, Company::Shared).await, Refusal::Leased { wait, .. } if wait == Duration::from_millis(1))
    );
    assert_eq!(claim.remaining(rig_now(&agent)), Duration::from_millis(1));
    agent.queue.renew(&mut claim).await.unwrap();
    rig.clock.advance(Duration::from_millis(1));
    outlast(&rig, &other, &key).await;
    assert_eq!(
        claim.remaining(rig_now(&agent)),
        Duration::ZERO,
        "the holder knows before any challenger may act"
    );
    let mut second = other.claim(&key).await;
    assert!(second.token() > claim.token());
    assert!(matches!(
        agent.queue.note(&mut claim, record(1)).await,
        Err(QueueError::Lost { .. })
    ));
    other.queue.note(&mut second, record(2)).await.unwrap();
    assert_eq!(other.document(&key).await.record, Some(record(2)));
}

fn rig_now(worker: &Worker) -> Duration {
    worker.queue.clock().monotonic()
}

#[tokio::test]
async fn q07_a_worker_that_was_paused_ten_minutes_writes_nothing() {
    let rig = rig();
    let (agent, other) = (rig.worker("a"), rig.worker("b"));
    let key = component("api", 1).key();
    agent.queue.put(&component("api", 1)).await.unwrap();
    let mut paused = agent.claim(&key).await;
    outlast(&rig, &other, &key).await;
    let second = other.claim(&key).await;
    other.in_sync(second).await;
    agent.queue.put(&component("api", 2)).await.unwrap();
    rig.clock.advance(Duration::from_secs(600));
    let before = other.document(&key).await;
    assert!(matches!(
        agent.queue.renew(&mut paused).await,
        Err(QueueError::Lost { .. })
    ));
    assert!(matches!(
        agent.queue.note(&mut paused, record(9)).await,
        Err(QueueError::Lost { .. })
    ));
    assert!(matches!(
        agent.queue.release(paused).await,
        Err(QueueError::Lost { .. })
    ));
    assert_eq!(other.document(&key).await, before);
}

#[tokio::test]
async fn a_clock_that_only_one_process_has_expires_nothing() {
    let rig = rig();
    let agent = rig.worker("a");
    let key = component("api", 1).key();
    agent.queue.put(&component("api", 1)).await.unwrap();
    let _claim = agent.claim(&key).await;
    rig.clock.advance(Duration::from_secs(86_400));
    // Whoever has just come has watched nothing yet, however old the lease is.
    for newcomer in ["b", "c", "d"] {
        let seen = rig.worker(newcomer).refused(&key, Company::Alone).await;
        assert!(
            matches!(seen, Refusal::Leased { wait, .. } if wait == LEASE),
            "{seen:?}"
        );
    }
}
