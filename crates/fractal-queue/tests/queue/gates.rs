//! Dependencies gate, provided components count, deletion waits, and what nobody serves is shown.

use std::time::Duration;

use fractal_core::contract::{ComponentKey, wire};
use fractal_core::status::{ComponentPhase, LiveSystemPhase};
use fractal_queue::intake::Shrink;
use fractal_queue::{Desired, Environments, Gate, NO_AGENT_FOR_OFFER, Outcome, Presence, Scope};
use serde_json::{Value, json};

use crate::rig::{Worker, body, ready, rig, system};

async fn submit(worker: &Worker, body: &Value) -> Vec<ComponentKey> {
    worker
        .queue
        .submit(body.to_string().as_bytes(), None, Shrink::Hold)
        .await
        .unwrap();
    let components = worker.queue.components(&system()).await.unwrap();
    components
        .into_iter()
        .map(|document| document.key)
        .collect()
}

async fn gate(worker: &Worker, key: &ComponentKey) -> Gate {
    let document = worker.document(key).await;
    let body = match worker.queue.desired(&document).await.unwrap() {
        Desired::Present(body) => Some(body),
        _ => None,
    };
    worker.queue.gate(&document, body.as_deref()).await.unwrap()
}

fn waits_on(gate: &Gate, id: &str) -> bool {
    matches!(gate, Gate::Waiting { on, .. } if on.as_str() == id)
}

#[tokio::test]
async fn dependencies_gate_creation_and_wake_what_waits() {
    let rig = rig();
    let agent = rig.worker("a");
    let keys = submit(
        &agent,
        &body(&[("api", json!({}), &["db"]), ("db", json!({}), &[])]),
    )
    .await;
    let [api, db] = keys.as_slice() else {
        panic!("{keys:?}")
    };
    assert!(waits_on(&gate(&agent, api).await, "db"));
    let claim = agent.claim(api).await;
    agent
        .settle(claim, Default::default(), Outcome::Waiting)
        .await;
    assert_eq!(agent.due().await, ["db"]);
    let claim = agent.claim(db).await;
    agent.in_sync(claim).await;
    assert_eq!(agent.due().await, ["api"], "what waited is woken");
    let Gate::Ready(outputs) = gate(&agent, api).await else {
        panic!("the dependency is ready")
    };
    assert_eq!(
        outputs.get(&db.component).unwrap().get("arn").unwrap(),
        "arn:1"
    );
    let claim = agent.claim(api).await;
    agent.in_sync(claim).await;
    // A dependency that changes, and fails at that, does not stop the repair of what is in sync.
    submit(
        &agent,
        &body(&[
            ("api", json!({}), &["db"]),
            ("db", json!({"version": 2}), &[]),
        ]),
    )
    .await;
    assert!(matches!(gate(&agent, api).await, Gate::Ready(_)));
    // It does stop changed inputs.
    submit(
        &agent,
        &body(&[
            ("api", json!({"version": 2}), &["db"]),
            ("db", json!({"version": 2}), &[]),
        ]),
    )
    .await;
    assert!(waits_on(&gate(&agent, api).await, "db"));
    // The second change of the dependency's own is no news to a third component.
    let claim = agent.claim(db).await;
    agent.in_sync(claim).await;
    assert!(matches!(gate(&agent, api).await, Gate::Ready(_)));
}

