//! What can go wrong, and what Lambda's and S3's own error codes mean.

use fractal_aws::{Failure, Rule};
use fractal_core::contract::ParamError;
use fractal_core::reconcile::{Grant, SETTLING};
use fractal_core::{Class, Fault, Reason};

use crate::place::{Place, Staged};

const TRANSIENT: Class = Class::Transient { retry_after: None };

/// The service is busy with the function, or it changed since it was read.
const CONFLICT: Reason = Reason::new("CloudConflict");
/// A limit of the account or region is reached.
const QUOTA: Reason = Reason::new("QuotaExceeded");
/// Lambda does not take what was sent.
const REFUSED: Reason = Reason::new("SpecRefused");
/// The execution role cannot be assumed by Lambda.
pub(crate) const ROLE_UNUSABLE: Reason = Reason::new("RoleUnusable");

/// Permissions the agent needs, by call.
pub const GRANTS: &[Grant] = &[
    Grant {
        call: "GetFunction",
        permission: "lambda:GetFunction",
        purpose: "reads what is deployed",
    },
    Grant {
        call: "ListFunctions",
        permission: "lambda:ListFunctions",
        purpose: "reads many functions with one call",
    },
    Grant {
        call: "CreateFunction",
        permission: "lambda:CreateFunction",
        purpose: "makes functions (with iam:PassRole for their role)",
    },
    Grant {
        call: "UpdateFunctionCode",
        permission: "lambda:UpdateFunctionCode",
        purpose: "deploys a new digest",
    },
    Grant {
        call: "UpdateFunctionConfiguration",
        permission: "lambda:UpdateFunctionConfiguration",
        purpose: "changes settings",
    },
    Grant {
        call: "TagResource",
        permission: "lambda:TagResource",
        purpose: "writes the ownership and digest markers",
    },
    Grant {
        call: "DeleteFunction",
        permission: "lambda:DeleteFunction",
        purpose: "removes functions",
    },
    Grant {
        call: "PutObject",
        permission: "s3:PutObject",
        purpose: "stages zips larger than a request takes",
    },
    Grant {
        call: "HeadObject",
        permission: "s3:GetObject",
        purpose: "sees whether a zip is staged already",
    },
    Grant {
        call: "DeleteObject",
        permission: "s3:DeleteObject",
        purpose: "removes staged zips that were deployed",
    },
];

/// Everything this agent can fail with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A fault that already says everything.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// A parameter cannot be used.
    #[error(transparent)]
    Parameter(#[from] ParamError),
    /// A call to AWS failed.
    #[error("{0}")]
    Call(Failure),
    /// The function's name is none.
    #[error("`{name}` is no function name: 1 to 64 letters, digits, `-` and `_`")]
    Name {
        /// The name, escaped.
        name: String,
    },
    /// The region is none.
    #[error("`{region}` is no AWS region")]
    Region {
        /// The region, escaped.
        region: String,
    },
    /// The function belongs to someone else.
    #[error("the function exists and is not ours")]
    Foreign {
        /// Where.
        place: Place,
        /// Its ownership marker, where it has one.
        marker: Option<String>,
    },
    /// A function that we made has lost its ownership marker, and is to go.
    #[error("the function was made here and has lost its tag fractal:owner")]
    Unmarked,
    /// Others' variables leave no room for ours.
    #[error("the function's variables, others' among them, would have {size} bytes together")]
    EnvironmentFull {
        /// As Lambda measures it.
        size: usize,
    },
    /// The staged object is there and its bytes are others.
    #[error("{0} does not hold the bytes its name says")]
    StagedDiffers(Staged),
    /// A step was handed something it was not planned for.
    #[error("a step does not fit what is desired")]
    Unplanned,
    /// An operation of Lambda failed after it was accepted.
    #[error("Lambda failed to {operation}")]
    Operation {
        /// What it was to do.
        operation: &'static str,
        /// Lambda's reason code.
        code: String,
        /// Lambda's words.
        message: String,
    },
}

