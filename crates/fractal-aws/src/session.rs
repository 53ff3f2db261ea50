//! Credentials, endpoints and regions, read from AWS's own standard variables and files, and the account they belong to.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use fractal_core::fault::chain;
use fractal_core::{Class, Fault, Reason};

use crate::failure::Failure;

/// Longest time for a connection to be made.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest time for one call, its body included: 40 MiB inline at 1 MiB/s fit.
const CALL: Duration = Duration::from_secs(60);

/// A session with AWS: where its account and default region are known.
#[derive(Debug, Clone)]
pub struct Session {
    config: SdkConfig,
    account: String,
    region: String,
}

/// Why no session could be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// No region is set anywhere.
    #[error("no AWS region is set")]
    Region,
    /// The credentials could not be used.
    #[error("cannot tell which AWS account the credentials belong to")]
    Identity(#[source] Failure),
}

impl From<SessionError> for Fault {
    fn from(error: SessionError) -> Self {
        let text = chain(&error);
        let SessionError::Identity(failure) = error else {
            return Self::blocked(Reason::new("RegionMissing"), text)
                .next("set AWS_REGION, or `region` in the AWS profile");
        };
        let class = failure.class().unwrap_or(Class::Blocked);
        Self::new(class, Reason::new("AwsIdentity"), "cannot tell which AWS account the credentials belong to")
            .at("sts:GetCallerIdentity")
            .because(failure)
            .next("check the credentials the AWS SDK finds (AWS_ACCESS_KEY_ID, AWS_PROFILE, the task's or pod's role)")
    }
}

impl Session {
    /// Finds credentials and region, and asks for the account.
    ///
    /// # Errors
    /// Where no region is set, or the credentials are refused.
    pub async fn connect() -> Result<Self, SessionError> {
        let config = aws_config::defaults(BehaviorVersion::latest())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts())
            .load()
            .await;
        let region = config
            .region()
            .map(ToString::to_string)
            .ok_or(SessionError::Region)?;
        let account = account(&config).await?;
        Ok(Self {
            config,
            account,
            region,
        })
    }

    /// A session with a simulated AWS at `endpoint`: made-up credentials, nothing read from the environment, no proxy of
    /// `HTTP_PROXY` either. Plain HTTP only.
    #[must_use]
    pub fn simulated(endpoint: &str, region: &str, account: &str) -> Self {
        let credentials = Credentials::new("simulated", "simulated", None, None, "simulated");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .endpoint_url(endpoint)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        Self::with(&config, account, region)
    }

    /// A session whose credentials, endpoint and account are known: nothing is read and nobody is asked.
    #[must_use]
    pub fn with(config: &SdkConfig, account: &str, region: &str) -> Self {
        let config = config
            .to_builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts())
            .build();
        Self {
            config,
            account: account.to_owned(),
            region: region.to_owned(),
        }
    }

    /// The account, twelve digits.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The default region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// What a client for `region` is made from.
    #[must_use]
    pub fn config(&self, region: &str) -> SdkConfig {
        self.config
            .to_builder()
            .region(Region::new(region.to_owned()))
            .build()
    }
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_timeout(CALL)
        .operation_attempt_timeout(CALL)
        .build()
}

async fn account(config: &SdkConfig) -> Result<String, SessionError> {
    let answer = aws_sdk_sts::Client::new(config)
        .get_caller_identity()
        .send()
        .await;
    let identity =
        answer.map_err(|error| SessionError::Identity(Failure::new("GetCallerIdentity", error)))?;
    Ok(identity.account.unwrap_or_default())
}
