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
    check_of(BUNDLE, policy)
}

fn check_of(bundle: &str, policy: &str) -> Result<(), Vec<String>> {
    let rendered = Bundle::of(bundle).render().unwrap();
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
            "rbac.authorization.k8s.io/RoleBinding team-a/web (namespace of the service account kube-system/root)",
            "rbac.authorization.k8s.io/ClusterRole all (namespace)",
            "Namespace team-c (namespace)",
        ]
    );
    let wide = "rbac.authorization.k8s.io/ClusterRole all (namespace)";
    assert_eq!(offenders("namespaces: ['*']"), [wide]);
    let here = "namespaces: [team-*, default, kube-system]";
    assert_eq!(offenders(&format!("{here}\nkinds: ['*']")), [wide]);
    let named = &format!("{here}\nkinds: ['*', rbac.authorization.k8s.io/ClusterRole]");
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

/// What Kubernetes serves, by its own word: group, version and kind, and whether it has namespaces.
fn served() -> impl Iterator<Item = (&'static str, &'static str, bool)> {
    let lines = include_str!("manifests/api-resources.txt").lines();
    lines.map(|line| {
        let mut columns = line.split_whitespace().rev();
        let mut column = || columns.next().unwrap();
        let (kind, namespaced, version) = (column(), column(), column());
        (version, kind, namespaced.parse().unwrap())
    })
}

#[test]
fn y10_every_kind_that_kubernetes_serves_without_a_namespace_is_known() {
    let mut cluster_wide = 0;
    for (version, kind, namespaced) in served().filter(|(_, kind, _)| *kind != "Namespace") {
        let object = format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\n");
        let every = check_of(&object, "namespaces: ['*']\nkinds: ['*', '*/*']");
        assert_eq!(every.is_ok(), namespaced, "{version} {kind}");
        let group = version.rsplit_once('/').map_or("", |(group, _)| group);
        let kinds = format!("{group}/{kind}");
        let named = format!("namespaces: [default]\nkinds: ['{kinds}']");
        assert_eq!(check_of(&object, &named), Ok(()), "{version} {kind}");
        cluster_wide += usize::from(!namespaced);
    }
    assert_eq!((served().count(), cluster_wide), (76, 38));
    for (version, kind) in [
        ("networking.k8s.io/v1alpha1", "ClusterCIDR"),
        ("policy/v1beta1", "PodSecurityPolicy"),
        ("resource.k8s.io/v1alpha2", "ResourceClass"),
    ] {
        let object = format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\n");
        let every = check_of(&object, "namespaces: ['*']\nkinds: ['*']");
        let group = version.split_once('/').unwrap().0;
        assert_eq!(every, Err(vec![format!("{group}/{kind} a (namespace)")]));
    }
}

fn binding(subject: &str) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: b, namespace: team-a}}
subjects: [{subject}]
"
    )
}

fn refused_binding(subject: &str, policy: &str) -> String {
    let offenders = check_of(&binding(subject), policy).unwrap_err();
    let [offender] = &offenders[..] else {
        panic!("{offenders:?}")
    };
    let offender = offender.strip_prefix("rbac.authorization.k8s.io/RoleBinding team-a/b ");
    offender.unwrap().to_owned()
}

