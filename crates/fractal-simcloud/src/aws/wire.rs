//! How each AWS protocol writes an error. The codes themselves come from the services.

use http::request::Parts;
use serde_json::{Map, Value};

use super::header;
use crate::encoding::{uuid, xml_escape};
use crate::exchange::Reply;
use crate::ledger::Call;

/// An error as a service means it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    /// Further members of the error's body.
    pub(crate) members: Vec<(&'static str, String)>,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl ApiError {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            members: Vec::new(),
            headers: Vec::new(),
        }
    }

    pub(crate) fn member(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn retry_after(self, seconds: Option<u64>) -> Self {
        match seconds {
            Some(seconds) => self.header("retry-after", seconds.to_string()),
            None => self,
        }
    }
}

/// The protocol of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Lambda.
    RestJson,
    /// S3.
    RestXml,
    /// STS and IAM.
    Query,
    /// ECR.
    Json11,
}

impl Dialect {
    pub(crate) fn of(service: &str) -> Self {
        match service {
            "lambda" => Self::RestJson,
            "s3" => Self::RestXml,
            "sts" | "iam" => Self::Query,
            _ => Self::Json11,
        }
    }

    pub(crate) fn service(self) -> &'static str {
        match self {
            Self::RestJson => "lambda",
            Self::RestXml => "s3",
            Self::Query => "sts",
            Self::Json11 => "ecr",
        }
    }

    /// The protocol of a call whose signature does not say its service.
    pub(crate) fn guess(parts: &Parts) -> (Self, &'static str) {
        let path = parts.uri.path();
        let form = header(&parts.headers, "content-type")
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let dialect = match path {
            _ if path.starts_with("/2015-03-31/") || path.starts_with("/2017-03-31/") => {
                Self::RestJson
            }
            _ if parts.headers.contains_key("x-amz-target") => Self::Json11,
            "/" if form => Self::Query,
            _ => Self::RestXml,
        };
        (dialect, dialect.service())
    }

    pub(crate) fn throttled(self) -> ApiError {
        match self {
            Self::RestJson => ApiError::new(429, "TooManyRequestsException", "Rate exceeded")
                .member("Reason", "CallerRateLimitExceeded"),
            Self::RestXml => ApiError::new(503, "SlowDown", "Please reduce your request rate."),
            Self::Query => ApiError::new(400, "Throttling", "Rate exceeded"),
            Self::Json11 => ApiError::new(400, "ThrottlingException", "Rate exceeded"),
        }
    }

    pub(crate) fn denied(self, call: &Call) -> ApiError {
        let (user, action) = (
            format!("arn:aws:iam::{}:user/denied", call.account),
            action(call),
        );
        let resource = match self {
            Self::RestJson if call.resource.is_empty() => "*".to_owned(),
            Self::RestJson => format!(
                "arn:aws:lambda:{}:{}:function:{}",
                call.region, call.account, call.resource
            ),
            Self::RestXml => format!("arn:aws:s3:::{}", call.resource),
            Self::Query | Self::Json11 => "*".to_owned(),
        };
        let message = format!(
            "User: {user} is not authorized to perform: {action} on resource: {resource} because no identity-based policy allows the {action} action"
        );
        match self {
            Self::RestJson => ApiError::new(403, "AccessDeniedException", message),
            Self::RestXml | Self::Query => ApiError::new(403, "AccessDenied", message),
            Self::Json11 => ApiError::new(400, "AccessDeniedException", message),
        }
    }

    pub(crate) fn error(self, error: &ApiError, resource: &str) -> Reply {
        let mut reply = Reply::new(error.status).coded(error.code.clone());
        for (name, value) in &error.headers {
            reply = reply.header(name, value.clone());
        }
        match self {
            Self::RestJson => rest_json(reply, error),
            Self::RestXml => reply.bytes("application/xml", rest_xml(error, resource)),
            Self::Query => reply.bytes("text/xml", query_xml(error)),
            Self::Json11 => json11(reply, error),
        }
    }
}

/// The IAM action a call needs; it is not always named like the operation.
fn action(call: &Call) -> String {
    let name = match (call.service.as_str(), call.operation.as_str()) {
        ("s3", "HeadObject") => "GetObject",
        ("s3", "ListObjectsV2" | "HeadBucket") => "ListBucket",
        ("s3", "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload") => "PutObject",
        (_, operation) => operation,
    };
    format!("{}:{name}", call.service)
}

fn rest_json(reply: Reply, error: &ApiError) -> Reply {
    // The modelled errors spell this member both ways; errors common to all services spell it small.
    let capital = [
        "ResourceNotFoundException",
        "ServiceException",
        "AccessDeniedException",
    ]
    .contains(&error.code.as_str());
    let mut body = Map::new();
    let common = [
        "ValidationException",
        "SerializationException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    ];
    if !common.contains(&error.code.as_str()) {
        let kind = if error.status >= 500 {
            "Service"
        } else {
            "User"
        };
        body.insert("Type".to_owned(), kind.into());
    }
    for (name, value) in &error.members {
        body.insert((*name).to_owned(), value.clone().into());
    }
    body.insert(
        if capital { "Message" } else { "message" }.to_owned(),
        error.message.clone().into(),
    );
    reply
        .header("x-amzn-errortype", error.code.clone())
        .bytes("application/json", Value::Object(body).to_string())
}

fn json11(reply: Reply, error: &ApiError) -> Reply {
    let body = serde_json::json!({ "__type": error.code, "message": error.message });
    reply.bytes("application/x-amz-json-1.1", body.to_string())
}

fn rest_xml(error: &ApiError, resource: &str) -> String {
    let members: String = error
        .members
        .iter()
        .map(|(name, value)| format!("<{name}>{}</{name}>", xml_escape(value)))
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>{members}<Resource>/{}</Resource><RequestId>{}</RequestId></Error>",
        xml_escape(&error.code),
        xml_escape(&error.message),
        xml_escape(resource),
        uuid(),
    )
}

fn query_xml(error: &ApiError) -> String {
    format!(
        "<ErrorResponse><Error><Type>{}</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>{}</RequestId></ErrorResponse>",
        if error.status >= 500 {
            "Receiver"
        } else {
            "Sender"
        },
        xml_escape(&error.code),
        xml_escape(&error.message),
        uuid(),
    )
}
