//! `fractal manifests diff`: what the agent would change, and what scripts are told of it.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::rig::{Agent, Rig};

fn answer(component: &str) -> Value {
    match component {
        "api" => json!({"preview": {"now": [
            {"place": "kubernetes shop/api", "step": "record 3 objects in the inventory", "effect": "Stage"},
            {"place": "kubernetes shop/api", "step": "create Service shop/api", "effect": "Create"},
            {"place": "kubernetes shop/api", "step": "update apps/Deployment shop/api: spec.replicas and 1 more",
             "effect": "Update", "details": ["spec.replicas: 2 -> 3", "spec.template.spec.containers[name=api].image: \"a\" -> \"b\""]},
            {"place": "kubernetes shop/api", "step": "delete ConfigMap shop/old", "effect": "Delete"},
        ], "later": ["wait for the rollout"], "notices": [{"reason": "Unresolved", "message": "$HOME has no value"}]}}),
        "busy" => json!({"preview": {"now": [], "later": [], "wait": "1 of 3 pods are ready"}}),
        _ => json!({"preview": {"now": [], "later": []}}),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_is_what_the_agent_would_change() {
    let rig = Rig::new();
    rig.live_system("shop.json", &["api", "busy", "same"]);
    assert_eq!(rig.run(&["up", "shop.json"]).await.code, 0);
    rig.live_system("small.json", &["api", "busy"]);
    let agent = Agent::start(&rig).await;
    let diff = async |component: &str, args: &[&str]| {
        let command = ["manifests", "diff", "--component", component];
        rig.run(&[&command, args].concat()).await
    };
    let (api, script, from_file, busy, same, gone, json) = tokio::select! {
        () = agent.answer(answer) => unreachable!("an agent answers until it is dropped"),
        ran = async { (
            diff("api", &["shop"]).await,
            diff("api", &["shop", "--exit-code"]).await,
            diff("api", &["-f", "shop.json"]).await,
            diff("busy", &["shop", "--exit-code"]).await,
            diff("same", &["shop", "--exit-code"]).await,
            diff("same", &["-f", "small.json", "--exit-code"]).await,
            diff("api", &["shop", "--output", "json"]).await,
        ) } => ran,
    };
    assert_snapshot!("diff", api);
    assert_eq!((script.code, &script.out), (1, &api.out));
    assert_eq!((from_file.code, &from_file.out), (0, &api.out));
    assert_eq!(
        (busy.code, same.code, gone.code),
        (75, 0, 1),
        "{busy}{same}{gone}"
    );
    assert_snapshot!("diff_others", format!("{busy}{same}{gone}"));
    assert_eq!(json.json()["changes"], true);
    let details = &json.json()["plans"][0]["preview"]["now"][2]["details"];
    assert_eq!(details[0], "spec.replicas: 2 -> 3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_needs_a_component_that_is_there_and_an_agent() {
    let rig = Rig::new();
    rig.live_system("shop.json", &["api"]);
    assert_eq!(rig.run(&["up", "shop.json"]).await.code, 0);
    let mut all = String::new();
    let cases: [&[&str]; 5] = [
        &["--component", "web", "shop"],
        &["--component", "web", "-f", "shop.json"],
        &["--component", "api", "-f", "shop.json", "other"],
        &["--component", "api"],
        &["--component", "api", "shop"],
    ];
    for case in cases {
        let ran = rig.run(&[&["manifests", "diff"], case].concat()).await;
        all.push_str(&ran.to_string());
    }
    assert_snapshot!("diff_refused", all);
}
