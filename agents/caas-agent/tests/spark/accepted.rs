//! A SparkApplication on a real API server, whose definition comes from the operator project's published models.
//!
//! No operator runs here: the test writes the status and makes the driver's pod in its place.

use std::time::{Duration, Instant, SystemTime};

use fractal_core::Timestamp;
use fractal_core::artifact::Digest;
use fractal_core::reconcile::End;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::job::{SPARK_JOB, etl, rollout, with};
use crate::programs::{part, said, script};
use crate::rig::{Component, Report, Rig, fault};

const KINDS: &str = "configmaps,secrets,sparkapplications";
const NAME: &str = "nightly";

async fn rig(prefix: &str) -> Rig {
    static DEFINED: OnceCell<()> = OnceCell::const_new();
    let rig = Rig::start(prefix).await;
    DEFINED.get_or_init(async || define(&rig).await).await;
    rig
}

async fn define(rig: &Rig) {
    let mut python = Command::new(part("kubeflow-spark-api/bin/python"));
    python.arg(script("crd.py"));
    let definition = said(&mut python, rig.cluster.folder()).await;
    let create = rig
        .cluster
        .kubectl(&["create", "-f", "-"], Some(&definition))
        .await;
    assert!(
        create.status.success(),
        "{}",
        String::from_utf8_lossy(&create.stderr)
    );
    let name = "sparkapplications.sparkoperator.k8s.io";
    let holds = |it: &Value, kind: &str| {
        let conditions = it["status"]["conditions"].as_array();
        conditions.is_some_and(|all| {
            all.iter()
                .any(|it| it["type"] == kind && it["status"] == "True")
        })
    };
    let definition = rig.until("crd", name, |it| holds(it, "Established")).await;
    assert!(
        !holds(&definition, "NonStructuralSchema"),
        "{}",
        definition["status"]
    );
}

/// A Spark job in the rig's namespace.
fn job(rig: &Rig, digest: &str, parameters: Value) -> Component {
    let mut job = rig.workload(NAME, with(parameters));
    job.inputs.offer = SPARK_JOB.parse().unwrap();
    job.owner.component.offer = SPARK_JOB.parse().unwrap();
    job.rollout = rollout("registry.test/lake/etl:1", Digest::sha256(digest), etl());
    job
}

/// Passes until the SparkApplication is made and waits for its operator.
async fn submitted(rig: &Rig, job: &mut Component) -> Report {
    let waits = |report: &Report| matches!(&report.end, End::Wait(why) if why.contains("SparkApplication nightly"));
    job.until(&rig.agent, waits).await
}

/// What an operator writes of a run it submitted right after the agent's last change.
async fn say(rig: &Rig, state: &str, why: &str) {
    let status = json!({ "status": {
        "applicationState": { "state": state, "errorMessage": why },
        "driverInfo": { "podName": "nightly-driver" },
        "lastSubmissionAttemptTime": applied(rig).await,
        "submissionID": "7f3c", "sparkApplicationId": "spark-1",
    } });
    let patch = status.to_string();
    rig.kubectl(&[
        "patch",
        "sparkapplication",
        NAME,
        "--subresource=status",
        "--type=merge",
        "-p",
        &patch,
    ])
    .await;
}

/// When the agent last changed the object, in whole seconds.
async fn applied(rig: &Rig) -> Timestamp {
    let live = rig.object("sparkapplication", NAME).await;
    let entries = live["metadata"]["managedFields"].as_array().unwrap();
    let ours = |it: &&Value| it["manager"] == "fractal-caas-agent" && it["operation"] == "Apply";
    serde_json::from_value(entries.iter().find(ours).unwrap()["time"].clone()).unwrap()
}

