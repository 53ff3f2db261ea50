//! Kinds that a definition brings: their versions, their operators, and autoscalers among them.

use fractal_core::reconcile::End;
use serde_json::{Value, json};

use crate::account::{admin, definition, deployment, found, listed, of, publish, thing};
use crate::rig::{Rig, text};

async fn define(rig: &Rig, served: &[&str]) {
    rig.apply(&definition(rig, served, &["size"])).await;
    let name = format!("things.{}.example.com", rig.namespace);
    rig.until("customresourcedefinition", &name, |it| {
        let conditions = it["status"]["conditions"].as_array();
        conditions.is_some_and(|all| {
            all.iter()
                .any(|it| it["type"] == "Established" && it["status"] == "True")
        })
    })
    .await;
}

#[tokio::test]
async fn an_object_outlives_the_version_it_was_written_in() {
    let rig = admin("versions").await;
    define(&rig, &["v1alpha1", "v1"]).await;
    let size = json!({ "size": "1" });
    let old = |name| thing(&rig, "v1alpha1", name, &size);
    let mut moves = of(&rig, "moves", &[&old("moves")]);
    let mut rests = of(&rig, "rests", &[&old("rests")]);
    moves.ready(&rig.agent).await;
    rests.ready(&rig.agent).await;
    let before = text(&found(&rig, "moves").await, "/metadata/uid");
    let version = |entries: &[Value]| {
        assert_eq!(entries.len(), 1, "{entries:?}");
        let version = text(&entries[0], "/apiVersion");
        version.rsplit('/').next().unwrap().to_owned()
    };
    assert_eq!(version(&listed(&rig, &moves).await), "v1alpha1");
    publish(&mut moves, &[&thing(&rig, "v1", "moves", &size)]);
    moves.ready(&rig.agent).await;
    assert_eq!(version(&listed(&rig, &moves).await), "v1");
    assert_eq!(text(&found(&rig, "moves").await, "/metadata/uid"), before);
    define(&rig, &["v1"]).await;
    moves.gone(&rig.agent).await;
    rests.gone(&rig.agent).await;
    for name in ["moves", "rests"] {
        assert_eq!(found(&rig, name).await, Value::Null);
    }
}

#[tokio::test]
async fn an_operator_outlives_what_it_has_to_clean_up() {
    let rig = admin("operator").await;
    define(&rig, &["v1"]).await;
    let mut object: Value =
        serde_json::from_str(&thing(&rig, "v1", "held", &json!({ "size": "1" }))).unwrap();
    object["metadata"]["finalizers"] = json!(["example.com/cleanup"]);
    let operator = deployment("operator", "replicas: 1", "");
    let mut both = of(&rig, "operator", &[&operator, &object.to_string()]);
    both.ready(&rig.agent).await;
    for _ in 0..10 {
        let report = both.remove(&rig.agent).await;
        assert!(!matches!(report.end, End::Absent), "{report:?}");
    }
    let held = found(&rig, "held").await;
    assert!(
        held["metadata"]["deletionTimestamp"].is_string(),
        "{held:#}"
    );
    let live = rig.object("deployment", "operator").await;
    assert!(live["metadata"]["deletionTimestamp"].is_null(), "{live:#}");
    // Its operator has done its part.
    let path = format!(
        "/apis/{0}.example.com/v1/namespaces/{0}/things/held",
        rig.namespace
    );
    let done = json!({ "metadata": { "finalizers": null } });
    let (code, answer) = rig.cluster.api("PATCH", &path, Some(&done)).await;
    assert_eq!(code, 200, "{answer}");
    both.gone(&rig.agent).await;
    assert_eq!(found(&rig, "held").await, Value::Null);
}

const SCALED_OBJECTS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: scaledobjects.keda.sh}
spec:
  group: keda.sh
  scope: Namespaced
  names: {plural: scaledobjects, singular: scaledobject, kind: ScaledObject, listKind: ScaledObjectList}
  versions:
    - name: v1alpha1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";
const SCALED_OBJECT: &str = "
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: consumer}
spec:
  scaleTargetRef: {name: consumer}
  maxReplicaCount: 20
  triggers: [{type: cpu, metricType: Utilization, metadata: {value: '50'}}]
";

#[tokio::test]
async fn a_scaled_object_takes_over_the_count_as_it_is() {
    let rig = admin("keda").await;
    rig.apply(SCALED_OBJECTS).await;
    let mut consumer = of(
        &rig,
        "consumer",
        &[&deployment("consumer", "replicas: 10", "")],
    );
    consumer.ready(&rig.agent).await;
    let path = format!("/apis/apps/v1/namespaces/{}/deployments", rig.namespace);
    let list: Value = serde_json::from_str(&rig.kubectl(&["get", "--raw", &path]).await).unwrap();
    let since = text(&list, "/metadata/resourceVersion");
    let without = deployment("consumer", "minReadySeconds: 0", "");
    publish(&mut consumer, &[&without, SCALED_OBJECT]);
    consumer.ready(&rig.agent).await;
    let live = rig.object("deployment", "consumer").await;
    assert_eq!(live["spec"]["replicas"], 10);
    let states = rig.history(&path, &since).await;
    assert!(
        !states.is_empty() && states.iter().all(|it| it["spec"]["replicas"] == 10),
        "{states:?}"
    );
    rig.stays(&mut consumer, "deployments,scaledobjects.keda.sh")
        .await;
}

#[tokio::test]
async fn a_component_goes_although_its_kind_went_first() {
    let rig = admin("kindless").await;
    define(&rig, &["v1"]).await;
    let one = thing(&rig, "v1", "one", &json!({ "size": "1" }));
    let mut keeper = of(&rig, "keeper", &[&one]);
    keeper.ready(&rig.agent).await;
    let name = format!("things.{}.example.com", rig.namespace);
    rig.kubectl(&["delete", "customresourcedefinition", &name])
        .await;
    keeper.gone(&rig.agent).await;
    assert_eq!(rig.everything().await, Vec::<String>::new());
}
