//! Rows of the queue's fault table with real agents: repeated and reordered wishes, lost settlements, poison, expired leases, a paused agent.

use std::time::Duration;

use fractal_queue::{ComponentDocument, Selector};
use serde_json::json;

use crate::support::agent::Agent;
use crate::support::artifacts::publish_zip;
use crate::support::stage::{Stage, parse};
use crate::support::system::{live_system, zip_function};
use crate::support::until;

const ID: &str = "Personal/owner/rows/shop";
const FLAGS: [&str; 4] = ["--lease", "1", "--interval", "0.5"];
const BOUND: Duration = Duration::from_secs(60);
const CLOUD: [&str; 5] = ["--no-quotas", "--settle-reads", "1000", "--settle-ms", "50"];

async fn want(stage: &Stage, version: &str) {
    let artifact = format!("shop/orders:{version}");
    stage
        .submit(&live_system(ID, &[zip_function("orders", &artifact, "1")]))
        .await;
}

/// A stage with versions 1 to 3 of a function published.
async fn stage() -> (Stage, [String; 3]) {
    let stage = Stage::new(&CLOUD).await;
    let mut digests = Vec::new();
    for version in ["1", "2", "3"] {
        let name = format!("shop/orders:{version}");
        digests.push(publish_zip(&stage.client, &name, version).await.to_string());
    }
    (stage, digests.try_into().unwrap())
}

fn operations(stage: &Stage, since: u64) -> Vec<String> {
    let writes = stage.cloud.writes(since);
    writes.into_iter().map(|entry| entry.operation).collect()
}

fn served(stage: &Stage) -> Option<String> {
    let functions = stage.cloud.functions();
    functions
        .first()
        .and_then(|one| one["digest"].as_str().map(str::to_owned))
}

async fn wake(stage: &Stage, reason: &str) {
    stage
        .queue
        .wake(&Selector::LiveSystem(parse(ID)), reason)
        .await
        .unwrap();
}

