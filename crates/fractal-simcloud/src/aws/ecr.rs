//! ECR's own API: `GetAuthorizationToken` and `DescribeRepositories`. The bytes are the registry's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::wire::{ApiError, Dialect};
use super::{Aws, Input, Scope, header, json_body};
use crate::exchange::{Answer, Reply};
use crate::ledger::Call;

const TARGET: &str = "AmazonEC2ContainerRegistry_V20150921.";
/// A token is valid for twelve hours.
const TOKEN_LIFE_MS: u64 = 12 * 3600 * 1000;

impl Aws {
    pub(super) async fn serve_ecr(&self, scope: Scope, input: Input) -> Answer {
        let target = header(&input.parts.headers, "x-amz-target").unwrap_or_default();
        let operation = target.strip_prefix(TARGET).unwrap_or_default().to_owned();
        let call = Call {
            service: "ecr".into(),
            operation: operation.clone(),
            ..scope.call()
        };
        let request = match json_body(&input.body) {
            Ok(request) => request,
            Err(error) => return self.refuse(&call, Dialect::Json11, error, Value::Null),
        };
        let strikes = match self.gate(&call, Dialect::Json11, &request).await {
            Ok(strikes) => strikes,
            Err(answer) => return answer,
        };
        self.finish(&call, &strikes, request.clone(), |_| {
            let done = match operation.as_str() {
                "GetAuthorizationToken" => Ok(self.authorization_token()),
                "DescribeRepositories" => self.describe_repositories(&scope, &request),
                _ => Err(ApiError::new(400, "UnknownOperationException", "")),
            };
            match done {
                Ok(body) => Reply::new(200).bytes("application/x-amz-json-1.1", body.to_string()),
                Err(error) => Dialect::Json11.error(&error, ""),
            }
        })
    }

    fn authorization_token(&self) -> Value {
        let expires_ms = self.clock.now_ms().saturating_add(TOKEN_LIFE_MS);
        let password = self.shelf.tokens.issue_password(expires_ms);
        let token = STANDARD.encode(format!("AWS:{password}"));
        json!({ "authorizationData": [{
            "authorizationToken": token,
            "expiresAt": expires_ms / 1000,
            "proxyEndpoint": self.registry_endpoint,
        }] })
    }

    fn describe_repositories(&self, scope: &Scope, request: &Value) -> Result<Value, ApiError> {
        let known = self.shelf.repositories();
        let wanted: Option<Vec<&str>> = request
            .get("repositoryNames")
            .and_then(Value::as_array)
            .map(|names| names.iter().filter_map(Value::as_str).collect());
        if let Some(absent) = wanted
            .iter()
            .flatten()
            .find(|name| !known.iter().any(|known| known == *name))
        {
            let message = format!(
                "The repository with name '{absent}' does not exist in the registry with id '{}'",
                scope.account
            );
            return Err(ApiError::new(400, "RepositoryNotFoundException", message));
        }
        let chosen = known.iter().filter(|name| {
            wanted
                .as_ref()
                .is_none_or(|wanted| wanted.contains(&name.as_str()))
        });
        Ok(
            json!({ "repositories": chosen.map(|name| repository(scope, name)).collect::<Vec<_>>() }),
        )
    }
}

fn repository(scope: &Scope, name: &str) -> Value {
    let Scope {
        account, region, ..
    } = scope;
    json!({
        "repositoryArn": format!("arn:aws:ecr:{region}:{account}:repository/{name}"),
        "registryId": account,
        "repositoryName": name,
        "repositoryUri": format!("{account}.dkr.ecr.{region}.amazonaws.com/{name}"),
        "imageTagMutability": "MUTABLE",
    })
}
