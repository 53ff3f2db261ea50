//! Entries that a bundle drops: gone by uid, after a read that says whose they are; what holds data stays.

use fractal_core::Class;
use serde_json::{Value, json};

use crate::rig::{Component, Rig, bundle, fault, id, text};

const NAME: &str = "keeper-fdeploy.yaml";
const KEEPS: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: stays}
data: {a: b}
";
const POLICY: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: drops}
spec: {podSelector: {}}
";
const CLAIM: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: claim}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
";

fn of(rig: &Rig, documents: &[&str]) -> Component {
    let text = documents.join("---");
    rig.bundle("keeper", json!({}), &[(NAME, &text)])
}

/// Publishes the bundle anew, with these documents only.
fn publish(component: &mut Component, documents: &[&str]) {
    component.rollout.target = bundle(&[(NAME, &documents.join("---"))]);
}

async fn there(rig: &Rig, kinds: &str) -> Vec<String> {
    let mut all: Vec<_> = rig.objects(kinds).await.iter().map(id).collect();
    all.retain(|it| !it.ends_with("/kube-root-ca.crt") && !it.starts_with("ConfigMap/fractal-"));
    all
}

/// What the inventory lists, as `Kind/name`.
async fn listed(rig: &Rig) -> Vec<String> {
    let maps = rig.objects("configmaps").await;
    let inventory = maps
        .iter()
        .find(|it| text(it, "/metadata/name").starts_with("fractal-"));
    let list = text(inventory.unwrap(), "/data/objects.json");
    let entries: Vec<Value> = serde_json::from_str(&list).unwrap();
    entries
        .iter()
        .map(|it| format!("{}/{}", text(it, "/kind"), text(it, "/name")))
        .collect()
}

#[tokio::test]
async fn a_dropped_entry_goes_and_a_claim_stays() {
    let rig = Rig::for_bundles("prune", &json!([])).await;
    let mut keeper = of(&rig, &[KEEPS, POLICY, CLAIM]);
    keeper.ready(&rig.agent).await;
    let kinds = "configmaps,networkpolicies,persistentvolumeclaims";
    assert_eq!(
        there(&rig, kinds).await,
        [
            "ConfigMap/stays",
            "NetworkPolicy/drops",
            "PersistentVolumeClaim/claim"
        ]
    );
    publish(&mut keeper, &[KEEPS]);
    keeper.ready(&rig.agent).await;
    assert_eq!(
        there(&rig, kinds).await,
        ["ConfigMap/stays", "PersistentVolumeClaim/claim"]
    );
    assert_eq!(listed(&rig).await, ["ConfigMap/stays"]);
    rig.stays(&mut keeper, kinds).await;
    // Back in the bundle, the claim is ours as before.
    publish(&mut keeper, &[KEEPS, CLAIM]);
    keeper.ready(&rig.agent).await;
    assert_eq!(listed(&rig).await.len(), 2);
}

#[tokio::test]
async fn a_claim_that_says_so_goes_with_its_entry() {
    let rig = Rig::for_bundles("asked", &json!([])).await;
    let claim = CLAIM.replace(
        "{name: claim}",
        "{name: claim, annotations: {fractal.cloud/prune: 'true'}}",
    );
    let mut keeper = of(&rig, &[KEEPS, &claim]);
    keeper.ready(&rig.agent).await;
    publish(&mut keeper, &[KEEPS]);
    keeper.ready(&rig.agent).await;
    let mut left = there(&rig, "persistentvolumeclaims").await;
    let began = std::time::Instant::now();
    while !left.is_empty() {
        // The volume's own protection lets go a moment later.
        assert!(began.elapsed().as_secs() < 30, "{left:?}");
        left = there(&rig, "persistentvolumeclaims").await;
    }
    assert_eq!(listed(&rig).await, ["ConfigMap/stays"]);
}

