//! The constraints of each operation's request, as the API description states them, with the limits of ordinary functions.
//!
//! A table. Rules between members are the operations' own.

use serde_json::Value;

use super::ApiError;
use super::routes::{Operation, Route};
use super::shape::{Member, Shape, check, check_text};

const fn must(name: &'static str, shape: &'static Shape) -> Member {
    Member {
        name,
        required: true,
        shape,
    }
}

const fn may(name: &'static str, shape: &'static Shape) -> Member {
    Member {
        name,
        required: false,
        shape,
    }
}

const fn text(min: usize, max: usize) -> Shape {
    Shape::Text {
        min,
        max,
        pattern: None,
    }
}

const fn pattern(
    min: usize,
    max: usize,
    written: &'static str,
    matches: fn(&str) -> bool,
) -> Shape {
    Shape::Text {
        min,
        max,
        pattern: Some((written, matches)),
    }
}

const ANY: Shape = text(0, usize::MAX);
const BOOLEAN: Shape = Shape::Boolean;
const DESCRIPTION: Shape = text(0, 256);
const FUNCTION_NAME: Shape = pattern(
    1,
    140,
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?",
    is_function_name,
);
const ROLE: Shape = pattern(
    0,
    10_000,
    r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+",
    is_role,
);
const HANDLER: Shape = pattern(0, 128, r"[^\s]+", |text| {
    !text.is_empty() && !text.contains(char::is_whitespace)
});
const ARN: Shape = pattern(
    0,
    10_000,
    r"(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()",
    |text| text.is_empty() || text.starts_with("arn:"),
);
const TIMEOUT: Shape = Shape::Integer { min: 1, max: 900 };
const MEMORY: Shape = Shape::Integer {
    min: 128,
    max: 10_240,
};
const VARIABLE_NAME: Shape = pattern(0, usize::MAX, r"[a-zA-Z]([a-zA-Z0-9_])+", is_variable_name);
const VARIABLES: Shape = Shape::Map {
    key: &VARIABLE_NAME,
    value: &ANY,
};
const ENVIRONMENT: Shape = Shape::Structure(&[may("Variables", &VARIABLES)]);
const EPHEMERAL: Shape = Shape::Structure(&[must(
    "Size",
    &Shape::Integer {
        min: 512,
        max: 10_240,
    },
)]);
const ARCHITECTURES: Shape = Shape::List {
    min: 1,
    max: 1,
    item: &Shape::Enum(&["x86_64", "arm64"]),
};
const PACKAGE_TYPE: Shape = Shape::Enum(&["Zip", "Image"]);
const TRACING: Shape = Shape::Structure(&[may("Mode", &Shape::Enum(&["Active", "PassThrough"]))]);
const SNAP_START: Shape =
    Shape::Structure(&[may("ApplyOn", &Shape::Enum(&["PublishedVersions", "None"]))]);
