//! The bundle of two workloads in `fixtures/bundles/cloud-conf-demo`, rendered for both of its environments.

#![expect(clippy::unwrap_used, reason = "functions for tests only")]

use fractal_artifact::manifests::{
    Level, Match, Overlay, Rendered, Request, Sources, apply_order, lint, render, unused_parameters,
};
use serde_json::{Value, json};

const DASHBOARD: &str =
    include_str!("../../../fixtures/bundles/cloud-conf-demo/.fractal/dashboard-fdeploy.yaml");
const PRODUCER: &str =
    include_str!("../../../fixtures/bundles/cloud-conf-demo/.fractal/producer-fdeploy.yaml");
const PARAMETERS: &str =
    include_str!("../../../fixtures/bundles/cloud-conf-demo/.fractal/fractal-parameters.yml");

fn rendered(component: &str, manifest: &str, environment: &str, parameters: Value) -> Rendered {
    let overlay = Overlay::from_params(&serde_json::from_value(parameters).unwrap()).unwrap();
    let sources = Sources {
        manifest_name: "fdeploy.yaml",
        manifest,
        parameters: Some(("fractal-parameters.yml", PARAMETERS)),
    };
    let request = Request {
        component,
        environment,
        overlay: &overlay,
        strict: false,
    };
    render(&sources, &request).unwrap()
}

fn find<'a>(rendered: &'a Rendered, kind: &str) -> &'a Value {
    let object = rendered.objects.iter().find(|it| it.kind() == kind);
    object.unwrap().value()
}

#[test]
fn each_environment_has_its_values() {
    for (environment, image, host) in [
        (
            "dev",
            "registry.example.com/cloud-conf-demo/dashboard:v1",
            "dev.example.com",
        ),
        (
            "prod",
            "registry.example.com/cloud-conf-demo/dashboard:v1.0",
            "app.example.com",
        ),
    ] {
        let rendered = rendered("dashboard", DASHBOARD, environment, json!({}));
        let pod = &find(&rendered, "Deployment")["spec"]["template"]["spec"];
        assert_eq!(pod["containers"][0]["image"], image);
        assert_eq!(find(&rendered, "Ingress")["spec"]["rules"][0]["host"], host);
        assert_eq!(rendered.provenance, []);
        let names: Vec<_> = rendered
            .unresolved
            .iter()
            .map(|it| (it.name.as_str(), it.line))
            .collect();
        assert_eq!(names, [("PORT", 20), ("HOME", 20)]);
        assert_eq!(rendered.warnings, []);
    }
}

#[test]
fn the_sdk_sets_the_knobs_and_nothing_else() {
    let plain = rendered("dashboard", DASHBOARD, "prod", json!({}));
    let laid = rendered(
        "dashboard",
        DASHBOARD,
        "prod",
        json!({"replicas": 3, "artifactUri": "r.example/d@sha256:0", "port": 8080, "cpu": "250m"}),
    );
    let mut expected = find(&plain, "Deployment").clone();
    expected["spec"]["replicas"] = json!(3);
    let container = &mut expected["spec"]["template"]["spec"]["containers"][0];
    container["image"] = json!("r.example/d@sha256:0");
    container["ports"][0]["containerPort"] = json!(8080);
    container["resources"]["requests"]["cpu"] = json!("250m");
    container["resources"]["limits"] = json!({"cpu": "250m"});
    assert_eq!(find(&laid, "Deployment"), &expected);
    for (before, after) in plain.objects.iter().zip(&laid.objects) {
        if before.kind() != "Deployment" {
            assert_eq!(before, after);
        }
    }
    let Match::Applied(identity) = &laid.workload else {
        panic!("{:?}", laid.workload)
    };
    assert_eq!(
        identity.to_string(),
        "apps/Deployment cloud-conf-demo/dashboard"
    );
}

#[test]
fn a_stateful_set_is_laid_over_and_workloads_come_last() {
    let rendered = rendered("producer", PRODUCER, "prod", json!({"replicas": "2"}));
    let set = find(&rendered, "StatefulSet");
    assert_eq!(set["spec"]["replicas"], 2);
    assert_eq!(
        set["spec"]["template"]["metadata"]["labels"],
        set["spec"]["selector"]["matchLabels"]
    );
    let args = &set["spec"]["template"]["spec"]["containers"][0]["args"];
    assert_eq!(args[1], "kafka-0.prod.svc:9092,kafka-1.prod.svc:9092");
    assert_eq!(
        apply_order(&rendered.objects),
        [vec![], vec![0], vec![1, 2]]
    );
}

#[test]
fn lint_has_nothing_but_the_shell_variables_and_the_tags() {
    for (component, manifest) in [("dashboard", DASHBOARD), ("producer", PRODUCER)] {
        for environment in ["dev", "prod"] {
            let overlay = Overlay::default();
            let sources = Sources {
                manifest_name: "fdeploy.yaml",
                manifest,
                parameters: Some(("fractal-parameters.yml", PARAMETERS)),
            };
            let request = Request {
                component,
                environment,
                overlay: &overlay,
                strict: false,
            };
            for finding in lint(&sources, &request) {
                assert_eq!(finding.level, Level::Warning, "{finding:?}");
                let known = finding.what.contains("by tag")
                    || finding.what.starts_with("`$PORT`")
                    || finding.what.starts_with("`$HOME`");
                assert!(known, "{finding:?}");
            }
        }
    }
    let parameters = ("fractal-parameters.yml", PARAMETERS);
    assert_eq!(unused_parameters(parameters, &[DASHBOARD, PRODUCER]), []);
}
