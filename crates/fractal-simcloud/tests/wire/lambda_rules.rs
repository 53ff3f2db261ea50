//! What Lambda refuses in a configuration, with its codes and messages.

use serde_json::{Value, json};

use crate::support::{Caller, ROLE, cloud, creation, zip};

/// A valid creation with some members replaced, or removed where null.
fn with(changes: Value) -> Value {
    let mut body = creation("f", &zip("one"));
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[tokio::test]
async fn every_rule_of_a_creation_has_its_error() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    let (invalid, validation) = ("InvalidParameterValueException", "ValidationException");
    let variable =
        |size: usize| json!({ "Environment": { "Variables": { "AB": "x".repeat(size) } } });
    let rows = [
        (
            json!({ "FunctionName": "a b" }),
            validation,
            "at 'functionName' failed to satisfy constraint: Member must satisfy regular expression",
        ),
        (
            json!({ "FunctionName": "f".repeat(65) }),
            validation,
            "length less than or equal to 64",
        ),
        (
            json!({ "FunctionName": null }),
            validation,
            "Value null at 'functionName'",
        ),
        (json!({ "Role": null }), validation, "Value null at 'role'"),
        (json!({ "Role": "lambda-role" }), validation, "at 'role'"),
        (
            json!({ "Role": format!("{ROLE}x") }),
            invalid,
            "The role defined for the function cannot be assumed by Lambda.",
        ),
        (
            json!({ "Timeout": 0 }),
            validation,
            "Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            json!({ "Timeout": 901 }),
            validation,
            "Member must have value less than or equal to 900",
        ),
        (
            json!({ "Timeout": "9" }),
            "SerializationException",
            "timeout",
        ),
        (json!({ "MemorySize": 127 }), validation, "at 'memorySize'"),
        (
            json!({ "MemorySize": 10_241 }),
            validation,
            "at 'memorySize'",
        ),
        (
            json!({ "EphemeralStorage": { "Size": 511 } }),
            validation,
            "at 'ephemeralStorage.size'",
        ),
        (
            json!({ "Architectures": ["x86"] }),
            validation,
            "[x86_64, arm64]",
        ),
        (
            json!({ "Architectures": ["x86_64", "arm64"] }),
            validation,
            "at 'architectures'",
        ),
        (
            json!({ "Runtime": "cobol" }),
            invalid,
            "Value cobol at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [",
        ),
        (
            json!({ "Runtime": "python3.7" }),
            invalid,
            "The runtime parameter of python3.7 is no longer supported",
        ),
        (
            json!({ "Runtime": null }),
            invalid,
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        ),
        (
            json!({ "Handler": null }),
            invalid,
            "Runtime and Handler are mandatory",
        ),
        (json!({ "Handler": "a b" }), validation, "at 'handler'"),
        (
            json!({ "PackageType": "Image" }),
            invalid,
            "Please don't provide Handler or Runtime or Layer",
        ),
        (
            json!({ "ImageConfig": { "Command": ["x"] } }),
            invalid,
            "ImageConfig",
        ),
        (
            json!({ "Code": {} }),
            invalid,
            "Please provide a source for function code.",
        ),
        (
            json!({ "Code": { "ZipFile": "" } }),
            invalid,
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
        (
            json!({ "Code": { "ZipFile": "%" } }),
            "SerializationException",
            "base64",
        ),
        (
            json!({ "Code": { "S3Bucket": "bucket", "S3Key": "k" } }),
            invalid,
            "S3 Error Code: NoSuchBucket.",
        ),
        (variable(4096), invalid, "exceeded the 4KB limit"),
        (
            json!({ "Environment": { "Variables": { "1A": "x" } } }),
            validation,
            "[a-zA-Z]([a-zA-Z0-9_])+",
        ),
        (
            json!({ "Environment": { "Variables": { "AWS_REGION": "x" } } }),
            invalid,
            "Reserved keys used in this request: AWS_REGION",
        ),
        (
            json!({ "Tags": { "k": 1 } }),
            "SerializationException",
            "tags",
        ),
        (
            json!({ "Layers": ["arn:x"] }),
            validation,
            "at 'layers.1.member'",
        ),
    ];
    for (changes, code, message) in rows {
        let refused = caller
            .lambda("POST", "/2015-03-31/functions", with(changes.clone()))
            .await;
        let text = refused.text();
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (400, code),
            "{changes}: {text}"
        );
        assert!(text.contains(message), "{changes}: {text}");
    }
    caller
        .lambda(
            "POST",
            "/2015-03-31/functions",
            with(json!({ "Timeout": 0, "MemorySize": 1 })),
        )
        .await
        .refused(400, validation);
    assert!(
        cloud
            .ledger()
            .since(0)
            .iter()
            .all(|entry| !entry.is_accepted_write())
    );
    // {"AB":"…"} measures nine bytes more than its value.
    caller
        .lambda("POST", "/2015-03-31/functions", with(variable(4087)))
        .await
        .expect(201);
}

#[tokio::test]
async fn violations_are_counted_in_one_message() {
    let cloud = cloud().await;
    let body = with(json!({ "Timeout": 0, "MemorySize": 1 }));
    let refused = Caller::of(&cloud)
        .lambda("POST", "/2015-03-31/functions", body)
        .await
        .refused(400, "ValidationException")
        .json();
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .starts_with("2 validation errors detected: Value '")
    );
    assert!(refused.get("Type").is_none());
}

#[tokio::test]
async fn a_configuration_is_answered_with_the_defaults_of_the_service() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    caller.create("f", &zip("one")).await.expect(201);
    let shown = caller.settled("f").await;
    let expected = json!({
        "Timeout": 3, "MemorySize": 128, "Description": "", "Architectures": ["x86_64"], "EphemeralStorage": { "Size": 512 }, "PackageType": "Zip",
        "TracingConfig": { "Mode": "PassThrough" }, "Version": "$LATEST", "LoggingConfig": { "LogFormat": "Text", "LogGroup": "/aws/lambda/f" },
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&shown[name], value, "{name}");
    }
    assert!(shown.get("Environment").is_none() && shown.get("Layers").is_none());
    let changed =
        json!({ "Environment": { "Variables": { "AB": "1", "CD": "2" } }, "Description": "x" });
    caller.configure("f", changed).await.expect(200);
    assert_eq!(
        caller.settled("f").await["Environment"],
        json!({ "Variables": { "AB": "1", "CD": "2" } })
    );
    caller
        .configure(
            "f",
            json!({ "Environment": { "Variables": { "CD": "3" } } }),
        )
        .await
        .expect(200);
    let replaced = caller.settled("f").await;
    assert_eq!(
        (&replaced["Environment"], &replaced["Description"]),
        (&json!({ "Variables": { "CD": "3" } }), &json!("x"))
    );
    caller
        .configure("f", json!({ "ImageConfig": { "Command": ["x"] } }))
        .await
        .refused(400, "InvalidParameterValueException");
}

#[tokio::test]
async fn what_is_no_operation_is_refused() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    caller
        .lambda("PATCH", "/2015-03-31/functions/f", Value::Null)
        .await
        .refused(404, "UnknownOperationException");
    let signed = crate::support::authorization("AKID", "eu-west-1", "lambda");
    let broken = crate::support::send(
        cloud.endpoint(),
        "POST",
        "/2015-03-31/functions",
        &[("authorization", &signed)],
        "{",
    )
    .await;
    broken.unwrap().refused(400, "SerializationException");
}
