//! `fractal up`, `down`, `retry` and `approve`: what they write to the queue, and what they refuse.

use std::time::Duration;

use fractal_core::{Fault, Reason};
use insta::assert_snapshot;

use crate::rig::{Agent, Rig, SYSTEM};

#[tokio::test(flavor = "multi_thread")]
async fn a_live_system_is_submitted_changed_and_shrunk() {
    let rig = Rig::new();
    rig.live_system("shop.json", &["api", "worker"]);
    assert_snapshot!("first", rig.run(&["up", "shop.json"]).await);
    assert_snapshot!("unchanged", rig.run(&["up", "shop.json"]).await);
    // A component that no agent ever touched leaves nothing to remove.
    Agent::start(&rig).await.ready("worker").await;
    rig.live_system("shop.json", &["api", "mail"]);
    assert_snapshot!("changed", rig.run(&["up", "shop.json"]).await);
    let receipt = rig
        .run(&["up", "shop.json", "--output", "json"])
        .await
        .json();
    assert_eq!(receipt["unchanged"], serde_json::json!(["api", "mail"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn yaml_json_and_standard_input_mean_the_same() {
    let rig = Rig::new();
    let json = std::fs::read_to_string(rig.live_system("shop.json", &["api"])).unwrap();
    let yaml = "\
liveSystemId: Personal/o/bc/shop
fractalId: bc/shop:1.0.0
environment:
  id: {type: Personal, ownerId: o, shortName: dev}
blueprintMap:
  api:
    id: api
    type: CustomWorkloads.FaaS.AwsLambda
    provider: AWS
    parameters:
      handler: app.handler
      runtime: python3.13
# Version 1 kept the artifact in the blueprint.
blueprint:
  components:
    - id: api
      parameters:
        sourceArtifact: api:1
";
    rig.write("shop.yaml", yaml);
    assert_eq!(rig.run(&["up", "shop.yaml"]).await.code, 0);
    let again = rig
        .run(&["up", "shop.json", "--output", "json"])
        .await
        .json();
    assert_eq!(again["changed"], serde_json::json!([]));
    let piped = rig
        .run_reading(&["up", "-", "--output", "json"], &json)
        .await
        .json();
    assert_eq!(piped["generation"], again["generation"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_is_taken_as_it_stands() {
    let rig = Rig::new();
    let sample = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fixtures/samples/live-system.yaml"
    );
    let ran = rig.run(&["up", sample, "--output", "json"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    assert_eq!(ran.json()["liveSystem"], "Personal/me/samples/hello");
    assert_eq!(ran.json()["changed"], serde_json::json!(["greeter"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_live_system_is_refused_and_changes_nothing() {
    let rig = Rig::new();
    let api = "{id: api, type: CustomWorkloads.FaaS.AwsLambda, dependencies: [DEPENDENCIES]}";
    let system = |component: &str| {
        format!(
            "liveSystemId: {SYSTEM}\nenvironment: {{id: {{shortName: dev}}}}\nblueprintMap: {{api: {component}}}\n"
        )
    };
    let mut all = String::new();
    let cases = [
        (
            "no-map.yaml",
            format!("liveSystemId: {SYSTEM}\nenvironment: {{id: {{shortName: dev}}}}\n"),
        ),
        (
            "twice.yaml",
            format!("liveSystemId: {SYSTEM}\nliveSystemId: {SYSTEM}\n"),
        ),
        ("broken.json", "{\"liveSystemId\": \"canary\"".to_owned()),
        ("unknown.yaml", system(&api.replace("DEPENDENCIES", "db"))),
        ("circle.yaml", system(&api.replace("DEPENDENCIES", "api"))),
        ("id.yaml", system("{id: other, type: x}")),
        (
            "alias.yaml",
            system(
                "{id: api, type: CustomWorkloads.FaaS.AwsLambda, parameters: {memory: 128, memoryMb: 256}}",
            ),
        ),
    ];
    for (name, text) in cases {
        rig.write(name, text);
        let ran = rig.run(&["up", name]).await;
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran}");
        all.push_str(&ran.err);
    }
    assert_snapshot!("malformed", all);
    assert!(!all.contains("canary"));
    assert!(rig.queue().live_systems().await.unwrap().is_empty());
    assert_snapshot!("missing_file", rig.run(&["up", "absent.yaml"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_shrink_is_held_until_it_is_allowed() {
    let rig = Rig::new();
    let ids = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    rig.live_system("shop.json", &ids);
    assert_eq!(rig.run(&["up", "shop.json"]).await.code, 0);
    rig.live_system("shop.json", &ids[..4]);
    assert_snapshot!("held", rig.run(&["up", "shop.json"]).await);
    let held = rig
        .run(&["status", "shop", "--output", "json"])
        .await
        .json();
    assert_eq!(
        (&held["phase"], &held["held"]["reason"]),
        (&"FailedMutation".into(), &"LargeShrink".into())
    );
    assert_eq!(
        rig.run(&["up", "shop.json", "--allow-shrink"]).await.code,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_when_the_live_system_has_settled() {
    let rig = Rig::new();
    rig.live_system("shop.json", &["api"]);
    assert_eq!(rig.run(&["up", "shop.json"]).await.code, 0);
    let agent = Agent::start(&rig).await;
    let waiting = rig.start(&["up", "shop.json", "--wait", "--timeout", "50"]);
    agent.ready("api").await;
    assert_snapshot!("waited", rig.finish(waiting).await);
    let late = rig.live_system("late.json", &["api", "mail"]);
    let late = rig
        .run(&["up", late.to_str().unwrap(), "--wait", "--timeout", "1"])
        .await;
    assert_eq!(late.code, 75, "{late}");
    assert_snapshot!("not_settled", late.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_when_something_is_stuck() {
    let rig = Rig::new();
    rig.live_system("shop.json", &["api"]);
    assert_eq!(rig.run(&["up", "shop.json"]).await.code, 0);
    let agent = Agent::start(&rig).await;
    let fault = unsupported().next("publish a function_zip or a container");
    agent.faulty("api", fault).await;
    assert_snapshot!("stuck", rig.run(&["up", "shop.json", "--wait"]).await);
}

fn unsupported() -> Fault {
    Fault::terminal(
        Reason::new("UnsupportedOnTarget"),
        "this target does not run a python_wheel",
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_goes_on_while_others_still_change_and_reports_all_that_failed() {
    let rig = Rig::new();
    rig.live_system("shop.json", &["api", "mail", "worker"]);
    assert_eq!(rig.run(&["up", "shop.json"]).await.code, 0);
    let agent = Agent::start(&rig).await;
    agent.faulty("api", unsupported()).await;
    let mut waiting = rig.start(&["up", "shop.json", "--wait", "--timeout", "50"]);
    let early = tokio::time::timeout(Duration::from_secs(1), waiting.wait()).await;
    assert!(early.is_err(), "one failure ended the waiting: {early:?}");
    agent.ready("worker").await;
    // Blocked for two minutes already, which is longer than the grace.
    let missing = Fault::blocked(Reason::new("RegistryNotFound"), "there is no such artifact");
    agent.faulty("mail", missing).await;
    assert_snapshot!("all_failed", rig.finish(waiting).await);
    rig.live_system("shop.json", &["api", "mail", "worker", "late"]);
    let late = rig
        .run(&["up", "shop.json", "--wait", "--timeout", "1"])
        .await;
    assert_eq!(late.code, 1, "what has failed is said at the end: {late}");
    assert!(late.out.contains("FailedMutation"), "{late}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_system_goes_when_its_agents_say_so() {
    let rig = Rig::new();
    rig.live_system("shop.json", &["api", "mail"]);
    assert_eq!(rig.run(&["up", "shop.json"]).await.code, 0);
    let agent = Agent::start(&rig).await;
    agent.ready("api").await;
    agent.ready("mail").await;
    let waiting = rig.start(&["down", SYSTEM, "--wait"]);
    agent.sees_removal("api").await;
    assert_snapshot!("down", rig.run(&["down", "shop"]).await);
    agent.gone("mail").await;
    agent.gone("api").await;
    assert_snapshot!("down_waited", rig.finish(waiting).await);
    assert_snapshot!("down_unknown", rig.run(&["down", "shop"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_no_agent_serves_is_given_up() {
    let rig = Rig::new();
    rig.live_system("shop.json", &["api"]);
    assert_eq!(rig.run(&["up", "shop.json"]).await.code, 0);
    let agent = Agent::start(&rig).await;
    agent.ready("api").await;
    assert_snapshot!("served", rig.run(&["down", "shop", "--force", "api"]).await);
    agent.queue.leave("agent-1").await.unwrap();
    let abandoned = rig.run(&["down", "shop", "--wait"]).await;
    assert_snapshot!("abandoned", abandoned);
    assert_snapshot!(
        "given_up",
        rig.run(&["down", "shop", "--force", "api"]).await
    );
    assert!(rig.queue().live_systems().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_wakes_and_an_approval_is_kept() {
    let rig = Rig::new();
    rig.live_system("shop.json", &["api", "mail"]);
    assert_eq!(rig.run(&["up", "shop.json"]).await.code, 0);
    let agent = Agent::start(&rig).await;
    agent.ready("api").await;
    agent.ready("mail").await;
    let woken = rig.run(&["retry", "shop", "--output", "json"]).await.json();
    assert_eq!(woken["woken"], 2);
    assert_snapshot!("retry_unknown", rig.run(&["retry", "shop", "absent"]).await);
    let hash = "5f".repeat(32);
    assert_snapshot!("approve", rig.run(&["approve", "shop/api", &hash]).await);
    let key = agent.key("api").await;
    let document = agent.queue.component(&key).await.unwrap().unwrap();
    assert_eq!(document.approval.as_deref(), Some(hash.as_str()));
    assert_eq!(rig.run(&["approve", "shop/api", "5f"]).await.code, 2);
    assert_eq!(rig.run(&["approve", "absent", &hash]).await.code, 1);
}