const WORDS: Shape = Shape::List {
    min: 0,
    max: 1500,
    item: &ANY,
};
const IMAGE_CONFIG: Shape = Shape::Structure(&[
    may("EntryPoint", &WORDS),
    may("Command", &WORDS),
    may("WorkingDirectory", &text(0, 1000)),
]);
const SUBNET: Shape = pattern(0, 1024, r"subnet-[0-9a-z]*", |text| {
    text.starts_with("subnet-")
});
const GROUP: Shape = pattern(0, 1024, r"sg-[0-9a-zA-Z]*", |text| text.starts_with("sg-"));
const VPC: Shape = Shape::Structure(&[
    may(
        "SubnetIds",
        &Shape::List {
            min: 0,
            max: 16,
            item: &SUBNET,
        },
    ),
    may(
        "SecurityGroupIds",
        &Shape::List {
            min: 0,
            max: 5,
            item: &GROUP,
        },
    ),
    may("Ipv6AllowedForDualStack", &BOOLEAN),
]);
const DEAD_LETTER: Shape = Shape::Structure(&[may("TargetArn", &ARN)]);
const LAYERS: Shape = Shape::List {
    min: 0,
    max: 5,
    item: &pattern(
        1,
        2048,
        r"arn:[a-zA-Z0-9-]+:lambda:...:layer:[a-zA-Z0-9-_]+:[0-9]+",
        is_layer,
    ),
};
const MOUNT: Shape = pattern(0, 160, r"/mnt/[a-zA-Z0-9-_.]+", |text| {
    text.starts_with("/mnt/")
});
const FILE_SYSTEMS: Shape = Shape::List {
    min: 0,
    max: 1,
    item: &Shape::Structure(&[must("Arn", &ARN), must("LocalMountPath", &MOUNT)]),
};
const LOGGING: Shape = Shape::Structure(&[
    may("LogFormat", &Shape::Enum(&["JSON", "Text"])),
    may(
        "ApplicationLogLevel",
        &Shape::Enum(&["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]),
    ),
    may("SystemLogLevel", &Shape::Enum(&["DEBUG", "INFO", "WARN"])),
    may("LogGroup", &text(1, 512)),
]);
const TAG: &str = r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)";
const TAG_KEY: Shape = pattern(1, 128, TAG, is_tag_text);
const TAG_VALUE: Shape = pattern(0, 256, TAG, is_tag_text);
const TAGS: Shape = Shape::Map {
    key: &TAG_KEY,
    value: &TAG_VALUE,
};
const BUCKET: Shape = pattern(3, 63, r"[0-9A-Za-z\.\-_]*(?<!\.)", |text| {
    !text.ends_with('.')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
});
const OBJECT_KEY: Shape = text(1, 1024);
const STORAGE_MODE: Shape = Shape::Enum(&["COPY", "REFERENCE"]);
const CODE: Shape = Shape::Structure(&[
    may("ZipFile", &Shape::Blob),
    may("S3Bucket", &BUCKET),
    may("S3Key", &OBJECT_KEY),
    may("S3ObjectVersion", &OBJECT_KEY),
    may("S3ObjectStorageMode", &STORAGE_MODE),
    may("ImageUri", &ANY),
]);
const ALIAS: Shape = pattern(1, 128, r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)", is_alias);
const VERSION: Shape = pattern(1, 1024, r"(\$LATEST(\.PUBLISHED)?|[0-9]+)", is_version);
const WEIGHTS: Shape = Shape::Map {
    key: &pattern(1, 1024, "[0-9]+", is_number),
    value: &Shape::Number { min: 0.0, max: 1.0 },
};
const ROUTING: Shape = Shape::Structure(&[may("AdditionalVersionWeights", &WEIGHTS)]);

const CREATE: Shape = Shape::Structure(&[
    must("FunctionName", &FUNCTION_NAME),
    may("Runtime", &ANY),
    must("Role", &ROLE),
    may("Handler", &HANDLER),
    must("Code", &CODE),
    may("Description", &DESCRIPTION),
    may("Timeout", &TIMEOUT),
    may("MemorySize", &MEMORY),
    may("Publish", &BOOLEAN),
    may("VpcConfig", &VPC),
    may("PackageType", &PACKAGE_TYPE),
    may("DeadLetterConfig", &DEAD_LETTER),
    may("Environment", &ENVIRONMENT),
    may("KMSKeyArn", &ARN),
    may("TracingConfig", &TRACING),
    may("Tags", &TAGS),
    may("Layers", &LAYERS),
    may("FileSystemConfigs", &FILE_SYSTEMS),
    may("ImageConfig", &IMAGE_CONFIG),
    may("Architectures", &ARCHITECTURES),
    may("EphemeralStorage", &EPHEMERAL),
    may("SnapStart", &SNAP_START),
    may("LoggingConfig", &LOGGING),
]);
const UPDATE_CODE: Shape = Shape::Structure(&[
    may("ZipFile", &Shape::Blob),
    may("S3Bucket", &BUCKET),
    may("S3Key", &OBJECT_KEY),
    may("S3ObjectVersion", &OBJECT_KEY),
    may("S3ObjectStorageMode", &STORAGE_MODE),
    may("ImageUri", &ANY),
    may("Architectures", &ARCHITECTURES),
    may("Publish", &BOOLEAN),
    may("DryRun", &BOOLEAN),
    may("RevisionId", &ANY),
]);
const UPDATE_CONFIGURATION: Shape = Shape::Structure(&[
    may("Role", &ROLE),
    may("Handler", &HANDLER),
    may("Description", &DESCRIPTION),
    may("Timeout", &TIMEOUT),
    may("MemorySize", &MEMORY),
    may("VpcConfig", &VPC),
    may("Environment", &ENVIRONMENT),
    may("Runtime", &ANY),
    may("DeadLetterConfig", &DEAD_LETTER),
    may("KMSKeyArn", &ARN),
    may("TracingConfig", &TRACING),
    may("RevisionId", &ANY),
    may("Layers", &LAYERS),
    may("FileSystemConfigs", &FILE_SYSTEMS),
    may("ImageConfig", &IMAGE_CONFIG),
    may("EphemeralStorage", &EPHEMERAL),
    may("SnapStart", &SNAP_START),
    may("LoggingConfig", &LOGGING),
]);
const TAG_RESOURCE: Shape = Shape::Structure(&[must("Tags", &TAGS)]);
const PUBLISH: Shape = Shape::Structure(&[
    may("CodeSha256", &ANY),
    may("Description", &DESCRIPTION),
    may("RevisionId", &ANY),
]);
const CREATE_ALIAS: Shape = Shape::Structure(&[
    must("Name", &ALIAS),
    must("FunctionVersion", &VERSION),
    may("Description", &DESCRIPTION),
    may("RoutingConfig", &ROUTING),
]);
const UPDATE_ALIAS: Shape = Shape::Structure(&[
    may("FunctionVersion", &VERSION),
    may("Description", &DESCRIPTION),
    may("RoutingConfig", &ROUTING),
    may("RevisionId", &ANY),
]);
const LIST: Shape = Shape::Structure(&[must(
    "MaxItems",
    &Shape::Integer {
        min: 1,
        max: 10_000,
    },
)]);
const NOTHING: Shape = Shape::Structure(&[]);

pub(super) fn validate(
    operation: Operation,
    body: &Value,
    route: &Route,
    query: &[(String, String)],
) -> Result<(), ApiError> {
    let tagging = matches!(
        operation,
        Operation::TagResource | Operation::UntagResource | Operation::ListTags
    );
    if !route.function.is_empty() && !tagging {
        check_text(&FUNCTION_NAME, &route.function, "functionName")?;
    }
    if let Some(items) = crate::encoding::find(query, "MaxItems") {
        let number = items.parse::<i64>().map(Value::from).map_err(|_| {
            ApiError::new(400, "SerializationException", "MaxItems is not a number")
        })?;
        check(&LIST, &serde_json::json!({ "MaxItems": number }))?;
    }
    let shape = match operation {
        Operation::CreateFunction => &CREATE,
        Operation::UpdateFunctionCode => &UPDATE_CODE,
        Operation::UpdateFunctionConfiguration => &UPDATE_CONFIGURATION,
        Operation::TagResource => &TAG_RESOURCE,
        Operation::PublishVersion => &PUBLISH,
        Operation::CreateAlias => &CREATE_ALIAS,
        Operation::UpdateAlias => &UPDATE_ALIAS,
        _ => &NOTHING,
    };
    check(shape, body)
}

fn is_function_name(text: &str) -> bool {
    let word = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let name_part = |part: &str| word(part) || part == "$LATEST";
    match text.split(':').collect::<Vec<_>>().as_slice() {
        ["arn", aws, "lambda", region, account, "function", rest @ ..] => {
            aws.starts_with("aws")
                && word(region)
                && is_account(account)
                && (1..=2).contains(&rest.len())
                && rest.iter().all(|part| name_part(part))
        }
        [account, "function", rest @ ..] if is_account(account) => {
            (1..=2).contains(&rest.len()) && rest.iter().all(|part| name_part(part))
        }
        parts => {
            parts.len() <= 3
                && parts.first().is_some_and(|part| word(part))
                && parts.iter().all(|part| name_part(part))
        }
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && is_number(text)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_role(text: &str) -> bool {
    let fields: Vec<&str> = text.splitn(6, ':').collect();
    let name = |name: &str| {
        name.strip_prefix("role")
            .map(|rest| rest.trim_start_matches('/'))
            .is_some_and(|rest| !rest.is_empty())
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&byte);
    matches!(fields.as_slice(), ["arn", aws, "iam", "", account, role] if aws.starts_with("aws") && is_account(account) && name(role) && role.bytes().all(allowed))
}

fn is_layer(text: &str) -> bool {
    let version = text.rsplit(':').next().unwrap_or_default();
    text.starts_with("arn:") && text.contains(":layer:") && is_number(version)
}

fn is_variable_name(text: &str) -> bool {
    text.len() >= 2
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_tag_text(text: &str) -> bool {
    text.chars().all(|each| {
        each.is_alphanumeric() || each == ' ' || each == '\u{a0}' || "_.:/=+-@".contains(each)
    })
}

fn is_alias(text: &str) -> bool {
    !is_number(text)
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn is_version(text: &str) -> bool {
    text == "$LATEST" || is_number(text)
}
