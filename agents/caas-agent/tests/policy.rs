//! What a bundle may not be: refused whole, before the first write.

#[cfg(test)]
#[path = "support/rig.rs"]
#[expect(dead_code, unused_imports, reason = "this file needs part of it only")]
mod rig;

#[cfg(test)]
mod tests {
    use fractal_artifact::manifests::Policy;
    use fractal_core::{Class, Fault};
    use serde_json::json;

    use crate::rig::{Component, Rig, fault, text};

    const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: orders}
spec:
  selector: {matchLabels: {app: orders}}
  template:
    metadata: {labels: {app: orders}}
    spec: {serviceAccountName: payments, containers: [{name: app, image: 'registry.test/a:1', args: [$HOME, $LEVEL]}]}
";
    const MAP: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: b}
";
    const NAME: &str = "orders-fdeploy.yaml";

    fn of(rig: &Rig, manifest: &str, values: &str) -> Component {
        let parameters =
            format!("environments:\n  - name: dev\n    parameters: {{LEVEL: debug{values}}}\n");
        rig.bundle(
            "orders",
            json!({ "replicas": 2 }),
            &[(NAME, manifest), ("fractal-parameters.yml", &parameters)],
        )
    }

    fn under(mut component: Component, policy: &str) -> Component {
        component.config.policy = Some(Policy::parse(policy).unwrap());
        component
    }

    /// Refused for good, and the agent has not even asked the API server anything.
    async fn refused(rig: &Rig, component: &mut Component) -> Fault {
        let report = component.pass(&rig.agent).await;
        let refusal = fault(&report).clone();
        assert_eq!(refusal.class, Class::Terminal, "{refusal}");
        assert!(
            report.steps.is_empty() && rig.calls(0).is_empty(),
            "{:?}",
            rig.calls(0)
        );
        refusal
    }

    #[tokio::test]
    async fn y10_kinds_namespaces_and_accounts_outside_the_policy_are_refused_whole() {
        let rig = Rig::start("denied").await;
        let role = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: orders}
