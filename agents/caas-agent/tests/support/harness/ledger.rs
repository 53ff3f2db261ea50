//! The proxy's ledger, as the suite reads it.

use std::collections::BTreeMap;
use std::sync::Arc;

use fractal_testkit::cluster::proxy::{FaultProxy, ProxiedCall};
use fractal_testkit::conformance::{Call, Outcome, Touch};
use serde_json::Value;

/// Begins the names of inventories.
const INVENTORY: &str = "fractal-";

/// What was last applied to each object, by path.
type Applied = BTreeMap<String, Arc<Value>>;

pub(super) fn calls(proxy: &FaultProxy, since: u64) -> Vec<Call> {
    let mut applied = Applied::new();
    let all = proxy.calls(0).into_iter();
    let told = all.map(|call| (call.number, judged(&call, &mut applied)));
    let told = told.filter(|(number, _)| *number > since);
    told.map(|(_, call)| call).collect()
}

/// Writes to the objects at these paths.
pub(super) fn writes_to(proxy: &FaultProxy, since: u64, paths: &[String]) -> Vec<Call> {
    let calls = proxy.calls(since).into_iter();
    calls
        .filter(|call| call.is_write() && paths.contains(&call.path))
        .map(|call| judged(&call, &mut Applied::new()))
        .collect()
}

/// The rule an operation needs, in the words of RBAC.
pub(super) fn rule(operation: &str) -> String {
    let (verb, resource) = operation.split_once(' ').unwrap();
    let (resource, group) = resource.split_once('.').unwrap_or((resource, "\"\""));
    format!("apiGroups [{group}], resources [{resource}], verbs [{verb}]")
}

fn judged(call: &ProxiedCall, applied: &mut Applied) -> Call {
    let outcome = match call.served {
        Some(200..300) => Outcome::Accepted,
        None if call.struck => Outcome::Prevented,
        None if call.stale => Outcome::Accepted,
        _ => Outcome::Refused,
    };
    let touches = touches(call, applied);
    if let (Some(sent), Outcome::Accepted, true) = (&call.sent, outcome, call.is_write()) {
        applied.insert(call.path.clone(), Arc::clone(sent));
    }
    Call {
        operation: operation(call),
        touches,
        outcome,
        struck: call.struck,
    }
}

fn operation(call: &ProxiedCall) -> String {
    let target = &call.target;
    let verb = match (call.method.as_str(), &target.name) {
        ("GET", None) => "list",
        ("GET", Some(_)) => "get",
        ("PATCH", _) => "patch",
        ("DELETE", _) => "delete",
        _ => "create",
    };
    match (target.resource.as_str(), target.group.as_str()) {
        ("", _) => format!("get {}", call.path),
        (resource, "") => format!("{verb} {resource}"),
        (resource, group) => format!("{verb} {resource}.{group}"),
    }
}

fn touches(call: &ProxiedCall, applied: &Applied) -> Touch {
    let name = call.target.name.as_deref().unwrap_or_default();
    if !call.is_write() {
        return Touch::Nothing;
    }
    if call.method == "DELETE" {
        return Touch::Delete;
    }
    if call.target.resource == "configmaps" && name.starts_with(INVENTORY) {
        return Touch::Staged;
    }
    match (call.served, applied.get(&call.path), &call.sent) {
        (Some(201), _, _) | (_, None, _) => Touch::Create,
        (_, Some(before), Some(now)) => difference(before, now),
        (_, Some(_), None) => Touch::Settings,
    }
}

/// What an apply changes of what was applied before. One that changes nothing counts as settings, which no change allows beside its own.
fn difference(before: &Value, now: &Value) -> Touch {
    let without = |object: &Value, pointers: &[&str]| {
        let mut object = object.clone();
        for pointer in pointers {
            if let Some(value) = object.pointer_mut(pointer) {
                value.take();
            }
        }
        object
    };
    let marks = ["/metadata/annotations", "/metadata/labels"];
    let code = ["/spec/template/spec/containers/0/image"];
    let same = |pointers: &[&str]| without(before, pointers) == without(now, pointers);
    if before != now && same(&marks) {
        Touch::Marker
    } else if before != now && same(&[&marks[..], &code[..]].concat()) {
        Touch::Code
    } else {
        Touch::Settings
    }
}
