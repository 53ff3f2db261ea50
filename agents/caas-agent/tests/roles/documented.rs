//! What the documented roles say, beside what the agent asks and says.

use fractal_core::reconcile::{End, Platform as _};
use fractal_testkit::cluster::Cluster;
use serde_json::json;

use crate::rig::{BUNDLE_ROLE, ROLE, Rig};
use crate::rules::{Rule, read, rules, without};

/// What a bundle holds and the role does not allow is named before anything of the bundle is written.
#[tokio::test]
async fn a_bundles_kind_that_the_role_leaves_out_is_named_before_the_first_write() {
    let rig = Rig::start("unruled").await;
    let (role, _) = BUNDLE_ROLE.split_once("---\n").unwrap();
    let role = read(rig.cluster, role).await;
    let kinds = [
        ("statefulsets", "apps/v1", "StatefulSet"),
        ("cronjobs", "batch/v1", "CronJob"),
        ("networkpolicies", "networking.k8s.io/v1", "NetworkPolicy"),
        ("persistentvolumeclaims", "v1", "PersistentVolumeClaim"),
        ("poddisruptionbudgets", "policy/v1", "PodDisruptionBudget"),
    ];
    for (resource, api_version, kind) in kinds {
        assert!(
            rules(&role).iter().any(|it| it.resource == resource),
            "{resource} is not in the role for bundles"
        );
        let text = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: first}}\n---\napiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: second}}\nspec: {{}}\n"
        );
        let mut orders = rig.bundle("orders", json!({}), &[("orders-fdeploy.yaml", &text)]);
        let report = orders.pass(&rig.agent).await;
        let End::Fault(fault) = report.end else {
            panic!("{kind}: {:?}", report.end)
        };
        assert_eq!(fault.reason.as_str(), "PermissionDenied", "{fault}");
        let next = fault.next.unwrap();
        assert!(
            next.contains(&format!("resources [{resource}], verbs [get]")),
            "{next}"
        );
    }
    assert!(rig.calls(0).iter().all(|it| !it.is_write()));
}

/// `check` asks for exactly the documented rules, and names what is missing.
#[tokio::test]
async fn the_preflight_check_names_what_the_role_lacks() {
    let whole = read(Cluster::shared().await, ROLE).await;
    let rig = Rig::start("preflight").await;
    let findings = rig.agent.preflight().await;
    let problems: Vec<_> = findings
        .iter()
        .filter_map(|it| it.problem.as_ref())
        .collect();
    assert!(problems.is_empty(), "{problems:?}");
    let mut asked: Vec<_> = findings
        .iter()
        .filter_map(|it| it.subject.strip_prefix("may "))
        .map(str::to_owned)
        .collect();
    let mut documented: Vec<_> = rules(&whole)
        .into_iter()
        .filter(|it| it.resource != "sparkapplications")
        .map(|it| match it.group.as_str() {
            "" => format!("{} {}", it.verb, it.resource),
            group => format!("{} {}.{group}", it.verb, it.resource),
        })
        .collect();
    asked.sort();
    asked.retain(|it| !it.contains("sparkapplications"));
    documented.sort();
    assert_eq!(asked, documented);

    let missing = Rule {
        group: "apps".into(),
        resource: "deployments".into(),
        verb: "patch".into(),
    };
    let rig = Rig::with_rules("lacking", &without(&whole, &missing).to_string()).await;
    let findings = rig.agent.preflight().await;
    let problems: Vec<_> = findings
        .iter()
        .filter_map(|it| it.problem.as_ref())
        .collect();
    let [problem] = &problems[..] else {
        panic!("{problems:?}")
    };
    assert!(
        problem.contains("patch deployments.apps") && problem.contains(&rig.namespace),
        "{problem}"
    );
}
