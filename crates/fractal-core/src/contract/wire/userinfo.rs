//! Credentials that someone wrote into a reference: taken out before anything is stored, shown or logged.
//!
//! The reference stays unusable, and its own error says why ([`crate::artifact::ReferenceError::Userinfo`]).

use serde_json::{Map, Value};

use super::super::params::Params;
use crate::artifact::reference::without_userinfo;

/// Parameters that name artifacts, under every name they are sent by.
const REFERENCES: [&str; 5] = [
    "sourceArtifact",
    "artifactUri",
    "manifestUri",
    "image",
    "containerImage",
];
/// The environment's map of providers to registries.
const REGISTRIES: &str = "registries";

pub(super) fn hide_in_component(parameters: &mut Params) {
    let parameters = parameters.as_map_mut();
    for name in REFERENCES {
        if let Some(value) = parameters.get_mut(name) {
            hide(value);
        }
    }
}

pub(super) fn hide_in_environment(parameters: &mut Params) {
    let registries = parameters.as_map_mut().get_mut(REGISTRIES);
    if let Some(registries) = registries.and_then(Value::as_object_mut) {
        Map::values_mut(registries).for_each(hide);
    }
}

fn hide(value: &mut Value) {
    if let Some(hidden) = value.as_str().and_then(without_userinfo) {
        *value = Value::String(hidden);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::contract::wire::from_value;

    #[test]
    fn r10_credentials_in_a_reference_are_gone_before_anything_is_kept() {
        let blueprint = json!({ "components": [
            { "id": "orders", "parameters": { "manifestUri": "ci:canary@r.example.com/shop/orders:2" } },
        ] });
        let body = json!({
            "liveSystemId": "Personal/owner/dev/shop",
            "environment": {
                "id": { "type": "Personal", "ownerId": "owner", "shortName": "dev" },
                "parameters": { "registries": { "AWS": "ci:canary@r.example.com/team", "GCP": "r.example.com" } },
            },
            "blueprintMap": {
                "orders": {
                    "type": "CustomWorkloads.CaaS.K8sWorkload",
                    "parameters": { "image": "oci://ci:canary@r.example.com/shop/orders:1", "entryPoint": "a@b/c" },
                },
            },
        });
        let system = from_value(&body, Some(&blueprint)).unwrap();
        let kept = serde_json::to_value(&system).unwrap();
        assert!(!kept.to_string().contains("canary"), "{kept}");
        let component = &kept["components"]["orders"]["parameters"];
        assert_eq!(
            component["artifactUri"],
            "oci://***@r.example.com/shop/orders:1"
        );
        assert_eq!(component["manifestUri"], "***@r.example.com/shop/orders:2");
        assert_eq!(component["entryPoint"], "a@b/c", "no reference");
        let registries = &kept["environment"]["parameters"]["registries"];
        assert_eq!(registries["AWS"], "***@r.example.com/team");
        assert_eq!(registries["GCP"], "r.example.com");
    }
}
