//! Signals sent to an agent in the middle of its work: killed at every point of one deployment, told to stop once and twice.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::artifacts::publish_zip;
use crate::support::stage::Stage;
use crate::support::system::{live_system, zip_function};
use crate::support::until;

const FLAGS: [&str; 4] = ["--lease", "1", "--interval", "1"];
const BOUND: Duration = Duration::from_secs(60);
/// From a restart until the agent is connected.
const READY: Duration = Duration::from_secs(10);
const CLOUD: [&str; 5] = ["--no-quotas", "--settle-reads", "1000", "--settle-ms", "50"];

fn id(name: &str) -> String {
    format!("Personal/owner/signals/{name}")
}

async fn submit(stage: &Stage, name: &str) {
    let function = zip_function(name, "shop/orders:live", "1");
    stage.submit(&live_system(&id(name), &[function])).await;
}

/// The cloud calls about one function, with what they are.
fn calls(stage: &Stage, name: &str) -> Vec<String> {
    let prefix = format!("{name}-");
    let mut entries = stage.cloud.ledger(0);
    entries.retain(|entry| entry.service == "lambda" && entry.resource.starts_with(&prefix));
    entries.into_iter().map(|entry| entry.operation).collect()
}

/// What a component's document says of the work on it: a new value is a write that a death may precede or follow.
async fn moment(stage: &Stage, name: &str) -> String {
    let documents = stage.components(&id(name)).await;
    let Some(document) = documents.first() else {
        return "absent".into();
    };
    match &document.lease {
        Some(lease) => format!(
            "claimed, {} notes and beats, record {}",
            lease.beat,
            document.record.is_some()
        ),
        None if document.synced == document.generation => "in sync".into(),
        None => format!("unclaimed, record {}", document.record.is_some()),
    }
}

/// Where a kill falls.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Point {
    /// While this call is under way, before its effect.
    During(usize),
    /// As soon as the cloud has recorded this call.
    After(usize),
    /// As soon as the queue shows this change.
    Change(usize),
}

async fn reach(stage: &Stage, name: &str, point: &Point) -> String {
    let mut seen = vec![moment(stage, name).await];
    let fault = match point {
        Point::During(call) => {
            let filter = json!({ "service": "lambda", "resource": format!("{name}-") });
            Some(stage.cloud.delay(filter, *call, Duration::from_millis(400)))
        }
        Point::After(_) | Point::Change(_) => None,
    };
    submit(stage, name).await;
    until(&format!("{point:?}"), BOUND, async || match point {
        Point::During(_) => fault.is_some_and(|fault| stage.cloud.struck(fault) > 0),
        Point::After(call) => calls(stage, name).len() >= *call,
        Point::Change(number) => {
            let now = moment(stage, name).await;
            if seen.last() != Some(&now) {
                seen.push(now.clone());
            }
            seen.len() > *number || now == "in sync"
        }
    })
    .await;
    match point {
        Point::During(call) => {
            format!("during call {call}, {} before it", calls(stage, name).len())
        }
        Point::After(_) => format!("after {}", calls(stage, name).join(", ")),
        Point::Change(_) => seen.last().cloned().unwrap_or_default(),
    }
}

/// Kills an agent at a point of a deployment, and says where that was and how long the next one took to be connected.
async fn kill_at(stage: &Stage, name: &str, point: &Point) -> (String, Duration) {
    let mut agent = stage.agent(name, &FLAGS).await;
    let reached = reach(stage, name, point).await;
    agent.process.kill();

    stage.cloud.lift();
    let began = Instant::now();
    let _again = stage.agent(&format!("{name}-again"), &FLAGS).await;
    let took = began.elapsed();
    stage.active(&id(name), BOUND).await;
    (reached, took)
}

