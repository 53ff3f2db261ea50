//! What is rendered: the whole objects as golden files, then what each parameter does to them.

use fractal_core::artifact::Digest;
use serde_json::{Value, json};

use crate::job::{application, etl, inputs, objects, rendered, rollout, the, with};
use crate::kubelet::expand;

fn list(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap())
        .collect()
}

/// The objects, the launcher's text aside: it is a file of its own.
fn shown(objects: &[Value]) -> Value {
    let mut shown = json!(objects);
    for object in shown.as_array_mut().unwrap() {
        if let Some(text) = object.pointer_mut("/data/launch.py") {
            *text = json!("(launch.py)");
        }
    }
    shown
}

#[test]
fn a_job_with_nothing_but_its_wheel() {
    let objects = objects(with(json!({}))).unwrap();
    insta::assert_json_snapshot!("least", shown(&objects));
}

#[test]
fn a_job_with_every_parameter() {
    let parameters = json!({
        "entryPoint": "etl-daily",
        "entryPointArgs": ["--date", "2026-01-31", "a b", "", 7, true],
        "driverCores": "2", "driverMemory": "4Gi",
        "executorCores": 4, "executorMemory": "8g", "executorInstances": 3,
        "env": { "BUCKET": "s3a://lake", "PYTHONPATH": "/opt/extra", "TOKEN": { "$envSecret": "lake-token" } },
        "envFrom": [{ "configMap": { "name": "lake" } }],
        "secretMounts": [{ "name": "keys", "mountPath": "/etc/keys" }],
        "imagePullSecrets": ["acr", { "name": "mirror" }],
        "serviceAccountName": "lake-reader",
        "sparkConf": { "spark.sql.shuffle.partitions": 64, "spark.eventLog.enabled": "true" },
        "maxRetries": 2, "timeToLiveSeconds": 3600,
    });
    let objects = objects(with(parameters)).unwrap();
    insta::assert_json_snapshot!("most", shown(&objects));
    let text = serde_json::to_string(&objects).unwrap();
    assert!(!text.contains("hunter2"), "a secret in the open");
}

/// What Kubernetes makes of the arguments is what the component says, one by one.
#[test]
fn arguments_arrive_as_they_are() {
    let given = [
        "",
        " ",
        "a b",
        "'\"`",
        "$",
        "$$",
        "$$$",
        "$(HOME)",
        "$$(LC_ALL)",
        "$(PYTHONPATH)$(NOBODY)",
        "${HOME}",
        "\\",
        "\n\t",
        "--",
        "日本語 é",
    ];
    let application = application(with(json!({ "entryPointArgs": given }))).unwrap();
    let known = [
        ("HOME", "/root"),
        ("LC_ALL", "C.UTF-8"),
        ("PYTHONPATH", "/opt"),
    ];
    let known = known
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let arguments = list(&application["spec"]["arguments"]);
    let arrived: Vec<_> = arguments.iter().map(|it| expand(it, &known)).collect();
    assert_eq!(arrived, given);
}

#[test]
fn numbers_and_booleans_are_their_text_and_an_older_name_is_read_where_the_newer_is_absent() {
    let arguments = |parameters: Value| {
        let application = application(with(parameters)).unwrap();
        application["spec"]["arguments"].clone()
    };
    let mixed = json!({ "entryPointArgs": [1, 2.5, -3, false, "x"] });
    assert_eq!(arguments(mixed), json!(["1", "2.5", "-3", "false", "x"]));
    assert_eq!(
        arguments(json!({ "parameters": ["--full"] })),
        json!(["--full"])
    );
    assert_eq!(
        arguments(json!({ "parameters": ["--full"], "entryPointArgs": [] })),
        json!(["--full"])
    );
    assert_eq!(
        arguments(json!({ "parameters": ["--full"], "entryPointArgs": ["--day"] })),
        json!(["--day"])
    );
    assert_eq!(arguments(json!({})), json!([]));
}

