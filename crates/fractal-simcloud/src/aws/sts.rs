//! STS: `GetCallerIdentity`.

use serde_json::json;

use super::wire::{ApiError, Dialect};
use super::{Aws, Input, Scope};
use crate::encoding::{find, query_pairs, uuid};
use crate::exchange::{Answer, Reply};
use crate::ledger::Call;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

impl Aws {
    pub(super) async fn serve_sts(&self, scope: Scope, input: Input) -> Answer {
        let form = query_pairs(&String::from_utf8_lossy(&input.body), true);
        let operation = find(&form, "Action").unwrap_or_default().to_owned();
        let call = Call {
            service: "sts".into(),
            operation: operation.clone(),
            ..scope.call()
        };
        let request = json!({ "Action": operation });
        let strikes = match self.gate(&call, Dialect::Query, &request).await {
            Ok(strikes) => strikes,
            Err(answer) => return answer,
        };
        self.finish(&call, &strikes, request, |_| {
            if operation == "GetCallerIdentity" {
                caller_identity(&scope)
            } else {
                unknown_action(&operation)
            }
        })
    }
}

fn caller_identity(scope: &Scope) -> Reply {
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\"><GetCallerIdentityResult><Arn>{}</Arn><UserId>{}</UserId><Account>{}</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></GetCallerIdentityResponse>",
        scope.user_arn(),
        scope.access_key_id,
        scope.account,
        uuid(),
    );
    Reply::new(200).bytes("text/xml", body)
}

/// The answer to an action a query service does not have.
pub(super) fn unknown_action(operation: &str) -> Reply {
    let error = ApiError::new(
        400,
        "InvalidAction",
        format!("Could not find operation {operation} for version 2011-06-15"),
    );
    Dialect::Query.error(&error, "")
}