rules: []
";
        let elsewhere = MAP.replace(
            "{name: settings}",
            "{name: settings, namespace: kube-system}",
        );
        let both = |second: &str| format!("{DEPLOYMENT}---{second}");
        let namespaces = format!("namespaces: [{}]", rig.namespace);
        for (manifest, policy, offender) in [
            (both(role), "kinds: [apps/Deployment, ConfigMap]", "Role"),
            (both(MAP), "kinds: [apps/Deployment]", "settings"),
            (both(&elsewhere), namespaces.as_str(), "kube-system"),
            (both(MAP), "serviceAccounts: [orders-*]", "payments"),
            (both(MAP), "kinds: []", "orders"),
        ] {
            let mut orders = under(of(&rig, &manifest, ""), policy);
            let refusal = refused(&rig, &mut orders).await;
            assert_eq!(
                refusal.reason.as_str(),
                "PolicyDenied",
                "{policy}: {refusal}"
            );
            assert!(
                refusal.why.as_ref().unwrap().contains(offender),
                "{policy}: {refusal}"
            );
            assert!(
                refusal
                    .next
                    .as_ref()
                    .unwrap()
                    .contains("nothing was applied"),
                "{refusal}"
            );
        }
    }

    #[tokio::test]
    async fn y10_what_the_policy_allows_is_applied() {
        let rig = Rig::start("allowed").await;
        rig.kubectl(&["create", "serviceaccount", "payments"]).await;
        let policy = format!(
            "kinds: [apps/Deployment, ConfigMap]\nnamespaces: [{}]\nserviceAccounts: [payments]\n",
            rig.namespace
        );
        let mut orders = under(of(&rig, &format!("{DEPLOYMENT}---{MAP}"), ""), &policy);
        orders.ready(&rig.agent).await;
        // A policy that is narrowed later stops changes and takes nothing away.
        let before = rig.settled("deployments,configmaps").await;
        orders = under(orders, "kinds: []");
        let report = orders.pass(&rig.agent).await;
        assert_eq!(fault(&report).reason.as_str(), "PolicyDenied");
        assert_eq!(rig.versions("deployments,configmaps").await, before);
    }

    #[tokio::test]
    async fn y05_a_name_without_a_value_stays_and_is_listed() {
        let rig = Rig::start("unresolved").await;
        rig.kubectl(&["create", "serviceaccount", "payments"]).await;
        let mut orders = of(&rig, DEPLOYMENT, "");
        let report = orders.ready(&rig.agent).await;
        let live = rig.object("deployment", "orders").await;
        assert_eq!(
            live["spec"]["template"]["spec"]["containers"][0]["args"],
            json!(["$HOME", "debug"])
        );
        let [notice] = &report.notices[..] else {
            panic!("{:?}", report.notices)
        };
        assert_eq!(notice.reason.as_str(), "UnresolvedNames");
        assert!(
            notice.message.contains("$HOME") && !notice.message.contains("$LEVEL"),
            "{}",
            notice.message
        );

        let rig = Rig::start("resolved").await;
        let mut orders = of(&rig, DEPLOYMENT, "");
        orders.config.strict_substitution = true;
        let refusal = refused(&rig, &mut orders).await;
        assert_eq!(refusal.reason.as_str(), "ParameterUnresolved");
        assert!(refusal.why.unwrap().contains("HOME"));
    }

    #[tokio::test]
    async fn y07_a_value_that_changes_the_structure_is_refused() {
        let rig = Rig::start("injected").await;
        for value in [
            "\"debug]}]}}}\\n---\\napiVersion: v1\\nkind: Secret\\nmetadata: {name: extra}\\n#\"",
            "\"a, b\"",
            "\"{a: b}\"",
            "\"*alias\"",
        ] {
            let parameters =
                format!("environments:\n  - name: dev\n    parameters: {{LEVEL: {value}}}\n");
            let files = [
                (NAME, DEPLOYMENT),
                ("fractal-parameters.yml", parameters.as_str()),
            ];
            let mut orders = rig.bundle("orders", json!({}), &files);
            let refusal = refused(&rig, &mut orders).await;
            assert_eq!(
                refusal.reason.as_str(),
                "ParameterInjection",
                "{value}: {refusal}"
            );
            assert!(
                refusal.to_string().contains("LEVEL") && !refusal.to_string().contains("extra"),
                "{refusal}"
            );
        }
    }

    #[tokio::test]
    async fn y09_the_environments_entry_is_there_once() {
        let rig = Rig::start("entries").await;
        for (parameters, says) in [
            (
                "environments:\n  - {name: prod, parameters: {LEVEL: info}}\n",
                "dev",
            ),
            (
                "environments:\n  - {name: DEV, parameters: {LEVEL: info}}\n",
                "DEV",
            ),
            (
                "environments:\n  - {name: dev, parameters: {LEVEL: a}}\n  - {name: dev, parameters: {LEVEL: b}}\n",
                "dev",
            ),
        ] {
            let mut orders = rig.bundle(
                "orders",
                json!({}),
                &[(NAME, DEPLOYMENT), ("fractal-parameters.yml", parameters)],
            );
            let refusal = refused(&rig, &mut orders).await;
            assert_eq!(
                refusal.reason.as_str(),
                "EnvironmentParameters",
                "{refusal}"
            );
            assert!(refusal.to_string().contains(says), "{refusal}");
        }
    }

    #[tokio::test]
    async fn y11_without_a_workload_of_its_name_all_is_applied_and_said() {
        let rig = Rig::start("unmatched").await;
        let mut orders = of(&rig, MAP, "");
        let report = orders.ready(&rig.agent).await;
        assert_eq!(
            text(&rig.object("configmap", "settings").await, "/data/a"),
            "b"
        );
        let [notice] = &report.notices[..] else {
            panic!("{:?}", report.notices)
        };
        assert_eq!(notice.reason.as_str(), "OverlayUnmatched");

        let rig = Rig::start("twofold").await;
        let two = format!(
            "{DEPLOYMENT}---{}",
            DEPLOYMENT.replace("kind: Deployment", "kind: DaemonSet")
        );
        let refusal = refused(&rig, &mut of(&rig, &two, "")).await;
        assert_eq!(refusal.reason.as_str(), "OverlayTarget");
        let why = refusal.why.unwrap();
        assert!(
            why.contains("Deployment") && why.contains("DaemonSet"),
            "{why}"
        );
    }

    #[tokio::test]
    async fn y12_what_cannot_be_applied_by_name_is_refused() {
        let rig = Rig::start("nameless").await;
        for manifest in [
            "apiVersion: v1\nkind: List\nitems: []\n".to_owned(),
            MAP.replace("{name: settings}", "{generateName: settings-}"),
            MAP.replace("{name: settings}", "{labels: {a: b}}"),
            format!("{MAP}---{MAP}"),
        ] {
            let refusal = refused(&rig, &mut of(&rig, &manifest, "")).await;
            assert_eq!(
                refusal.reason.as_str(),
                "BundleObject",
                "{manifest}: {refusal}"
            );
        }
    }

    #[tokio::test]
    async fn y13_an_object_that_the_api_server_cannot_store_is_refused() {
        let rig = Rig::start("large").await;
        let large = MAP.replace("a: b", &format!("a: {}", "x".repeat(1024 * 1024 + 1)));
        let refusal = refused(&rig, &mut of(&rig, &large, "")).await;
        assert_eq!(refusal.reason.as_str(), "ObjectTooLarge");
        let annotated = format!(
            "{{name: settings, annotations: {{a: {}}}}}",
            "x".repeat(256 * 1024 + 1)
        );
        let refusal = refused(
            &rig,
            &mut of(&rig, &MAP.replace("{name: settings}", &annotated), ""),
        )
        .await;
        assert_eq!(refusal.reason.as_str(), "ObjectTooLarge");
    }

    #[tokio::test]
    async fn y15_a_secret_in_clear_text_is_a_warning_or_refused_and_never_shown() {
        let rig = Rig::start("cleartext").await;
        let secret = ", DB_PASSWORD: hunter2-hunter2";
        let mut orders = under(of(&rig, MAP, secret), "cleartextSecrets: refuse");
        let refusal = refused(&rig, &mut orders).await;
        assert_eq!(refusal.reason.as_str(), "PolicyDenied");
        assert!(
            refusal.to_string().contains("DB_PASSWORD") && !refusal.to_string().contains("hunter2"),
            "{refusal}"
        );

        let mut orders = of(&rig, MAP, secret);
        let report = orders.ready(&rig.agent).await;
        let notice = report
            .notices
            .iter()
            .find(|it| it.reason.as_str() == "CleartextSecret")
            .unwrap();
        assert!(notice.message.contains("DB_PASSWORD"), "{}", notice.message);
        assert!(!format!("{report:?}").contains("hunter2"));
    }
}
