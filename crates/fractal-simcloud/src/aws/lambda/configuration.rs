//! The rules between the members of a configuration, and how the service shows them. Constraints of single members are in the request tables.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::function::Code;
use super::{ApiError, Invocation, invalid};
use crate::aws::iam::role_exists;

const RUNTIMES: [&str; 26] = [
    "nodejs20.x",
    "nodejs22.x",
    "nodejs24.x",
    "nodejs26.x",
    "java8.al2",
    "java11",
    "java17",
    "java21",
    "java25",
    "java8.al2023",
    "java11.al2023",
    "java17.al2023",
    "python3.10",
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
    "python3.15",
    "dotnet8",
    "dotnet10",
    "ruby3.2",
    "ruby3.3",
    "ruby3.4",
    "ruby4.0",
    "provided.al2",
    "provided.al2023",
];
const RETIRED: [&str; 23] = [
    "nodejs",
    "nodejs4.3",
    "nodejs4.3-edge",
    "nodejs6.10",
    "nodejs8.10",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "nodejs16.x",
    "nodejs18.x",
    "java8",
    "python2.7",
    "python3.6",
    "python3.7",
    "python3.8",
    "python3.9",
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
    "dotnetcore3.1",
    "dotnet6",
    "go1.x",
    "provided",
];
const RESERVED: [&str; 15] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
];
/// All environment variables together.
const ENVIRONMENT_LIMIT: usize = 4096;
const TAG_LIMIT: usize = 50;

impl Invocation<'_, '_> {
    pub(super) fn check_package_type(&self) -> Result<(), ApiError> {
        let package = self.text("PackageType").unwrap_or("Zip");
        let has = |member: &str| self.input.get(member).is_some_and(|value| !value.is_null());
        let image = self.input.pointer("/Code/ImageUri").is_some();
        match package {
            "Image" if has("Runtime") || has("Handler") || has("Layers") => Err(invalid(
                "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image.",
            )),
            "Image" if !image => Err(invalid(
                "Please provide ImageUri when creating a function with packageType Image.",
            )),
            "Zip" if image => Err(invalid(
                "Please don't provide ImageUri when creating a function with packageType Zip.",
            )),
            "Zip" if has("ImageConfig") => Err(invalid(
                "Please don't provide ImageConfig when creating a function with packageType Zip.",
            )),
            "Zip" if !has("Runtime") || !has("Handler") => Err(invalid(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
            )),
            _ => Ok(()),
        }
    }

    /// Rules that hold for creating and updating alike.
    pub(super) fn check_settings(&self) -> Result<(), ApiError> {
        if let Some(runtime) = self.text("Runtime") {
            check_runtime(runtime)?;
        }
        if let Some(variables) = self
            .input
            .pointer("/Environment/Variables")
            .and_then(Value::as_object)
        {
            check_environment(variables)?;
        }
        match self.text("Role") {
            Some(role) => self.check_role(role),
            None => Ok(()),
        }
    }

    fn check_role(&self, role: &str) -> Result<(), ApiError> {
        if role.split(':').nth(4) != Some(self.scope.account.as_str()) {
            return Err(ApiError::new(
                403,
                "AccessDeniedException",
                "Cross-account pass role is not allowed.",
            ));
        }
        if self.lambda.roles.iter().any(|known| known == role)
            || role_exists(self.transaction, role)
        {
            return Ok(());
        }
        Err(invalid(
            "The role defined for the function cannot be assumed by Lambda.",
        ))
    }
}

fn check_runtime(runtime: &str) -> Result<(), ApiError> {
    if RUNTIMES.contains(&runtime) {
        return Ok(());
    }
    if RETIRED.contains(&runtime) {
        let message = format!(
            "The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions."
        );
        return Err(invalid(message));
    }
    let message = format!(
        "Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{}] or be a valid ARN",
        RUNTIMES.join(", ")
    );
    Err(invalid(message))
}

fn check_environment(variables: &Map<String, Value>) -> Result<(), ApiError> {
    let reserved: Vec<&str> = variables
        .keys()
        .map(String::as_str)
        .filter(|name| RESERVED.contains(name))
        .collect();
    if !reserved.is_empty() {
        let message = format!(
            "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {}",
            reserved.join(", ")
        );
        return Err(invalid(message));
    }
    let measured = Value::Object(variables.clone()).to_string();
    if measured.len() > ENVIRONMENT_LIMIT {
        let message = format!(
            "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: {measured}"
        );
        return Err(invalid(message));
    }
    Ok(())
}

pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), ApiError> {
    if tags.len() > TAG_LIMIT {
        return Err(invalid(format!(
            "Number of tags exceeds resource tag limit. The maximum number of tags is {TAG_LIMIT}."
        )));
    }
    if tags
        .keys()
        .any(|key| key.to_ascii_lowercase().starts_with("aws:"))
    {
        return Err(invalid(
            "aws: prefixed tag key names are not allowed for external use.",
        ));
    }
    Ok(())
}

pub(super) fn defaults(name: &str, code: &Code) -> Map<String, Value> {
    let architecture = match code {
        Code::Image { architecture, .. } => architecture.as_str(),
        Code::Zip { .. } => "x86_64",
    };
    let defaults = json!({
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "TracingConfig": { "Mode": "PassThrough" },
        "EphemeralStorage": { "Size": 512 },
        "SnapStart": { "ApplyOn": "None", "OptimizationStatus": "Off" },
        "LoggingConfig": { "LogFormat": "Text", "LogGroup": format!("/aws/lambda/{name}") },
        "Architectures": [architecture],
    });
    if let Value::Object(defaults) = defaults {
        defaults
    } else {
        Map::new()
    }
}

/// A member in the form the service answers it; `None` where the service then omits it.
type Show = fn(&Value) -> Option<Value>;

/// Puts the request's settings over the present ones, each in the form the service answers it.
pub(super) fn overlay(settings: &mut Map<String, Value>, input: &Value) {
    for member in [
        "Role",
        "Handler",
        "Runtime",
        "Description",
        "Timeout",
        "MemorySize",
        "TracingConfig",
        "EphemeralStorage",
        "FileSystemConfigs",
    ] {
        if let Some(value) = input.get(member).filter(|value| !value.is_null()) {
            settings.insert(member.to_owned(), value.clone());
        }
    }
    let shown: [(&str, &str, Show); 7] = [
        ("Environment", "Environment", |value| {
            value
                .get("Variables")
                .filter(|variables| !is_empty(variables))
                .map(|_| value.clone())
        }),
        ("KMSKeyArn", "KMSKeyArn", |value| {
            (value != "").then(|| value.clone())
        }),
        ("DeadLetterConfig", "DeadLetterConfig", |value| {
            value
                .get("TargetArn")
                .filter(|arn| *arn != "")
                .map(|_| value.clone())
        }),
        ("ImageConfig", "ImageConfigResponse", |value| {
            (!is_empty(value)).then(|| json!({ "ImageConfig": value }))
        }),
        ("SnapStart", "SnapStart", |value| {
            Some(
                json!({ "ApplyOn": value.get("ApplyOn").cloned().unwrap_or_else(|| "None".into()), "OptimizationStatus": "Off" }),
            )
        }),
        ("VpcConfig", "VpcConfig", vpc),
        ("Layers", "Layers", layers),
    ];
    for (member, answered, show) in shown {
        let Some(value) = input.get(member).filter(|value| !value.is_null()) else {
            continue;
        };
        match show(value) {
            Some(value) => settings.insert(answered.to_owned(), value),
            None => settings.remove(answered),
        };
    }
    if let (Some(Value::Object(given)), Some(Value::Object(present))) = (
        input.get("LoggingConfig"),
        settings.get_mut("LoggingConfig"),
    ) {
        present.extend(given.clone());
    }
    if let Some(architecture) = super::package::architecture(input) {
        settings.insert("Architectures".to_owned(), json!([architecture]));
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty)
}

fn vpc(value: &Value) -> Option<Value> {
    let subnets = value
        .get("SubnetIds")?
        .as_array()
        .filter(|subnets| !subnets.is_empty())?;
    let groups = value
        .get("SecurityGroupIds")
        .cloned()
        .unwrap_or_else(|| json!([]));
    Some(
        json!({ "SubnetIds": subnets, "SecurityGroupIds": groups, "VpcId": "vpc-0123456789abcdef0", "Ipv6AllowedForDualStack": false }),
    )
}

fn layers(value: &Value) -> Option<Value> {
    let layers = value.as_array().filter(|layers| !layers.is_empty())?;
    Some(
        layers
            .iter()
            .map(|arn| json!({ "Arn": arn, "CodeSize": 0 }))
            .collect(),
    )
}
