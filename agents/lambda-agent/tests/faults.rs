//! What each error of Lambda and S3 means: bodies as the services send them, read by the real SDK, against class and reason.

#[cfg(test)]
#[path = "support/model.rs"]
#[expect(dead_code, reason = "this file needs part of it only")]
mod model;
#[cfg(test)]
#[path = "support/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fractal_core::reconcile::Platform as _;
    use fractal_core::{Class, Fault};
    use fractal_testkit::content::MemoryContent;
    use lambda_agent::{Deletion, Desired, Memo, Step};

    use super::model::{self, Shape};
    use super::replay::{Answer, platform};

    const TRANSIENT: Class = Class::Transient { retry_after: None };

    /// The call that is answered with the error.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum On {
        Get,
        Create,
        Code,
        Settings,
        Mark,
        Delete,
        Unstage,
    }

    async fn fault(on: On, answer: Answer) -> Option<Fault> {
        let lambda = platform(answer);
        let desired: Desired = Shape {
            image: true,
            ..Shape::default()
        }
        .desired();
        let at = model::at(Memo::default());
        let step = match on {
            On::Get => {
                let observed = lambda.observe(&at, Some(&desired)).await;
                return observed.err().map(Fault::from);
            }
            On::Create => Step::Create {
                code: String::new(),
            },
            On::Code => Step::Code {
                code: String::new(),
                revision: "1".into(),
            },
            On::Settings => Step::Settings {
                changes: Vec::new(),
                variables: lambda_agent::Variables::default(),
                revision: "1".into(),
            },
            On::Mark => Step::Mark {
                digest: desired.digest.clone(),
            },
            On::Delete => Step::Delete {
                because: Deletion::Undeploy,
            },
            On::Unstage => Step::Unstage {
                object: Shape {
                    staged: true,
                    ..Shape::default()
                }
                .desired()
                .staged()
                .unwrap()
                .clone(),
            },
        };
        let content = MemoryContent::default();
        let applied = lambda.apply(&at, Some(&desired), &step, &content).await;
        applied.err().map(Fault::from)
    }

    type Row = (On, u16, &'static str, &'static str, Class, &'static str);

    /// Call, status, `x-amzn-ErrorType`, message; class and reason.
    const LAMBDA: &[Row] = &[
        (
            On::Get,
            429,
            "TooManyRequestsException",
            "Rate exceeded",
            TRANSIENT,
            "Throttled",
        ),
        (
            On::Get,
            400,
            "ThrottlingException",
            "Rate exceeded",
            TRANSIENT,
            "Throttled",
        ),
        (
            On::Get,
            500,
            "ServiceException",
            "An error occurred and the request cannot be processed.",
            TRANSIENT,
            "CloudUnavailable",
        ),
        (On::Get, 503, "", "", TRANSIENT, "CloudUnavailable"),
        (
            On::Get,
            403,
            "AccessDeniedException",
            "User: arn:aws:sts::123456789012:assumed-role/agent/i-0 is not authorized to perform: lambda:GetFunction on resource: arn:aws:lambda:eu-central-1:123456789012:function:orders because no identity-based policy allows the lambda:GetFunction action",
            Class::Blocked,
            "PermissionDenied",
        ),
        (
            On::Get,
            403,
            "ExpiredTokenException",
            "The security token included in the request is expired",
            Class::Blocked,
            "CredentialsRefused",
        ),
        (
            On::Get,
            403,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            Class::Blocked,
            "CredentialsRefused",
        ),
        (
            On::Get,
            403,
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided.",
            Class::Blocked,
            "CredentialsRefused",
        ),
        (
            On::Get,
            400,
            "BrandNewException",
            "something nobody has seen yet",
            TRANSIENT,
            "CloudUnknown",
        ),
        (
            On::Create,
            409,
            "ResourceConflictException",
            "Function already exist: orders",
            TRANSIENT,
            "CloudConflict",
        ),
        (
            On::Create,
            400,
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
            Class::Blocked,
            "RoleUnusable",
        ),
        (
            On::Create,
            400,
            "InvalidParameterValueException",
            "The provided execution role does not have permissions to call CreateNetworkInterface on EC2",
            Class::Blocked,
            "RoleUnusable",
        ),
        (
            On::Create,
            400,
            "InvalidParameterValueException",
            "Source image 123456789012.dkr.ecr.eu-central-1.amazonaws.com/orders@sha256:00 does not exist. Provide a valid source image.",
            Class::Blocked,
            "ImageUnavailable",
        ),
        (
            On::Create,
            400,
            "InvalidParameterValueException",
            "Unzipped size must be smaller than 262144000 bytes",
            Class::Terminal,
            "SpecRefused",
        ),
        (
            On::Create,
            403,
            "AccessDeniedException",
            "Lambda does not have permission to access the ECR image. Check the ECR permissions.",
            Class::Blocked,
            "PermissionDenied",
        ),
        (
            On::Create,
            400,
            "CodeStorageExceededException",
            "Code storage limit exceeded.",
            Class::Blocked,
            "QuotaExceeded",
        ),
        (
            On::Create,
            413,
            "RequestEntityTooLargeException",
            "Request must be smaller than 70167211 bytes for the CreateFunction operation",
            Class::Terminal,
            "TooLargeForTarget",
        ),
        (
            On::Create,
            400,
            "ValidationException",
            "1 validation error detected: Value '20000' at 'memorySize' failed to satisfy constraint: Member must have value less than or equal to 10240",
            Class::Terminal,
            "SpecRefused",
        ),
        (
            On::Code,
            409,
            "ResourceConflictException",
            "The operation cannot be performed at this time. An update is in progress for resource: arn:aws:lambda:eu-central-1:123456789012:function:orders",
            TRANSIENT,
            "CloudConflict",
        ),
        (
            On::Code,
            412,
            "PreconditionFailedException",
            "The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias API to retrieve the latest RevisionId",
            TRANSIENT,
            "CloudConflict",
        ),
        (
            On::Settings,
            404,
            "ResourceNotFoundException",
            "Function not found: arn:aws:lambda:eu-central-1:123456789012:function:orders",
            TRANSIENT,
            "Settling",
        ),
        (
            On::Mark,
            403,
            "AccessDeniedException",
            "User: arn:aws:iam::123456789012:user/agent is not authorized to perform: lambda:TagResource",
            Class::Blocked,
            "PermissionDenied",
        ),
        (
            On::Delete,
            409,
            "ResourceConflictException",
            "The operation cannot be performed at this time. The function is currently in the following state: Pending",
            TRANSIENT,
            "CloudConflict",
        ),
    ];

    #[tokio::test]
    async fn lambdas_errors() {
        for (on, status, kind, message, class, reason) in LAMBDA {
            let answer = Answer::lambda(*status, kind, message);
            let fault = fault(*on, answer).await.unwrap();
            assert_eq!(
                (fault.class, fault.reason.as_str()),
                (*class, *reason),
                "{on:?} {kind} {message}"
            );
            assert!(fault.next.is_some(), "{kind}: nothing says what to do next");
        }
    }

    /// Call, status, body; class and reason.
    #[tokio::test]
    async fn s3s_errors() {
        for (status, code, message, class, reason) in [
            (
                503,
                "SlowDown",
                "Please reduce your request rate.",
                TRANSIENT,
                "Throttled",
            ),
            (
                500,
                "InternalError",
                "We encountered an internal error. Please try again.",
                TRANSIENT,
                "CloudUnavailable",
            ),
            (
                403,
                "AccessDenied",
                "Access Denied",
                Class::Blocked,
                "PermissionDenied",
            ),
            (
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided.",
                Class::Blocked,
                "CredentialsRefused",
            ),
            (
                403,
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
                Class::Blocked,
                "ClockSkew",
            ),
            (
                301,
                "PermanentRedirect",
                "The bucket you are attempting to access must be addressed using the specified endpoint.",
                Class::Blocked,
                "StagingBucketUnavailable",
            ),
        ] {
            let fault = fault(On::Unstage, Answer::s3(status, code, message))
                .await
                .unwrap();
            assert_eq!(
                (fault.class, fault.reason.as_str()),
                (class, reason),
                "{code}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_gone_is_deleted() {
        let gone = "Function not found: arn:aws:lambda:eu-central-1:123456789012:function:orders";
        let answer = || Answer::lambda(404, "ResourceNotFoundException", gone);
        assert_eq!(fault(On::Delete, answer()).await, None);
        assert_eq!(fault(On::Get, answer()).await, None);
        let object = Answer::s3(404, "NoSuchKey", "The specified key does not exist.");
        assert_eq!(fault(On::Unstage, object).await, None);
    }

    #[tokio::test]
    async fn retry_after_is_kept() {
        let answer = Answer::lambda(429, "TooManyRequestsException", "Rate exceeded").after(11);
        let fault = fault(On::Create, answer).await.unwrap();
        let retry_after = Some(Duration::from_secs(11));
        assert_eq!(fault.class, Class::Transient { retry_after });
    }

    #[tokio::test]
    async fn a_denied_call_names_what_to_grant() {
        let answer = Answer::lambda(403, "AccessDeniedException", "not authorized");
        let fault = fault(On::Settings, answer).await.unwrap();
        let next = fault.next.unwrap();
        assert!(
            next.contains("`lambda:UpdateFunctionConfiguration`"),
            "{next}"
        );
    }

    #[tokio::test]
    async fn an_image_that_lambda_may_not_pull_is_not_the_agents_permission() {
        let message =
            "Lambda does not have permission to access the ECR image. Check the ECR permissions.";
        let answer = Answer::lambda(403, "AccessDeniedException", message);
        let next = fault(On::Create, answer).await.unwrap().next.unwrap();
        assert!(next.contains("ecr:BatchGetImage"), "{next}");
    }

    #[tokio::test]
    async fn no_answer_at_all_may_pass() {
        let fault = fault(On::Get, Answer::none()).await.unwrap();
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (TRANSIENT, "CloudUnreachable")
        );
    }
}
