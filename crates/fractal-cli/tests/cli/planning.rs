//! `fractal plan`: questions to agents, and what is said where none answers.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::rig::{Agent, Rig};

fn answer(component: &str) -> Value {
    match component {
        "api" => json!({"preview": {
            "now": [{"place": "123456789012/eu-central-1/api", "step": "create function api", "effect": "Create"}],
            "later": ["wait until it is active"],
        }}),
        "mail" => json!({"preview": {
            "now": [{"place": "123456789012/eu-central-1/mail", "step": "delete function mail", "effect": "Replace"}],
            "later": [], "approval": "5f".repeat(32),
        }}),
        "late" => json!({"preview": {"now": [], "later": [], "wait": "function late is Pending"}}),
        "odd" => json!({"forecast": "rain"}),
        _ => json!({"preview": {"now": [], "later": []}}),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_what_the_agents_answer() {
    let rig = Rig::new();
    rig.live_system("shop.json", &["api", "old"]);
    assert_eq!(rig.run(&["up", "shop.json"]).await.code, 0);
    let agent = Agent::start(&rig).await;
    agent.ready("old").await;
    rig.live_system("next.json", &["api", "late", "mail", "same"]);
    let (plan, json, submitted) = tokio::select! {
        () = agent.answer(answer) => unreachable!("an agent answers until it is dropped"),
        plans = async {
            let plan = rig.run(&["plan", "next.json"]).await;
            let json = rig.run(&["plan", "next.json", "--output", "json"]).await;
            (plan, json, rig.run(&["plan", "shop"]).await)
        } => plans,
    };
    assert_snapshot!("plan_of_file", plan);
    assert_snapshot!("plan_of_file_json", json);
    assert_snapshot!("plan_of_submitted", submitted);
    let known = rig
        .queue()
        .components(&crate::rig::SYSTEM.parse().unwrap())
        .await
        .unwrap();
    assert_eq!(known.len(), 2, "a plan submits nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_read_is_said() {
    let rig = Rig::new();
    rig.live_system("shop.json", &["odd"]);
    assert_eq!(rig.run(&["up", "shop.json"]).await.code, 0);
    let agent = Agent::start(&rig).await;
    let ran = tokio::select! {
        () = agent.answer(answer) => unreachable!("an agent answers until it is dropped"),
        ran = rig.run(&["plan", "shop"]) => ran,
    };
    assert_snapshot!("unreadable_answer", ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_to_be_tried_again_and_absence_is_not() {
    let rig = Rig::new();
    rig.live_system("shop.json", &["api"]);
    assert_eq!(rig.run(&["up", "shop.json"]).await.code, 0);
    assert_snapshot!("no_agent", rig.run(&["plan", "shop.json"]).await);
    let agent = Agent::start(&rig).await;
    assert_snapshot!(
        "silent_agent",
        rig.run(&["plan", "shop.json", "--timeout", "1"]).await
    );
    let mut agenda = agent.queue.agenda(fractal_queue::Scope::everything());
    agenda.refresh().await.unwrap();
    assert_eq!(agenda.asks(), [], "the question was not withdrawn");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_refuses_and_warns_of_what_submitting_would() {
    let rig = Rig::new();
    let ids = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    rig.live_system("shop.json", &ids);
    assert_eq!(rig.run(&["up", "shop.json"]).await.code, 0);
    rig.live_system("small.json", &ids[..4]);
    let plan = rig.run(&["plan", "small.json", "--output", "json"]).await;
    assert_eq!(plan.json()["needsAllowShrink"], true);
    rig.live_system("half.json", &ids[..5]);
    let plan = rig.run(&["plan", "half.json", "--output", "json"]).await;
    assert_eq!(plan.json()["needsAllowShrink"], false);
    let circle = "liveSystemId: a\nenvironment: {id: {shortName: dev}}\nblueprintMap: {a: {type: x, dependencies: [a]}}\n";
    rig.write("circle.yaml", circle);
    assert_snapshot!("plan_of_circle", rig.run(&["plan", "circle.yaml"]).await);
}
