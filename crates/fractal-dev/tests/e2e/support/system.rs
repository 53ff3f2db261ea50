//! Live systems of functions, as an SDK posts them.

use serde_json::{Map, Value, json};

/// The region everything is in.
pub(crate) const REGION: &str = "eu-central-1";
/// The registry a function of the simulated account can be given.
pub(crate) const ECR: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";
/// The execution role the simulated AWS knows.
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/lambda-role";

/// A function that comes as a zip.
pub(crate) fn zip_function(id: &str, artifact: &str, version: &str) -> Value {
    component(
        id,
        json!({
            "sourceArtifact": artifact,
            "runtime": "python3.13",
            "handler": "app.handler",
            "memoryMb": 256,
            "environment": { "VERSION": version },
            "roleArn": ROLE,
        }),
    )
}

/// A function that comes as a container image.
pub(crate) fn image_function(id: &str, artifact: &str, version: &str) -> Value {
    component(
        id,
        json!({
            "sourceArtifact": artifact,
            "memoryMb": 512,
            "environment": { "VERSION": version },
            "roleArn": ROLE,
        }),
    )
}

/// A component for the Lambda agent.
pub(crate) fn component(id: &str, parameters: Value) -> Value {
    json!({
        "id": id,
        "type": "CustomWorkloads.FaaS.AwsLambda",
        "displayName": id,
        "provider": "AWS",
        "deliveryModel": "FaaS",
        "parameters": parameters,
        "dependencies": [],
        "links": [],
    })
}

/// A live system of these components.
pub(crate) fn live_system(id: &str, components: &[Value]) -> Value {
    let map: Map<String, Value> = components
        .iter()
        .map(|component| {
            (
                component["id"].as_str().unwrap().to_owned(),
                component.clone(),
            )
        })
        .collect();
    json!({
        "liveSystemId": id,
        "fractalId": format!("{id}:1.0.0"),
        "blueprintMap": map,
        "environment": {
            "id": { "type": "Personal", "ownerId": "owner", "shortName": "dev" },
            "parameters": { "registries": { "AWS": ECR } },
        },
    })
}