#[test]
fn y10_a_user_that_is_a_service_account_is_narrowed_like_it() {
    for subject in [
        "{kind: ServiceAccount, name: root, namespace: kube-system}",
        "{kind: User, name: 'system:serviceaccount:kube-system:root', apiGroup: rbac.authorization.k8s.io}",
    ] {
        for accounts in ["[]", "['team-*/*']", "[web]", "['kube-system/r*t-']"] {
            let policy = format!("serviceAccounts: {accounts}");
            assert_eq!(
                refused_binding(subject, &policy),
                "(service account kube-system/root)"
            );
        }
        for policy in [
            "namespaces: [team-a]",
            "namespaces: [team-a]\nserviceAccounts: [root]",
            "namespaces: [team-a]\nserviceAccounts: ['*', 'kube-system/*']",
        ] {
            assert_eq!(
                refused_binding(subject, policy),
                "(namespace of the service account kube-system/root)"
            );
        }
        for policy in [
            "",
            "serviceAccounts: [root]",
            "serviceAccounts: ['kube-*/*']",
            "namespaces: [team-a, kube-system]",
            "namespaces: [team-a]\nserviceAccounts: [kube-system/root]",
        ] {
            assert_eq!(check_of(&binding(subject), policy), Ok(()), "{policy}");
        }
    }
    for name in ["me", "system:serviceaccount:web", "system:kube-scheduler"] {
        let subject = format!("{{kind: User, name: '{name}'}}");
        let none = "namespaces: [team-a]\nserviceAccounts: []";
        assert_eq!(check_of(&binding(&subject), none), Ok(()), "{name}");
    }
}

#[test]
fn y10_a_group_that_accounts_are_in_needs_every_account_allowed() {
    for group in [
        "system:serviceaccounts",
        "system:authenticated",
        "system:unauthenticated",
        "system:masters",
    ] {
        let subject = format!("{{kind: Group, name: '{group}'}}");
        for accounts in ["[]", "['team-a/*']", "['*/web']", "['a*', '*a']"] {
            assert_eq!(
                refused_binding(&subject, &format!("serviceAccounts: {accounts}")),
                format!("(service account */* by the group {group})")
            );
        }
        assert_eq!(
            refused_binding(&subject, "namespaces: [team-a]"),
            format!("(namespace of the service account */* by the group {group})")
        );
        for policy in ["", "serviceAccounts: ['*']", "serviceAccounts: ['*/*']"] {
            assert_eq!(check_of(&binding(&subject), policy), Ok(()), "{policy}");
        }
    }
    let subject = "{kind: Group, name: developers}";
    assert_eq!(
        check_of(
            &binding(subject),
            "serviceAccounts: []\nnamespaces: [team-a]"
        ),
        Ok(())
    );
}

#[test]
fn y10_the_group_of_a_namespaces_accounts_needs_all_of_that_namespace_allowed() {
    let subject = "{kind: Group, name: 'system:serviceaccounts:kube-system'}";
    for accounts in [
        "[]",
        "['team-a/*']",
        "['kube-system/root', 'kube-system/a*']",
    ] {
        assert_eq!(
            refused_binding(subject, &format!("serviceAccounts: {accounts}")),
            "(service account kube-system/* by the group system:serviceaccounts:kube-system)"
        );
    }
    assert_eq!(
        refused_binding(subject, "namespaces: [team-a]\nserviceAccounts: ['*']"),
        "(namespace of the service account kube-system/* by the group system:serviceaccounts:kube-system)"
    );
    for policy in [
        "serviceAccounts: ['*']",
        "serviceAccounts: ['kube-system/*']\nnamespaces: [team-a, kube-*]",
    ] {
        assert_eq!(check_of(&binding(subject), policy), Ok(()), "{policy}");
    }
}

#[test]
fn y10_a_cluster_wide_binding_is_narrowed_too() {
    let binding = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: b, namespace: team-a}
subjects:
- {kind: User, name: 'system:serviceaccount:kube-system:root'}
- {kind: Group, name: 'system:masters'}
";
    let wide = "kinds: [rbac.authorization.k8s.io/ClusterRoleBinding]";
    assert_eq!(check_of(binding, wide), Ok(()));
    let policy = format!("{wide}\nnamespaces: [team-a]\nserviceAccounts: [kube-system/root]");
    let name = "rbac.authorization.k8s.io/ClusterRoleBinding team-a/b";
    assert_eq!(
        check_of(binding, &policy).unwrap_err(),
        [format!(
            "{name} (service account */* by the group system:masters)"
        )]
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