#[tokio::test]
async fn deletion_waits_for_dependents() {
    let rig = rig();
    let agent = rig.worker("a");
    let keys = submit(
        &agent,
        &body(&[("api", json!({}), &["db"]), ("db", json!({}), &[])]),
    )
    .await;
    let [api, db] = keys.as_slice() else {
        panic!("{keys:?}")
    };
    for key in [db, api] {
        let claim = agent.claim(key).await;
        agent.in_sync(claim).await;
    }
    agent.queue.remove_live_system(&system()).await.unwrap();
    assert!(waits_on(&gate(&agent, db).await, "api"));
    let claim = agent.claim(db).await;
    agent
        .settle(claim, Default::default(), Outcome::Waiting)
        .await;
    assert!(matches!(gate(&agent, api).await, Gate::Ready(_)));
    let view = agent.queue.view(&system()).await.unwrap().unwrap();
    assert_eq!(view.phase, LiveSystemPhase::Deleting);
    let claim = agent.claim(api).await;
    agent.settle(claim, Default::default(), Outcome::Gone).await;
    assert_eq!(agent.due().await, ["db"], "what waited for it is woken");
    assert!(matches!(gate(&agent, db).await, Gate::Ready(_)));
    let claim = agent.claim(db).await;
    agent.settle(claim, Default::default(), Outcome::Gone).await;
    assert!(agent.queue.view(&system()).await.unwrap().is_none());
}

#[tokio::test]
async fn bodies_of_different_generations_that_form_a_circle_can_be_deleted() {
    let rig = rig();
    let agent = rig.worker("a");
    let keys = submit(
        &agent,
        &body(&[("a", json!({}), &["b"]), ("b", json!({}), &[])]),
    )
    .await;
    let [a, b] = keys.as_slice() else {
        panic!("{keys:?}")
    };
    for key in [b, a] {
        let claim = agent.claim(key).await;
        agent.in_sync(claim).await;
    }
    // `a` goes while `b` begins to depend on a component of that name; then everything goes.
    submit(&agent, &body(&[("b", json!({}), &[])])).await;
    let mut turned = body(&[("a", json!({}), &[]), ("b", json!({}), &["a"])]);
    turned["blueprintMap"]["a"]["type"] = json!("CustomWorkloads.FaaS.GcpFunction");
    let keys = submit(&agent, &turned).await;
    assert_eq!(keys.len(), 3, "the old offer's key is still there");
    for key in &keys {
        if key != a {
            let claim = agent.claim(key).await;
            agent.in_sync(claim).await;
        }
    }
    agent.queue.remove_live_system(&system()).await.unwrap();
    let mut left = keys;
    while !left.is_empty() {
        let mut free = Vec::new();
        for key in &left {
            if matches!(gate(&agent, key).await, Gate::Ready(_)) {
                free.push(key.clone());
            }
        }
        assert!(!free.is_empty(), "something can always go: {left:?}");
        for key in free {
            let claim = agent.claim(&key).await;
            agent.settle(claim, Default::default(), Outcome::Gone).await;
            left.retain(|other| *other != key);
        }
    }
}

#[tokio::test]
async fn a_provided_component_counts_and_a_missing_one_is_named() {
    let rig = rig();
    let agent = rig.worker("a");
    let mut posted = body(&[
        ("api", json!({}), &["cluster"]),
        ("cluster", json!({}), &[]),
    ]);
    posted["blueprintMap"]["cluster"]["type"] = json!("NetworkAndCompute.PaaS.AwsEks");
    let keys = submit(&agent, &posted).await;
    let [api, _] = keys.as_slice() else {
        panic!("{keys:?}")
    };
    let Gate::Waiting { why, .. } = gate(&agent, api).await else {
        panic!("nobody makes the cluster")
    };
    assert!(
        why.contains("no agent serves offer NetworkAndCompute.PaaS.AwsEks")
            && why.contains("environment.parameters.provided"),
        "{why}"
    );
    posted["environment"]["parameters"]["provided"] =
        json!({"NetworkAndCompute.PaaS.AwsEks": {"clusterName": "main"}});
    submit(&agent, &posted).await;
    let Gate::Ready(outputs) = gate(&agent, api).await else {
        panic!("it is provided")
    };
    assert_eq!(
        outputs.values().next().unwrap().get("clusterName").unwrap(),
        "main"
    );
    let view = agent.queue.view(&system()).await.unwrap().unwrap();
    let cluster = view
        .components
        .iter()
        .find(|view| view.key.component.as_str() == "cluster")
        .unwrap();
    assert_eq!(cluster.phase, ComponentPhase::Active);
}