/// Waits until a change would have another time than the last one.
async fn next_second(rig: &Rig) {
    let last = applied(rig).await.plus_millis(1000);
    let now = || {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_millis()
    };
    let began = Instant::now();
    while now() < u128::from(last.unix_millis()) {
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "the last change was at {last}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_api_server_takes_it_and_a_job_that_ended_is_left_alone() {
    let rig = rig("spark-accepted").await;
    let parameters = json!({
        "entryPointArgs": ["a b", "", "$(HOME)", "日本語"],
        "env": [{ "name": "TOKEN", "valueFromSecret": { "name": "lake", "key": "token" } }],
        "envFrom": [{ "configMap": { "name": "lake" } }],
        "secretMounts": [{ "name": "keys", "mountPath": "/etc/keys" }],
        "imagePullSecrets": ["acr"], "serviceAccountName": "reader",
        "sparkConf": { "spark.sql.shuffle.partitions": 64 },
        "executorInstances": 2, "maxRetries": 1, "timeToLiveSeconds": 60,
    });
    let mut job = job(&rig, "one", parameters);
    submitted(&rig, &mut job).await;
    let live = rig.object("sparkapplication", NAME).await;
    let wanted = crate::job::rendered(&job.inputs, &job.rollout).unwrap();
    let wanted = crate::job::the(&wanted, "SparkApplication");
    // The rig's images differ from the other tests'; everything else is kept as it was sent.
    for pointer in [
        "/spec/arguments",
        "/spec/restartPolicy",
        "/spec/driver/template/spec/volumes",
        "/spec/executor/instances",
        "/spec/sparkConf",
    ] {
        assert_eq!(
            live.pointer(pointer).unwrap(),
            wanted.pointer(pointer).unwrap(),
            "{pointer}"
        );
    }
    say(&rig, "RUNNING", "").await;
    assert!(matches!(job.pass(&rig.agent).await.end, End::Wait(why) if why.contains("running")));
    say(&rig, "COMPLETED", "").await;
    assert!(matches!(job.pass(&rig.agent).await.end, End::Ready(_)));
    rig.stays(&mut job, KINDS).await;
}

/// The definition looks into the pods' templates: what it takes is right in every field.
#[tokio::test]
async fn the_definition_would_refuse_a_field_that_is_none() {
    let rig = rig("spark-strict").await;
    let usual = crate::job::application(with(json!({}))).unwrap();
    let dry = [
        "-n",
        &rig.namespace,
        "create",
        "--validate=strict",
        "--dry-run=server",
        "-f",
        "-",
    ];
    let mut wrong = vec![(usual.clone(), None)];
    for pointer in [
        "/spec/driver",
        "/spec/driver/template/spec/initContainers/0",
        "/spec/driver/template/spec/initContainers/1/securityContext",
        "/spec/driver/template/spec/containers/0/volumeMounts/0",
        "/spec/executor/template/spec/volumes/0",
    ] {
        let mut application = usual.clone();
        application.pointer_mut(pointer).unwrap()["noSuchField"] = json!("x");
        wrong.push((application, Some("noSuchField")));
    }
    let mut application = usual;
    application["spec"]["driver"]["cores"] = json!("2");
    wrong.push((application, Some("spec.driver.cores")));
    for (mut application, complaint) in wrong {
        application["metadata"]["namespace"] = json!(rig.namespace);
        let answer = rig
            .cluster
            .kubectl(&dry, Some(&application.to_string()))
            .await;
        let said = String::from_utf8(answer.stderr).unwrap();
        match complaint {
            None => assert!(answer.status.success(), "{said}"),
            Some(complaint) => assert!(
                !answer.status.success() && said.contains(complaint),
                "{complaint}: {said}"
            ),
        }
    }
}

#[tokio::test]
async fn a_new_digest_or_new_arguments_run_it_anew_and_what_its_ttl_took_does_not_run_again() {
    let rig = rig("spark-anew").await;
    let mut first = job(&rig, "one", json!({ "entryPointArgs": ["monday"] }));
    submitted(&rig, &mut first).await;
    say(&rig, "COMPLETED", "").await;
    first.ready(&rig.agent).await;
    let generation = |live: &Value| live["metadata"]["generation"].as_i64().unwrap();
    let before = generation(&rig.object("sparkapplication", NAME).await);

    next_second(&rig).await;
    first.set(with(json!({ "entryPointArgs": ["tuesday"] })));
    // What the status says is about monday.
    let report = first.pass(&rig.agent).await;
    assert!(
        matches!(&report.end, End::Wait(why) if why.contains("no operator")),
        "{:?}",
        report.end
    );
    let live = rig.object("sparkapplication", NAME).await;
    assert_eq!(
        (&live["spec"]["arguments"], generation(&live)),
        (&json!(["tuesday"]), before + 1)
    );

    first.rollout = rollout("registry.test/lake/etl:1", Digest::sha256("two"), etl());
    first.pass(&rig.agent).await;
    let live = rig.object("sparkapplication", NAME).await;
    let pull = &live["spec"]["driver"]["template"]["spec"]["initContainers"][0]["args"][3];
    let digest = Digest::sha256("two").to_string();
    assert!(
        pull.as_str().unwrap().ends_with(&digest) && generation(&live) == before + 2,
        "{pull}"
    );
    say(&rig, "COMPLETED", "").await;
    first.ready(&rig.agent).await;

    // What does not say what runs edits nothing: how long it stays, the agent's own image, an edit by hand.
    let done = rig.object("sparkapplication", NAME).await;
    first.set(with(
        json!({ "entryPointArgs": ["tuesday"], "timeToLiveSeconds": 600 }),
    ));
    first.config.spark.image = "spark:5.0.0".into();
    assert!(first.pass(&rig.agent).await.steps.is_empty());
    let unedited = rig.object("sparkapplication", NAME).await;
    assert_eq!(
        unedited["metadata"]["resourceVersion"],
        done["metadata"]["resourceVersion"]
    );
    rig.kubectl(&[
        "patch",
        "sparkapplication",
        NAME,
        "--type=merge",
        "-p",
        r#"{"spec":{"sparkVersion":"3.5.0"}}"#,
    ])
    .await;
    assert!(first.pass(&rig.agent).await.steps.is_empty());

    rig.kubectl(&["delete", "sparkapplication", NAME]).await;
    for _ in 0..3 {
        let report = first.pass(&rig.agent).await;
        assert!(
            matches!(report.end, End::Ready(_)) && report.steps.is_empty(),
            "{:?} {:?}",
            report.end,
            report.steps
        );
    }
    assert!(rig.objects("sparkapplications").await.is_empty());
}

#[tokio::test]
async fn a_driver_without_our_containers_and_a_driver_that_failed_have_their_own_reasons() {
    let rig = rig("spark-failing").await;
    let mut job = job(&rig, "one", json!({}));
    submitted(&rig, &mut job).await;
    say(&rig, "RUNNING", "").await;
    driver(&rig, &[]).await;
    let report = job
        .until(&rig.agent, |report| matches!(report.end, End::Fault(_)))
        .await;
    assert_eq!(
        fault(&report).reason.as_str(),
        "SparkWebhookMissing",
        "{report:?}"
    );
    rig.kubectl(&[
        "delete",
        "pod",
        "nightly-driver",
        "--wait=true",
        "--grace-period=0",
        "--force",
    ])
    .await;

    driver(&rig, &["fractal-pull", "fractal-install"]).await;
    ended(&rig).await;
    say(&rig, "FAILED", "driver container failed with ExitCode: 3").await;
    let report = job
        .until(&rig.agent, |report| matches!(report.end, End::Fault(_)))
        .await;
    let fault = fault(&report);
    assert_eq!(fault.reason.as_str(), "SparkDriverFailed", "{fault:?}");
    assert!(
        fault
            .why
            .as_deref()
            .unwrap_or_default()
            .contains("exit code 3"),
        "{fault:?}"
    );
}

/// A driver's pod as Spark makes it, with these init containers.
async fn driver(rig: &Rig, init: &[&str]) {
    let of = |name: &str| json!({ "name": name, "image": "registry.test/spark:1" });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "nightly-driver", "labels": {
            "sparkoperator.k8s.io/app-name": NAME, "sparkoperator.k8s.io/submission-id": "7f3c",
            "spark-role": "driver", "fractal.cloud/runs": "wheel",
        } },
        "spec": {
            "restartPolicy": "Never", "initContainers": init.iter().map(|it| of(it)).collect::<Vec<_>>(),
            "containers": [of("spark-kubernetes-driver")],
        },
    });
    rig.apply(&pod.to_string()).await;
    rig.until("pod", "nightly-driver", |it| {
        it["status"]["phase"] == "Running"
    })
    .await;
}

/// Says of the driver what a kubelet says of a container that ended.
async fn ended(rig: &Rig) {
    let status = json!({ "status": { "phase": "Failed", "containerStatuses": [{
        "name": "spark-kubernetes-driver", "ready": false, "restartCount": 0, "image": "registry.test/spark:1", "imageID": "",
        "state": { "terminated": { "exitCode": 3, "reason": "Error" } },
    }] } });
    let patch = status.to_string();
    rig.kubectl(&[
        "patch",
        "pod",
        "nightly-driver",
        "--subresource=status",
        "--type=merge",
        "-p",
        &patch,
    ])
    .await;
    tokio::time::timeout(
        Duration::from_secs(30),
        rig.until("pod", "nightly-driver", |it| {
            it["status"]["phase"] == "Failed"
        }),
    )
    .await
    .unwrap();
}