#[test]
fn the_wheel_is_pulled_by_digest_by_driver_and_executors_alike() {
    let digest = Digest::sha256("etl");
    let application = application(with(json!({}))).unwrap();
    let reference = format!("registry.test/lake/etl@{digest}");
    for role in ["driver", "executor"] {
        let pod = &application["spec"][role]["template"]["spec"];
        assert_eq!(
            pod["initContainers"][0]["args"],
            json!(["pull", "--output", "/opt/fractal/wheel", reference]),
            "{role}"
        );
    }
    assert!(
        !application.to_string().contains("etl:1"),
        "a tag was handed on"
    );
}

#[test]
fn only_what_decides_the_run_is_in_the_object_that_starts_it() {
    let of = |reference: &str, digest: &str| {
        let rollout = rollout(reference, Digest::sha256(digest), etl());
        let objects = rendered(&inputs("nightly", with(json!({}))), &rollout).unwrap();
        the(&objects, "SparkApplication").clone()
    };
    let one = of("registry.test/lake/etl:1", "etl");
    assert_eq!(
        one,
        of("registry.test/lake/etl:moved", "etl"),
        "a tag that moved without its digest is no new run"
    );
    assert_ne!(one, of("registry.test/lake/etl:1", "etl 2"));
    let again = application(with(json!({ "entryPointArgs": ["x"] }))).unwrap();
    assert_ne!(one, again);
    let text = one.to_string();
    assert!(
        !text.contains("importlib"),
        "the launcher's text is none of the run's"
    );
}

#[test]
fn a_folder_in_the_layers_title_is_where_oras_puts_the_wheel() {
    let mut wheel = etl();
    let title = format!("dist/$(HOME) x/{}", crate::job::FILE);
    wheel
        .layer
        .annotations
        .insert("org.opencontainers.image.title".into(), title.clone());
    let rollout = rollout("registry.test/lake/etl:1", Digest::sha256("etl"), wheel);
    let objects = rendered(&inputs("nightly", with(json!({}))), &rollout).unwrap();
    let application = the(&objects, "SparkApplication");
    let args =
        list(&application["spec"]["driver"]["template"]["spec"]["initContainers"][1]["args"]);
    let known = [("HOME".to_owned(), "/root".to_owned())].into();
    assert_eq!(
        expand(args.last().unwrap(), &known),
        format!("/opt/fractal/wheel/{title}")
    );
}

#[test]
fn dependencies_come_from_an_index_only_where_the_component_names_one() {
    let install = |parameters: Value| {
        let application = application(with(parameters)).unwrap();
        let args =
            application["spec"]["driver"]["template"]["spec"]["initContainers"][1]["args"].clone();
        list(&args).join(" ")
    };
    let alone = install(json!({}));
    assert!(
        alone.contains(" --no-index --no-deps ") && !alone.contains("--index-url"),
        "{alone}"
    );
    let indexed = install(json!({ "pipIndexUrl": "https://pypi.test/simple" }));
    assert!(
        indexed.contains(" --index-url https://pypi.test/simple ")
            && !indexed.contains("--no-deps"),
        "{indexed}"
    );
}

#[test]
fn entry_points_are_functions_or_names_the_wheel_declares() {
    let of = |entry_point: &str| {
        let application = application(with(json!({ "entryPoint": entry_point }))).unwrap();
        let env = application["spec"]["driver"]["template"]["spec"]["containers"][0]["env"].clone();
        let is = |it: &&Value| it["name"] == "FRACTAL_ENTRY_POINT";
        env.as_array().unwrap().iter().find(is).unwrap()["value"].clone()
    };
    assert_eq!(of("etl.main:run"), "etl.main:run");
    assert_eq!(of(" etl:Job.run "), "etl:Job.run");
    assert_eq!(of("etl-daily"), "etl.jobs.daily:run");
}

#[test]
fn executors_get_an_account_only_where_the_component_names_one() {
    let of = |parameters: Value| {
        let spec = application(with(parameters)).unwrap()["spec"].clone();
        ["driver", "executor"].map(|role| spec[role]["serviceAccount"].clone())
    };
    assert_eq!(of(json!({})), [json!("spark"), Value::Null]);
    assert_eq!(
        of(json!({ "serviceAccountName": "own" })),
        [json!("own"), json!("own")]
    );
}
