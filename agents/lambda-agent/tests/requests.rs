//! Golden requests: what the agent really sends, as the simulated AWS took it, at the limits of the ways a zip gets there and for every source of the role.
//!
//! The ledger keeps a zip in a request by its length and SHA-256; everything else is as it was sent.

#[cfg(test)]
#[path = "support/artifacts.rs"]
#[expect(dead_code, reason = "this file needs part of it only")]
mod artifacts;
#[cfg(test)]
#[path = "support/cloud.rs"]
#[expect(dead_code, reason = "this file needs part of it only")]
mod cloud;
#[cfg(test)]
#[path = "support/deploy.rs"]
#[expect(dead_code, reason = "this file needs part of it only")]
mod deploy;
#[cfg(test)]
#[path = "support/wire.rs"]
#[expect(dead_code, reason = "this file needs part of it only")]
mod wire;

#[cfg(test)]
mod tests {
    use fractal_core::Class;
    use fractal_core::reconcile::End;
    use lambda_agent::{INLINE_MAX, INLINE_MAX_WITHOUT_BUCKET};
    use serde_json::{Value, json};

    use super::artifacts::zip_of;
    use super::cloud::{BUCKET, ROLE};
    use super::deploy::{Deployed, Deployment};

    const OTHER_ROLE: &str = "arn:aws:iam::123456789012:role/other";
    const FOREIGN_ROLE: &str = "arn:aws:iam::999999999999:role/lambda-role";

    fn zip(size: u64) -> Deployment {
        Deployment::of(zip_of("golden", Some(usize::try_from(size).unwrap())))
    }

