//! What is refused before anything is written, each with its reason and the place that names it.

use fractal_core::Class;
use fractal_core::artifact::Digest;
use serde_json::{Value, json};

use crate::job::{inputs, objects, rendered, rollout, wheel, with};

/// Reason and place of the refusal, which has to be final.
fn refused(parameters: Value) -> (String, String, String) {
    let shown = parameters.to_string();
    let fault = objects(with(parameters)).expect_err(&shown);
    assert_eq!(fault.class, Class::Terminal, "{shown}");
    assert!(fault.next.is_some(), "{shown}: no way out");
    let why = fault.why.clone().unwrap_or_default();
    (
        fault.reason.to_string(),
        fault.place.clone().unwrap_or_default(),
        why,
    )
}

#[test]
fn parameters_that_cannot_be_used_are_named() {
    for (parameters, place) in [
        (json!({ "entryPoint": null }), "entryPoint"),
        (json!({ "entryPoint": "  " }), "entryPoint"),
        (json!({ "entryPoint": "etl.main:run()" }), "entryPoint"),
        (json!({ "entryPoint": "etl.main:run:again" }), "entryPoint"),
        (json!({ "entryPoint": "etl main:run" }), "entryPoint"),
        (json!({ "entryPoint": ":run" }), "entryPoint"),
        (json!({ "entryPointArgs": "a b" }), "entryPointArgs"),
        (
            json!({ "entryPointArgs": ["x", null] }),
            "entryPointArgs[1]",
        ),
        (
            json!({ "entryPointArgs": [{ "$envSecret": "lake-token" }] }),
            "entryPointArgs[0]",
        ),
        (json!({ "entryPointArgs": [["x"]] }), "entryPointArgs[0]"),
        (json!({ "entryPointArgs": ["a\rb"] }), "entryPointArgs[0]"),
        (
            json!({ "entryPointArgs": ["a\u{0}b"] }),
            "entryPointArgs[0]",
        ),
        (
            json!({ "entryPointArgs": ["x".repeat(128 * 1024)] }),
            "entryPointArgs[0]",
        ),
        (
            json!({ "entryPointArgs": ["$".repeat(64 * 1024)] }),
            "entryPointArgs[0]",
        ),
        (json!({ "driverMemory": "1.5g" }), "driverMemory"),
        (json!({ "executorMemory": "100m" }), "executorMemory"),
        (json!({ "driverCores": 0 }), "driverCores"),
        (json!({ "driverCores": "500m" }), "driverCores"),
        (json!({ "executorInstances": 0 }), "executorInstances"),
        (json!({ "maxRetries": -1 }), "maxRetries"),
        (json!({ "timeToLiveSeconds": "soon" }), "timeToLiveSeconds"),
        (
            json!({ "sparkConf": { "spark.master": "local" } }),
            "sparkConf.spark.master",
        ),
        (
            json!({ "sparkConf": { "spark.kubernetes.driver.podTemplateFile": "/x" } }),
            "sparkConf.spark.kubernetes.driver.podTemplateFile",
        ),
        (
            json!({ "sparkConf": { "fs.s3a.key": "x" } }),
            "sparkConf.fs.s3a.key",
        ),
        (
            json!({ "env": { "FRACTAL_ENTRY_POINT": "x" } }),
            "env.FRACTAL_ENTRY_POINT",
        ),
        (
            json!({ "env": { "PYTHONPATH": { "$envSecret": "lake-token" } } }),
            "env.PYTHONPATH",
        ),
        (json!({ "imagePullSecrets": [7] }), "imagePullSecrets[0]"),
        (
            json!({ "pipIndexUrl": "http://pypi.test/simple" }),
            "pipIndexUrl",
        ),
        (
            json!({ "pipIndexUrl": "https://user:pass@pypi.test/simple" }),
            "pipIndexUrl",
        ),
        (
            json!({ "pipIndexUrl": "https://pypi.test/simple --extra-index-url https://x" }),
            "pipIndexUrl",
        ),
    ] {
        let shown = parameters.to_string();
        let (reason, at, _) = refused(parameters);
        let shown = shown.get(..200).unwrap_or(&shown);
        assert_eq!(
            (&*reason, &*at),
            ("ParameterInvalid", &*format!("parameters.{place}")),
            "{shown}"
        );
    }
}

#[test]
fn the_longest_argument_that_fits_is_taken() {
    let most = "x".repeat(128 * 1024 - 1);
    assert!(objects(with(json!({ "entryPointArgs": [most] }))).is_ok());
}

#[test]
fn entry_points_that_the_wheel_lacks_are_answered_with_those_it_has() {
    for (entry_point, why) in [
        (
            "etl.mian:run",
            "etl-1.0.0-py3-none-any.whl has `etl.main`, `etl`, `etl.jobs.daily`",
        ),
        ("etl-dayly", "etl-1.0.0-py3-none-any.whl has `etl-daily`"),
    ] {
        let (reason, place, said) = refused(json!({ "entryPoint": entry_point }));
        assert_eq!(
            (&*reason, &*place, &*said),
            ("EntryPointMissing", "parameters.entryPoint", why)
        );
    }
    let wheel = wheel(
        &["a.py", "b.py"],
        &[
            ("jobs", "run", "a:one"),
            ("tasks", "run", "b:two"),
            ("jobs", "module", "a"),
        ],
    );
    let of = |entry_point: &str| {
        let rollout = rollout(
            "registry.test/lake/etl:1",
            Digest::sha256("etl"),
            wheel.clone(),
        );
        rendered(
            &inputs("nightly", json!({ "entryPoint": entry_point })),
            &rollout,
        )
    };
    let fault = of("run").unwrap_err();
    assert_eq!(
        (fault.reason.as_str(), fault.why.as_deref()),
        ("EntryPointMissing", Some("a:one, b:two"))
    );
    let fault = of("module").unwrap_err();
    assert_eq!(fault.why.as_deref(), Some("it is declared as `a`"));
    assert!(of("a:one").is_ok());
}

#[test]
fn a_schedule_is_not_silently_left_out() {
    for name in ["schedule", "cronSchedule"] {
        let (reason, place, _) = refused(json!({ name: "0 2 * * *" }));
        assert_eq!(
            (&*reason, place),
            ("UnsupportedOnTarget", format!("parameters.{name}"))
        );
    }
    assert!(objects(with(json!({ "schedule": "" }))).is_ok());
}

#[test]
fn a_layer_without_a_title_is_one_that_oras_leaves_out() {
    let mut wheel = crate::job::etl();
    wheel.layer.annotations.clear();
    let rollout = rollout("registry.test/lake/etl:1", Digest::sha256("etl"), wheel);
    let fault = rendered(&inputs("nightly", with(json!({}))), &rollout).unwrap_err();
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Terminal, "WheelUntitled")
    );
}

#[test]
fn names_are_what_the_operator_takes() {
    let usual = || {
        rollout(
            "registry.test/lake/etl:1",
            Digest::sha256("etl"),
            crate::job::etl(),
        )
    };
    let of = |component: &str| rendered(&inputs(component, with(json!({}))), &usual());
    for name in ["7days", "Nightly", "a.b", &"n".repeat(64)] {
        let fault = of(name).unwrap_err();
        assert_eq!(fault.reason.as_str(), "ParameterInvalid", "{name}");
    }
    assert!(of(&"n".repeat(63)).is_ok());
}
