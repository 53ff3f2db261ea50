//! Live systems are taken in as a whole or not at all.

use fractal_core::Fault;
use fractal_core::status::LiveSystemPhase;
use fractal_queue::QueueError;
use fractal_queue::intake::{IntakeError, Shrink};
use serde_json::{Value, json};

use crate::rig::{Worker, body, rig, system};

async fn submit(
    worker: &Worker,
    body: &Value,
    shrink: Shrink,
) -> Result<fractal_queue::intake::Receipt, QueueError> {
    worker
        .queue
        .submit(body.to_string().as_bytes(), None, shrink)
        .await
}

/// Submits it, and sees that nothing at all was written.
async fn refused(worker: &Worker, body: &Value) -> Fault {
    let before = worker.queue.store().cursor().await.unwrap();
    let error = submit(worker, body, Shrink::Hold).await.unwrap_err();
    assert_eq!(
        worker.queue.store().cursor().await.unwrap(),
        before,
        "a refused live system writes nothing"
    );
    Fault::from(&error)
}

fn ids(ids: &[fractal_core::contract::ComponentId]) -> Vec<&str> {
    ids.iter()
        .map(fractal_core::contract::ComponentId::as_str)
        .collect()
}

#[tokio::test]
async fn only_what_changed_moves() {
    let rig = rig();
    let agent = rig.worker("a");
    let first = body(&[
        ("api", json!({"v": 1}), &["db"]),
        ("db", json!({}), &[]),
        ("web", json!({}), &[]),
    ]);
    let receipt = submit(&agent, &first, Shrink::Hold).await.unwrap();
    assert_eq!(
        (receipt.generation, ids(&receipt.changed)),
        (1, vec!["api", "db", "web"])
    );
    let again = submit(&agent, &first, Shrink::Hold).await.unwrap();
    assert_eq!(
        (
            again.generation,
            again.changed.len(),
            again.unchanged.len(),
            again.removed.len()
        ),
        (1, 0, 3, 0)
    );
    let second = body(&[("api", json!({"v": 2}), &["db"]), ("db", json!({}), &[])]);
    let receipt = submit(&agent, &second, Shrink::Hold).await.unwrap();
    assert_eq!(
        (
            receipt.generation,
            ids(&receipt.changed),
            ids(&receipt.unchanged)
        ),
        (2, vec!["api"], vec!["db"])
    );
    assert_eq!(receipt.removed.len(), 1);
    let components = agent.queue.components(&system()).await.unwrap();
    let generations: Vec<_> = components
        .iter()
        .map(|document| (document.key.component.as_str(), document.generation))
        .collect();
    assert_eq!(
        generations,
        [("api", 2), ("db", 1)],
        "what no agent touched is gone already"
    );
}

#[tokio::test]
async fn another_offer_is_another_key_and_the_old_one_is_removed() {
    let rig = rig();
    let agent = rig.worker("a");
    let mut posted = body(&[("api", json!({}), &[])]);
    submit(&agent, &posted, Shrink::Hold).await.unwrap();
    let old = agent.queue.components(&system()).await.unwrap()[0]
        .key
        .clone();
    let claim = agent.claim(&old).await;
    agent.in_sync(claim).await;
    posted["blueprintMap"]["api"]["type"] = json!("CustomWorkloads.FaaS.GcpFunction");
    let receipt = submit(&agent, &posted, Shrink::Hold).await.unwrap();
    assert_eq!(receipt.removed, std::slice::from_ref(&old));
    assert!(agent.document(&old).await.tombstone);
    assert_eq!(agent.due().await, ["api", "api"]);
    // Back again before the old one was removed: its record is still there.
    posted["blueprintMap"]["api"]["type"] = json!("CustomWorkloads.FaaS.AwsLambda");
    submit(&agent, &posted, Shrink::Hold).await.unwrap();
    let revived = agent.document(&old).await;
    assert!(!revived.tombstone && revived.generation == 3);
}

