//! The operator's policy for bundles.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "functions for tests only"
)]

#[expect(dead_code, reason = "this file needs part of it only")]
#[path = "support/bundle.rs"]
mod bundle;

use bundle::{Bundle, parameters};
use fractal_artifact::manifests::{CleartextSecrets, ManifestError, Policy};
use fractal_core::Fault;
use serde_json::json;

const BUNDLE: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: team-a}
spec: {template: {spec: {serviceAccountName: web, containers: [{name: a}]}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {serviceAccountName: just-text}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: team-b}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a}]}}}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: web, namespace: team-a}
subjects: [{kind: ServiceAccount, name: root, namespace: kube-system}, {kind: User, name: me}]
---
apiVersion: v1
kind: Secret
metadata: {name: token, namespace: team-a, annotations: {kubernetes.io/service-account.name: robot}}
type: kubernetes.io/service-account-token
---
apiVersion: sparkoperator.k8s.io/v1beta2
kind: SparkApplication
metadata: {name: job, namespace: team-a}
spec: {driver: {serviceAccount: spark}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: all}
---
apiVersion: v1
kind: Namespace
metadata: {name: team-c}
";

fn check(policy: &str) -> Result<(), Vec<String>> {
    let rendered = Bundle::of(BUNDLE).render().unwrap();
    let policy = Policy::parse(policy).unwrap();
    match policy.check(&rendered.objects, "default", &rendered.warnings) {
        Ok(()) => Ok(()),
        Err(ManifestError::Denied { offenders }) => Err(offenders),
        Err(other) => panic!("{other}"),
    }
}

fn offenders(policy: &str) -> Vec<String> {
    check(policy).unwrap_err()
}

#[test]
fn y10_without_a_policy_everything_is_allowed() {
    assert_eq!(check(""), Ok(()));
    assert_eq!(check("# nothing\n"), Ok(()));
    assert_eq!(check("kinds: ['*']\nserviceAccounts: ['*']\n"), Ok(()));
    assert_eq!(Policy::parse("").unwrap(), Policy::default());
}

#[test]
fn y10_kinds_are_narrowed_and_every_offender_is_listed() {
    assert_eq!(
        offenders("kinds: [apps/*, ConfigMap, batch/CronJob, 'sparkoperator.k8s.io/*', Namespace]"),
        [
            "rbac.authorization.k8s.io/RoleBinding team-a/web (kind)",
            "Secret team-a/token (kind)",
            "rbac.authorization.k8s.io/ClusterRole all (kind)",
        ]
    );
    assert_eq!(offenders("kinds: []").len(), 8);
    assert_eq!(check("kinds: ['*/*']"), Ok(()));
}

#[test]
fn y10_namespaces_are_narrowed_and_cluster_wide_kinds_have_to_be_named() {
    assert_eq!(
        offenders("namespaces: [team-a]"),
        [
            "ConfigMap web (namespace)",
            "batch/CronJob team-b/nightly (namespace)",
            "rbac.authorization.k8s.io/ClusterRole all (namespace)",
            "Namespace team-c (namespace)",
        ]
    );
    let wide = "rbac.authorization.k8s.io/ClusterRole all (namespace)";
    assert_eq!(offenders("namespaces: ['*']"), [wide]);
    assert_eq!(
        offenders("namespaces: [team-*, default]\nkinds: ['*']"),
        [wide]
    );
    let named =
        "namespaces: [team-*, default]\nkinds: ['*', rbac.authorization.k8s.io/ClusterRole]";
    assert_eq!(check(named), Ok(()));
}

#[test]
fn y10_service_accounts_are_narrowed_wherever_they_are_named() {
    assert_eq!(
        offenders("serviceAccounts: []"),
        [
            "apps/Deployment team-a/web (service account team-a/web)",
            "batch/CronJob team-b/nightly (service account team-b/default)",
            "rbac.authorization.k8s.io/RoleBinding team-a/web (service account kube-system/root)",
            "Secret team-a/token (service account team-a/robot)",
            "sparkoperator.k8s.io/SparkApplication team-a/job (service account team-a/spark)",
        ]
    );
    assert_eq!(
        offenders("serviceAccounts: [web, team-b/default, 'team-*/robot', spark]"),
        ["rbac.authorization.k8s.io/RoleBinding team-a/web (service account kube-system/root)"]
    );
}

#[test]
fn y10_a_denied_bundle_is_refused_whole_with_the_offenders() {
    let rendered = Bundle::of(BUNDLE).render().unwrap();
    let policy = Policy::parse("kinds: [Namespace]").unwrap();
    let error = policy.check(&rendered.objects, "default", &[]).unwrap_err();
    let fault = Fault::from(error);
    assert_eq!(fault.reason.as_str(), "PolicyDenied");
    assert!(
        fault.to_string().contains("`Secret team-a/token (kind)`"),
        "{fault}"
    );
}

#[test]
fn y15_secrets_in_clear_text_are_refused_by_policy() {
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n";
    let parameters = parameters(&[("API_TOKEN", "canary")]);
    let rendered = Bundle::with(manifest, &parameters).render().unwrap();
    let check = |policy: &str| {
        let policy = Policy::parse(policy).unwrap();
        policy.check(&rendered.objects, "default", &rendered.warnings)
    };
    assert_eq!(check("cleartextSecrets: warn"), Ok(()));
    let error = check("cleartextSecrets: refuse").unwrap_err().to_string();
    assert!(
        error.contains("parameter `API_TOKEN` of the environment `dev`"),
        "{error}"
    );
    assert!(!error.contains("canary"), "{error}");
}

#[test]
fn a_policy_that_would_narrow_nothing_by_mistake_is_refused() {
    for (policy, said) in [
        ("kind: [Secret]", "it has an unknown key `kind`"),
        ("- kinds", "it must be one mapping"),
        ("kinds: Secret", "`kinds` must be a list"),
        ("kinds: [[Secret]]", "`kinds` must be a list of texts"),
        (
            "kinds: ['']",
            "a pattern must have 1 to 512 visible characters without spaces",
        ),
        (
            "kinds: ['a b']",
            "a pattern must have 1 to 512 visible characters without spaces",
        ),
        ("namespaces:", "`namespaces` must be a list"),
        (
            "cleartextSecrets: no",
            "`cleartextSecrets` must be `warn` or `refuse`",
        ),
        (
            "kinds: []\nkinds: []",
            "line 2, column 1: the key `kinds` is there twice",
        ),
        ("kinds: []\n---\nkinds: []", "it must be one mapping"),
    ] {
        let error = Policy::parse(policy).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the policy for bundles cannot be used: {said}")
        );
        assert_eq!(Fault::from(error).reason.as_str(), "PolicyInvalid");
    }
    let many = format!("kinds: [{}]", vec!["a"; 257].join(", "));
    assert!(Policy::parse(&many).is_err());
}

#[test]
fn a_policy_is_part_of_a_fingerprint() {
    let policy = Policy::parse("kinds: [a/*]\ncleartextSecrets: refuse").unwrap();
    let wanted = json!({"kinds": ["a/*"], "cleartextSecrets": "refuse"});
    assert_eq!(serde_json::to_value(policy).unwrap(), wanted);
    let default = serde_json::to_value(Policy::default()).unwrap();
    assert_eq!(default, json!({"cleartextSecrets": "warn"}));
    assert_eq!(
        serde_json::to_value(CleartextSecrets::Warn).unwrap(),
        "warn"
    );
}
