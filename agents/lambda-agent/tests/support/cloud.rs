//! A simulated AWS for one test, and the agent's session with it. The environment is never read.

use std::collections::BTreeMap;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::config::{Credentials, SharedCredentialsProvider};
use fractal_aws::Session;
use fractal_core::contract::{Environment, EnvironmentId, Params};
use fractal_core::reconcile::Inputs;
use fractal_simcloud::{Clock, Config, Quotas, Settling, SimCloud};
use serde_json::Value;

use super::wire::Wire;

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "eu-central-1";
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/lambda-role";
pub(crate) const BUCKET: &str = "staging";

/// The simulation, its time standing still, and the wire to it.
pub(crate) struct Aws {
    pub(crate) sim: SimCloud,
    pub(crate) wire: Wire,
}

impl Aws {
    /// A fresh one. Operations go on until [`Aws::settle`].
    pub(crate) async fn start() -> Self {
        let config = Config {
            clock: Clock::manual(),
            settling: Settling {
                reads: None,
                milliseconds: Some(1),
            },
            quotas: Quotas::unlimited(),
            ..Config::default()
        };
        Self {
            sim: SimCloud::start(config).await.unwrap(),
            wire: Wire::new(),
        }
    }

    /// Lets every operation in progress finish with the next read.
    pub(crate) fn settle(&self) {
        self.sim.clock().advance(1);
    }

    /// The agent's session.
    pub(crate) fn session(&self) -> Session {
        Session::with(&self.sdk(self.wire.clone()), ACCOUNT, REGION)
    }

    /// A client beside the agent.
    pub(crate) fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.sdk(Wire::new()))
    }

    /// Makes the staging bucket.
    pub(crate) async fn make_bucket(&self) {
        let config = aws_sdk_s3::config::Builder::from(&self.sdk(Wire::new()))
            .force_path_style(true)
            .build();
        let place = aws_sdk_s3::types::CreateBucketConfiguration::builder()
            .location_constraint(REGION.into())
            .build();
        aws_sdk_s3::Client::from_conf(config)
            .create_bucket()
            .bucket(BUCKET)
            .create_bucket_configuration(place)
            .send()
            .await
            .unwrap();
    }

    fn sdk(&self, wire: Wire) -> SdkConfig {
        let credentials = Credentials::new("AKIDTEST", "secret", None, None, "test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .region(Region::new(REGION))
            .endpoint_url(self.sim.endpoint())
            .http_client(wire)
            .build()
    }
}

/// Inputs of a component with these parameters, in an environment with those.
pub(crate) fn inputs(parameters: Value, environment: Value) -> Inputs {
    Inputs {
        component: "worker".parse().unwrap(),
        offer: "CustomWorkloads.FaaS.AwsLambda".parse().unwrap(),
        environment: Environment {
            id: EnvironmentId::new("Personal", "suite", "test").unwrap(),
            parameters: params(environment),
        },
        parameters: params(parameters),
        dependencies: BTreeMap::new(),
        links: Vec::new(),
        secrets: BTreeMap::new(),
    }
}

fn params(value: Value) -> Params {
    serde_json::from_value(value).unwrap()
}
