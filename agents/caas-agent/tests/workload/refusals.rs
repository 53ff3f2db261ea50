//! What a workload cannot be, each with the way out.

use caas_agent::Kubernetes;
use fractal_core::reconcile::Platform as _;
use fractal_core::{Class, Fault};
use serde_json::{Value, json};

use crate::rig::{Rig, fault};

fn refused(rig: &Rig, parameters: Value) -> Fault {
    let component = rig.workload("orders", parameters);
    Kubernetes::needs(&component.config, &component.inputs)
        .unwrap_err()
        .into()
}

#[tokio::test]
async fn a_git_repository_is_no_artifact() {
    let rig = Rig::start("git").await;
    let java = json!({
        "sshRepositoryURI": "git@git.example.com:orders.git", "repoId": "orders", "branchName": "main",
    });
    let refusal = refused(&rig, java);
    assert_eq!(refusal.reason.as_str(), "GitSourceUnsupported");
    assert_eq!(refusal.class, Class::Terminal);
    let next = refusal.next.unwrap();
    assert!(
        next.contains("publish") && next.contains("artifactUri"),
        "{next}"
    );
    for parameter in ["sshRepositoryURI", "repoId", "branchName"] {
        let refusal = refused(&rig, json!({ (parameter): "x" }));
        assert_eq!(
            refusal.place.as_deref(),
            Some(format!("parameters.{parameter}").as_str())
        );
    }
}

#[tokio::test]
async fn a_notebook_and_a_wheel_are_no_workload() {
    let rig = Rig::start("types").await;
    for artifact in ["notebook", "python_wheel"] {
        let refusal = refused(
            &rig,
            json!({ "artifactUri": "registry.test/orders:1", "artifactType": artifact }),
        );
        assert_eq!(refusal.reason.as_str(), "UnsupportedOnTarget");
        assert!(refusal.what.contains(artifact), "{refusal}");
        assert!(refusal.next.unwrap().contains("container image"));
    }
}

#[tokio::test]
async fn nothing_to_run_says_which_parameters_to_set() {
    let rig = Rig::start("nothing").await;
    let next = refused(&rig, json!({ "port": 80 })).next.unwrap();
    assert!(
        next.contains("artifactUri") && next.contains("manifestUri"),
        "{next}"
    );
}

#[tokio::test]
async fn two_names_of_one_parameter_have_to_agree() {
    let rig = Rig::start("aliases").await;
    let posted = |parameters| {
        rig.posted(
            "orders",
            "CustomWorkloads.CaaS.K8sWorkload",
            parameters,
            json!({}),
        )
    };
    let same = posted(
        json!({ "image": "r.test/a:1", "containerImage": "r.test/a:1", "containerPort": "80", "port": 80 }),
    );
    assert_eq!(
        same.unwrap().inputs.parameters.text("artifactUri"),
        Ok(Some("r.test/a:1"))
    );
    let Err(error) = posted(json!({ "image": "r.test/a:1", "containerImage": "r.test/b:1" }))
    else {
        panic!("two images were taken");
    };
    let said = error.to_string();
    assert!(
        said.contains("image") && said.contains("containerImage"),
        "{said}"
    );
}

/// Each is refused for itself, before anything is written, by the parameter's name.
#[tokio::test]
async fn parameters_of_the_wrong_form_are_named() {
    let rig = Rig::start("malformed").await;
    let mark = rig.mark();
    for (parameters, place) in [
        (json!({ "port": 0 }), "parameters.port"),
        (json!({ "replicas": -1 }), "parameters.replicas"),
        (
            json!({ "replicas": 3, "maxReplicas": 2 }),
            "parameters.maxReplicas",
        ),
        (json!({ "cpu": "lots" }), "parameters.cpu"),
        (
            json!({ "resourceLimits": { "memory": "1 GB" } }),
            "parameters.resourceLimits.memory",
        ),
        (
            json!({ "env": [{ "value": "x" }] }),
            "parameters.env[0].name",
        ),
        (
            json!({ "env": [{ "name": "A", "valueFromSecret": { "name": "s" } }] }),
            "parameters.env[0].valueFromSecret.key",
        ),
        (
            json!({ "env": [{ "name": "A" }, { "name": "A" }] }),
            "parameters.env",
        ),
        (
            json!({ "envFrom": [{ "configMap": { "name": "a" }, "secret": { "name": "b" } }] }),
            "parameters.envFrom[0]",
        ),
        (
            json!({ "secretMounts": [{ "name": "s" }] }),
            "parameters.secretMounts[0].mountPath",
        ),
        (
            json!({ "imagePullSecrets": [7] }),
            "parameters.imagePullSecrets[0]",
        ),
        (
            json!({ "healthCheck": { "path": "healthz" } }),
            "parameters.healthCheck.path",
        ),
        (
            json!({ "healthCheck": { "port": 70000 } }),
            "parameters.healthCheck.port",
        ),
        (json!({ "namespace": "Not A Name" }), "parameters.namespace"),
        (
            json!({ "serviceAccount": true, "serviceAccountName": "other" }),
            "parameters.serviceAccountName",
        ),
    ] {
        let mut orders = rig.workload("orders", parameters.clone());
        let report = orders.pass(&rig.agent).await;
        let refusal = fault(&report);
        assert_eq!(
            refusal.reason.as_str(),
            "ParameterInvalid",
            "{parameters}: {refusal}"
        );
        assert_eq!(refusal.place.as_deref(), Some(place), "{refusal}");
        assert_eq!(refusal.class, Class::Terminal);
    }
    assert!(rig.calls(mark).is_empty());
}

/// A name that is none in Kubernetes is said so by us: the API server would say it about each object.
#[tokio::test]
async fn a_component_id_that_kubernetes_does_not_take_is_refused() {
    let rig = Rig::start("names").await;
    let long = "x".repeat(64);
    for id in ["Orders", "or_ders", &long] {
        let mut orders = rig.workload(id, json!({}));
        let report = orders.pass(&rig.agent).await;
        assert_eq!(
            fault(&report).place.as_deref(),
            Some("the component's id"),
            "{id}"
        );
    }
}