/// Whether the component is held under this name.
async fn is_held_by(stage: &Stage, component: &str, holder: &str) -> bool {
    let documents = stage.components(ID).await;
    let document = documents
        .iter()
        .find(|document| document.key.component.as_str() == component);
    document
        .and_then(|document| document.lease.as_ref())
        .is_some_and(|lease| lease.holder == holder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q01_a_thousand_repetitions_are_one_rollout() {
    let (stage, digests) = stage().await;
    let _agents = [
        stage.agent("a", &FLAGS).await,
        stage.agent("b", &FLAGS).await,
    ];
    for _ in 0..500 {
        want(&stage, "1").await;
        wake(&stage, "again").await;
    }
    stage.active(ID, BOUND).await;
    let quiet = async || {
        let documents = stage.components(ID).await;
        documents[0].wakes.is_empty() && documents[0].lease.is_none()
    };
    until("every wake-up answered", BOUND, quiet).await;
    assert_eq!(operations(&stage, 0), ["CreateFunction"]);
    assert_eq!(served(&stage), Some(digests[0].clone()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q02_the_newest_wish_wins_over_those_in_flight() {
    let (stage, digests) = stage().await;
    let _agents = [
        stage.agent("a", &FLAGS).await,
        stage.agent("b", &FLAGS).await,
    ];
    // The first version's create is under way while it is taken back, wanted again, and changed twice.
    let fault = stage.cloud.delay(
        json!({ "operation": "CreateFunction" }),
        1,
        Duration::from_millis(500),
    );
    want(&stage, "1").await;
    until("the create", BOUND, async || stage.cloud.struck(fault) == 1).await;
    stage.remove(ID).await;
    want(&stage, "2").await;
    want(&stage, "3").await;
    stage.active(ID, BOUND).await;
    assert_eq!(served(&stage), Some(digests[2].clone()));
    stage.remove(ID).await;
    until("the removal", BOUND, async || {
        stage.cloud.functions().is_empty()
    })
    .await;
    let writes = operations(&stage, 0);
    let creates = writes
        .iter()
        .filter(|operation| *operation == "CreateFunction")
        .count();
    let deletes = writes
        .iter()
        .filter(|operation| *operation == "DeleteFunction")
        .count();
    assert!(creates == deletes && creates <= 2, "{writes:?}");
}

/// Three functions in some version, and one that is never changed: to want something else of it would be a reason to try it again.
async fn want_beside_poison(stage: &Stage, version: &str) {
    let artifact = format!("shop/orders:{version}");
    let healthy = ["healthy0", "healthy1", "healthy2"];
    let mut all = healthy
        .map(|name| zip_function(name, &artifact, "1"))
        .to_vec();
    all.push(zip_function("poison", "shop/orders:1", "1"));
    stage.submit(&live_system(ID, &all)).await;
}

async fn poison(stage: &Stage) -> ComponentDocument {
    let mut documents = stage.components(ID).await;
    documents.retain(|document| document.key.component.as_str() == "poison");
    documents.remove(0)
}

/// Kills every agent that takes the poison, until it is set aside. Of each death, whether the agent was alone with it.
async fn die_of_it(stage: &Stage) -> Vec<bool> {
    let mut deaths = Vec::new();
    while poison(stage).await.set_aside.is_none() {
        let name = format!("agent-{}", deaths.len());
        let mut agent = stage.agent(&name, &FLAGS).await;
        let holder = agent.holder().unwrap();
        until("the poison is taken, or set aside", BOUND, async || {
            is_held_by(stage, "poison", &holder).await || poison(stage).await.set_aside.is_some()
        })
        .await;
        deaths.extend(poison(stage).await.lease.map(|lease| lease.alone));
        agent.process.kill();
        assert!(deaths.len() <= 9, "not set aside after {deaths:?}");
    }
    deaths
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q04_a_component_that_kills_its_workers_is_set_aside_and_the_others_go_on() {
    let (stage, digests) = stage().await;
    // Whoever takes it hangs in its first call until it dies.
    let filter = json!({ "service": "lambda", "resource": "poison" });
    let hang = json!({ "kind": "delay", "milliseconds": 600_000 });
    stage.cloud.fault(filter, hang);
    want_beside_poison(&stage, "1").await;
    let deaths = die_of_it(&stage).await;
    println!("deaths, true where the agent was alone with it: {deaths:?}");
    assert_eq!(deaths, [false, false, true, true, true, true, true]);
    let _agent = stage.agent("survivor", &FLAGS).await;
    want_beside_poison(&stage, "2").await;
    until("the others go on", BOUND, async || {
        let functions = stage.cloud.functions();
        functions.len() == 3 && functions.iter().all(|one| one["digest"] == digests[1])
    })
    .await;
    let mut shown = stage.view(ID).await.unwrap().components;
    shown.retain(|shown| shown.key.component.as_str() == "poison");
    let fault = shown[0].status.fault.clone().unwrap();
    assert_eq!(fault.reason.as_str(), "SetAside");
    assert!(fault.next.is_some());
    stage.cloud.lift();
    wake(&stage, "by hand").await;
    stage.active(ID, BOUND).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q05_a_lost_settlement_is_found_converged_without_a_write() {
    let (stage, _) = stage().await;
    let mut agent = stage.agent("a", &FLAGS).await;
    want(&stage, "1").await;
    stage.active(ID, BOUND).await;
    let mark = stage.cloud.last();
    // The claim's only call is under way when the worker dies: nothing of the visit is ever settled.
    let fault = stage.cloud.delay(
        json!({ "operation": "GetFunction" }),
        1,
        Duration::from_millis(800),
    );
    wake(&stage, "by hand").await;
    let holder = agent.holder().unwrap();
    until("a look under a claim", BOUND, async || {
        stage.cloud.struck(fault) == 1 && is_held_by(&stage, "orders", &holder).await
    })
    .await;
    agent.process.kill();
    assert!(is_held_by(&stage, "orders", &holder).await);
    let _next = stage.agent("b", &FLAGS).await;
    until("the takeover", BOUND, async || {
        let documents = stage.components(ID).await;
        documents[0].lease.is_none() && documents[0].wakes.is_empty() && !documents[0].taken_over
    })
    .await;
    assert_eq!(operations(&stage, mark), Vec::<String>::new());
}

/// Whether an agent has said so.
fn said(agent: &Agent, message: &str) -> bool {
    agent.log().iter().any(|line| line["message"] == message)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q06_a_lease_that_expires_in_the_middle_of_a_write_doubles_nothing() {
    let (stage, digests) = stage().await;
    let first = stage.agent("a", &FLAGS).await;
    want(&stage, "1").await;
    stage.active(ID, BOUND).await;
    let mark = stage.cloud.last();
    // The write arrives long after the lease is over: by then another agent has made it.
    let fault = stage.cloud.delay(
        json!({ "operation": "UpdateFunctionCode" }),
        1,
        Duration::from_secs(6),
    );
    want(&stage, "2").await;
    until("a write under way", BOUND, async || {
        stage.cloud.struck(fault) == 1
    })
    .await;
    first.process.signal("STOP");
    let second = stage.agent("b", &FLAGS).await;
    stage.active(ID, BOUND).await;
    assert!(said(&second, "took over from a worker that stood still"));
    let late = || {
        let mut entries = stage.cloud.ledger(mark);
        entries.retain(|entry| entry.operation == "UpdateFunctionCode");
        entries
            .into_iter()
            .map(|entry| (entry.is_accepted_write(), entry.code))
            .collect::<Vec<_>>()
    };
    until("the late write", BOUND, async || late().len() == 2).await;
    assert_eq!(
        late(),
        [
            (true, None),
            (false, Some("PreconditionFailedException".into()))
        ]
    );
    first.process.signal("CONT");
    until("the first agent gives up", BOUND, async || {
        said(&first, "claim lost to another agent")
    })
    .await;
    assert_eq!(served(&stage), Some(digests[1].clone()));
    assert_eq!(
        operations(&stage, mark),
        ["UpdateFunctionCode", "TagResource"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q07_a_paused_agent_wakes_with_an_old_plan_and_writes_nothing() {
    let (stage, digests) = stage().await;
    let first = stage.agent("a", &FLAGS).await;
    want(&stage, "1").await;
    stage.active(ID, BOUND).await;
    let holder = first.holder().unwrap();
    // It is paused with the old state in its socket: a look that was answered, and not read.
    let fault = stage.cloud.delay(
        json!({ "operation": "GetFunction" }),
        1,
        Duration::from_millis(300),
    );
    want(&stage, "2").await;
    until("a look under a claim", BOUND, async || {
        stage.cloud.struck(fault) == 1 && is_held_by(&stage, "orders", &holder).await
    })
    .await;
    first.process.signal("STOP");
    let second = stage.agent("b", &FLAGS).await;
    let is = async |digest: &str| served(&stage).as_deref() == Some(digest);
    until("the second version", BOUND, async || is(&digests[1]).await).await;
    want(&stage, "3").await;
    stage.active(ID, BOUND).await;
    assert!(is(&digests[2]).await && said(&second, "took over from a worker that stood still"));
    let mark = stage.cloud.last();
    first.process.signal("CONT");
    until("the first agent gives up", BOUND, async || {
        said(&first, "claim lost to another agent")
    })
    .await;
    let mut tried = stage.cloud.ledger(mark);
    tried.retain(|entry| entry.mutating);
    assert!(tried.is_empty(), "not even a refused write: {tried:#?}");
    assert!(is(&digests[2]).await);
}
