//! Entries that are one and the same to server-side apply: it merges lists by keys, and refuses a key that is there twice.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::error::shown;
use super::super::object::Object;
use super::super::pods::{self, text};

/// What is there twice in an object, as predicates of it.
pub(super) fn of(object: &Object) -> Vec<String> {
    let mut found = Vec::new();
    for pod in pods::pods(object) {
        named_twice(pod, "volumes", "name", "volumes", &mut found);
        let containers = pods::containers(pod).filter_map(|it| text(it, "name"));
        if let Some(name) = twice(containers) {
            found.push(format!("has two containers {}", shown(name)));
        }
        pods::containers(pod).for_each(|container| in_container(container, &mut found));
    }
    if object.group().is_empty() && object.kind() == "Service" {
        in_service(object.value(), &mut found);
    }
    found
}

fn in_container(container: &Value, found: &mut Vec<String>) {
    let name = text(container, "name").unwrap_or_default();
    let mut twice = Vec::new();
    named_twice(container, "env", "name", "variables", &mut twice);
    named_twice(
        container,
        "volumeMounts",
        "mountPath",
        "mounts at",
        &mut twice,
    );
    ports_twice(container, "containerPort", &mut twice);
    let container = shown(name);
    found.extend(
        twice
            .into_iter()
            .map(|what| format!("{what} in container {container}")),
    );
}

fn in_service(service: &Value, found: &mut Vec<String>) {
    if let Some(spec) = service.get("spec") {
        ports_twice(spec, "port", found);
        named_twice(spec, "ports", "name", "ports named", found);
    }
}

fn items<'a>(value: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(list)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn named_twice(value: &Value, list: &str, key: &str, what: &str, found: &mut Vec<String>) {
    let names = items(value, list).filter_map(|item| text(item, key));
    if let Some(name) = twice(names) {
        found.push(format!("has two {what} {}", shown(name)));
    }
}

/// Ports are told apart by number and protocol, which is TCP where none is said.
fn ports_twice(value: &Value, key: &str, found: &mut Vec<String>) {
    let ports = items(value, "ports").filter_map(|port| {
        Some((
            port.get(key)?.as_i64()?,
            text(port, "protocol").unwrap_or("TCP"),
        ))
    });
    if let Some((number, protocol)) = twice(ports) {
        found.push(format!(
            "has two ports {number}/{}",
            protocol.escape_debug()
        ));
    }
}

fn twice<T: Ord + Copy>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let mut seen = BTreeSet::new();
    items.find(|item| !seen.insert(*item))
}
