//! `fractal status`: what the queue knows, with the next step; and what changes, as it changes.

use std::time::Duration;

use fractal_core::Fault;
use fractal_core::artifact::Reference;
use fractal_registry::{Options, Registry as Client};
use fractal_simcloud::{Action, Filter, RegistryAuth, Rule};
use insta::assert_snapshot;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::rig::{Agent, Rig};

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_and_what_nobody_serves_is_shown() {
    let rig = Rig::new();
    rig.live_system("shop.json", &["api", "mail"]);
    assert_snapshot!("no_queue", rig.run(&["status"]).await);
    assert_eq!(rig.run(&["up", "shop.json"]).await.code, 0);
    assert_snapshot!("unknown_offer", rig.run(&["status", "shop"]).await);
    let agent = Agent::start(&rig).await;
    agent.ready("api").await;
    agent.ready("mail").await;
    assert_snapshot!("all_active", rig.run(&["status"]).await);
    assert_snapshot!("active", rig.run(&["status", "shop"]).await);
    assert_snapshot!("component", rig.run(&["status", "shop", "api"]).await);
    assert_snapshot!(
        "component_json",
        rig.run(&["status", "shop", "api", "--output", "json"])
            .await
    );
    assert_snapshot!("unknown_system", rig.run(&["status", "desk"]).await);
    assert_snapshot!(
        "unknown_component",
        rig.run(&["status", "shop", "cart"]).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_artifact_and_a_refusing_registry_are_shown_with_the_way_out() {
    let mut rig = Rig::new();
    let empty = rig.registry("empty.example", RegistryAuth::Open).await;
    let refusing = rig.registry("refusing.example", RegistryAuth::Open).await;
    refusing
        .faults()
        .arm(Rule::new(Filter::default(), Action::Deny).until_lifted());
    rig.live_system("shop.json", &["api", "mail"]);
    assert_eq!(rig.run(&["up", "shop.json"]).await.code, 0);
    let agent = Agent::start(&rig).await;
    let client = Client::new(Options::on_loopback()).unwrap();
    for (component, registry) in [("api", &empty), ("mail", &refusing)] {
        let reference: Reference = format!("{}/{component}:1", registry.host())
            .parse()
            .unwrap();
        let error = client.resolve(&reference).await.unwrap_err();
        agent.faulty(component, Fault::from(error)).await;
    }
    assert_snapshot!("faults", rig.run(&["status", "shop"]).await);
    assert_snapshot!(
        "fault_of_component",
        rig.run(&["status", "shop", "mail"]).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn watching_prints_what_changes_until_it_is_interrupted() {
    let rig = Rig::new();
    rig.live_system("shop.json", &["api"]);
    assert_eq!(rig.run(&["up", "shop.json"]).await.code, 0);
    let agent = Agent::start(&rig).await;
    let mut watching = rig.start(&["status", "shop", "--watch"]);
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    assert_eq!(first, "Personal/o/bc/shop/api  Instantiating  generation 1");
    agent.ready("api").await;
    // The claim is a write of its own and shows nothing new.
    let second = lines.next_line().await.unwrap().unwrap();
    assert_eq!(
        second,
        "Personal/o/bc/shop/api  Active  generation 1  Ready: Ready"
    );
    assert_eq!(rig.run(&["down", "shop"]).await.code, 0);
    let third = lines.next_line().await.unwrap().unwrap();
    assert!(
        third.starts_with("Personal/o/bc/shop/api  Deleting  generation 2"),
        "{third}"
    );
    agent.gone("api").await;
    assert_eq!(
        lines.next_line().await.unwrap().unwrap(),
        "Personal/o/bc/shop/api  gone"
    );
    let id = watching.id().unwrap().to_string();
    let sent = tokio::process::Command::new("kill")
        .args(["-INT", &id])
        .status()
        .await
        .unwrap();
    assert!(sent.success());
    assert_eq!(rig.finish(watching).await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn watching_ends_when_nobody_reads_any_more() {
    let rig = Rig::new();
    rig.live_system("shop.json", &["api"]);
    assert_eq!(rig.run(&["up", "shop.json"]).await.code, 0);
    let mut watching = rig.start(&["status", "--watch", "--output", "json"]);
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let first: serde_json::Value =
        serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    assert_eq!(first["phase"], "Mutating");
    drop(lines);
    // Nothing changes any more, so that no further line is tried.
    let ended = tokio::time::timeout(Duration::from_secs(20), rig.finish(watching));
    assert_eq!(ended.await.unwrap().code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_command_line_is_a_usage_error() {
    let rig = Rig::new();
    for args in [
        &["stauts"][..],
        &["status", "--watch=x"],
        &["up"],
        &["publish", "a.zip"],
        &[],
    ] {
        assert_eq!(rig.run(args).await.code, 2, "{args:?}");
    }
    for args in [&["--help"][..], &["publish", "--help"], &["--version"]] {
        let ran = rig.run(args).await;
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{args:?}");
    }
    let without = rig
        .run_with(&["status"], &[("FRACTAL_QUEUE", "nats://user:canary@host")])
        .await;
    assert_eq!(without.code, 2);
    assert!(
        without.err.contains("a queue is written sqlite:PATH"),
        "{without}"
    );
}

/// `/dev/full` takes nothing: what is answered is lost, and that is no success.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_written_is_a_failure() {
    let rig = Rig::new();
    rig.live_system("shop.json", &["api"]);
    assert_eq!(rig.run(&["up", "shop.json"]).await.code, 0);
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let ran = rig.run_into(&["status"], full.into()).await;
    assert_eq!(ran.code, 1);
    assert_eq!(ran.err, "error: standard output cannot be written\n");
}