/// The calls one deployment makes when nobody disturbs it.
async fn undisturbed(stage: &Stage) -> Vec<String> {
    let _agent = stage.agent("whole", &FLAGS).await;
    submit(stage, "whole").await;
    stage.active(&id("whole"), BOUND).await;
    calls(stage, "whole")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h04_killed_at_any_moment_of_a_deployment_it_goes_on() {
    let stage = Stage::new(&CLOUD).await;
    let digest = publish_zip(&stage.client, "shop/orders:live", "1").await;
    let whole = undisturbed(&stage).await;
    let points = (1..=whole.len()).flat_map(|call| [Point::During(call), Point::After(call)]);
    let points: Vec<Point> = points.chain((1..=6).map(Point::Change)).collect();
    let mut covered = BTreeSet::new();
    let mut slowest = Duration::ZERO;
    for (number, point) in points.iter().enumerate() {
        let name = format!("fn{number}");
        let (reached, took) = kill_at(&stage, &name, point).await;
        println!("{point:?}: {reached}");
        covered.insert(reached);
        slowest = slowest.max(took);
        let creates = stage.cloud.accepted("CreateFunction", &format!("{name}-"));
        assert_eq!(creates, 1, "{point:?}: {:?}", calls(&stage, &name));
        let serves = stage.cloud.function(&name).unwrap();
        assert_eq!(serves["digest"], digest.to_string(), "{point:?}");
        assert!(stage.components(&id(&name)).await[0].set_aside.is_none());
    }
    println!("one deployment makes these calls: {whole:?}");
    println!(
        "{} kills at {} different points; connected again after {slowest:?} at most",
        points.len(),
        covered.len()
    );
    assert!(slowest <= READY, "{slowest:?}");
    assert!(covered.len() > whole.len(), "{covered:#?}");
}

/// Longest time to the end of an agent that is told more than once. The call it is in takes longer.
const ONCE: Duration = Duration::from_secs(3);
const GRACE: Duration = Duration::from_secs(10);
/// A lease that had not been handed back would keep the next agent waiting for half a minute.
const STOPPED: [&str; 8] = [
    "--lease",
    "30",
    "--interval",
    "1",
    "--grace",
    "10",
    "--concurrency",
    "3",
];
const FLEET: usize = 8;

/// Wants more functions than the agent takes at once, and waits until some are being made.
async fn fleet(stage: &Stage) -> u64 {
    let functions: Vec<_> = (0..FLEET)
        .map(|number| zip_function(&format!("fn{number}"), "shop/orders:live", "1"))
        .collect();
    let slow = json!({ "kind": "delay", "milliseconds": 600 });
    let fault = stage
        .cloud
        .fault(json!({ "operation": "CreateFunction" }), slow);
    stage.submit(&live_system(&id("shop"), &functions)).await;
    until("creates in flight", BOUND, async || {
        stage.cloud.struck(fault) >= 2
    })
    .await;
    fault
}

/// Whatever was begun is finished and recorded, and every claim is handed back.
async fn is_in_order(stage: &Stage) {
    let documents = stage.components(&id("shop")).await;
    for document in &documents {
        let claim = (&document.lease, document.deaths);
        assert_eq!(
            claim,
            (&None, 0),
            "{}: its claim is handed back",
            document.key
        );
    }
    let recorded = documents
        .iter()
        .filter(|document| document.record.is_some());
    assert_eq!(
        recorded.count(),
        stage.cloud.writes(0).len(),
        "every create is recorded"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h05_told_to_stop_it_ends_what_is_in_flight_and_begins_nothing() {
    let stage = Stage::new(&CLOUD).await;
    publish_zip(&stage.client, "shop/orders:live", "1").await;
    let mut agent = stage.agent("agent", &STOPPED).await;
    let fault = fleet(&stage).await;
    let (began, told_at) = (Instant::now(), unix_millis());
    agent.process.signal("TERM");
    let ended = agent.process.end(2 * GRACE).await;
    let took = began.elapsed();
    assert_eq!(ended.code(), Some(0), "{}", agent.process.stderr());
    assert!(took < GRACE, "{took:?}");
    let writes = stage.cloud.writes(0);
    let after = |at: u64| i128::from(at) - i128::from(told_at);
    let after: Vec<i128> = writes.iter().map(|entry| after(entry.at_ms)).collect();
    assert!(
        after.iter().all(|millis| *millis <= 1000),
        "milliseconds after SIGTERM: {after:?}"
    );
    let begun = usize::try_from(stage.cloud.struck(fault)).unwrap();
    assert_eq!(writes.len(), begun, "what was in flight was finished");
    is_in_order(&stage).await;
    println!("ended {took:?} after SIGTERM with {begun} creates finished of {FLEET}");
    stage.cloud.lift();
    let _next = stage.agent("next", &STOPPED).await;
    stage.active(&id("shop"), Duration::from_secs(20)).await;
    assert_eq!(stage.cloud.accepted("CreateFunction", ""), FLEET);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h05_told_twice_it_ends_at_once() {
    let stage = Stage::new(&CLOUD).await;
    publish_zip(&stage.client, "shop/orders:live", "1").await;
    let fault = stage.cloud.delay(
        json!({ "operation": "CreateFunction" }),
        1,
        Duration::from_secs(8),
    );
    let mut agent = stage.agent("agent", &FLAGS).await;
    submit(&stage, "orders").await;
    until("a create in flight", BOUND, async || {
        stage.cloud.struck(fault) == 1
    })
    .await;
    agent.process.signal("TERM");
    until("the first word", BOUND, async || {
        agent
            .log()
            .iter()
            .any(|line| line["message"] == "stopping: nothing new begins")
    })
    .await;
    // Again and again: signals close together may count as one.
    let began = Instant::now();
    until("its end", ONCE, async || {
        agent.process.signal("TERM");
        agent.process.ended().is_some()
    })
    .await;
    assert_eq!(
        agent.process.ended().and_then(|ended| ended.code()),
        Some(75)
    );
    println!("ended {:?} after SIGTERM, again and again", began.elapsed());
    assert!(
        stage.components(&id("orders")).await[0].lease.is_some(),
        "its claim is left to expire"
    );
    let _next = stage.agent("next", &FLAGS).await;
    stage.active(&id("orders"), BOUND).await;
    assert_eq!(stage.cloud.accepted("CreateFunction", ""), 1);
}

fn unix_millis() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(since.unwrap().as_millis()).unwrap()
}
