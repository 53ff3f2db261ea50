//! Credentials, endpoints and regions, read from AWS's own standard variables and files, and the account they belong to.

use std::path::Path;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use fractal_core::fault::chain;
use fractal_core::{Class, Fault, Reason};
use fractal_registry::{IdentityClient, Options, RegistryError};

use crate::failure::Failure;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

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
    /// The bundle of further certificate authorities cannot be used.
    #[error("the CA bundle cannot be used")]
    Authorities(#[source] RegistryError),
    /// The credentials could not be used.
    #[error("cannot tell which AWS account the credentials belong to")]
    Identity(#[source] Failure),
}

impl From<SessionError> for Fault {
    fn from(error: SessionError) -> Self {
        let text = chain(&error);
        let failure = match error {
            SessionError::Identity(failure) => failure,
            SessionError::Authorities(error) => return error.into(),
            SessionError::Region => {
                return Self::blocked(Reason::new("RegionMissing"), text)
                    .next("set AWS_REGION, or `region` in the AWS profile");
            }
        };
        let class = failure.class().unwrap_or(Class::Blocked);
        Self::new(class, Reason::new("AwsIdentity"), "cannot tell which AWS account the credentials belong to")
            .at("sts:GetCallerIdentity")
            .because(failure)
            .next("check the credentials the AWS SDK finds (AWS_ACCESS_KEY_ID, AWS_PROFILE, the task's or pod's role)")
    }
}

impl Session {
    /// Finds credentials and region, and asks for the account. Of `options` the CA bundle counts: the SDK finds proxies and
    /// endpoints itself.
    ///
    /// # Errors
    /// Where the bundle cannot be used, no region is set, or the credentials are refused.
    pub async fn connect(options: &Options) -> Result<Self, SessionError> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts());
        if let Some(bundle) = &options.ca_bundle {
            // As the SDK's default client does.
            let proxies = ProxyConfig::from_env();
            let client = trusting(bundle, proxies).map_err(SessionError::Authorities)?;
            loader = loader.http_client(client);
        }
        let config = loader.load().await;
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

/// The SDK's own client, which trusts the authorities of `bundle` besides the system's.
fn trusting(bundle: &Path, proxies: ProxyConfig) -> Result<SharedHttpClient, RegistryError> {
    // The SDK panics over a bundle it cannot read; this client looks at it first.
    IdentityClient::new(Options {
        ca_bundle: Some(bundle.to_owned()),
        ..Options::default()
    })?;
    let pem = std::fs::read(bundle).map_err(|error| RegistryError::Setting {
        setting: "ca-bundle",
        problem: format!("{}: {error}", bundle.display()).into(),
    })?;
    let store = TrustStore::default().with_pem_certificate(pem);
    let unusable = |error: BoxError| RegistryError::Setting {
        setting: "ca-bundle",
        problem: error.to_string().into(),
    };
    let context = TlsContext::builder().with_trust_store(store).build();
    let context = context.map_err(|error| unusable(error.into()))?;
    Ok(
        Builder::new().build_with_connector_fn(move |settings, components| {
            let mut connector = Connector::builder()
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .tls_context(context.clone())
                .proxy_config(proxies.clone());
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
            connector.build()
        }),
    )
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

#[cfg(test)]
mod tests {
    use fractal_testkit::liar::{Authority, Liar, Lie, Shelf};

    use super::*;

    async fn asked(liar: &Liar, client: Option<SharedHttpClient>) -> Failure {
        let credentials = Credentials::new("id", "secret", None, None, "test");
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("eu-west-1"))
            .endpoint_url(liar.url())
            .retry_config(RetryConfig::disabled())
            .credentials_provider(SharedCredentialsProvider::new(credentials));
        config.set_http_client(client);
        let refused = account(&config.build()).await;
        let Err(SessionError::Identity(failure)) = refused else {
            panic!("{refused:?}")
        };
        failure
    }

    #[tokio::test]
    async fn the_token_service_of_a_private_authority_is_asked_with_the_bundle_only() {
        let authority = Authority::new();
        let liar = Liar::over_tls(Shelf::default(), &authority.issue("127.0.0.1", 2999)).await;
        liar.tell(Lie::Status(403, Vec::new()));
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("ca.pem");
        std::fs::write(&bundle, authority.pem()).unwrap();
        asked(
            &liar,
            Some(trusting(&bundle, ProxyConfig::disabled()).unwrap()),
        )
        .await;
        assert_eq!(liar.lines(), ["POST /"]);
        let other = folder.path().join("other.pem");
        std::fs::write(&other, Authority::new().pem()).unwrap();
        asked(
            &liar,
            Some(trusting(&other, ProxyConfig::disabled()).unwrap()),
        )
        .await;
        assert_eq!(liar.lines().len(), 1);
    }

    #[tokio::test]
    async fn h11_a_bundle_that_is_none_is_named_before_anything_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("ca.pem");
        std::fs::write(
            &bundle,
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        )
        .unwrap();
        let options = Options {
            ca_bundle: Some(bundle),
            ..Options::default()
        };
        let fault = Fault::from(Session::connect(&options).await.unwrap_err());
        assert_eq!(fault.reason.as_str(), "ConfigInvalid", "{fault}");
    }
}
