//! What SDK versions post and the canonical form it gets; what is refused, and how the refusal reads.
//!
//! Every `fixtures/contract/{valid,invalid}/NAME.json` has its answer beside it in `NAME.expected.json`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fractal_core::contract::LiveSystem;
use fractal_core::contract::wire::{self, BODY_MAX, COMPONENTS_MAX, WireError};
use fractal_core::fingerprint::canonical_json;
use fractal_core::{Fault, Fingerprint};
use serde_json::{Value, json};

const SUFFIX: &str = ".expected.json";

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/contract")
        .join(name)
}

/// Names of the fixtures in a folder; panics where one has no expectation or an expectation has no fixture.
#[expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "fixtures are files; one that cannot be read fails the test"
)]
fn fixtures(kind: &str) -> Vec<(String, Vec<u8>, Value)> {
    let files = fs::read_dir(folder(kind))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap());
    let (answers, bodies): (BTreeSet<String>, BTreeSet<String>) =
        files.partition(|name| name.ends_with(SUFFIX));
    let asked: BTreeSet<String> = bodies
        .iter()
        .map(|name| name.strip_suffix(".json").unwrap().to_owned())
        .collect();
    let answered: BTreeSet<String> = answers
        .iter()
        .map(|name| name.strip_suffix(SUFFIX).unwrap().to_owned())
        .collect();
    assert_eq!(
        asked, answered,
        "in {kind}, fixtures (left) and expectations (right) do not pair up"
    );
    let read = |name: String| {
        let body = fs::read(folder(kind).join(format!("{name}.json"))).unwrap();
        let expected = fs::read(folder(kind).join(format!("{name}{SUFFIX}"))).unwrap();
        (name, body, serde_json::from_slice(&expected).unwrap())
    };
    asked.into_iter().map(read).collect()
}

/// The canonical form, without what every component repeats of its live system.
#[expect(clippy::unwrap_used, reason = "a form that has no JSON fails the test")]
fn canonical(system: &LiveSystem) -> Value {
    let mut value = serde_json::to_value(system).unwrap();
    let [id, environment] = ["id", "environment"].map(|key| value.get(key).cloned());
    for component in value
        .get_mut("components")
        .unwrap()
        .as_object_mut()
        .unwrap()
        .values_mut()
    {
        let component = component.as_object_mut().unwrap();
        assert_eq!(component.remove("liveSystem"), id);
        assert_eq!(component.remove("environment"), environment);
    }
    value
}

fn refusal(error: WireError) -> Value {
    let fault = Fault::from(error);
    json!({ "class": fault.class.as_str(), "reason": fault.reason.as_str(), "what": fault.what, "next": fault.next })
}

#[test]
fn every_valid_body_gets_its_canonical_form() {
    let fixtures = fixtures("valid");
    assert!(fixtures.len() >= 30, "only {} fixtures", fixtures.len());
    for (name, body, expected) in fixtures {
        let system =
            wire::live_system(&body, None).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(canonical(&system), expected, "{name}");
    }
}

#[test]
fn the_canonical_form_survives_the_store() {
    for (name, body, _) in fixtures("valid") {
        let system = wire::live_system(&body, None).unwrap();
        let stored = canonical_json(&system).unwrap();
        let read: LiveSystem = serde_json::from_slice(&stored).unwrap();
        assert_eq!(read, system, "{name}");
        for (id, component) in &system.components {
            assert_eq!(
                component.digest().unwrap(),
                read.components[id].digest().unwrap(),
                "{name}/{id}"
            );
        }
    }
}

#[test]
fn the_order_of_keys_and_white_space_do_not_matter() {
    for (name, body, _) in fixtures("valid") {
        let value: Value = serde_json::from_slice(&body).unwrap();
        let [first, second] = [body, canonical_json(&value).unwrap()]
            .map(|body| wire::live_system(&body, None).unwrap());
        assert_eq!(
            Fingerprint::of(&first).unwrap(),
            Fingerprint::of(&second).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn a_blueprint_passed_in_does_what_the_one_in_the_body_does() {
    let mut changing = 0;
    for (name, body, expected) in fixtures("valid") {
        let mut value: Value = serde_json::from_slice(&body).unwrap();
        let Some(blueprint) = value.as_object_mut().unwrap().remove("blueprint") else {
            continue;
        };
        let body = serde_json::to_vec(&value).unwrap();
        let read = |blueprint| canonical(&wire::live_system(&body, blueprint).unwrap());
        assert_eq!(read(Some(&blueprint)), expected, "{name}");
        changing += u32::from(read(None) != expected);
    }
    assert!(
        changing >= 5,
        "only {changing} fixtures have a blueprint that changes something"
    );
}

#[test]
fn every_invalid_body_is_refused_for_its_reason() {
    let fixtures = fixtures("invalid");
    assert!(fixtures.len() >= 60, "only {} fixtures", fixtures.len());
    for (name, body, expected) in fixtures {
        match wire::live_system(&body, None) {
            Ok(system) => panic!("{name} is taken: {system:?}"),
            Err(error) => assert_eq!(refusal(error), expected, "{name}"),
        }
    }
}

#[test]
fn no_refusal_repeats_a_parameters_value() {
    // An alias conflict is the one refusal that compares values; either may be a secret.
    let (_, body, _) = fixtures("invalid")
        .into_iter()
        .find(|(name, ..)| name == "alias-conflict-image")
        .unwrap();
    let error = refusal(wire::live_system(&body, None).unwrap_err()).to_string();
    assert!(
        !error.contains("web:1") && !error.contains("web:2"),
        "{error}"
    );
}

/// A body of exactly `length` bytes.
fn padded(length: usize) -> Vec<u8> {
    let mut body = with_components(1);
    body.resize(length, b' ');
    body
}

#[expect(clippy::unwrap_used, reason = "made here")]
fn with_components(count: usize) -> Vec<u8> {
    let component = |i: usize| {
        (
            format!("c{i}"),
            json!({ "type": "CustomWorkloads.CaaS.KubernetesWorkload", "parameters": {} }),
        )
    };
    let components: serde_json::Map<_, _> = (0..count).map(component).collect();
    let environment = json!({ "id": { "type": "Personal", "ownerId": "o", "shortName": "dev" } });
    serde_json::to_vec(&json!({ "liveSystemId": "Personal/o/shop/x", "blueprintMap": components, "environment": environment })).unwrap()
}

#[test]
fn a_body_is_taken_up_to_its_limit_and_not_above() {
    for length in [BODY_MAX - 1, BODY_MAX] {
        assert_eq!(
            wire::live_system(&padded(length), None)
                .unwrap()
                .components
                .len(),
            1
        );
    }
    let error = wire::live_system(&padded(BODY_MAX + 1), None).unwrap_err();
    assert!(matches!(error, WireError::TooLarge { found } if found == BODY_MAX + 1));
}

#[test]
fn components_are_taken_up_to_their_limit_and_not_above() {
    for count in [COMPONENTS_MAX - 1, COMPONENTS_MAX] {
        assert_eq!(
            wire::live_system(&with_components(count), None)
                .unwrap()
                .components
                .len(),
            count
        );
    }
    let error = wire::live_system(&with_components(COMPONENTS_MAX + 1), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`$.blueprintMap` must be at most 1000 components, it has 1001"
    );
}