#[tokio::test]
async fn circles_and_unknown_dependencies_are_refused_by_name() {
    let rig = rig();
    let agent = rig.worker("a");
    let circle = body(&[
        ("a", json!({}), &["b"]),
        ("b", json!({}), &["d", "c"]),
        ("c", json!({}), &["a"]),
        ("d", json!({}), &[]),
    ]);
    let fault = refused(&agent, &circle).await;
    assert_eq!(fault.reason.as_str(), "DependencyCycle");
    assert!(fault.what.ends_with("a -> b -> c -> a"), "{fault}");
    let own = refused(&agent, &body(&[("a", json!({}), &["a"])])).await;
    assert!(own.what.ends_with("a -> a"), "{own}");
    let unknown = refused(&agent, &body(&[("a", json!({}), &["vpc"])])).await;
    assert_eq!(
        unknown.place.as_deref(),
        Some("$.blueprintMap.a.dependencies")
    );
    assert!(
        unknown
            .next
            .as_ref()
            .unwrap()
            .contains("environment.parameters.provided.vpc"),
        "{unknown}"
    );
    let mut provided = body(&[("a", json!({}), &["vpc"])]);
    provided["environment"]["parameters"]["provided"] = json!({"vpc": {"id": "vpc-1"}});
    submit(&agent, &provided, Shrink::Hold).await.unwrap();
    let malformed = refused(&agent, &json!({"liveSystemId": "x"})).await;
    assert_eq!(malformed.reason.as_str(), "LiveSystemInvalid");
    let long: Vec<(String, Vec<String>)> = (0..900)
        .map(|n| (format!("c{n}"), vec![format!("c{}", n + 1)]))
        .collect();
    let mut chain = body(&[("c900", json!({}), &[])]);
    for (id, dependencies) in long {
        chain["blueprintMap"][&id] = json!({"type": "X.Y.Z", "dependencies": dependencies});
    }
    assert_eq!(
        submit(&agent, &chain, Shrink::Allow)
            .await
            .unwrap()
            .components
            .len(),
        901
    );
}

#[tokio::test]
async fn a_large_shrink_is_held_and_seen() {
    let rig = rig();
    let agent = rig.worker("a");
    let names: Vec<String> = (0..10).map(|number| format!("c{number}")).collect();
    let of = |count: usize| {
        let some: Vec<(&str, Value, &[&str])> = names
            .iter()
            .take(count)
            .map(|name| (name.as_str(), json!({}), [].as_slice()))
            .collect();
        body(&some)
    };
    submit(&agent, &of(10), Shrink::Hold).await.unwrap();
    let held = submit(&agent, &of(4), Shrink::Hold).await;
    assert!(
        matches!(
            held,
            Err(QueueError::Intake(IntakeError::LargeShrink {
                removed: 6,
                known: 10
            }))
        ),
        "{held:?}"
    );
    let view = agent.queue.view(&system()).await.unwrap().unwrap();
    assert_eq!(
        (view.phase, view.generation, view.components.len()),
        (LiveSystemPhase::FailedMutation, 1, 10)
    );
    assert_eq!(view.held.unwrap().reason.as_str(), "LargeShrink");
    let half = submit(&agent, &of(5), Shrink::Hold).await.unwrap();
    assert_eq!(half.removed.len(), 5, "half of them may go");
    assert_eq!(
        agent.queue.view(&system()).await.unwrap().unwrap().held,
        None
    );
    submit(&agent, &of(10), Shrink::Hold).await.unwrap();
    assert_eq!(
        submit(&agent, &of(0), Shrink::Allow)
            .await
            .unwrap()
            .removed
            .len(),
        10
    );
}

#[tokio::test]
async fn a_component_that_does_not_fit_is_refused_with_what_to_do() {
    let rig = rig();
    let agent = rig.worker("a");
    let large = body(&[(
        "api",
        json!({"environment": {"BIG": "x".repeat(300_000)}}),
        &[],
    )]);
    let fault = refused(&agent, &large).await;
    assert_eq!(fault.reason.as_str(), "DocumentTooLarge");
    assert!(fault.next.is_some(), "{fault}");
}

#[tokio::test]
async fn a_follower_that_died_is_followed_by_the_next() {
    let rig = rig();
    let agent = rig.worker("a");
    submit(
        &agent,
        &body(&[("api", json!({"v": 1}), &[]), ("db", json!({}), &[])]),
        Shrink::Hold,
    )
    .await
    .unwrap();
    let keys: Vec<_> = agent
        .queue
        .components(&system())
        .await
        .unwrap()
        .into_iter()
        .map(|document| document.key)
        .collect();
    let claim = agent.claim(&keys[1]).await;
    agent.in_sync(claim).await;
    // As a process leaves it that died right after the flip: the live system says more than its components.
    let stored = agent
        .queue
        .store()
        .get("live-system/Personal%2Fo%2Fbc%2Fshop")
        .await
        .unwrap()
        .unwrap();
    let mut flipped: Value = serde_json::from_slice(&stored.body).unwrap();
    flipped["generation"] = json!(2);
    flipped["components"]["api"]["generation"] = json!(2);
    flipped["components"].as_object_mut().unwrap().remove("db");
    let bytes = flipped.to_string().into_bytes();
    agent
        .queue
        .store()
        .put(
            &stored.key,
            fractal_queue::store::Expected::At(stored.revision),
            bytes,
        )
        .await
        .unwrap();
    // A claim mends first what it is about to work on.
    let claim = agent.claim(&keys[0]).await;
    assert_eq!(claim.generation(), 2);
    agent.queue.follow_all().await.unwrap();
    assert!(agent.document(&keys[1]).await.tombstone);
}