    #[tokio::test]
    async fn a_create_request_in_full() {
        let deployed = Deployment::of(zip_of("golden", None)).run().await;
        insta::assert_json_snapshot!(deployed.request("CreateFunction"), @r#"
        {
          "Architectures": [
            "x86_64"
          ],
          "Code": {
            "ZipFile": {
              "length": 257,
              "sha256": "cc312e2d4aa0ae8e7c7f6cb7dc284d7404b627c05cc007f398dee8aaf7e1657d"
            }
          },
          "Environment": {
            "Variables": {
              "STAGE": "test"
            }
          },
          "FunctionName": "orders",
          "Handler": "app.handler",
          "MemorySize": 128,
          "PackageType": "Zip",
          "Role": "arn:aws:iam::123456789012:role/lambda-role",
          "Runtime": "python3.13",
          "Tags": {
            "fractal:digest": "sha256:e895c4f57337c4d7c9b83828d93e19088b33b6e1ce0016726f0fdebdb9ae0b6f",
            "fractal:owner": "conformance/f5a45165c3d411a8ae6d33e9d1d54f44"
          },
          "Timeout": 3
        }
        "#);
    }

    #[tokio::test]
    async fn with_a_bucket_zips_are_inline_up_to_4_mib() {
        for size in [INLINE_MAX - 1, INLINE_MAX] {
            let deployed = zip(size).with_bucket().run().await;
            assert_eq!(deployed.writes(), ["CreateFunction"], "{size}");
            is_inline(&deployed, size);
        }
    }

    #[tokio::test]
    async fn with_a_bucket_a_larger_zip_is_staged_and_taken_away_again() {
        let size = INLINE_MAX + 1;
        let deployed = zip(size).with_bucket().run().await;
        assert_eq!(
            deployed.writes(),
            ["PutObject", "CreateFunction", "DeleteObject"]
        );
        insta::assert_json_snapshot!(deployed.request("PutObject"), @r#"
        {
          "bucket": "staging",
          "headers": {
            "content-type": "application/octet-stream",
            "if-none-match": "*",
            "x-amz-checksum-sha256": "ji+6p09yqWdWjEBPvUY4FSm6MLi3IBLbvE84l+wjivo="
          },
          "key": "fractal/123456789012/eu-central-1/orders/8e2fbaa74f72a967568c404fbd46381529ba30b8b72012dbbc4f3897ec238afa.zip",
          "length": 4194305,
          "query": "x-id=PutObject"
        }
        "#);
        let code = deployed.request("CreateFunction")["Code"].clone();
        let key = format!(
            "fractal/123456789012/eu-central-1/orders/{}.zip",
            deployed.zip_hex
        );
        assert_eq!(code, json!({ "S3Bucket": BUCKET, "S3Key": key }));
    }

    #[tokio::test]
    async fn without_a_bucket_zips_are_inline_up_to_40_mib() {
        for size in [
            INLINE_MAX,
            INLINE_MAX + 1,
            INLINE_MAX_WITHOUT_BUCKET - 1,
            INLINE_MAX_WITHOUT_BUCKET,
        ] {
            let deployed = zip(size).run().await;
            assert_eq!(deployed.writes(), ["CreateFunction"], "{size}");
            is_inline(&deployed, size);
        }
    }

    #[tokio::test]
    async fn without_a_bucket_a_larger_zip_is_blocked_before_any_call() {
        let deployed = zip(INLINE_MAX_WITHOUT_BUCKET + 1).run().await;
        let fault = deployed.refused();
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (Class::Blocked, "StagingBucketUnavailable")
        );
        insta::assert_snapshot!(fault, @"the zip has 41943041 bytes, and without a staging bucket at most 41943040 can be sent (at registry.test/orders:1); run the agent with --staging-bucket, naming a bucket in the function's region");
    }

    #[tokio::test]
    async fn new_code_is_one_request_with_the_revision_it_was_planned_from() {
        let deployed = Deployment::of(zip_of("golden", None))
            .then(zip_of("golden two", None), json!({}))
            .run()
            .await;
        assert_eq!(
            deployed.writes(),
            ["CreateFunction", "UpdateFunctionCode", "TagResource"]
        );
        insta::assert_json_snapshot!(planned_from_a_revision(deployed.request("UpdateFunctionCode")), @r#"
        {
          "Architectures": [
            "x86_64"
          ],
          "RevisionId": "[revision]",
          "ZipFile": {
            "length": 261,
            "sha256": "b6d7a2e63a4f098a2f7911e8d4d4758424064dfd87959430c2ca62ffa1ddde6e"
          }
        }
        "#);
        insta::assert_json_snapshot!(deployed.request("TagResource"), @r#"
        {
          "Tags": {
            "fractal:digest": "sha256:2ebf6c37120871afb2e8abca84b27ebe49af3a80aa25f206a0ad29113bc68820"
          }
        }
        "#);
    }

    #[tokio::test]
    async fn new_settings_are_one_request_with_every_variable() {
        let zip = zip_of("golden", None);
        let deployed = Deployment::of(zip.clone())
            .then(
                zip,
                json!({ "memoryMb": 512, "environment": { "STAGE": "live" } }),
            )
            .run()
            .await;
        assert_eq!(
            deployed.writes(),
            ["CreateFunction", "UpdateFunctionConfiguration"]
        );
        insta::assert_json_snapshot!(planned_from_a_revision(deployed.request("UpdateFunctionConfiguration")), @r#"
        {
          "Environment": {
            "Variables": {
              "STAGE": "live"
            }
          },
          "Handler": "app.handler",
          "MemorySize": 512,
          "RevisionId": "[revision]",
          "Role": "arn:aws:iam::123456789012:role/lambda-role",
          "Runtime": "python3.13",
          "Timeout": 3
        }
        "#);
    }

    #[tokio::test]
    async fn the_components_role_comes_first() {
        let deployed = small()
            .with(json!({ "roleArn": ROLE }))
            .in_environment(json!({ "lambdaRoleArn": OTHER_ROLE }))
            .with_default_role(OTHER_ROLE)
            .run()
            .await;
        assert_eq!(deployed.request("CreateFunction")["Role"], ROLE);
    }

    #[tokio::test]
    async fn then_the_environments_role() {
        let deployed = small()
            .in_environment(json!({ "lambdaRoleArn": ROLE }))
            .with_default_role(OTHER_ROLE)
            .run()
            .await;
        assert_eq!(deployed.request("CreateFunction")["Role"], ROLE);
    }

    #[tokio::test]
    async fn then_the_agents_role() {
        let deployed = small().with_default_role(ROLE).run().await;
        assert_eq!(deployed.request("CreateFunction")["Role"], ROLE);
    }

    #[tokio::test]
    async fn without_any_role_it_is_blocked_before_any_call() {
        let deployed = small().without_default_role().run().await;
        let fault = deployed.refused();
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (Class::Blocked, "RoleMissing")
        );
        insta::assert_snapshot!(fault, @"no execution role is set (at parameters.roleArn); set `roleArn` on the component, `lambdaRoleArn` in the environment's parameters, or --default-role-arn on the agent");
    }

    #[tokio::test]
    async fn a_foreign_role_is_denied_before_any_call() {
        let deployed = small().with(json!({ "roleArn": FOREIGN_ROLE })).run().await;
        let fault = deployed.refused();
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (Class::Blocked, "RoleDenied")
        );
        insta::assert_snapshot!(fault, @"the role `arn:aws:iam::999999999999:role/lambda-role` may not be used here (at parameters.roleArn): allowed are any role of account 123456789012; use an allowed role, or extend the agent's --allow-role");
    }

    #[tokio::test]
    async fn a_role_that_does_not_exist_is_refused_by_the_create_call_itself() {
        let deployed = small().with(json!({ "roleArn": OTHER_ROLE })).run().await;
        let End::Fault(fault) = &deployed.end else {
            panic!("{:?}", deployed.end)
        };
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (Class::Blocked, "RoleUnusable")
        );
        assert_eq!(deployed.writes(), Vec::<String>::new());
        assert_eq!(
            fault.why.as_deref(),
            Some(
                "InvalidParameterValueException: The role defined for the function cannot be assumed by Lambda."
            )
        );
        assert_eq!(
            fault.next.as_deref(),
            Some(
                "create the role with a trust policy for lambda.amazonaws.com, or correct `roleArn`"
            )
        );
    }

    fn small() -> Deployment {
        Deployment::of(zip_of("golden", None))
    }

    /// A revision is another in every run; that there is one is what matters.
    fn planned_from_a_revision(mut request: Value) -> Value {
        let revision = request["RevisionId"].as_str().map(str::len);
        assert_eq!(revision, Some(36));
        request["RevisionId"] = "[revision]".into();
        request
    }

    fn is_inline(deployed: &Deployed, size: u64) {
        let code: Value = deployed.request("CreateFunction")["Code"].clone();
        let zip = json!({ "length": size, "sha256": deployed.zip_hex });
        assert_eq!(code, json!({ "ZipFile": zip }));
    }
}