/// Codes of Lambda and S3. Anything else is judged by what all AWS services have in common.
const RULES: &[Rule] = &[
    Rule {
        code: "ResourceConflictException",
        says: "",
        class: TRANSIENT,
        reason: CONFLICT,
        next: "nothing to do: it is tried again",
    },
    Rule {
        code: "PreconditionFailedException",
        says: "",
        class: TRANSIENT,
        reason: CONFLICT,
        next: "nothing to do: the function changed meanwhile and is read again",
    },
    Rule {
        code: "ResourceNotFoundException",
        says: "",
        class: TRANSIENT,
        reason: SETTLING,
        next: "nothing to do: it is read again",
    },
    Rule {
        code: "CodeStorageExceededException",
        says: "",
        class: Class::Blocked,
        reason: QUOTA,
        next: "delete old function versions, or raise Lambda's code storage quota",
    },
    Rule {
        code: "RequestTooLargeException",
        says: "",
        class: Class::Terminal,
        reason: crate::desired::TOO_LARGE,
        next: "publish a smaller zip, or give the agent a --staging-bucket",
    },
    Rule {
        code: "RequestEntityTooLargeException",
        says: "",
        class: Class::Terminal,
        reason: crate::desired::TOO_LARGE,
        next: "publish a smaller zip, or give the agent a --staging-bucket",
    },
    // A role that was made a moment ago answers the same: the queue's grace period tells the two apart.
    Rule {
        code: "InvalidParameterValueException",
        says: "cannot be assumed by Lambda",
        class: Class::Blocked,
        reason: ROLE_UNUSABLE,
        next: "create the role with a trust policy for lambda.amazonaws.com, or correct `roleArn`",
    },
    Rule {
        code: "InvalidParameterValueException",
        says: "role",
        class: Class::Blocked,
        reason: ROLE_UNUSABLE,
        next: "correct `roleArn` or the role's policies",
    },
    Rule {
        code: "AccessDeniedException",
        says: "ECR",
        class: Class::Blocked,
        reason: Reason::new("PermissionDenied"),
        next: "let lambda.amazonaws.com pull from the repository (ecr:BatchGetImage, ecr:GetDownloadUrlForLayer)",
    },
    Rule {
        code: "InvalidParameterValueException",
        says: "Source image",
        class: Class::Blocked,
        reason: Reason::new("ImageUnavailable"),
        next: "push the image to this ECR repository in the function's region",
    },
    Rule {
        code: "InvalidParameterValueException",
        says: "",
        class: Class::Terminal,
        reason: REFUSED,
        next: "correct the component's parameters",
    },
    Rule {
        code: "ValidationException",
        says: "",
        class: Class::Terminal,
        reason: REFUSED,
        next: "correct the component's parameters",
    },
    Rule {
        code: "NoSuchBucket",
        says: "",
        class: Class::Blocked,
        reason: crate::desired::STAGING_BUCKET,
        next: "create the staging bucket in the function's region, or correct --staging-bucket",
    },
    Rule {
        code: "PermanentRedirect",
        says: "",
        class: Class::Blocked,
        reason: crate::desired::STAGING_BUCKET,
        next: "use a staging bucket in the function's region",
    },
];

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Fault(fault) => fault,
            Error::Parameter(error) => error.into(),
            Error::Call(failure) => failure.into_fault(RULES, GRANTS),
            Error::Name { .. } => Self::terminal(fractal_core::contract::params::PARAMETER_INVALID, text)
                .at("parameters.functionName")
                .next("correct the name"),
            Error::Region { .. } => Self::terminal(fractal_core::contract::params::PARAMETER_INVALID, text)
                .at("parameters.region")
                .next("use a region like eu-central-1"),
            Error::Foreign { place, marker } => Self::blocked(Reason::new("OwnedByOther"), text)
                .at(place)
                .because(marker.map_or_else(|| "it has no tag fractal:owner".to_owned(), |marker| format!("its tag fractal:owner is `{marker}`")))
                .next("choose another `functionName`, or delete the function if nobody needs it"),
            Error::Unmarked => Self::blocked(Reason::new("OwnedByOther"), text)
                .next("delete the function by hand, or give it its tag back; `fractal down --force` forgets it"),
            Error::EnvironmentFull { .. } => Self::blocked(Reason::new("EnvironmentFull"), text)
                .at("parameters.environment")
                .because("Lambda takes 4096 bytes of variables")
                .next("remove variables from the component, or those that others added to the function"),
            Error::StagedDiffers(staged) => Self::blocked(Reason::new("StagedObjectDiffers"), text)
                .at(&staged)
                .next("someone else writes to the staging bucket: delete the object and restrict write access"),
            Error::Unplanned => Self::transient(Reason::new("Internal"), text).next("report this as a bug; it is planned anew"),
            Error::Operation { code, message, .. } => {
                let (class, next) = late_failure(&code);
                Self::new(class, Reason::new("OperationFailed"), text).because(format!("{code}: {message}")).next(next)
            }
        }
    }
}

/// The staging bucket is not there.
pub(crate) fn no_bucket(bucket: &str) -> Error {
    Fault::blocked(
        crate::desired::STAGING_BUCKET,
        format!("the staging bucket `{bucket}` does not exist"),
    )
    .next("create it in the function's region, or correct --staging-bucket")
    .into()
}

/// Lambda's reason codes of operations that fail after they were accepted: class, and what to do.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html>
fn late_failure(code: &str) -> (Class, &'static str) {
    match code {
        "InvalidImage" | "InvalidZipFileException" | "InvalidRuntime" | "InvalidConfiguration" => {
            (Class::Terminal, "publish an artifact that Lambda can run")
        }
        "ImageDeleted" => (Class::Blocked, "push the image to the repository again"),
        "ImageAccessDenied" => (
            Class::Blocked,
            "let lambda.amazonaws.com pull from the repository",
        ),
        "InsufficientRolePermissions" => (Class::Blocked, "complete the execution role's policies"),
        "InternalError" | "FunctionError" => (TRANSIENT, "nothing to do: it is tried again"),
        _ => (
            Class::Blocked,
            "read Lambda's reason above; it is tried again every few minutes",
        ),
    }
}