/// The same name is not the same object.
#[tokio::test]
async fn what_someone_made_anew_under_a_dropped_name_is_theirs() {
    let rig = Rig::for_bundles("anew", &json!([])).await;
    let mut keeper = of(&rig, &[KEEPS, POLICY]);
    keeper.ready(&rig.agent).await;
    rig.kubectl(&["delete", "networkpolicy", "drops"]).await;
    rig.apply(POLICY).await;
    let theirs = rig.object("networkpolicy", "drops").await;
    publish(&mut keeper, &[KEEPS]);
    keeper.ready(&rig.agent).await;
    assert_eq!(rig.object("networkpolicy", "drops").await, theirs);
    assert_eq!(listed(&rig).await, ["ConfigMap/stays"]);
}

/// Without our mark, and with our fields in it: someone took the mark off by hand.
#[tokio::test]
async fn an_entry_whose_mark_was_removed_still_goes() {
    let rig = Rig::for_bundles("unmarked", &json!([])).await;
    let mut keeper = of(&rig, &[KEEPS, POLICY]);
    keeper.ready(&rig.agent).await;
    rig.kubectl(&["annotate", "networkpolicy", "drops", "fractal.cloud/owner-"])
        .await;
    publish(&mut keeper, &[KEEPS]);
    keeper.ready(&rig.agent).await;
    assert_eq!(there(&rig, "networkpolicies").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_prune_that_fails_is_tried_again_and_not_forgotten() {
    let rig = Rig::for_bundles("retried", &json!([])).await;
    let mut keeper = of(&rig, &[KEEPS, POLICY]);
    keeper.ready(&rig.agent).await;
    // Rules of the documented role for bundles, by place: the fourth is of network policies.
    let role = rig.object("role", "caas-agent-bundles").await;
    assert_eq!(role["rules"][3]["resources"][0], "networkpolicies");
    assert_eq!(role["rules"][3]["verbs"][4], "delete");
    let verbs =
        |verbs: &str| format!(r#"[{{"op":"replace","path":"/rules/3/verbs","value":{verbs}}}]"#);
    let take = verbs(r#"["get","list","create","patch"]"#);
    rig.kubectl(&[
        "patch",
        "role",
        "caas-agent-bundles",
        "--type=json",
        "-p",
        &take,
    ])
    .await;
    publish(&mut keeper, &[KEEPS]);
    for _ in 0..3 {
        let report = keeper
            .until(&rig.agent, |it| {
                matches!(it.end, fractal_core::reconcile::End::Fault(_))
            })
            .await;
        let denied = fault(&report);
        assert_eq!(
            (denied.reason.as_str(), denied.class),
            ("PermissionDenied", Class::Blocked)
        );
        let next = denied.next.as_ref().unwrap();
        assert!(
            next.contains("networkpolicies") && next.contains("verbs [delete]"),
            "{next}"
        );
        assert!(
            listed(&rig)
                .await
                .contains(&"NetworkPolicy/drops".to_owned())
        );
        keeper.record = Default::default();
    }
    let give = verbs(r#"["get","list","create","patch","delete"]"#);
    rig.kubectl(&[
        "patch",
        "role",
        "caas-agent-bundles",
        "--type=json",
        "-p",
        &give,
    ])
    .await;
    keeper.ready(&rig.agent).await;
    assert_eq!(there(&rig, "networkpolicies").await, Vec::<String>::new());
    assert_eq!(listed(&rig).await, ["ConfigMap/stays"]);
}

/// Two bundles want one namespace: who came first has it, and nobody takes it away.
#[tokio::test]
async fn a_namespace_of_two_bundles_is_left_by_both() {
    let rig = Rig::for_bundles("common", &json!([])).await;
    let common = format!("{}-common", rig.namespace);
    let namespace = format!(
        "
apiVersion: v1
kind: Namespace
metadata: {{name: {common}, labels: {{team: data}}}}
"
    );
    let mut first = of(&rig, &[&namespace, KEEPS]);
    first.ready(&rig.agent).await;
    let before = rig.object("namespace", &common).await;
    let other = KEEPS.replace("stays", "other");
    let text = [namespace.as_str(), other.as_str()].join("---");
    let mut second = rig.bundle("second", json!({}), &[("second-fdeploy.yaml", &text)]);
    second.ready(&rig.agent).await;
    first.gone(&rig.agent).await;
    second.gone(&rig.agent).await;
    assert_eq!(rig.object("namespace", &common).await, before);
    assert_eq!(there(&rig, "configmaps").await, Vec::<String>::new());
}
