//! The live system the demo deploys, as an SDK would post it.

use fractal_core::contract::LiveSystemId;
use serde_json::{Value, json};

use crate::world::{ACR, ECR, ROLE};

/// Its id.
pub(super) const ID: &str = "Personal/demo/shop/orders";

/// Its id, parsed.
pub(super) fn id() -> Result<LiveSystemId, fractal_core::contract::IdError> {
    ID.parse()
}

/// The function that comes as a zip.
pub(super) const FUNCTION: &str = "orders";
/// The function that comes as a container image.
pub(super) const IMAGE: &str = "report";

/// The body. Artifacts are named without a registry: the environment says where each cloud finds them.
pub(super) fn body(role: &str) -> Value {
    json!({
        "liveSystemId": ID,
        "fractalId": "Personal/demo/shop/orders:1.0.0",
        "blueprintMap": {
            FUNCTION: component(FUNCTION, json!({
                "sourceArtifact": "shop/orders:live",
                "runtime": "python3.13",
                "handler": "app.handler",
                "memoryMb": 256,
                "timeoutSeconds": 30,
                "environment": { "GREETING": "hello from the demo" },
                "roleArn": role,
            })),
            IMAGE: component(IMAGE, json!({ "sourceArtifact": "shop/report:live", "memoryMb": 512, "roleArn": role })),
        },
        "environment": {
            "id": { "type": "Personal", "ownerId": "demo", "shortName": "dev" },
            "parameters": { "registries": { "AWS": ECR, "Azure": ACR } },
        },
    })
}

/// The body as it is deployed.
pub(super) fn deployed() -> Value {
    body(ROLE)
}

fn component(id: &str, parameters: Value) -> Value {
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
