//! One coordinate in the registries of two clouds: what differs is not released, and nothing that runs is touched meanwhile.
//!
//! The other cloud's agent is played by the test, with the queue's own protocol: it announces itself, claims and settles.

use std::collections::BTreeSet;
use std::time::Duration;

use fractal_core::Timestamp;
use fractal_core::artifact::Digest;
use fractal_core::artifact::agreement::Pinned;
use fractal_core::contract::{ComponentKey, Offer};
use fractal_core::status::{ArtifactStatus, Condition, ConditionStatus, ConditionType, Status};
use fractal_queue::{
    Company, ComponentDocument, Environments, NextDue, Outcome, Presence, Scope, Settlement, Take,
    Tenure,
};
use serde_json::json;

use crate::support::artifacts::publish_zip;
use crate::support::stage::{Stage, parse};
use crate::support::system::{ECR, live_system, zip_function};
use crate::support::until;

const ID: &str = "Personal/owner/agreement/shop";
const COORDINATE: &str = "shop/orders:live";
const AZURE: &str = "CustomWorkloads.FaaS.AzureFunction";
const BOUND: Duration = Duration::from_secs(60);

/// Publishes to the Lambda's registry, and says what the tag means there then.
async fn publish(stage: &Stage, version: &str) -> Digest {
    publish_zip(&stage.client, COORDINATE, version).await;
    let reference = format!("{ECR}/{COORDINATE}").parse().unwrap();
    stage.client.resolve(&reference).await.unwrap().digest
}

/// The agent of another cloud, whose registry has what the test says.
struct OtherAgent<'a>(&'a Stage);

impl OtherAgent<'_> {
    async fn announce(&self) {
        let scope = Scope {
            environments: Environments::All,
            offers: BTreeSet::from([AZURE.parse::<Offer>().unwrap()]),
        };
        let presence = Presence::new("azfunc-agent-1", "azfunc-agent 0", "test", scope);
        self.0.queue.announce(&presence).await.unwrap();
    }

    async fn settles(&self, digest: &Digest) {
        let key = self.document().await.key;
        let tenure = Tenure {
            holder: "azfunc-agent-1".into(),
            length: Duration::from_secs(60),
            company: Company::Shared,
        };
        let Take::Claimed(claim) = self.0.queue.claim(&key, None, &tenure).await.unwrap() else {
            panic!("nobody else takes it");
        };
        let settlement = Settlement {
            status: running(claim.generation(), digest),
            record: None,
            due: NextDue::In(Duration::from_secs(3600)),
            outcome: Outcome::InSync,
        };
        self.0.queue.settle(*claim, settlement).await.unwrap();
    }

    async fn document(&self) -> ComponentDocument {
        find(self.0, "invoices").await
    }
}

fn running(generation: u64, digest: &Digest) -> Status {
    let reference: fractal_core::artifact::Reference =
        format!("acme.azurecr.io/{COORDINATE}").parse().unwrap();
    let mut status = Status {
        observed_generation: generation,
        artifact: Some(ArtifactStatus {
            reference: reference.clone(),
            desired: digest.clone(),
            image: None,
            beside: Vec::new(),
            running: Some(digest.clone()),
            coordinates: vec![Pinned {
                coordinate: COORDINATE.into(),
                reference,
                digest: digest.clone(),
            }],
        }),
        ..Status::default()
    };
    status.set(Condition {
        kind: ConditionType::Ready,
        status: ConditionStatus::True,
        reason: "Ready".into(),
        message: String::new(),
        next: None,
        observed_generation: generation,
        since: Timestamp::from_unix_millis(0),
    });
    status
}

async fn find(stage: &Stage, component: &str) -> ComponentDocument {
    let all = stage.components(ID).await;
    let found = all
        .into_iter()
        .find(|document| document.key.component.as_str() == component);
    found.unwrap()
}

async fn runs(stage: &Stage, digest: &Digest) -> bool {
    let artifact = find(stage, "orders").await.status.artifact;
    artifact.is_some_and(|artifact| artifact.running.as_ref() == Some(digest))
}

async fn until_it_runs(stage: &Stage, digest: &Digest) {
    until("the release", BOUND, async || runs(stage, digest).await).await;
}

