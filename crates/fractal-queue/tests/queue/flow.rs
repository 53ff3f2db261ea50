//! The life of a component: wanted, claimed, noted, settled, woken, removed, brought back.

use std::time::Duration;

use fractal_queue::{Desired, NextDue, Outcome, QueueError, Selector, Settlement};

use crate::rig::{component, ready, record, rig, system};

#[tokio::test]
async fn a_component_goes_from_wanted_to_gone() {
    let rig = rig();
    let agent = rig.worker("a");
    let api = component("api", 1);
    let key = api.key();
    assert_eq!(agent.queue.put(&api).await.unwrap(), 1);
    assert_eq!(agent.due().await, ["api"]);

    let mut claim = agent.claim(&key).await;
    assert_eq!(*claim.desired(), Desired::Present(Box::new(api.clone())));
    assert_eq!(claim.document().attempts, 1);
    assert!(
        agent.due().await.is_empty(),
        "a claimed component is nobody else's"
    );
    agent.queue.note(&mut claim, record(1)).await.unwrap();
    assert_eq!(
        claim.document().attempts,
        0,
        "noted progress resets attempts"
    );
    agent.in_sync(claim).await;
    assert!(agent.due().await.is_empty());
    rig.clock.advance(Duration::from_secs(300));
    assert_eq!(agent.due().await, ["api"], "a sweep is due");

    agent.queue.remove(&key).await.unwrap();
    let document = agent.document(&key).await;
    assert!(document.tombstone && document.generation == 2 && document.record == Some(record(1)));
    let claim = agent.claim(&key).await;
    assert_eq!(*claim.desired(), Desired::Absent);
    agent
        .settle(claim, ready(2, document.due), Outcome::Gone)
        .await;
    assert_eq!(agent.queue.component(&key).await.unwrap(), None);
    assert_eq!(
        agent.queue.live_system(&system()).await.unwrap(),
        None,
        "nothing is left of the live system"
    );
}

#[tokio::test]
async fn what_no_agent_touched_goes_at_once() {
    let rig = rig();
    let agent = rig.worker("a");
    let api = component("api", 1);
    agent.queue.put(&api).await.unwrap();
    agent.queue.remove(&api.key()).await.unwrap();
    assert_eq!(agent.queue.component(&api.key()).await.unwrap(), None);
}

#[tokio::test]
async fn a_put_before_the_confirmation_revives_the_record() {
    let rig = rig();
    let agent = rig.worker("a");
    let key = component("api", 1).key();
    agent.queue.put(&component("api", 1)).await.unwrap();
    let mut claim = agent.claim(&key).await;
    agent.queue.note(&mut claim, record(7)).await.unwrap();
    agent.in_sync(claim).await;
    agent.queue.remove(&key).await.unwrap();
    let claim = agent.claim(&key).await;
    assert_eq!(
        agent.queue.put(&component("api", 1)).await.unwrap(),
        3,
        "the same body, a new life"
    );
    // The agent removed everything meanwhile; the document stays and is due at once.
    let settlement = Settlement {
        status: ready(2, claim.document().due),
        record: Some(record(8)),
        due: NextDue::WhenWoken,
        outcome: Outcome::Gone,
    };
    agent.queue.settle(claim, settlement).await.unwrap();
    let document = agent.document(&key).await;
    assert!(!document.tombstone && document.generation == 3 && document.record == Some(record(8)));
    assert_eq!(agent.due().await, ["api"]);
}

#[tokio::test]
async fn a_newer_generation_keeps_the_claim_and_is_due_after_it() {
    let rig = rig();
    let agent = rig.worker("a");
    let key = component("api", 1).key();
    agent.queue.put(&component("api", 1)).await.unwrap();
    let mut claim = agent.claim(&key).await;
    agent.queue.put(&component("api", 2)).await.unwrap();
    agent.queue.note(&mut claim, record(1)).await.unwrap();
    assert!(claim.superseded() && claim.generation() == 1);
    agent.in_sync(claim).await;
    let document = agent.document(&key).await;
    assert_eq!(
        (document.generation, document.synced, &document.record),
        (2, 1, &Some(record(1)))
    );
    assert_eq!(agent.due().await, ["api"]);
}

#[tokio::test]
async fn released_on_shutdown_is_no_death() {
    let rig = rig();
    let (agent, other) = (rig.worker("a"), rig.worker("b"));
    let key = component("api", 1).key();
    agent.queue.put(&component("api", 1)).await.unwrap();
    for _ in 0..10 {
        let claim = agent.claim(&key).await;
        agent.queue.release(claim).await.unwrap();
    }
    let claim = other.claim(&key).await;
    assert!(!claim.takeover() && claim.document().deaths == 0 && claim.document().attempts == 1);
}

#[tokio::test]
async fn a_wake_up_during_a_claim_is_not_lost() {
    let rig = rig();
    let agent = rig.worker("a");
    let key = component("api", 1).key();
    agent.queue.put(&component("api", 1)).await.unwrap();
    let selector = Selector::LiveSystem(system());
    assert_eq!(agent.queue.wake(&selector, "TagMoved").await.unwrap(), 1);
    let claim = agent.claim(&key).await;
    assert_eq!(claim.wakes().len(), 1);
    assert_eq!(
        agent.queue.wake(&selector, "TagMoved").await.unwrap(),
        1,
        "the worker may have read before"
    );
    agent.in_sync(claim).await;
    assert_eq!(agent.due().await, ["api"]);
    let claim = agent.claim(&key).await;
    agent.in_sync(claim).await;
    assert!(agent.due().await.is_empty());
}

#[tokio::test]
async fn a_claim_that_was_forced_away_is_lost() {
    let rig = rig();
    let agent = rig.worker("a");
    let key = component("api", 1).key();
    agent.queue.put(&component("api", 1)).await.unwrap();
    let mut claim = agent.claim(&key).await;
    agent.queue.remove(&key).await.unwrap();
    agent.queue.forget(&key).await.unwrap();
    let lost = agent.queue.note(&mut claim, record(1)).await;
    assert!(matches!(lost, Err(QueueError::Lost { .. })), "{lost:?}");
    // A new life under the same key does not bring the old claim back.
    agent.queue.put(&component("api", 1)).await.unwrap();
    let second = agent.claim(&key).await;
    assert!(second.token() > claim.token());
    assert!(matches!(
        agent.queue.renew(&mut claim).await,
        Err(QueueError::Lost { .. })
    ));
}