#[tokio::test]
async fn an_offer_nobody_serves_is_shown_until_somebody_does() {
    let rig = rig();
    let agent = rig.worker("a");
    submit(&agent, &body(&[("api", json!({}), &[])])).await;
    let fault = |view: &fractal_queue::LiveSystemView| view.components[0].status.fault.clone();
    let view = agent.queue.view(&system()).await.unwrap().unwrap();
    assert_eq!(fault(&view).unwrap().reason, NO_AGENT_FOR_OFFER);
    assert_eq!(
        view.phase,
        LiveSystemPhase::Mutating,
        "an agent may be about to start"
    );
    rig.clock.advance(Duration::from_secs(120));
    assert_eq!(
        agent.queue.view(&system()).await.unwrap().unwrap().phase,
        LiveSystemPhase::FailedMutation
    );

    let offers = [wire::from_value(&body(&[("api", json!({}), &[])]), None)
        .unwrap()
        .components
        .into_values()
        .next()
        .unwrap()
        .offer];
    let scope = Scope {
        environments: Environments::All,
        offers: offers.into(),
    };
    let presence = Presence::new("a", "lambda-agent 0.1.0", "one", scope).with_config("c1");
    agent.queue.announce(&presence).await.unwrap();
    assert_eq!(
        fault(&agent.queue.view(&system()).await.unwrap().unwrap()),
        None
    );
    // It stops announcing itself.
    rig.clock
        .advance(Duration::from_millis(presence.beat_ms * 4));
    assert_eq!(
        fault(&agent.queue.view(&system()).await.unwrap().unwrap())
            .unwrap()
            .reason,
        NO_AGENT_FOR_OFFER
    );
    agent.queue.announce(&presence).await.unwrap();
    assert!(agent.queue.agents().await.unwrap()[0].alive);
    agent.queue.leave("a").await.unwrap();
    assert!(agent.queue.agents().await.unwrap().is_empty());
}

#[test]
fn agents_that_would_undo_each_others_work_are_told_from_equal_ones() {
    let scope = Scope::everything();
    let first = Presence::new("1", "lambda-agent", "one", scope.clone()).with_config("c");
    let equal = Presence::new("2", "lambda-agent", "one", scope.clone()).with_config("c");
    let foreign = Presence::new("3", "lambda-agent", "two", scope.clone()).with_config("c");
    let other = Presence::new("4", "lambda-agent", "one", scope).with_config("d");
    let elsewhere = Scope {
        environments: Environments::All,
        offers: ["X.Y.Z".parse().unwrap()].into(),
    };
    let elsewhere = Presence::new("5", "gcf-agent", "one", elsewhere).with_config("d");
    let lambda = Scope {
        environments: Environments::All,
        offers: ["A.B.C".parse().unwrap()].into(),
    };
    assert!(!first.conflicts_with(&equal) && !first.conflicts_with(&first));
    assert!(first.conflicts_with(&foreign) && first.conflicts_with(&other));
    let here = Presence::new("6", "lambda-agent", "one", lambda).with_config("c");
    assert!(!here.conflicts_with(&elsewhere));
}

#[tokio::test]
async fn a_failed_dependency_is_named() {
    let rig = rig();
    let agent = rig.worker("a");
    let keys = submit(
        &agent,
        &body(&[("api", json!({}), &["db"]), ("db", json!({}), &[])]),
    )
    .await;
    agent
        .queue
        .announce(&Presence::new(
            "a",
            "lambda-agent",
            "one",
            Scope::everything(),
        ))
        .await
        .unwrap();
    let claim = agent.claim(&keys[1]).await;
    let mut status = ready(1, agent.queue.clock().wall());
    status.fault = Some(fractal_core::Fault::blocked(
        fractal_core::Reason::new("PermissionDenied"),
        "the role may not be passed",
    ));
    agent.settle(claim, status, Outcome::Failed).await;
    let Gate::Waiting { why, .. } = gate(&agent, &keys[0]).await else {
        panic!("it failed")
    };
    assert_eq!(why, "component db is not ready: the role may not be passed");
}