fn invoices() -> serde_json::Value {
    json!({
        "id": "invoices",
        "type": AZURE,
        "displayName": "invoices",
        "provider": "Azure",
        "deliveryModel": "FaaS",
        "parameters": { "sourceArtifact": COORDINATE },
        "dependencies": [],
        "links": [],
    })
}

#[tokio::test]
async fn g25_registries_that_differ_release_nothing_until_they_agree() {
    let stage = Stage::new(&["--settle-ms", "50"]).await;
    let first = publish(&stage, "1").await;
    let body = live_system(ID, &[zip_function("orders", COORDINATE, "1"), invoices()]);
    stage.submit(&body).await;
    let other = OtherAgent(&stage);
    other.announce().await;
    other.settles(&first).await;
    let _agent = stage.agent("agent", &["--interval", "1"]).await;
    until_it_runs(&stage, &first).await;

    let before = stage.cloud.last();
    let second = publish(&stage, "2").await;
    until("the fault", BOUND, async || {
        find(&stage, "orders").await.status.fault.is_some()
    })
    .await;
    let document = find(&stage, "orders").await;
    let fault = document.status.fault.clone().unwrap();
    assert_eq!(
        (fault.class.as_str(), fault.reason.as_str()),
        ("Blocked", "CrossRegistry")
    );
    assert_eq!(fault.place, Some(format!("{ECR}/{COORDINATE}")));
    let why = fault.why.unwrap();
    for said in [
        second.as_str(),
        first.as_str(),
        "component orders",
        "component invoices",
        "acme.azurecr.io/shop/orders:live",
        ECR,
    ] {
        assert!(why.contains(said), "{said} in {why}");
    }
    assert!(fault.next.unwrap().contains("fractal copy"));
    assert!(stage.cloud.writes(before).is_empty(), "nothing is released");
    assert!(runs(&stage, &first).await, "what ran goes on");
    let woken = other.document().await.wakes;
    assert!(
        woken.iter().any(|wake| wake.reason == "ArtifactChanged"),
        "the other agent is told to look again: {woken:?}"
    );

    // The other registry has the new one too: the release goes on by itself.
    other.settles(&second).await;
    until_it_runs(&stage, &second).await;
    assert!(find(&stage, "orders").await.status.fault.is_none());
}

#[tokio::test]
async fn a_cloud_whose_agent_is_away_holds_nobody_back() {
    let stage = Stage::new(&["--settle-ms", "50"]).await;
    let first = publish(&stage, "1").await;
    let body = live_system(ID, &[zip_function("orders", COORDINATE, "1"), invoices()]);
    stage.submit(&body).await;
    let other = OtherAgent(&stage);
    other.announce().await;
    other.settles(&first).await;
    stage.queue.leave("azfunc-agent-1").await.unwrap();
    let _agent = stage.agent("agent", &["--interval", "1"]).await;
    until_it_runs(&stage, &first).await;
    let second = publish(&stage, "2").await;
    until_it_runs(&stage, &second).await;
}

/// Settings of what runs change, and its drift is repaired, whatever another registry has meanwhile.
#[tokio::test]
async fn what_runs_already_is_not_held_back() {
    let stage = Stage::new(&["--settle-ms", "50"]).await;
    let first = publish(&stage, "1").await;
    let body = live_system(ID, &[zip_function("orders", COORDINATE, "1"), invoices()]);
    stage.submit(&body).await;
    let other = OtherAgent(&stage);
    other.announce().await;
    let _agent = stage.agent("agent", &["--interval", "1"]).await;
    until_it_runs(&stage, &first).await;
    other.settles(&Digest::sha256("another")).await;
    let key: ComponentKey = find(&stage, "orders").await.key;
    assert_eq!(key.live_system, parse(ID));
    let before = stage.cloud.last();
    let body = live_system(ID, &[zip_function("orders", COORDINATE, "2"), invoices()]);
    stage.submit(&body).await;
    until("the new setting", BOUND, async || {
        !stage.cloud.writes(before).is_empty()
    })
    .await;
    let fault = find(&stage, "orders").await.status.fault;
    assert_eq!(fault, None);
}
