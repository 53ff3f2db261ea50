//! What a person is told when something is not right: the command's words and its document, one snapshot a case.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::artifacts::publish_zip;
use crate::support::cli::Cli;
use crate::support::stage::Stage;
use crate::support::system::{ECR, component, live_system, zip_function};
use crate::support::until;

const ID: &str = "Personal/owner/faults/shop";
const FLAGS: [&str; 2] = ["--interval", "1"];
const BOUND: Duration = Duration::from_secs(60);

/// Submits a live system with the command, waits until its component shows a fault, and tells all that is said of it.
async fn told(stage: &Stage, body: &Value) -> String {
    let cli = Cli::new(stage);
    let up = cli.up(&body.to_string());
    until("a fault", BOUND, async || {
        let view = stage.view(ID).await;
        view.is_some_and(|view| {
            view.components
                .iter()
                .any(|shown| shown.status.fault.is_some())
        })
    })
    .await;
    let words = cli.run(&["status", ID, "orders"]);
    let document = cli.run(&["status", ID, "--output", "json"]);
    format!("{up}\n{words}\n{document}\n{}", calls(stage))
}

/// What the cloud was asked to change: accepted writes, of which there are to be none, and refused ones.
fn calls(stage: &Stage) -> String {
    let accepted = stage.cloud.writes(0);
    assert!(accepted.is_empty(), "{accepted:#?}");
    let mut refused: Vec<String> = stage
        .cloud
        .ledger(0)
        .into_iter()
        .filter(|entry| entry.service != "registry" && entry.mutating)
        .map(|entry| {
            format!(
                "{}:{} {}",
                entry.service,
                entry.operation,
                entry.code.unwrap_or_default()
            )
        })
        .collect();
    refused.dedup();
    format!("accepted cloud writes: none\nrefused cloud writes: {refused:?}\n")
}

/// The four things every fault has to say.
async fn is_whole(stage: &Stage) {
    let view = stage.view(ID).await.unwrap();
    let fault = view.components[0].status.fault.clone().unwrap();
    assert!(
        !fault.what.is_empty() && fault.place.is_some() && fault.next.is_some(),
        "{fault:?}"
    );
}

fn of(component: Value) -> Value {
    live_system(ID, &[component])
}

#[tokio::test]
async fn a_wrong_reference() {
    let stage = Stage::new(&[]).await;
    let _agent = stage.agent("agent", &FLAGS).await;
    let told = told(
        &stage,
        &of(zip_function("orders", "shop/Orders:live:v1", "1")),
    )
    .await;
    insta::assert_snapshot!(told);
    is_whole(&stage).await;
}

#[tokio::test]
async fn a_missing_artifact_that_is_pushed_later() {
    let stage = Stage::new(&["--settle-ms", "50"]).await;
    let _agent = stage.agent("agent", &FLAGS).await;
    let told = told(&stage, &of(zip_function("orders", "shop/orders:live", "1"))).await;
    insta::assert_snapshot!(told);
    is_whole(&stage).await;
    let digest = publish_zip(&stage.client, "shop/orders:live", "1").await;
    stage.active(ID, BOUND).await;
    assert_eq!(stage.cloud.functions()[0]["digest"], digest.to_string());
}

#[tokio::test]
async fn a_registry_that_refuses() {
    let stage = Stage::new(&[]).await;
    publish_zip(&stage.client, "shop/orders:live", "1").await;
    stage
        .cloud
        .fault(json!({ "service": "registry" }), json!({ "kind": "deny" }));
    let _agent = stage.agent("agent", &FLAGS).await;
    let told = told(&stage, &of(zip_function("orders", "shop/orders:live", "1"))).await;
    insta::assert_snapshot!(told);
    is_whole(&stage).await;
}

#[tokio::test]
async fn a_role_that_does_not_exist() {
    let stage = Stage::new(&[]).await;
    publish_zip(&stage.client, "shop/orders:live", "1").await;
    let _agent = stage.agent("agent", &FLAGS).await;
    let mut function = zip_function("orders", "shop/orders:live", "1");
    function["parameters"]["roleArn"] = json!("arn:aws:iam::123456789012:role/nobody-made-this");
    let told = told(&stage, &of(function)).await;
    insta::assert_snapshot!(told);
    is_whole(&stage).await;
}

#[tokio::test]
async fn an_unknown_offer_type() {
    let stage = Stage::new(&[]).await;
    let _agent = stage.agent("agent", &FLAGS).await;
    let mut function = component(
        "orders",
        json!({ "sourceArtifact": format!("{ECR}/shop/orders:live") }),
    );
    function["type"] = json!("CustomWorkloads.FaaS.Abacus");
    let told = told(&stage, &of(function)).await;
    insta::assert_snapshot!(told);
    is_whole(&stage).await;
}

#[tokio::test]
async fn a_malformed_live_system() {
    let stage = Stage::new(&[]).await;
    let _agent = stage.agent("agent", &FLAGS).await;
    let cli = Cli::new(&stage);
    let mut body = of(zip_function("orders", "shop/orders:live", "1"));
    body["blueprintMap"]["orders"]["dependencies"] = json!("api");
    let words = cli.up(&body.to_string());
    let document = cli.run(&["up", "live-system.json", "--output", "json"]);
    let status = cli.run(&["status", ID]);
    assert!(stage.view(ID).await.is_none(), "nothing of it was taken");
    insta::assert_snapshot!(format!("{words}\n{document}\n{status}\n{}", calls(&stage)));
}
