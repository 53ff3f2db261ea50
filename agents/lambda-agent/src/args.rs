//! The agent's own flags, and how it connects.

use std::sync::Arc;

use fractal_aws::{EcrCredentials, Session};
use fractal_core::Fault;
use fractal_runtime::{Agent, Connected, RegistryOptions};

use crate::api::Api;
use crate::config::Config;
use crate::platform::Lambda;

/// The agent's own flags.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct LambdaArgs {
    /// Execution role of functions whose component and environment name none
    #[arg(
        long,
        env = "FRACTAL_LAMBDA_DEFAULT_ROLE_ARN",
        value_name = "ARN",
        global = true
    )]
    pub default_role_arn: Option<String>,

    /// Roles a component may name, `*` stands for any text; by default every role of the account
    #[arg(
        long = "allow-role",
        env = "FRACTAL_LAMBDA_ALLOW_ROLES",
        value_name = "PATTERN",
        value_delimiter = ',',
        global = true
    )]
    pub allow_roles: Vec<String>,

    /// Bucket for zips above 4 MiB, in the functions' region; without it zips are sent inline up to 40 MiB
    #[arg(
        long,
        env = "FRACTAL_LAMBDA_STAGING_BUCKET",
        value_name = "BUCKET",
        global = true
    )]
    pub staging_bucket: Option<String>,
}

impl Agent for Lambda {
    const NAME: &'static str = "lambda-agent";
    const ABOUT: &'static str = "Reconciles function components onto AWS Lambda";
    type Args = LambdaArgs;

    async fn connect(
        args: &LambdaArgs,
        registry: &RegistryOptions,
    ) -> Result<Connected<Self>, Fault> {
        let session = Session::connect(registry).await?;
        Ok(Self::connected(session, args))
    }
}

impl Lambda {
    /// The platform on a session that is there already.
    #[must_use]
    pub fn connected(session: Session, args: &LambdaArgs) -> Connected<Self> {
        let config = Config {
            account: session.account().to_owned(),
            region: session.region().to_owned(),
            default_role: args.default_role_arn.clone(),
            allowed_roles: args.allow_roles.clone(),
            staging_bucket: args.staging_bucket.clone(),
        };
        let credentials = Some(Arc::new(EcrCredentials::new(session.clone())) as _);
        let platform = Self {
            api: Api::new(session),
            bucket: config.staging_bucket.clone(),
        };
        Connected {
            platform,
            config,
            credentials,
        }
    }
}
