//! Every log line of a full deployment against `docs/reference/logs.md`, and no secret in any of them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::agent::{Agent, SECRET_KEY};
use crate::support::artifacts::publish_zip;
use crate::support::stage::Stage;
use crate::support::system::{ECR, component, live_system, zip_function};
use crate::support::until;

mod schema;
mod sources;

use schema::Schema;

const ID: &str = "Personal/owner/logs/shop";
const BOUND: Duration = Duration::from_secs(60);
/// Secrets, each unmistakable. None of them may be logged.
const CANARIES: [(&str, &str); 4] = [
    ("a secret's file", "canary-of-the-secrets-folder"),
    ("a registry password", "canary-of-the-registry"),
    ("an environment value", "canary-of-the-environment"),
    ("the cloud's secret key", SECRET_KEY),
];
/// What has to happen in the run, so that the schema is put to use.
const EXPECTED: [&str; 8] = [
    "started",
    "reconciled",
    "step applied",
    "step failed",
    "reconcile failed",
    "registry answered",
    "stopping: nothing new begins",
    "stopped",
];

/// An agent that logs everything and knows secrets.
async fn logging(stage: &Stage) -> Agent {
    let secrets = stage.path().join("secrets");
    std::fs::create_dir_all(secrets.join("dev")).unwrap();
    std::fs::write(secrets.join("dev/token"), CANARIES[0].1).unwrap();
    let docker = json!({ "auths": { ECR: { "username": "user", "password": CANARIES[1].1 } } });
    let config = stage.path().join("docker.json");
    std::fs::write(&config, docker.to_string()).unwrap();
    publish_zip(&stage.client, "shop/orders:live", "1").await;
    let flags = [
        "--log",
        "debug",
        "--interval",
        "0.3",
        "--listen",
        "127.0.0.1:0",
        "--secrets-dir",
        secrets.to_str().unwrap(),
        "--registry-config",
        config.to_str().unwrap(),
    ];
    stage.agent("logging", &flags).await
}

/// A function with a secret in its environment, and a value that is none of the log's business.
fn function(memory: u32) -> Value {
    let mut function = zip_function("orders", "shop/orders:live", "1");
    function["parameters"]["memoryMb"] = json!(memory);
    function["parameters"]["environment"] =
        json!({ "TOKEN": { "$envSecret": "token" }, "PLAIN": CANARIES[2].1 });
    function
}

/// Create, change, repair, a failure, removal, a stop.
async fn deploy(stage: &Stage, agent: &mut Agent) {
    stage.submit(&live_system(ID, &[function(256)])).await;
    stage.active(ID, BOUND).await;
    stage.submit(&live_system(ID, &[function(512)])).await;
    stage.active(ID, BOUND).await;
    let served = stage.cloud.functions().remove(0);
    assert_eq!(
        served["environment"]["TOKEN"], CANARIES[0].1,
        "the secret has arrived"
    );
    let name = served["function"].as_str().unwrap();
    let mark = stage.cloud.last();
    stage.cloud.set_memory(name, 3008);
    until("the repair", BOUND, async || {
        // The first of these writes is ours.
        stage.cloud.writes(mark).len() >= 2
            && stage.cloud.functions()[0]["settings"]["MemorySize"] == 512
    })
    .await;
    stage.cloud.fault(
        json!({ "operation": "UpdateFunctionConfiguration" }),
        json!({ "kind": "deny" }),
    );
    let missing = component("missing", json!({ "sourceArtifact": "shop/nothing:here" }));
    let wrong = component("wrong", json!({ "sourceArtifact": "no reference at all" }));
    stage
        .submit(&live_system(ID, &[function(1024), missing, wrong]))
        .await;
    until("failures", BOUND, async || {
        let view = stage.view(ID).await.unwrap();
        view.components
            .iter()
            .all(|shown| shown.status.fault.is_some())
    })
    .await;
    stage.cloud.lift();
    stage.remove(ID).await;
    until("the removal", BOUND, async || {
        stage
            .view(ID)
            .await
            .is_none_or(|view| view.components.is_empty())
    })
    .await;
    agent.process.signal("TERM");
    assert_eq!(agent.process.end(BOUND).await.code(), Some(0));
}

#[tokio::test]
async fn every_line_is_documented_and_none_holds_a_secret() {
    let key = format!("AKIAEXAMPLE:123456789012:{SECRET_KEY}");
    let flags = ["--settle-ms", "50", "--no-quotas", "--identity", &key];
    let stage = Stage::with_password(Some(CANARIES[1].1), &flags).await;
    let schema = Schema::read();
    let mut agent = logging(&stage).await;
    deploy(&stage, &mut agent).await;
    let text = agent.process.stderr();
    assert_eq!(agent.process.stdout(), "", "logs go to standard error");
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut wrong = Vec::new();
    for line in agent.log() {
        *seen
            .entry(line["message"].as_str().unwrap_or_default().to_owned())
            .or_default() += 1;
        if let Err(why) = schema.check(&line) {
            wrong.push(format!("{why}\n    {line}"));
        }
    }
    println!("{} lines: {seen:#?}", text.lines().count());
    assert!(
        wrong.is_empty(),
        "{} lines differ from docs/reference/logs.md:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    for message in EXPECTED {
        assert!(seen.contains_key(message), "`{message}` did not happen");
    }
    for (what, canary) in CANARIES {
        assert!(!text.contains(canary), "{what} was logged");
    }
}

#[test]
fn every_event_in_the_sources_is_documented_and_every_documented_one_is_there() {
    let schema = Schema::read();
    let calls = sources::calls();
    assert!(calls.len() > 20, "the sources were not read");
    let mut wrong = Vec::new();
    for call in &calls {
        let Some(event) = schema.events.get(&call.message) else {
            wrong.push(format!("{}: `{}` is not documented", call.at, call.message));
            continue;
        };
        if !event.level.split(" or ").any(|level| level == call.level) {
            wrong.push(format!(
                "{}: `{}` is {}, not {}",
                call.at, call.message, call.level, event.level
            ));
        }
        let is_optional = |kind: &Value| kind.as_str().is_some_and(|kind| kind.ends_with('?'));
        let missing = event
            .fields
            .iter()
            .filter(|(name, kind)| !is_optional(kind) && !call.fields.contains(*name));
        let unknown = call
            .fields
            .iter()
            .filter(|name| !event.fields.contains_key(*name));
        for name in missing.map(|(name, _)| name).chain(unknown) {
            wrong.push(format!(
                "{}: `{}` and the document differ in `{name}`",
                call.at, call.message
            ));
        }
    }
    for message in schema.events.keys() {
        if !calls.iter().any(|call| call.message == *message) {
            wrong.push(format!("`{message}` is documented, and logged nowhere"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
