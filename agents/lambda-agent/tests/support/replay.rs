//! A session whose every call gets one recorded answer. Nothing is connected to.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use fractal_aws::Session;
use lambda_agent::{Lambda, LambdaArgs};
use serde_json::json;

/// An answer, or that there is none.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: Option<u16>,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    /// An error of Lambda: its kind in a header, its message in JSON.
    pub(crate) fn lambda(status: u16, kind: &str, message: &str) -> Self {
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("x-amzn-errortype", kind.to_owned()),
        ];
        Self {
            status: Some(status),
            headers: headers
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .collect(),
            body: json!({ "Type": "User", "message": message }).to_string(),
        }
    }

    /// An error of S3, in XML.
    pub(crate) fn s3(status: u16, code: &str, message: &str) -> Self {
        Self {
            status: Some(status),
            headers: vec![("content-type", "application/xml".to_owned())],
            body: format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>"
            ),
        }
    }

    /// The connection breaks off.
    pub(crate) fn none() -> Self {
        Self {
            status: None,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// Asks to come back after so many seconds.
    pub(crate) fn after(mut self, seconds: u64) -> Self {
        self.headers.push(("retry-after", seconds.to_string()));
        self
    }

    fn response(&self) -> Result<HttpResponse, ConnectorError> {
        let Some(status) = self.status else {
            return Err(ConnectorError::io("connection reset".into()));
        };
        let body = SdkBody::from(self.body.clone());
        let mut response = HttpResponse::new(status.try_into().unwrap(), body);
        for (name, value) in &self.headers {
            response.headers_mut().insert(*name, value.clone());
        }
        Ok(response)
    }
}

impl HttpClient for Answer {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Answer {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(self.response())
    }
}

/// The agent, every call of which is answered so.
pub(crate) fn platform(answer: Answer) -> Lambda {
    let credentials = Credentials::new("AKIDTEST", "secret", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .region(Region::new("eu-central-1"))
        .http_client(answer)
        .build();
    let session = Session::with(&config, "123456789012", "eu-central-1");
    Lambda::connected(session, &LambdaArgs::default()).platform
}
