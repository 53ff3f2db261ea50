//! `fractal verify`: one artifact in every registry of a live system, and the one that runs, or which of them is not.

use fractal_core::artifact::Digest;
use fractal_simcloud::{Action, Filter, Registry, RegistryAuth, Rule};
use insta::assert_snapshot;
use serde_json::json;

use crate::rig::{Agent, OFFER, Rig, SYSTEM};

/// Three clouds, each with its registry.
struct Clouds {
    rig: Rig,
    registries: [Registry; 3],
}

const HOSTS: [&str; 3] = ["aws.example", "azure.example", "gcp.example"];

impl Clouds {
    async fn new() -> Self {
        let mut rig = Rig::new();
        let registries = [
            rig.registry("[AWS]", RegistryAuth::Open).await,
            rig.registry("[AZURE]", RegistryAuth::Open).await,
            rig.registry("[GCP]", RegistryAuth::Open).await,
        ];
        let body = json!({
            "liveSystemId": SYSTEM, "fractalId": "bc/shop:1.0.0",
            "environment": {
                "id": {"type": "Personal", "ownerId": "o", "shortName": "dev"},
                "parameters": {"registries": {"AWS": HOSTS[0], "Azure": "azure.example/fractal", "GCP": HOSTS[2]}},
            },
            "blueprintMap": {"orders": {
                "id": "orders", "type": OFFER, "provider": "AWS",
                "parameters": {"sourceArtifact": "orders:1", "handler": "app.handler", "runtime": "python3.13"},
            }},
        });
        rig.write("shop.json", serde_json::to_vec(&body).unwrap());
        Self { rig, registries }
    }

    fn endpoints(&self) -> String {
        let all = HOSTS.iter().zip(&self.registries);
        let all: Vec<String> = all
            .map(|(host, registry)| format!("{host}=http://{}", registry.host()))
            .collect();
        all.join(",")
    }

    async fn fractal(&self, args: &[&str]) -> crate::rig::Ran {
        let endpoints = self.endpoints();
        let variables = [("FRACTAL_REGISTRY_ENDPOINTS", endpoints.as_str())];
        self.rig.run_with(args, &variables).await
    }

    /// Publishes a zip that says `content` to these registries. Its digest.
    async fn publish(&self, content: &str, to: &[&str]) -> String {
        self.rig.zip("orders.zip", &[("app.py", content)]);
        let mut args = vec!["publish", "orders.zip", "--output", "json"];
        args.extend(to);
        let ran = self.fractal(&args).await;
        assert_eq!(ran.code, 0, "{ran}");
        ran.json()["digest"].as_str().unwrap().to_owned()
    }
}

const AWS: &str = "aws.example/orders:1";
const AZURE: &str = "azure.example/fractal/orders:1";
const GCP: &str = "gcp.example/orders:1";

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_verified_against_every_registry_it_maps() {
    let clouds = Clouds::new().await;
    assert_snapshot!(
        "nobody_has_it",
        clouds.fractal(&["verify", "shop.json"]).await
    );
    clouds.publish("one", &[AWS, AZURE]).await;
    assert_snapshot!(
        "one_lacks_it",
        clouds.fractal(&["verify", "shop.json"]).await
    );
    clouds.publish("one", &[GCP]).await;
    let ran = clouds.fractal(&["verify", "shop.json"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    assert_snapshot!("all_agree", ran);
    clouds.publish("two", &[AZURE]).await;
    assert_snapshot!(
        "one_differs",
        clouds.fractal(&["verify", "shop.json"]).await
    );
    let ran = clouds
        .fractal(&["verify", "shop.json", "--output", "json"])
        .await;
    assert_eq!(ran.code, 1);
    let artifact = &ran.json()["artifacts"][0];
    assert_eq!(artifact["name"], "orders:1");
    assert_eq!(artifact["faults"][0]["reason"], "CrossRegistry");
    assert_eq!(artifact["registries"].as_array().unwrap().len(), 3);
    assert_eq!(artifact["digest"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_is_compared_with_what_the_registries_have() {
    let clouds = Clouds::new().await;
    let first = clouds.publish("one", &[AWS, AZURE, GCP]).await;
    let ran = clouds.fractal(&["up", "shop.json"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    let ran = clouds.fractal(&["verify", "shop"]).await;
    assert_eq!(ran.code, 0, "nothing runs yet: {ran}");
    let agent = Agent::start(&clouds.rig).await;
    let first: Digest = first.parse().unwrap();
    agent.runs("orders", "aws.example/orders:1", &first).await;
    let ran = clouds.fractal(&["verify", "shop"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    assert_snapshot!("it_runs", ran);
    clouds.publish("two", &[AWS, AZURE, GCP]).await;
    assert_snapshot!("another_runs", clouds.fractal(&["verify", "shop"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn references_on_the_command_line_are_one_artifact_or_not() {
    let clouds = Clouds::new().await;
    clouds.publish("one", &[AWS, GCP]).await;
    let ran = clouds.fractal(&["verify", AWS, GCP, "--bytes"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    clouds.publish("two", &[GCP]).await;
    let ran = clouds.fractal(&["verify", AWS, GCP]).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert!(
        ran.err
            .contains("is not the same artifact in every registry")
    );
    let ran = clouds.fractal(&["verify", AWS, "orders:1"]).await;
    assert_eq!(
        ran.code, 2,
        "a reference without a host among others: {ran}"
    );
}

/// A manifest may be there while what it refers to is not: only reading everything finds that.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_there_are_found_by_reading_them() {
    let clouds = Clouds::new().await;
    clouds.publish("one", &[AWS, GCP]).await;
    let filter = Filter {
        operation: Some("GetBlob".into()),
        ..Filter::default()
    };
    let gone = Action::Fail {
        status: 404,
        code: "BLOB_UNKNOWN".into(),
        message: "blob unknown to registry".into(),
        retry_after: None,
    };
    let rule = Rule::new(filter, gone).until_lifted();
    clouds.registries[2].faults().arm(rule);
    let ran = clouds.fractal(&["verify", AWS, GCP]).await;
    assert_eq!(ran.code, 0, "{ran}");
    let ran = clouds.fractal(&["verify", AWS, GCP, "--bytes"]).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.err.contains("but not a blob it names"), "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_cannot_be_asked_is_not_taken_for_agreement() {
    let clouds = Clouds::new().await;
    clouds.publish("one", &[AWS, AZURE, GCP]).await;
    let refuse = Action::Fail {
        status: 403,
        code: "DENIED".into(),
        message: "requested access to the resource is denied".into(),
        retry_after: None,
    };
    let rule = Rule::new(Filter::default(), refuse).until_lifted();
    clouds.registries[1].faults().arm(rule);
    let ran = clouds.fractal(&["verify", "shop.json"]).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert_snapshot!("one_cannot_be_asked", ran);
}
